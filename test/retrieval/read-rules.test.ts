import { expect } from 'chai'
import { AT_TIMESTAMP, LATEST, SHARD_END, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import {
  continuationOf,
  limitAfterAnswer,
  limitAfterTimeout,
  startOf,
  stepBackMs
} from '../../src/retrieval/read-rules.ts'
import { aPosition } from '../support/builders.ts'

describe('startOf', () => {
  const date = new Date(5_000)
  const table = [
    ['the horizon', { checkpoint: TRIM_HORIZON }, undefined, { type: 'TRIM_HORIZON' }],
    [
      'the horizon, whatever the time',
      { checkpoint: TRIM_HORIZON, startTimestampMs: 7 },
      date,
      { type: 'TRIM_HORIZON' }
    ],
    [
      'the horizon if LATEST has no time, whatever the options say',
      { checkpoint: LATEST },
      date,
      { type: 'TRIM_HORIZON' }
    ],
    ['the tip as it was', { checkpoint: LATEST, startTimestampMs: 7 }, date, { type: 'AT_TIMESTAMP', timestampMs: 7 }],
    [
      'the time of the row',
      { checkpoint: AT_TIMESTAMP, startTimestampMs: 7 },
      date,
      { type: 'AT_TIMESTAMP', timestampMs: 7 }
    ],
    ['the time of the options', { checkpoint: AT_TIMESTAMP }, date, { type: 'AT_TIMESTAMP', timestampMs: 5_000 }],
    ['time 0', { checkpoint: AT_TIMESTAMP, startTimestampMs: 0 }, date, { type: 'AT_TIMESTAMP', timestampMs: 0 }],
    ['the horizon where nobody knows the time', { checkpoint: AT_TIMESTAMP }, undefined, { type: 'TRIM_HORIZON' }],
    ['a record', { checkpoint: aPosition(42) }, date, { type: 'AT_SEQUENCE_NUMBER', sequenceNumber: '42' }],
    [
      'a record inside an aggregate',
      { checkpoint: aPosition(42, 5) },
      date,
      { type: 'AT_SEQUENCE_NUMBER', sequenceNumber: '42' }
    ]
  ] as const
  for (const [what, lease, startAt, start] of table) {
    it(`opens a shard at ${what}`, () => {
      expect(startOf(lease, startAt)).to.deep.equal(start)
    })
  }

  it('is never asked about a finished shard, and would be refused by Kinesis', () => {
    expect(startOf({ checkpoint: SHARD_END }, undefined).type).to.equal('AT_SEQUENCE_NUMBER')
  })
})

describe('stepBackMs', () => {
  it('is a second at first, and doubles', () => {
    expect([0, 1_000, 2_000, 4_000].map(stepBackMs)).to.deep.equal([1_000, 2_000, 4_000, 8_000])
  })
})

describe('limitAfterTimeout and limitAfterAnswer', () => {
  it('halve the number of records, down to one, and come back by a thirty-second of the most', () => {
    expect([10_000, 5_001, 3, 1].map(limitAfterTimeout)).to.deep.equal([5_000, 2_500, 1, 1])
    expect([1, 5_000, 9_999].map(limit => limitAfterAnswer(limit, 10_000))).to.deep.equal([314, 5_313, 10_000])
    expect(limitAfterAnswer(1, 1)).to.equal(1)
  })
})

describe('continuationOf', () => {
  const since = { type: 'AT_TIMESTAMP', timestampMs: 7 } as const

  it('opens a shard that continues others at the time at which the application began, where that is known', () => {
    expect(continuationOf({ beganAtMs: 7 }, { type: 'TRIM_HORIZON' })).to.deep.equal(since)
    expect(continuationOf({}, { type: 'TRIM_HORIZON' })).to.deep.equal({ type: 'TRIM_HORIZON' })
  })

  it('changes no other beginning', () => {
    const record = { type: 'AT_SEQUENCE_NUMBER', sequenceNumber: '12' } as const
    expect(continuationOf({ beganAtMs: 9 }, record)).to.equal(record)
    expect(continuationOf({ beganAtMs: 9 }, since)).to.equal(since)
  })
})
