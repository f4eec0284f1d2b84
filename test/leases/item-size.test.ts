import { expect } from 'chai'
import { itemBytes, leaseBytes, readUnits, writeUnits } from '../../src/leases/item-size.ts'
import { aLease, aPosition } from '../support/builders.ts'

describe('itemBytes', () => {
  it('counts the name and the value of each attribute', () => {
    const sizes: readonly [object, number][] = [
      [{}, 0],
      [{ a: 'xyz' }, 4],
      [{ a: 'ä€' }, 6],
      [{ a: 12345 }, 1 + 3 + 1],
      [{ a: -1.5 }, 1 + 1 + 1],
      [{ a: true, b: undefined }, 2],
      [{ a: new Uint8Array(10) }, 11],
      [{ a: ['xy', 'z'] }, 4],
      [{ a: new Set(['xy', 'z']) }, 4],
      [{ a: { b: 'c' } }, 1 + 3 + 1 + 2]
    ]
    for (const [item, bytes] of sizes) expect(itemBytes({ ...item }), JSON.stringify(item)).to.equal(bytes)
  })
})

describe('leaseBytes', () => {
  it('is what a row of the lease table has', () => {
    const bytes = leaseBytes(aLease({ owner: 'worker/12345678', checkpoint: aPosition('4'.repeat(56)) }))
    expect(bytes).to.be.within(300, 600)
    expect(leaseBytes(aLease())).to.be.lessThan(bytes)
  })
})

describe('writeUnits', () => {
  it('is one for each kilobyte begun, and one at least', () => {
    expect([0, 1, 1_024, 1_025, 300_000].map(writeUnits)).to.deep.equal([1, 1, 1, 2, 293])
  })
})

describe('readUnits', () => {
  it('is one for each 4 kB begun, and half of that for an eventually consistent read', () => {
    expect([0, 4_096, 4_097].map(bytes => readUnits(bytes, true))).to.deep.equal([1, 1, 2])
    expect([0, 4_096, 4_097].map(bytes => readUnits(bytes, false))).to.deep.equal([0.5, 0.5, 1])
  })
})
