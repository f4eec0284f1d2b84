import { expect } from 'chai'
import { setFlag, sharedFlags, ThreadNotes } from '../../src/processor/thread-memory.ts'

describe('ThreadNotes', () => {
  it('show the other side which call has the thread, also where numbers are large', () => {
    const here = new ThreadNotes()
    const there = new ThreadNotes(structuredClone(here.memory))
    for (const call of [1, 2 ** 31 + 5, 2 ** 40 + 7]) {
      const seen = there.during(call, () => [here.isInCall, here.isIn(call), here.isIn(call + 1)])
      expect(seen).to.deep.equal([true, true, false])
      expect([here.isInCall, here.isIn(call)]).to.deep.equal([false, false])
    }
    const fail = (): never => {
      throw new Error('no')
    }
    expect(() => there.during(9, fail)).to.throw('no')
    expect(here.isInCall).to.equal(false)
  })

  it('show up to which ping the thread has come, also where numbers are large', () => {
    const here = new ThreadNotes()
    const there = new ThreadNotes(structuredClone(here.memory))
    expect(here.hasHeard(1)).to.equal(false)
    for (const ping of [1, 2 ** 31 - 1, 2 ** 31, 2 ** 32]) {
      there.hear(ping)
      expect([here.hasHeard(ping - 1), here.hasHeard(ping), here.hasHeard(ping + 1)]).to.deep.equal([true, true, false])
    }
  })
})

describe('sharedFlags', () => {
  it('are seen by both sides, and set one by one', () => {
    const flags = sharedFlags(3)
    setFlag(structuredClone(flags), 1)
    expect([...flags]).to.deep.equal([0, 1, 0])
  })
})
