import { expect } from 'chai'
import { aggregate } from '../../src/kpl/aggregate.ts'
import { FULL_HASH_KEY_RANGE } from '../../src/model/hash-key-range.ts'
import { LATEST, SHARD_END, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { PutLog, ShardLedger, showPosition } from '../../src/testing/shard-ledger.ts'
import { aPosition } from '../support/builders.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Kinesis records 10, 20, 30 …, which arrive at 1,000, 2,000, 3,000 …. */
function aLog(count: number): PutLog {
  const log = new PutLog()
  for (let index = 1; index <= count; index++) {
    const record = { sequenceNumber: `${index}0`, partitionKey: `key ${index % 2}`, data: bytes('x') }
    log.add({ ...record, arrivedAtMs: index * 1_000 }, FULL_HASH_KEY_RANGE)
  }
  return log
}

/** One aggregated record 10 of three user records, then a plain record 20. */
function anAggregatedLog(hashKeyRange = FULL_HASH_KEY_RANGE): PutLog {
  const log = new PutLog()
  const users = ['a', 'b', 'a'].map(partitionKey => ({ partitionKey, data: bytes('x') }))
  const { data, partitionKey } = aggregate(users)
  log.add({ sequenceNumber: '10', partitionKey, data, arrivedAtMs: 0 }, hashKeyRange)
  log.add({ sequenceNumber: '20', partitionKey: 'a', data: bytes('x'), arrivedAtMs: 0 }, hashKeyRange)
  return log
}

describe('PutLog', () => {
  it('finds the entry of a record, and none of what was not put', () => {
    const log = aLog(3)
    expect([10, 20, 30].map(number => log.entryOf(aPosition(number)))).to.deep.equal([0, 1, 2])
    expect([aPosition(15), aPosition(40), aPosition(10, 1)].map(at => log.entryOf(at))).to.deep.equal([-1, -1, -1])
    expect([log.sequenceNumberOf(1), log.arrivedAtMs(1), log.orderKeyOf(1)]).to.deep.equal(['20', 2_000, 'key 0'])
  })

  it('knows where an entry is, and which one keeps its order with it', () => {
    const log = anAggregatedLog()
    expect([0, 2, 3].map(entry => log.positionOf(entry))).to.deep.equal([
      aPosition(10),
      aPosition(10, 2),
      aPosition(20)
    ])
    expect([0, 1, 2, 3].map(entry => log.previousOf(entry))).to.deep.equal([-1, -1, 0, -1])
  })

  it('counts the entries up to a position, between records and at words too', () => {
    const log = aLog(3)
    const positions = [
      TRIM_HORIZON,
      LATEST,
      aPosition('05'),
      aPosition(10),
      aPosition(15),
      aPosition(30),
      aPosition(99)
    ]
    expect(positions.map(position => log.entriesUpTo(position))).to.deep.equal([0, 0, 0, 1, 1, 3, 3])
    expect(log.entriesUpTo(SHARD_END)).to.equal(3)
  })

  it('has an entry for each user record of an aggregate', () => {
    const log = anAggregatedLog()
    expect(log.entries).to.equal(4)
    expect([aPosition(10), aPosition(10, 2), aPosition(20)].map(at => log.entryOf(at))).to.deep.equal([0, 2, 3])
    expect(log.entryOf(aPosition(10, 3))).to.equal(-1)
    expect([aPosition(10), aPosition(10, 1), aPosition(10, 2)].map(at => log.entriesUpTo(at))).to.deep.equal([1, 2, 3])
    expect(log.orderKeyOf(0)).to.equal(log.orderKeyOf(2)).and.not.equal(log.orderKeyOf(1))
  })

  it('knows aggregates with records of other shards', () => {
    const log = anAggregatedLog({ start: 0n, end: 1n })
    expect([log.isOutside(0), log.isOutside(3)]).to.deep.equal([true, false])
    expect(anAggregatedLog().isOutside(0)).to.equal(false)
  })

  it('keeps records of one key apart if they have different hash keys', () => {
    const log = new PutLog()
    const record = { partitionKey: 'key', data: bytes('x'), arrivedAtMs: 0 }
    log.add({ ...record, sequenceNumber: '10' }, FULL_HASH_KEY_RANGE, '1')
    log.add({ ...record, sequenceNumber: '20' }, FULL_HASH_KEY_RANGE, '2')
    expect(log.orderKeyOf(0)).to.not.equal(log.orderKeyOf(1))
  })
})

describe('ShardLedger', () => {
  const aLedger = (puts = aLog(4), { mayDropOutside = false, gone = [] as string[] } = {}) =>
    new ShardLedger(puts, { mayDropOutside, isThere: sequenceNumber => !gone.includes(sequenceNumber) })

  it('expects nothing before it is known since when', () => {
    const ledger = aLedger()
    expect(ledger.open()).to.deep.equal([])
    expect(ledger.open(2_500)).to.deep.equal([2, 3])
    ledger.expectSince(Number.NEGATIVE_INFINITY)
    expect(ledger.open()).to.deep.equal([0, 1, 2, 3])
  })

  it('expects what arrived since a time, the earliest that was said', () => {
    const ledger = aLedger()
    ledger.expectSince(3_000)
    expect(ledger.open()).to.deep.equal([2, 3])
    ledger.expectSince(2_000)
    ledger.expectSince(4_000)
    expect(ledger.open()).to.deep.equal([1, 2, 3])
  })

  it('expects nothing up to where the application began', () => {
    const ledger = aLedger()
    ledger.expectAfter(aPosition(20))
    expect(ledger.open()).to.deep.equal([2, 3])
  })

  it('knows the first entry that is open, also when others are done out of order', () => {
    const ledger = aLedger()
    ledger.expectSince(Number.NEGATIVE_INFINITY)
    for (const entry of [0, 2]) ledger.vouch(entry)
    expect([ledger.firstOpen(), ledger.firstOpen(1), ledger.open()]).to.deep.equal([1, -1, [1, 3]])
    for (const entry of [1, 3]) ledger.vouch(entry)
    expect(ledger.firstOpen()).to.equal(-1)
  })

  it('does not wait for what has expired', () => {
    const ledger = aLedger(aLog(3), { gone: ['10'] })
    ledger.expectSince(Number.NEGATIVE_INFINITY)
    expect(ledger.open()).to.deep.equal([1, 2])
  })

  it('does not wait for aggregates that may be left out', () => {
    const puts = anAggregatedLog({ start: 0n, end: 1n })
    for (const mayDropOutside of [true, false]) {
      const ledger = aLedger(puts, { mayDropOutside })
      ledger.expectSince(Number.NEGATIVE_INFINITY)
      expect(ledger.open()).to.deep.equal(mayDropOutside ? [3] : [0, 1, 2, 3])
    }
  })

  it('takes a checkpoint as a word for what was delivered, and for nothing else', () => {
    const ledger = aLedger()
    ledger.expectSince(Number.NEGATIVE_INFINITY)
    for (const entry of [0, 1, 2]) ledger.deliver(entry)
    ledger.vouchUpTo(aPosition(20))
    expect(ledger.open()).to.deep.equal([2, 3])
    ledger.vouchUpTo(SHARD_END)
    expect(ledger.open()).to.deep.equal([3])
  })

  it('tells the first delivery from others', () => {
    const ledger = aLedger()
    expect([ledger.isDelivered(0), ledger.deliver(0), ledger.deliver(0), ledger.isDelivered(0)]).to.deep.equal([
      ...[false, true, false, true]
    ])
  })

  it('finds it needless to deliver again what is done, unless the shard was taken over since', () => {
    const ledger = aLedger()
    expect(ledger.isNeedlessAgain(0)).to.equal(false)
    ledger.confirm(0, 500)
    expect(ledger.isNeedlessAgain(0)).to.equal(true)
    ledger.takenOver(499)
    expect(ledger.isNeedlessAgain(0)).to.equal(true)
    // The call during which somebody else took over may have been done in vain.
    ledger.takenOver(500)
    expect(ledger.isNeedlessAgain(0)).to.equal(false)
  })

  it('finds it needed again if nobody had to know, or something before it cannot be settled', () => {
    const ledger = aLedger()
    for (const entry of [0, 1, 3]) ledger.confirm(entry, 500)
    expect([ledger.firstUnconfirmed(0), ledger.firstUnconfirmed(3)]).to.deep.equal([2, 4])
    ledger.unconfirm(0)
    ledger.forgiveBehind(2)
    expect([0, 1, 2, 3].map(entry => ledger.isNeedlessAgain(entry))).to.deep.equal([false, true, false, false])
  })

  it('forgives what was settled before a time, from an entry on', () => {
    const ledger = aLedger()
    for (const entry of [0, 1, 2]) ledger.confirm(entry, 500 + entry)
    ledger.forgiveOlder(1, 502)
    expect([0, 1, 2].map(entry => ledger.isNeedlessAgain(entry))).to.deep.equal([true, false, true])
  })

  it('knows which entry of the same key is open before one', () => {
    const ledger = aLedger(aLog(7))
    ledger.expectSince(Number.NEGATIVE_INFINITY)
    // Of the keys 1, 0, 1, 0 …
    for (const entry of [1, 3, 4]) ledger.vouch(entry)
    expect(ledger.openBefore(6, new Set())).to.equal(2)
    expect(ledger.openBefore(6, new Set([2]))).to.equal(0)
    expect(ledger.openBefore(5, new Set())).to.equal(-1)
    expect([ledger.isOpen(0), ledger.isOpen(1)]).to.deep.equal([true, false])
  })
})

describe('showPosition', () => {
  it('is short', () => {
    expect([showPosition(undefined), showPosition(aPosition(10, 2))]).to.deep.equal(['nothing', '10#2'])
  })
})
