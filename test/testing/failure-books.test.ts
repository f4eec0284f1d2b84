import { expect } from 'chai'
import { FailureBooks, undeservedBecause } from '../../src/testing/failure-books.ts'

describe('FailureBooks', () => {
  it('count the calls that have failed with a record since it was last settled', () => {
    const books = new FailureBooks()
    books.failed('w1', 'shard', [1, 2], false, 100)
    books.failed('w1', 'shard', [2], true, 200)
    expect(books.of('w1', 'shard', 1)).to.deep.equal({ calls: 1, lastAtMs: 100, among: 2, isNamed: false })
    expect(books.of('w1', 'shard', 2)).to.deep.equal({ calls: 2, lastAtMs: 200, among: 1, isNamed: true })
    books.settled('w1', 'shard', 2)
    expect(books.of('w1', 'shard', 2)).to.equal(undefined)
  })

  it('learn that a call has left fewer records open than it seemed', () => {
    const books = new FailureBooks()
    books.failed('w1', 'shard', [1, 2], false, 100)
    books.left('w1', 'shard', [2], 250)
    expect(books.of('w1', 'shard', 2)).to.include({ calls: 1, among: 1 })
  })

  it('are kept for each worker, and begin anew with each hold of a lease', () => {
    const books = new FailureBooks()
    books.failed('w1', 'shard', [1], false, 100)
    expect(books.of('w2', 'shard', 1)).to.equal(undefined)
    books.forget('w1', 'shard')
    expect(books.of('w1', 'shard', 1)).to.equal(undefined)
  })
})

describe('undeservedBecause', () => {
  const failed = { calls: 3, lastAtMs: 0, among: 1, isNamed: false }
  const given = { attempts: 3, ageMs: 1_000 }
  const rules = { attempts: 3 }

  it('finds nothing to say of what has failed as often as it may, the last time alone or by name', () => {
    expect(undeservedBecause(failed, given, rules)).to.equal(undefined)
    expect(undeservedBecause({ ...failed, among: 5, isNamed: true }, given, rules)).to.equal(undefined)
    expect(undeservedBecause({ ...failed, among: 5 }, given, { ...rules, bisect: false })).to.equal(undefined)
  })

  it('finds nothing to say of what is too old', () => {
    expect(undeservedBecause(undefined, { attempts: 0, ageMs: 60_000 }, { maxRecordAgeMs: 60_000 })).to.equal(undefined)
    expect(undeservedBecause(undefined, { attempts: 0, ageMs: 59_999 }, { maxRecordAgeMs: 60_000 })).to.be.a('string')
  })

  it('says what is wrong with the rest', () => {
    expect(undeservedBecause(undefined, given, rules)).to.include('no call')
    expect(undeservedBecause({ ...failed, among: 5 }, given, rules)).to.include('4 others')
    expect(undeservedBecause({ ...failed, calls: 2 }, { ...given, attempts: 2 }, rules)).to.include('only 2 of 3')
    expect(undeservedBecause(failed, { ...given, attempts: 4 }, rules)).to.include('4 calls are said')
    expect(undeservedBecause(failed, { ...given, attempts: 0 }, rules)).to.include('0 calls are said')
  })

  it('leaves to the user what decide or time decide', () => {
    const early = { ...failed, calls: 1 }
    expect(undeservedBecause(early, { ...given, attempts: 1 }, { ...rules, decide: () => 'skip' })).to.equal(undefined)
    expect(undeservedBecause(early, { ...given, attempts: 1 }, { ...rules, maxElapsedMs: 10 })).to.equal(undefined)
  })
})
