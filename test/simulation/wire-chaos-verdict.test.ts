// What the judge of the chaos run makes of made-up ledgers: one that excuses everything would make the run worthless.
import { expect } from 'chai'
import type { LifeNote, WorkerLedger } from './wire-chaos-ledgers.ts'
import { type Hit, judgeChaos, quantile } from './wire-chaos-verdict.ts'

const SHARD = 'shard-1'

function ns(atMs: number): bigint {
  return BigInt(Math.round(atMs * 1e6))
}

/** A ledger of deliveries of the records `ids`, all of one key. */
function aLedger(
  worker: string,
  given: readonly { atMs: number; ids: readonly number[]; storedAtMs?: number }[],
  life: readonly Omit<LifeNote, 'worker' | 'session' | 'why'>[] = []
): WorkerLedger {
  return {
    worker,
    entries: {
      given: given.map(({ atMs, ids }) => ({
        at: ns(atMs),
        shardId: SHARD,
        records: ids.map(id => ({ key: 'key', id }))
      })),
      stored: given.flatMap(({ ids, storedAtMs }) => (storedAtMs === undefined ? [] : { at: ns(storedAtMs), ids })),
      errors: []
    },
    life: life.map(note => ({ ...note, worker, session: `${worker}/1`, why: undefined }))
  }
}

function excuses(ledgers: readonly WorkerLedger[], hits: readonly Hit[]): (string | undefined)[] {
  return judgeChaos(ledgers, hits, 1).duplicates.map(({ excuse }) => excuse?.signal)
}

describe('judgeChaos', () => {
  const twice = [
    aLedger('a', [{ atMs: 1_000, ids: [0] }]),
    aLedger('b', [{ atMs: 20_000, ids: [0], storedAtMs: 20_100 }])
  ]

  it('excuses a duplicate by the signal that came between the first delivery and its checkpoint', () => {
    expect(excuses(twice, [{ worker: 'a', signal: 'SIGKILL', atMs: 1_100 }])).to.deep.equal(['SIGKILL'])
    expect(excuses(twice, [{ worker: 'a', signal: 'SIGSTOP', atMs: 1_100 }])).to.deep.equal(['SIGSTOP'])
  })

  it('excuses no duplicate by a gentle signal, by one to another worker, or by one out of reach', () => {
    const useless: Hit[] = [
      { worker: 'a', signal: 'SIGTERM', atMs: 1_100 },
      { worker: 'b', signal: 'SIGKILL', atMs: 1_100 },
      { worker: 'a', signal: 'SIGKILL', atMs: 500 },
      { worker: 'a', signal: 'SIGKILL', atMs: 15_000 }
    ]
    expect(excuses(twice, useless)).to.deep.equal([undefined])
  })

  it('judges the latest delivery before, not the first of all', () => {
    const thrice = [...twice, aLedger('c', [{ atMs: 30_000, ids: [0] }])]
    const hits: Hit[] = [{ worker: 'a', signal: 'SIGKILL', atMs: 1_100 }]
    expect(excuses(thrice, hits)).to.deep.equal(['SIGKILL', undefined])
  })

  it('does not excuse what is given again after its checkpoint', () => {
    const ledgers = [
      aLedger('a', [{ atMs: 1_000, ids: [0], storedAtMs: 1_050 }]),
      aLedger('b', [{ atMs: 9_000, ids: [0] }])
    ]
    const hits: Hit[] = [{ worker: 'a', signal: 'SIGKILL', atMs: 1_100 }]
    expect(excuses(ledgers, hits)).to.deep.equal([undefined])
    expect(judgeChaos(ledgers, hits, 1).givenAgainAfterCheckpoint).to.deep.equal([0])
  })

  it('finds what is lost, and what is out of order', () => {
    const { lost, outOfOrder } = judgeChaos([aLedger('a', [{ atMs: 1_000, ids: [0, 2, 1] }])], [], 4)
    expect(lost).to.deep.equal([3])
    expect(outOfOrder).to.deep.equal(['1 of key after 2'])
  })

  it('measures a failover from SIGKILL to the first read by another, of the leases held then', () => {
    const killed = aLedger(
      'a',
      [],
      [
        { atMs: 100, event: 'lease:taken', shardId: SHARD },
        { atMs: 150, event: 'leader:elected', shardId: undefined },
        { atMs: 200, event: 'lease:taken', shardId: 'shard-2' },
        { atMs: 300, event: 'lease:released', shardId: 'shard-2' }
      ]
    )
    const successor = aLedger(
      'b',
      [],
      [
        { atMs: 900, event: 'shard:read', shardId: SHARD },
        { atMs: 14_000, event: 'shard:read', shardId: SHARD },
        { atMs: 14_000, event: 'shard:read', shardId: 'shard-2' }
      ]
    )
    const hit: Hit = { worker: 'a', signal: 'SIGKILL', atMs: 1_000 }
    const expected = { shardId: SHARD, hit, ms: 13_000, wasLeader: true, isSingle: true }
    expect(judgeChaos([killed, successor], [hit], 0).failovers).to.deep.equal([expected])
    const another: Hit = { worker: 'b', signal: 'SIGSTOP', atMs: 2_000 }
    const [failover] = judgeChaos([killed, successor], [hit, another], 0).failovers
    expect(failover?.isSingle).to.equal(false)
  })

  it('counts no failover as single if another worker was hit meanwhile, or shortly before', () => {
    const killed = aLedger('a', [], [{ atMs: 100, event: 'lease:taken', shardId: SHARD }])
    const successor = aLedger('b', [], [{ atMs: 110_000, event: 'shard:read', shardId: SHARD }])
    const isSingle = (other: Omit<Hit, 'worker'>): boolean | undefined => {
      const hits: Hit[] = [
        { worker: 'a', signal: 'SIGKILL', atMs: 100_000 },
        { worker: 'c', ...other }
      ]
      return judgeChaos([killed, successor], hits, 0).failovers[0]?.isSingle
    }
    expect(isSingle({ signal: 'SIGKILL', atMs: 105_000 })).to.equal(false)
    expect(isSingle({ signal: 'SIGKILL', atMs: 90_000 })).to.equal(false)
    expect(isSingle({ signal: 'SIGSTOP', atMs: 60_000 })).to.equal(false)
    expect(isSingle({ signal: 'SIGKILL', atMs: 60_000 })).to.equal(true)
    expect(isSingle({ signal: 'SIGTERM', atMs: 105_000 })).to.equal(true)
    expect(isSingle({ signal: 'SIGKILL', atMs: 111_000 })).to.equal(true)
  })

  it('measures the gap after SIGTERM from when the worker stopped reading', () => {
    const stopped = aLedger(
      'a',
      [],
      [
        { atMs: 100, event: 'lease:taken', shardId: SHARD },
        { atMs: 2_000, event: 'lease:revoked', shardId: SHARD },
        { atMs: 2_100, event: 'lease:released', shardId: SHARD }
      ]
    )
    const successor = aLedger('b', [], [{ atMs: 2_900, event: 'shard:read', shardId: SHARD }])
    const hits: Hit[] = [{ worker: 'a', signal: 'SIGTERM', atMs: 1_000 }]
    expect(judgeChaos([stopped, successor], hits, 0).gaps.map(({ ms }) => ms)).to.deep.equal([900])
    const before: Hit[] = [{ worker: 'a', signal: 'SIGTERM', atMs: 2_500 }]
    expect(judgeChaos([stopped, successor], before, 0).gaps).to.deep.equal([])
  })
})

describe('quantile', () => {
  it('is the value that a share of all are at most', () => {
    expect(quantile([4, 1, 3, 2], 0.5)).to.equal(2)
    expect(quantile([4, 1, 3, 2], 0.99)).to.equal(4)
    expect(quantile([], 0.5)).to.equal(0)
  })
})
