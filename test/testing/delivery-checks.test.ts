import { expect } from 'chai'
import { HandlerTimeoutError } from '../../src/model/errors.ts'
import { FULL_HASH_KEY_RANGE } from '../../src/model/hash-key-range.ts'
import { ConsumedRecord } from '../../src/model/record.ts'
import { TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { type DeliveryCall, DeliveryChecks } from '../../src/testing/delivery-checks.ts'
import { FailureBooks } from '../../src/testing/failure-books.ts'
import type { LettingGo } from '../../src/testing/hand-overs.ts'
import { PutLog, ShardLedger } from '../../src/testing/shard-ledger.ts'
import type { CallEnd } from '../../src/testing/watched-processor.ts'
import { aPosition } from '../support/builders.ts'

const SHARD = 'shard'
const W1 = { name: 'w1', isAlive: true, isPaused: false }
const WELL: LettingGo = { isAbandoned: false, askedAtMs: undefined, isHalted: false, resumedAtMs: undefined }

function aRecord(number: number): ConsumedRecord {
  const where = { sequenceNumber: String(number), subSequenceNumber: 0, partitionKey: 'key' }
  return new ConsumedRecord({ ...where, data: new Uint8Array(1), aggregated: false })
}

/** A shard with the records 10 to 60, of the keys 1, 0, 1, 0 …, and what is found wrong with its calls. */
class Rig {
  nowMs = 1_000
  keepsOrder = true
  readonly found: string[] = []
  readonly books = new FailureBooks()
  readonly ledger = new ShardLedger(new PutLog(), { mayDropOutside: false, isThere: () => true })
  readonly checks = new DeliveryChecks(
    {
      nowMs: () => this.nowMs,
      ledgerOf: () => this.ledger,
      keepsOrder: () => this.keepsOrder,
      isDriftExcessive: () => false,
      violated: kind => this.found.push(kind)
    },
    this.books
  )

  constructor() {
    for (let index = 1; index <= 6; index++) {
      const record = { sequenceNumber: `${index}0`, partitionKey: `key ${index % 2}`, data: new Uint8Array(1) }
      this.ledger.puts.add({ ...record, arrivedAtMs: 0 }, FULL_HASH_KEY_RANGE)
    }
    this.ledger.expectAfter(TRIM_HORIZON)
  }

  begin(numbers: readonly number[], { atOnce = 1, signal = new AbortController().signal } = {}): DeliveryCall {
    const records = numbers.map(aRecord)
    return this.checks.begin({ worker: W1, shardId: SHARD, records, signal, atOnce })
  }

  end(call: DeliveryCall, failed: readonly number[] | 'failed' = []): void {
    const how: CallEnd = failed === 'failed' ? { kind: 'failed' } : { kind: 'returned', failed: failed.map(aRecord) }
    this.checks.end(call, how)
  }

  /** A call from begin to end. */
  process(numbers: readonly number[], failed: readonly number[] | 'failed' = []): void {
    this.end(this.begin(numbers), failed)
  }

  /** The lease is given back with its checkpoint at the beginning, and somebody is given records. */
  handOver(how: Partial<LettingGo>, numbers: readonly number[]): string[] {
    this.checks.released('w1', SHARD, TRIM_HORIZON, { ...WELL, ...how })
    this.begin(numbers)
    return this.found
  }
}

describe('DeliveryChecks', () => {
  describe('of calls side by side', () => {
    it('find nothing wrong with those of different keys', () => {
      const rig = new Rig()
      rig.begin([10], { atOnce: 2 })
      rig.begin([20], { atOnce: 2 })
      expect(rig.found).to.deep.equal([])
    })

    it('find one of the same key, one of the same record, and one too many', () => {
      for (const [second, atOnce, keepsOrder] of [
        [30, 2, true],
        [10, 2, false],
        [20, 1, true]
      ] as const) {
        const rig = new Rig()
        rig.keepsOrder = keepsOrder
        rig.begin([10], { atOnce })
        rig.begin([second], { atOnce })
        expect(rig.found, `${second}`).to.deep.equal(['overlap'])
      }
    })

    it('take no notice of a call that took too long', () => {
      const rig = new Rig()
      const tooLong = new AbortController()
      rig.begin([10], { signal: tooLong.signal })
      tooLong.abort(new HandlerTimeoutError(1_000, false))
      rig.process([10])
      expect(rig.found).to.deep.equal([])
    })
  })

  describe('of order', () => {
    it('find a record that is settled before an earlier one of its key', () => {
      const rig = new Rig()
      rig.process([10], 'failed')
      rig.process([20])
      expect(rig.found).to.deep.equal([])
      rig.process([30])
      expect(rig.found).to.deep.equal(['settled-early'])
    })

    it('leave it to the user which records of one call are settled first, but not those of the next', () => {
      const rig = new Rig()
      rig.process([10, 20, 30], [10])
      expect(rig.found).to.deep.equal([])
      rig.process([50])
      expect(rig.found).to.deep.equal(['settled-early'])
    })

    it('ask for none where none is kept', () => {
      const rig = new Rig()
      rig.keepsOrder = false
      rig.process([30])
      rig.process([10])
      expect(rig.found).to.deep.equal([])
    })
  })

  describe('of failures', () => {
    it('know what a call has failed with, which is not what it has settled or stored before', () => {
      const rig = new Rig()
      const call = rig.begin([10, 20, 30, 40])
      rig.checks.vouchUpTo(SHARD, aPosition(10), call)
      rig.checks.settle(call, aPosition(30))
      rig.end(call, 'failed')
      const failed = [0, 1, 2, 3].map(entry => rig.books.of('w1', SHARD, entry)?.among)
      expect(failed).to.deep.equal([undefined, 2, undefined, 2])
    })

    it('count a call that takes too long when its time is over, and learn what it settles after that', () => {
      const rig = new Rig()
      const tooLong = new AbortController()
      const call = rig.begin([10, 20, 30], { signal: tooLong.signal })
      tooLong.abort(new HandlerTimeoutError(1_000, false))
      expect(rig.books.of('w1', SHARD, 0)).to.include({ calls: 1, among: 3 })
      rig.checks.settle(call, aPosition(20))
      rig.end(call, 'failed')
      expect([0, 1].map(entry => rig.books.of('w1', SHARD, entry)?.among)).to.deep.equal([2, undefined])
    })
  })

  describe('of what comes again', () => {
    it('find what was settled one by one, or was not named as failed, even in the same worker', () => {
      const oneByOne = new Rig()
      const call = oneByOne.begin([10, 20])
      oneByOne.checks.settle(call, aPosition(10))
      oneByOne.end(call, 'failed')
      oneByOne.process([20], 'failed')
      expect(oneByOne.found).to.deep.equal([])
      oneByOne.begin([10])
      expect(oneByOne.found).to.deep.equal(['graceful-duplicate'])
      const named = new Rig()
      named.process([10, 20], [10])
      named.process([10, 20])
      expect(named.found).to.deep.equal(['graceful-duplicate'])
    })

    it('excuse it if the call was told to stop, before or just after it returned', () => {
      for (const isBefore of [true, false]) {
        const rig = new Rig()
        const stop = new AbortController()
        const call = rig.begin([10], { signal: stop.signal })
        if (isBefore) stop.abort()
        rig.end(call)
        stop.abort()
        rig.process([10])
        expect(rig.found).to.deep.equal([])
      }
    })

    it('find it after a lease was given back although the record before could have been tried', () => {
      const rig = new Rig()
      rig.process([10, 20], [10])
      rig.nowMs = 2_000
      expect(rig.handOver({ askedAtMs: 2_000 }, [10, 20])).to.deep.equal(['graceful-duplicate'])
    })

    it('excuse it if that one was tried in vain', () => {
      const rig = new Rig()
      rig.process([10, 20], [10])
      rig.nowMs = 2_000
      rig.process([10], 'failed')
      expect(rig.handOver({ askedAtMs: 2_000 }, [10, 20])).to.deep.equal([])
    })

    it('excuse it if the shard was halted there, or had been, or was given back without the processor', () => {
      for (const how of [{ isHalted: true }, { resumedAtMs: 1_500 }, { isAbandoned: true }]) {
        const rig = new Rig()
        rig.process([10, 20], [10])
        rig.nowMs = 2_000
        expect(rig.handOver(how, [10, 20]), JSON.stringify(how)).to.deep.equal([])
      }
    })

    it('do not excuse what lies before it', () => {
      const rig = new Rig()
      rig.process([10])
      rig.process([20, 40], [20])
      expect(rig.handOver({ isHalted: true }, [10])).to.deep.equal(['graceful-duplicate'])
    })

    it('excuse what a record processor had not checkpointed', () => {
      const rig = new Rig()
      rig.process([10])
      rig.checks.begunAnew(SHARD)
      rig.process([10])
      expect(rig.found).to.deep.equal([])
    })
  })
})
