import { expect } from 'chai'
import { AnswerUnpacker } from '../../src/consumer/answer-unpacker.ts'
import { aggregate } from '../../src/kpl/aggregate.ts'
import { DeaggregationRoom } from '../../src/kpl/deaggregate.ts'
import type { HashKeyRange } from '../../src/model/hash-key-range.ts'
import { ConsumedRecord } from '../../src/model/record.ts'
import { formatPosition, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import type { RetrievedRecords } from '../../src/retrieval/retriever.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aPosition } from '../support/builders.ts'

const utf8 = new TextEncoder()

function aRecord(number: number, data: Uint8Array = utf8.encode(`payload ${number}`)): ConsumedRecord {
  return new ConsumedRecord({ sequenceNumber: String(number), partitionKey: 'key', data })
}

/** An aggregated Kinesis record of so many user records. */
function anAggregate(number: number, count: number): ConsumedRecord {
  const inner = Array.from({ length: count }, (_, i) => ({ partitionKey: 'key', data: utf8.encode(`${number}/${i}`) }))
  return aRecord(number, aggregate(inner).data)
}

function anUnpacker(hashKeyRange?: HashKeyRange) {
  const clock = new VirtualClock()
  const facts = { stored: TRIM_HORIZON, odd: [] as string[], takenApart: [] as number[], suppressed: [] as number[] }
  const lagged: string[] = []
  const unpacker = new AnswerUnpacker({
    outOfRange: 'deliver',
    hashKeyRange,
    room: new DeaggregationRoom(),
    stored: () => facts.stored,
    clock,
    lag: { received: records => lagged.push(records.map(formatPosition).join(' ')) },
    listener: {
      oddRecords: ({ outOfRange, corrupt }) => facts.odd.push(`${outOfRange} ${corrupt}`),
      suppressed: records => facts.suppressed.push(records)
    }
  })
  const answer = (records: readonly ConsumedRecord[], bytes = 10): RetrievedRecords => ({
    ...{ kind: 'records', records, bytes, millisBehindLatest: 0, release: () => {} },
    takenApart: count => facts.takenApart.push(count)
  })
  const unpack = (records: readonly ConsumedRecord[], accepted = TRIM_HORIZON): string[] =>
    unpacker.unpack(answer(records), accepted).records.map(formatPosition)
  return { clock, facts, lagged, unpacker, answer, unpack }
}

describe('AnswerUnpacker', () => {
  it('passes plain records on as they are, after what was accepted', () => {
    const { facts, unpacker, answer, unpack } = anUnpacker()
    const records = [aRecord(1), aRecord(2), aRecord(3)]
    const unpacked = unpacker.unpack(answer(records), TRIM_HORIZON)
    expect(unpacked.records).to.equal(records)
    expect(unpacked.received).to.equal(records)
    expect(unpacked.upTo).to.deep.equal(aPosition(3))
    expect(unpack(records, aPosition(2))).to.deep.equal(['3'])
    expect(facts.takenApart).to.deep.equal([])
  })

  it('tells how many records were settled before, and of those that are to be settled', () => {
    const { facts, lagged, unpacker, unpack } = anUnpacker()
    unpack([aRecord(1), aRecord(2)])
    expect(facts.suppressed).to.deep.equal([])
    unpack([aRecord(1), aRecord(2), anAggregate(3, 4)], aPosition(3, 1))
    expect(facts.suppressed).to.deep.equal([4])
    unpacker.leaveOut([aPosition(5)])
    unpack([aRecord(4), aRecord(5), aRecord(6)], aPosition(4))
    expect(facts.suppressed).to.deep.equal([4, 2])
    expect(lagged).to.deep.equal(['1 2', '3#2 3#3', '6'])
  })

  it('takes aggregates apart, and says how many records that makes', () => {
    const { facts, unpack } = anUnpacker()
    expect(unpack([aRecord(1), anAggregate(2, 3)], aPosition(2, 0))).to.deep.equal(['2#1', '2#2'])
    expect(facts.takenApart).to.deep.equal([4])
  })

  it('tells of user records that are not of this shard', () => {
    const { facts, unpack } = anUnpacker({ start: 0n, end: 1n })
    expect(unpack([anAggregate(1, 2)])).to.deep.equal(['1', '1#1'])
    expect(facts.odd).to.deep.equal(['2 0'])
  })

  it('leaves out what is settled, however often reading begins anew, until the checkpoint has passed it', () => {
    const { facts, unpacker, unpack } = anUnpacker()
    const records = [1, 2, 3, 4].map(number => aRecord(number))
    unpacker.leaveOut([aPosition(2), aPosition(4)])
    expect(unpack(records)).to.deep.equal(['1', '3'])
    unpacker.leaveOut([aPosition(3)])
    expect(unpack(records)).to.deep.equal(['1'])
    facts.stored = aPosition(2)
    expect(unpack(records, aPosition(2))).to.deep.equal([])
    // Nobody reads from before the checkpoint again; what lies there is forgotten.
    expect(unpack([aRecord(2)])).to.deep.equal(['2'])
  })

  it('tells of members of one aggregate apart', () => {
    const { unpacker, unpack } = anUnpacker()
    unpacker.leaveOut([aPosition(1, 1)])
    expect(unpack([anAggregate(1, 3)])).to.deep.equal(['1', '1#2'])
  })

  it('lets the event loop run before a large answer, and only then', async () => {
    const { clock, unpacker, answer } = anUnpacker()
    await unpacker.beforehand(answer([aRecord(1)], 262_143))
    let isReady = false
    void unpacker.beforehand(answer([aRecord(1)], 262_144)).then(() => {
      isReady = true
    })
    expect(clock.sleeping).to.equal(1)
    await clock.advance(0)
    expect(isReady).to.equal(true)
  })
})
