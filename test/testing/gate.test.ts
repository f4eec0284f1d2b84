import { expect } from 'chai'
import { Gate, gatedClock } from '../../src/testing/gate.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

describe('Gate', () => {
  it('lets everybody pass while it is open, and nobody while it is closed', async () => {
    const gate = new Gate('w1')
    await gate.pass()
    gate.close()
    let passed = 0
    const passing = [gate.pass(), gate.pass()].map(pass => pass.then(() => passed++))
    await new VirtualClock().settle()
    expect([passed, gate.isOpen, gate.isPaused]).to.deep.equal([0, false, true])
    gate.open()
    await Promise.all(passing)
    expect([passed, gate.isOpen, gate.isPaused]).to.deep.equal([2, true, false])
  })

  it('keeps those waiting that it was opened for only for an instant', async () => {
    const gate = new Gate('w1')
    gate.close()
    let hasPassed = false
    const passing = gate.pass().then(() => {
      hasPassed = true
    })
    gate.open()
    gate.close()
    await new VirtualClock().settle()
    expect(hasPassed).to.equal(false)
    gate.open()
    await passing
  })

  it('opens no more once its process was killed', async () => {
    const gate = new Gate('w1')
    gate.kill()
    gate.open()
    expect([gate.isOpen, gate.isAlive, gate.isPaused]).to.deep.equal([false, false, false])
  })
})

describe('gatedClock', () => {
  it('passes for a process that stands still, which wakes when it goes on', async () => {
    const clock = new VirtualClock()
    const gate = new Gate('w1')
    const gated = gatedClock(clock, gate)
    let wokenAtMs: number | undefined
    const sleeping = gated.sleep(100).then(() => {
      wokenAtMs = gated.monotonicMs()
    })
    await clock.advance(50)
    gate.close()
    await clock.advance(1_000)
    expect(wokenAtMs).to.equal(undefined)
    gate.open()
    await sleeping
    expect(wokenAtMs).to.equal(1_050)
    expect(gated.epochMs()).to.equal(clock.epochMs())
  })
})
