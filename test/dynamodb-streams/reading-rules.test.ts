import { expect } from 'chai'
import {
  countOlder,
  formatPlace,
  millisBehind,
  parsePlace,
  type ReadingPlace,
  sinceOf
} from '../../src/dynamodb-streams/reading-rules.ts'

describe('formatPlace', () => {
  it('is read back by parsePlace, whatever the iterator of the service looks like', () => {
    const places: ReadingPlace[] = [
      { shardId: 'shardId-1', from: 'record', iterator: 'arn:aws:…/stream/2026-01-01T00:00:00.000|1|AA A==' },
      { shardId: 'shardId-1', from: 'horizon', sinceMs: 0, iterator: '' },
      { shardId: 'shardId-2', from: 'latest', sinceMs: 1_700_000_000_000, iterator: ' x ' }
    ]
    for (const place of places) expect(parsePlace(formatPlace(place))).to.deep.equal(place)
  })
})

describe('sinceOf', () => {
  it('is a whole second, some seconds earlier: clocks differ, and times of records are rounded down', () => {
    expect(sinceOf(1_700_000_000_999)).to.equal(1_699_999_995_000)
    expect(sinceOf(1_700_000_000_000)).to.equal(1_699_999_995_000)
  })
})

describe('countOlder', () => {
  it('counts what comes before the first record that is wanted, and nothing after it', () => {
    expect(countOlder([1, 2, 3, 2, 1], 3)).to.equal(2)
    expect(countOlder([1, 2], 3)).to.equal(2)
    expect(countOlder([3, 1], 3)).to.equal(0)
    expect(countOlder([], 3)).to.equal(0)
    expect(countOlder([1, 2], undefined)).to.equal(0)
  })

  it('takes a record without a time for wanted', () => {
    expect(countOlder([1, undefined, 1], 3)).to.equal(1)
  })
})

describe('millisBehind', () => {
  it('is the age of the last record, unless that is as new as can be told', () => {
    expect(millisBehind(10_000, 70_000)).to.equal(60_000)
    expect(millisBehind(69_000, 70_900)).to.equal(0)
    expect(millisBehind(71_000, 70_000)).to.equal(0)
  })

  it('is no more than since when records are wanted', () => {
    expect(millisBehind(10_000, 70_000, 65_000)).to.equal(5_000)
    expect(millisBehind(67_000, 70_000, 65_000)).to.equal(3_000)
  })

  it('is nothing for an answer without records', () => {
    expect(millisBehind(undefined, 70_000)).to.equal(0)
  })
})
