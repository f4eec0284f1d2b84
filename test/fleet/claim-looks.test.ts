import { expect } from 'chai'
import { ClaimLooks } from '../../src/fleet/claim-looks.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

describe('ClaimLooks', () => {
  it('remembers who had what until it is claimed, and what was over for a while', async () => {
    const clock = new VirtualClock()
    const looks = new ClaimLooks({ clock, overForMs: 10_000 })
    looks.note('a', 'owned')
    looks.noteLost('b')
    looks.note('c', 'over')
    expect([[...looks.owned], looks.over()]).to.deep.equal([['a', 'b'], ['c']])
    looks.note('a', 'claimed')
    await clock.advance(9_999)
    expect([[...looks.owned], looks.over()]).to.deep.equal([['b'], ['c']])
    await clock.advance(1)
    expect(looks.over()).to.deep.equal([])
  })

  it('forgets everything for another mailbox', () => {
    const looks = new ClaimLooks({ clock: new VirtualClock(), overForMs: 10_000 })
    looks.note('a', 'owned')
    looks.note('c', 'over')
    looks.clear()
    expect([[...looks.owned], looks.over()]).to.deep.equal([[], []])
  })
})
