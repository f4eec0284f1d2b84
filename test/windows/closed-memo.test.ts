import { expect } from 'chai'
import { encodeMemo, memoIn } from '../../src/windows/closed-memo.ts'
import { aPosition } from '../support/builders.ts'

const MEMO = { handled: aPosition(7, 2), closedToMs: 60_000 }
const pendingOf = (state: Uint8Array) => ({ position: aPosition(9), state })

describe('memoIn', () => {
  it('finds what encodeMemo made, whatever is checkpointed up to there', () => {
    for (const stored of [undefined, aPosition(3), aPosition(7, 1)])
      expect(memoIn(pendingOf(encodeMemo(MEMO)), stored)).to.deep.equal(MEMO)
  })

  it('finds nothing once the checkpoint is past it', () => {
    expect(memoIn(pendingOf(encodeMemo(MEMO)), aPosition(7, 3))).to.equal(undefined)
  })

  it('finds nothing where there is nothing to remember', () => {
    expect(memoIn(undefined, undefined)).to.equal(undefined)
    expect(memoIn({ position: aPosition(9) }, undefined)).to.equal(undefined)
    expect(memoIn(pendingOf(encodeMemo(undefined)), undefined)).to.equal(undefined)
  })

  it('leaves alone what others have stored', () => {
    for (const text of [
      '',
      'text',
      'null',
      '7',
      '{}',
      '{"handled":{"sequenceNumber":"7","subSequenceNumber":0},"closedToMs":0}'
    ])
      expect(memoIn(pendingOf(new TextEncoder().encode(text)), undefined), text).to.equal(undefined)
    for (const handled of [null, {}, { sequenceNumber: 'seven', subSequenceNumber: 0 }]) {
      const text = JSON.stringify({ kind: 'millrace/windows', handled, closedToMs: 0 })
      expect(memoIn(pendingOf(new TextEncoder().encode(text)), undefined), text).to.equal(undefined)
    }
  })
})
