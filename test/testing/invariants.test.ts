import { expect } from 'chai'
import type { Member } from '../../src/leases/control-store.ts'
import { FULL_HASH_KEY_RANGE } from '../../src/model/hash-key-range.ts'
import {
  checkpointed,
  checkpointedAndReleased,
  claimed,
  finished,
  type Lease,
  released,
  renewed
} from '../../src/model/lease.ts'
import { ConsumedRecord } from '../../src/model/record.ts'
import { SHARD_END, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { type DeliveryCall, Invariants, type Processing } from '../../src/testing/invariants.ts'
import { leaseWriteKind } from '../../src/testing/lease-writes.ts'
import { PutLog, ShardLedger } from '../../src/testing/shard-ledger.ts'
import { aLease, aPosition, shardId } from '../support/builders.ts'

const SHARD = shardId(0)
const W1 = { name: 'w1', isAlive: true, isPaused: false }
const DONE = { kind: 'returned', failed: [] } as const
const W2 = { name: 'w2', isAlive: true, isPaused: false }

/** An application whose tables and processors do as the test says, and the violations that are found. */
class Rig {
  nowMs = 1_000
  /** Aborts the signals that are made with it. */
  readonly stop = new AbortController()
  isDriftExcessive = false
  readonly found: string[] = []
  readonly ledgers = new Map<string, ShardLedger>()
  readonly rows = new Map<string, Lease>()
  readonly invariants = new Invariants({
    nowMs: () => this.nowMs,
    ledgerOf: id => this.ledger(id),
    isDriftExcessive: () => this.isDriftExcessive,
    keepsOrder: () => true,
    lettingGo: () => ({ isAbandoned: false, askedAtMs: undefined, isHalted: false, resumedAtMs: undefined }),
    violated: kind => this.found.push(kind)
  })

  /** A shard with records 10, 20, 30 … of keys 0 and 1 in turn, and a lease from its beginning. */
  aShard(id = SHARD, { records = 4, ...with_ }: Partial<Lease> & { records?: number } = {}): Lease {
    for (let index = 1; index <= records; index++) this.put(id, `${index}0`, `key ${index % 2}`)
    const lease = aLease({ leaseKey: id, shardId: id, ...with_ })
    const about = { leaseKey: id, writer: 'w1', isWritten: true }
    this.invariants.leaseWritten({ ...about, kind: 'create', after: lease })
    this.rows.set(id, lease)
    return lease
  }

  put(id: string, sequenceNumber: string, partitionKey: string): void {
    const record = { sequenceNumber, partitionKey, data: new Uint8Array(1), arrivedAtMs: 0 }
    this.ledger(id).puts.add(record, FULL_HASH_KEY_RANGE)
  }

  ledger(id: string): ShardLedger {
    const known = this.ledgers.get(id) ?? new ShardLedger(new PutLog(), { mayDropOutside: false, isThere: () => true })
    this.ledgers.set(id, known)
    return known
  }

  /** A write that the table takes, whatever is in it. */
  write(expected: Lease, after: Lease, writer = 'w1'): Lease {
    const { leaseKey } = expected
    const before = this.rows.get(leaseKey) ?? expected
    const kind = leaseWriteKind(expected, after)
    this.invariants.leaseWritten({ kind, leaseKey, writer, expected, before, after, isWritten: true })
    this.rows.set(leaseKey, after)
    return after
  }

  claim(lease: Lease, session = 'w1/1', writer = session.split('/')[0] ?? ''): Lease {
    return this.write(lease, claimed(lease, session), writer)
  }

  begin(
    worker: Processing,
    numbers: readonly number[],
    id = SHARD,
    signal = new AbortController().signal
  ): DeliveryCall {
    const records = numbers.map(number => aRecord(number))
    return this.invariants.begin({ worker, shardId: id, records, signal })
  }

  /** A call that begins and ends well. */
  process(worker: Processing, numbers: readonly number[], id = SHARD): void {
    this.invariants.deliveries.end(this.begin(worker, numbers, id), DONE)
  }

  joins(session: string, with_: Partial<Member> = {}): void {
    const member = { session, workerId: session, state: 'ACTIVE', ack: 0, applied: 0, evt: 0, led: 0 } as const
    this.invariants.memberChanged({ ...member, generation: 0, capacity: 1, avoid: [], hb: 1, asgVer: 0, ...with_ })
  }
}

function aRecord(number: number): ConsumedRecord {
  const where = { sequenceNumber: String(number), subSequenceNumber: 0, partitionKey: `key ${(number / 10) % 2}` }
  return new ConsumedRecord({ ...where, data: new Uint8Array(1), aggregated: false })
}

describe('Invariants', () => {
  it('finds nothing wrong with a shard that is claimed, processed and handed over', () => {
    const rig = new Rig()
    let lease = rig.claim(rig.aShard())
    rig.process(W1, [10, 20])
    lease = rig.write(lease, checkpointed(lease, aPosition(20)))
    rig.process(W1, [30])
    lease = rig.write(lease, checkpointedAndReleased(lease, aPosition(30)))
    lease = rig.claim(lease, 'w2/1')
    rig.process(W2, [40])
    rig.write(lease, finished(lease, []), 'w2')
    expect(rig.found).to.deep.equal([])
    expect(rig.invariants.counts).to.deep.equal({ deliveries: 4, duplicates: 0, gracefulDuplicates: 0 })
  })

  it('takes no notice of writes that were refused', () => {
    const rig = new Rig()
    const lease = rig.claim(rig.aShard())
    const about = { leaseKey: SHARD, writer: 'w2', expected: lease, before: lease, after: lease, isWritten: false }
    rig.invariants.leaseWritten({ ...about, kind: 'checkpoint' })
    expect(rig.found).to.deep.equal([])
  })

  describe('of checkpoints', () => {
    it('are that none passes a record that is not processed', () => {
      const rig = new Rig()
      const lease = rig.claim(rig.aShard())
      rig.process(W1, [10])
      rig.begin(W1, [20])
      rig.write(lease, checkpointed(lease, aPosition(20)))
      expect(rig.found).to.deep.equal(['checkpoint-ahead'])
    })

    it('are that the end of a shard comes after its last record', () => {
      const rig = new Rig()
      const lease = rig.claim(rig.aShard())
      rig.process(W1, [10, 20, 30])
      rig.write(lease, finished(lease, []))
      expect(rig.found).to.deep.equal(['checkpoint-ahead'])
    })

    it('are that a call does not count that has failed, or was told to stop', () => {
      for (const [isDone, isAborted] of [
        [false, false],
        [true, true]
      ] as const) {
        const rig = new Rig()
        const lease = rig.claim(rig.aShard())
        const stop = new AbortController()
        const call = rig.begin(W1, [10], SHARD, stop.signal)
        if (isAborted) stop.abort()
        rig.invariants.deliveries.end(call, isDone ? DONE : { kind: 'failed' })
        rig.write(lease, checkpointed(lease, aPosition(10)))
        expect(rig.found).to.deep.equal(['checkpoint-ahead'])
      }
    })

    it('are that the word of a processor is enough, for what it was given', () => {
      const rig = new Rig()
      let lease = rig.claim(rig.aShard())
      rig.begin(W1, [10, 20])
      rig.invariants.deliveries.vouchUpTo(SHARD, aPosition(10))
      lease = rig.write(lease, checkpointed(lease, aPosition(10)))
      expect(rig.found).to.deep.equal([])
      rig.invariants.deliveries.vouchUpTo(SHARD, aPosition(30))
      rig.write(lease, checkpointed(lease, aPosition(30)))
      expect(rig.found).to.deep.equal(['checkpoint-ahead'])
    })

    it('are that none goes back', () => {
      const rig = new Rig()
      const lease = rig.claim(rig.aShard(SHARD, { checkpoint: aPosition(20) }))
      rig.write(lease, { ...checkpointed(lease, aPosition(20)), checkpoint: aPosition(10) })
      expect(rig.found).to.deep.equal(['checkpoint-back'])
    })

    it('are that records from before the beginning of the application do not matter', () => {
      const rig = new Rig()
      const lease = rig.claim(rig.aShard(SHARD, { checkpoint: aPosition(20) }))
      rig.process(W1, [30])
      rig.write(lease, checkpointed(lease, aPosition(30)))
      expect(rig.found).to.deep.equal([])
    })
  })

  describe('of ownership', () => {
    it('are that a worker whose lease was claimed writes nothing', () => {
      const rig = new Rig()
      const old = rig.claim(rig.aShard())
      const now = rig.claim(old, 'w2/1')
      rig.write(old, renewed(old), 'w1')
      expect(rig.found).to.deep.equal(['zombie-write'])
      // The same by somebody who knows the row as it is.
      rig.rows.set(SHARD, now)
      rig.write(now, renewed(now), 'w1')
      expect(rig.found).to.deep.equal(['zombie-write', 'zombie-write'])
    })

    it('are that a worker that has claimed its lease again writes nothing for the earlier claim', () => {
      const rig = new Rig()
      const earlier = rig.claim(rig.aShard())
      const free = rig.write(earlier, released(earlier))
      rig.claim(free)
      rig.write(earlier, checkpointed(earlier, TRIM_HORIZON))
      expect(rig.found).to.deep.equal(['zombie-write'])
    })

    it('are that a claim is made from the row as it is', () => {
      const rig = new Rig()
      const lease = rig.aShard()
      rig.claim(lease)
      rig.claim(lease, 'w2/1')
      expect(rig.found).to.deep.equal(['unfenced-write'])
    })

    it('are that a lease is claimed only from a session that is dead', () => {
      const rig = new Rig()
      rig.joins('w1/1')
      rig.joins('w3/1')
      let lease = rig.claim(rig.aShard())
      lease = rig.claim(lease, 'w2/1')
      expect(rig.found).to.deep.equal(['unfounded-claim'])
      rig.invariants.memberDied('w3/1', 'silent')
      lease = rig.claim(rig.claim(lease, 'w3/1'), 'w4/1')
      expect(rig.found).to.deep.equal(['unfounded-claim'])
    })

    it('are not that beside workers of another kind', () => {
      const rig = new Rig()
      rig.joins('w1/1')
      rig.invariants.modeIs('mixed')
      rig.claim(rig.claim(rig.aShard()), 'w2/1')
      expect(rig.found).to.deep.equal([])
    })

    it('are that nobody holds more leases than allowed', () => {
      const rig = new Rig()
      rig.joins('w1/1', { maxLeases: 2 })
      const leases = [0, 1, 2].map(number => rig.aShard(shardId(number)))
      const [first] = leases.slice(0, 2).map(lease => rig.claim(lease))
      expect(rig.found).to.deep.equal([])
      if (first) rig.write(first, released(first))
      if (leases[2]) rig.claim(leases[2])
      expect(rig.found).to.deep.equal([])
      if (first) rig.claim(released(first))
      expect(rig.found).to.deep.equal(['max-leases'])
    })
  })

  describe('of deliveries', () => {
    it('are that the lease is not somebody else’s when one begins', () => {
      const rig = new Rig()
      rig.claim(rig.claim(rig.aShard()), 'w2/1')
      rig.process(W1, [10])
      expect(rig.found).to.deep.equal(['without-lease'])
      rig.isDriftExcessive = true
      rig.process(W1, [20])
      expect(rig.found).to.deep.equal(['without-lease'])
    })

    it('are that a shard is not processed twice at the same time', () => {
      const rig = new Rig()
      const lease = rig.claim(rig.aShard())
      rig.begin(W1, [10])
      rig.claim(lease, 'w2/1')
      rig.begin(W2, [10])
      expect(rig.found).to.deep.equal(['overlap'])
    })

    it('are that not even one worker processes a shard twice at the same time', () => {
      const rig = new Rig()
      rig.claim(rig.aShard())
      rig.isDriftExcessive = true
      rig.begin(W1, [10])
      rig.begin(W1, [10])
      expect(rig.found).to.deep.equal(['overlap'])
    })

    const excuses: readonly [string, (rig: Rig, worker: { isPaused: boolean; isAlive: boolean }) => void][] = [
      ['stands still', (_, worker) => Object.assign(worker, { isPaused: true })],
      ['is dead', (_, worker) => Object.assign(worker, { isAlive: false })],
      ['was told to stop', rig => rig.stop.abort()],
      ['has a clock that is far off', rig => Object.assign(rig, { isDriftExcessive: true })],
      ['has crashed', (rig, worker) => rig.invariants.crashed(worker as Processing)]
    ]
    for (const [excuse, happens] of excuses) {
      it(`are not that, if the other one ${excuse}`, () => {
        const rig = new Rig()
        const other = { ...W1 }
        const lease = rig.claim(rig.aShard())
        rig.begin(other, [10], SHARD, rig.stop.signal)
        happens(rig, other)
        rig.claim(lease, 'w2/1')
        rig.begin(W2, [10])
        expect(rig.found).to.deep.equal([])
      })
    }

    it('are that every parent is finished before', () => {
      const parents = [shardId(1), shardId(2)]
      const beforeEnd = new Rig()
      const early = beforeEnd.aShard(parents[0], { records: 0 })
      beforeEnd.aShard(parents[1], { records: 0, checkpoint: SHARD_END })
      beforeEnd.claim(beforeEnd.aShard(SHARD, { parentShardIds: parents }))
      beforeEnd.process(W1, [10])
      expect(beforeEnd.found).to.deep.equal(['child-early'])
      beforeEnd.write(beforeEnd.claim(early), finished({ ...early, owner: 'w1/1', counter: 1 }, []))
      beforeEnd.process(W1, [20])
      expect(beforeEnd.found).to.deep.equal(['child-early'])
    })

    it('are that every record of the parents is processed, even if they have no lease any more', () => {
      const rig = new Rig()
      const parent = shardId(1)
      const lease = rig.aShard(parent, { records: 1 })
      rig.claim(rig.aShard(SHARD, { parentShardIds: [parent] }))
      const about = { leaseKey: parent, writer: 'w1', expected: lease, before: lease, isWritten: true }
      rig.invariants.leaseWritten({ ...about, kind: 'remove' })
      rig.begin(W1, [10])
      expect(rig.found).to.deep.equal(['child-early'])
    })

    it('are that the records of a key come in order, the first time that they come', () => {
      const rig = new Rig()
      rig.claim(rig.aShard())
      rig.process(W1, [10, 40])
      rig.begin(W1, [20])
      expect(rig.found).to.deep.equal(['settled-early', 'order'])
    })

    it('are that they come in order from shard to shard', () => {
      const rig = new Rig()
      rig.claim(rig.aShard())
      rig.put(shardId(1), '15', 'key 0')
      rig.put(shardId(1), '25', 'another key')
      rig.process(W1, [20])
      rig.process(W2, [25], shardId(1))
      expect(rig.found).to.deep.equal([])
      rig.process(W2, [15], shardId(1))
      expect(rig.found).to.deep.equal(['order'])
    })

    it('are that nothing processed is delivered again after a graceful end', () => {
      const rig = new Rig()
      let lease = rig.claim(rig.aShard())
      rig.process(W1, [10, 20])
      lease = rig.write(lease, released(lease))
      rig.claim(lease, 'w2/1')
      rig.process(W2, [10, 20, 30])
      expect(rig.found).to.deep.equal(['graceful-duplicate'])
      expect(rig.invariants.counts).to.deep.equal({ deliveries: 5, duplicates: 2, gracefulDuplicates: 2 })
    })

    it('are not that if the lease was taken from its owner', () => {
      const rig = new Rig()
      const lease = rig.claim(rig.aShard())
      rig.process(W1, [10])
      rig.claim(lease, 'w2/1')
      rig.process(W2, [10])
      expect(rig.found).to.deep.equal([])
      expect(rig.invariants.counts.duplicates).to.equal(1)
    })

    it('are not that of a call that failed, or of one that was given up', () => {
      const failed = new Rig()
      failed.claim(failed.aShard())
      failed.invariants.deliveries.end(failed.begin(W1, [10]), { kind: 'failed' })
      failed.process(W1, [10])
      expect(failed.found).to.deep.equal([])
      const givenUp = new Rig()
      let lease = givenUp.claim(givenUp.aShard())
      givenUp.process(W1, [10])
      givenUp.begin(W1, [20], SHARD, givenUp.stop.signal)
      givenUp.stop.abort()
      lease = givenUp.write(lease, released(lease))
      givenUp.claim(lease, 'w2/1')
      givenUp.process(W2, [10])
      expect(givenUp.found).to.deep.equal([])
    })
  })

  it('begin anew when the lease table is gone', () => {
    const rig = new Rig()
    rig.claim(rig.aShard())
    rig.process(W1, [10])
    rig.invariants.leasesLost()
    rig.rows.clear()
    rig.claim(rig.aShard(SHARD, { records: 0 }), 'w2/1')
    rig.process(W2, [10])
    expect(rig.found).to.deep.equal([])
  })

  it('know since when leases are read that begin with what is latest', () => {
    const rig = new Rig()
    const latest = { checkpoint: { sequenceNumber: 'LATEST', subSequenceNumber: 0 } }
    rig.aShard(SHARD, { ...latest, startTimestampMs: 5_000 })
    rig.aShard(shardId(1), latest)
    expect(rig.invariants.beganAtMs).to.equal(5_000)
  })
})
