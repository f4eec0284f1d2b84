import { expect } from 'chai'
import {
  containsHashKey,
  FULL_HASH_KEY_RANGE,
  findHoles,
  MAX_HASH_KEY,
  rangesOverlap
} from '../../src/model/hash-key-range.ts'

const range = (start: bigint, end: bigint) => ({ start, end })

describe('findHoles', () => {
  it('finds none where everything is covered, in any order and with overlaps', () => {
    expect(findHoles([FULL_HASH_KEY_RANGE])).to.deep.equal([])
    expect(findHoles([range(50n, MAX_HASH_KEY), range(0n, 80n), range(10n, 20n)])).to.deep.equal([])
  })

  it('finds what is missing at the start, between and at the end', () => {
    expect(findHoles([range(10n, 19n), range(30n, 99n)])).to.deep.equal([
      range(0n, 9n),
      range(20n, 29n),
      range(100n, MAX_HASH_KEY)
    ])
  })

  it('finds the whole space where nothing is', () => {
    expect(findHoles([])).to.deep.equal([FULL_HASH_KEY_RANGE])
  })
})

describe('containsHashKey', () => {
  it('includes both ends', () => {
    const answers = [9n, 10n, 20n, 21n].map(key => containsHashKey(range(10n, 20n), key))
    expect(answers).to.deep.equal([false, true, true, false])
  })
})

describe('rangesOverlap', () => {
  it('sees a single shared key', () => {
    expect(rangesOverlap(range(0n, 10n), range(10n, 20n))).to.equal(true)
    expect(rangesOverlap(range(0n, 9n), range(10n, 20n))).to.equal(false)
  })
})
