import { expect } from 'chai'
import { AT_TIMESTAMP, LATEST, SHARD_END, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import {
  afterRead,
  BYTES_PER_SECOND,
  type LastRead,
  limitAfterAnswer,
  limitAfterTimeout,
  NO_DEBT,
  READS_PER_SECOND,
  readDelayMs,
  startOf,
  stepBackMs
} from '../../src/retrieval/read-rules.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { aPosition } from '../support/builders.ts'
import { seeds } from '../support/seeds.ts'

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

describe('readDelayMs', () => {
  const behind: LastRead = { isBehind: true, agoMs: 0 }
  const atTip = (agoMs: number): LastRead => ({ isBehind: false, agoMs })

  it('does not wait before the first read', () => {
    expect(readDelayMs(NO_DEBT, undefined, 1_000, 123_456)).to.equal(0)
  })

  it('waits the rest of the idle time at the tip, and nothing behind it', () => {
    expect(readDelayMs(NO_DEBT, atTip(0), 1_000, 0)).to.equal(1_000)
    expect(readDelayMs(NO_DEBT, atTip(400), 1_000, 0)).to.equal(600)
    expect(readDelayMs(NO_DEBT, atTip(1_500), 1_000, 0)).to.equal(0)
    expect(readDelayMs(NO_DEBT, behind, 1_000, 0)).to.equal(0)
  })

  it('waits until an answer of 10 MB is paid off, whatever the time', () => {
    const debt = afterRead(NO_DEBT, 10 * 1024 * 1024, 50_000)
    expect(readDelayMs(debt, behind, 0, 50_000)).to.equal(5_000)
    expect(readDelayMs(debt, behind, 0, 53_000)).to.equal(2_000)
    expect(readDelayMs(debt, behind, 0, 60_000)).to.equal(0)
  })

  it('makes up for nothing: a long pause allows no more at once than a short one', () => {
    let debt = NO_DEBT
    for (let read = 0; read < READS_PER_SECOND; read++) debt = afterRead(debt, 0, 1_000_000)
    expect(readDelayMs(debt, behind, 0, 1_000_000)).to.be.greaterThan(0)
  })

  it('keeps to 5 reads and 2 MB in any second, over random reads', () => {
    for (const seed of seeds(40)) {
      const random = seededRandom(seed)
      const reads: { atMs: number; bytes: number }[] = []
      let debt = NO_DEBT
      let nowMs = random.next() * 1_000
      for (let count = 0; count < 200; count++) {
        nowMs += readDelayMs(debt, behind, 0, nowMs)
        const bytes = Math.floor(random.next() ** 4 * 10 * 1024 * 1024)
        debt = afterRead(debt, bytes, nowMs)
        reads.push({ atMs: nowMs, bytes })
        nowMs += random.next() < 0.5 ? 0 : random.next() * (random.next() < 0.1 ? 5_000 : 100)
      }
      for (const [index, { atMs }] of reads.entries()) {
        const second = reads.slice(0, index).filter(read => read.atMs > atMs - 1_000 + 0.001)
        expect(second.length, `SEED=${seed} reads before ${atMs}`).to.be.below(READS_PER_SECOND)
        const unpaid = reads
          .slice(0, index)
          .filter(read => read.atMs + (read.bytes / BYTES_PER_SECOND) * 1_000 > atMs + 0.001)
        expect(unpaid, `SEED=${seed} at ${atMs}`).to.deep.equal([])
      }
    }
  })
})
