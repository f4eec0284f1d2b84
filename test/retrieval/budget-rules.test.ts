import { expect } from 'chai'
import {
  expectedUserBytes,
  habitsAfter,
  habitsAfterTaking,
  MAX_ANSWER_BYTES,
  NO_HABITS,
  planRead,
  readBytes,
  recordsPerAnswer,
  underWayBytes,
  userRecordBytes
} from '../../src/retrieval/budget-rules.ts'

const MIB = 1024 * 1024
const behind = { maxRecords: 10_000, maxBytes: Number.POSITIVE_INFINITY, sinceTipMs: undefined }

describe('underWayBytes and readBytes', () => {
  it('count the text of an answer beside what is decoded out of it, and what is around each record', () => {
    expect(underWayBytes(3_000, 0)).to.equal(7_000)
    expect(underWayBytes(3_000, 10)).to.equal(7_000 + 5_120)
    expect(readBytes(3_000, 10)).to.equal(3_000 + 4_800)
  })

  it('count user records instead of the text, which has gone when they come, if they take more', () => {
    expect(underWayBytes(3_000, 0, 1)).to.equal(7_000)
    expect(underWayBytes(3_000, 10, 2)).to.equal(9_000 + 5_120)
  })
})

describe('habitsAfterTaking', () => {
  it('learns how much the user records take that are made of so much payload', () => {
    expect(expectedUserBytes(NO_HABITS, 1_000)).to.equal(0)
    const habits = habitsAfterTaking(habitsAfter(NO_HABITS, 10, 10_000), 10_000, 100)
    expect(expectedUserBytes(habits, 1_000)).to.equal(userRecordBytes(10))
    expect(expectedUserBytes(habitsAfter(habitsAfter(habits, 0, 0), 5, 500), 1_000)).to.equal(userRecordBytes(10))
    expect(expectedUserBytes(habitsAfterTaking(habits, 10_000, 10), 1_000)).to.equal(userRecordBytes(1))
  })

  it('learns nothing of records without payload', () => {
    expect(habitsAfterTaking(NO_HABITS, 0, 10)).to.equal(NO_HABITS)
  })
})

describe('habitsAfter', () => {
  it('learns at once that records are larger, and slowly that they are smaller', () => {
    const large = habitsAfter(NO_HABITS, 10, 10_000)
    expect(large).to.deep.equal({ recordBytes: 1_000, records: 10, bytes: 10_000 })
    const smaller = habitsAfter(large, 10, 1_000)
    expect(smaller).to.deep.equal({ recordBytes: 500, records: 10, bytes: 5_000 })
    expect(habitsAfter(smaller, 2, 8_000)).to.deep.equal({ recordBytes: 4_000, records: 5, bytes: 8_000 })
  })

  it('keeps the size of records while none come', () => {
    let habits = habitsAfter(NO_HABITS, 10, 10_000)
    for (let count = 0; count < 40; count++) habits = habitsAfter(habits, 0, 0)
    expect(habits).to.deep.equal({ recordBytes: 1_000, records: 0, bytes: 0 })
    expect(habitsAfter(NO_HABITS, 0, 0)).to.equal(NO_HABITS)
  })

  it('takes no record for nothing', () => {
    expect(habitsAfter(NO_HABITS, 10, 0).recordBytes).to.equal(1)
  })
})

describe('planRead', () => {
  it('asks for as many records as may be where the largest answer fits, of a shard that nothing is known of too', () => {
    expect(planRead(NO_HABITS, { ...behind, shareBytes: 25 * MIB })).to.deep.equal({ limit: 10_000, bytes: 25 * MIB })
    const large = habitsAfter(NO_HABITS, 200, 200 * 50_000)
    const plan = planRead(large, { ...behind, shareBytes: 64 * MIB })
    expect(plan.limit).to.equal(10_000)
    expect(plan.bytes).to.be.within(underWayBytes(MAX_ANSWER_BYTES, 200), underWayBytes(MAX_ANSWER_BYTES, 220))
  })

  it('asks for one record of a shard that nothing is known of where the largest answer does not fit', () => {
    expect(planRead(NO_HABITS, { ...behind, shareBytes: 2 * MIB })).to.deep.equal({ limit: 1, bytes: 2 * MIB })
    expect(planRead(NO_HABITS, { ...behind, shareBytes: 8 * MIB }).limit).to.equal(3)
  })

  it('asks for as many records as fit, going by those that came, and for many times more than came at most', () => {
    const habits = habitsAfter(NO_HABITS, 100, 100 * 10_000)
    const { limit, bytes } = planRead(habits, { ...behind, shareBytes: 4 * MIB })
    expect(limit).to.be.within(170, 180)
    expect(bytes).to.be.within(4 * MIB - 24_000, 4 * MIB)
    const one = habitsAfter(NO_HABITS, 1, 100)
    expect(planRead(one, { ...behind, shareBytes: 4 * MIB }).limit).to.equal(16)
  })

  it('asks for fewer records where they are aggregates of many small ones', () => {
    const plain = habitsAfter(NO_HABITS, 100, 100 * 10_000)
    const aggregated = habitsAfterTaking(plain, 1_000_000, 100_000)
    const plan = planRead(aggregated, { ...behind, shareBytes: 4 * MIB })
    expect(plan.limit).to.be.within(35, 42)
    expect(plan.bytes).to.be.within(4 * MIB - 120_000, 4 * MIB)
    expect(planRead(aggregated, { ...behind, shareBytes: 64 * MIB }).limit).to.be.within(600, 640)
  })

  it('never asks for none, and never holds more than the share', () => {
    const giant = habitsAfter(NO_HABITS, 1, 9 * MIB)
    expect(planRead(giant, { ...behind, shareBytes: 1_000 })).to.deep.equal({ limit: 1, bytes: 1_000 })
    expect(planRead(giant, { ...behind, shareBytes: 0 })).to.deep.equal({ limit: 1, bytes: 1 })
  })

  it('asks for no more than a read should bring, where others read the shard too', () => {
    const habits = habitsAfter(NO_HABITS, 100, 100 * 10_000)
    const plan = (maxBytes: number) => planRead(habits, { ...behind, shareBytes: 64 * MIB, maxBytes })
    expect([plan(400_000).limit, plan(10).limit]).to.deep.equal([40, 1])
    expect(plan(400_000).bytes).to.equal(underWayBytes(400_000, 40))
    const unknown = planRead(NO_HABITS, { ...behind, shareBytes: 64 * MIB, maxBytes: 400 * 1024 })
    expect(unknown.limit).to.equal(400)
  })

  it('holds little at the tip, where no more can come than was written since', () => {
    const habits = habitsAfter(NO_HABITS, 1, 1_000)
    const atTip = (sinceTipMs: number) => planRead(habits, { ...behind, shareBytes: 64 * MIB, sinceTipMs })
    expect(atTip(250).limit).to.equal(10_000)
    expect(atTip(250).bytes).to.be.within(0.5 * MIB, MIB)
    expect(atTip(1).bytes).to.be.below(64 * 1024)
    expect(atTip(3_600_000).bytes).to.be.within(23 * MIB, 64 * MIB)
  })

  it('holds as much at the tip as came at once before, whatever the service says about the tip', () => {
    const habits = habitsAfter(NO_HABITS, 200, 10_000_000)
    const { bytes } = planRead(habits, { ...behind, shareBytes: 64 * MIB, sinceTipMs: 1 })
    expect(bytes).to.be.above(underWayBytes(10_000_000, 0))
  })
})

describe('recordsPerAnswer', () => {
  it('is what may be asked for, or what the largest answer has', () => {
    expect(recordsPerAnswer(NO_HABITS, 10_000)).to.equal(10_000)
    expect(recordsPerAnswer(habitsAfter(NO_HABITS, 1, MIB), 10_000)).to.equal(10)
    expect(recordsPerAnswer(habitsAfter(NO_HABITS, 1, 100), 500)).to.equal(500)
  })
})
