import { expect } from 'chai'
import { jittered, randomWord, seededRandom, shuffled } from '../../src/runtime/random.ts'

describe('seededRandom', () => {
  it('gives the same numbers for the same seed, from 0 up to 1', () => {
    const [a, b, c] = [seededRandom(7), seededRandom(7), seededRandom(8)]
    const numbers = Array.from({ length: 1_000 }, () => a.next())
    expect(Array.from({ length: 1_000 }, () => b.next())).to.deep.equal(numbers)
    expect(Array.from({ length: 1_000 }, () => c.next())).to.not.deep.equal(numbers)
    expect(Math.min(...numbers)).to.be.at.least(0)
    expect(Math.max(...numbers)).to.be.lessThan(1)
    expect(numbers.reduce((sum, n) => sum + n, 0) / 1_000).to.be.closeTo(0.5, 0.05)
  })
})

describe('shuffled', () => {
  it('keeps every item and leaves the original alone', () => {
    const items = Array.from({ length: 50 }, (_, index) => index)
    const result = shuffled(items, seededRandom(1))
    expect(result).to.not.deep.equal(items)
    expect([...result].sort((a, b) => a - b)).to.deep.equal(items)
  })
})

describe('jittered', () => {
  it('stays within a tenth', () => {
    expect(jittered(1_000, { next: () => 0 })).to.equal(900)
    expect(jittered(1_000, { next: () => 0.999999 })).to.be.closeTo(1_100, 1)
  })
})

describe('randomWord', () => {
  it('has the length asked for, of letters and digits', () => {
    expect(randomWord(8, seededRandom(5))).to.match(/^[a-z0-9]{8}$/)
  })
})
