import { expect } from 'chai'
import { frozenCopy } from '../../src/leases/frozen-copy.ts'

describe('frozenCopy', () => {
  it('is frozen all the way down, and shares nothing with the original', () => {
    const original = { a: [{ b: 1 }], bytes: new Uint8Array([1, 2]) }
    const copy = frozenCopy(original)
    expect(copy).to.deep.equal(original)
    for (const part of [copy, copy.a, copy.a[0]]) expect(part).to.be.frozen
    original.a.push({ b: 2 })
    original.bytes.fill(9)
    expect(copy).to.deep.equal({ a: [{ b: 1 }], bytes: new Uint8Array([1, 2]) })
  })

  it('leaves out what is undefined', () => {
    expect(frozenCopy({ a: undefined, b: null, c: 0 })).to.deep.equal({ b: null, c: 0 })
    expect(frozenCopy({ a: undefined })).to.not.have.property('a')
  })
})
