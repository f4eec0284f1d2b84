import { expect } from 'chai'
import { peerPackage } from '../../src/model/peer-package.ts'

const failing = (error: unknown) => () => {
  throw error
}

describe('peerPackage', () => {
  it('returns what was loaded', () => {
    expect(peerPackage<number>('millrace/x', 'x', () => 7)).to.equal(7)
  })

  it('says how to install what is missing, and keeps the code of the error', () => {
    const cause = Object.assign(new Error("Cannot find module 'x'"), { code: 'MODULE_NOT_FOUND' })
    expect(() => peerPackage('millrace/x', 'x', failing(cause)))
      .to.throw('millrace/x needs x, which is not installed: npm install x')
      .that.includes({ code: 'MODULE_NOT_FOUND', cause })
  })

  it('leaves every other error as it is', () => {
    const error = new Error('broken')
    expect(() => peerPackage('millrace/x', 'x', failing(error))).to.throw(error)
  })
})
