import { getEventListeners } from 'node:events'
import { expect } from 'chai'
import { CallTimers, type CallTimersOptions } from '../../src/consumer/call-timers.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

function timersOf(given: Partial<CallTimersOptions> = {}) {
  const clock = new VirtualClock()
  const told: string[] = []
  const timers = new CallTimers({ clock, ...given })
  const a = (name: string) => ({ due: () => void told.push(`${name} ${clock.monotonicMs()}`) })
  return { clock, told, timers, a }
}

describe('CallTimers', () => {
  it('tells each when its time is over, however long that is, and nobody twice', async () => {
    const { clock, told, timers, a } = timersOf()
    timers.add(a('long'), 1_000)
    timers.add(a('short'), 100)
    await clock.advance(50)
    timers.add(a('later'), 100)
    await clock.advance(5_000)
    expect(told).to.deep.equal(['short 100', 'later 150', 'long 1000'])
    expect(clock.sleeping).to.equal(0)
  })

  it('does not tell what was removed, and keeps no timer for it', async () => {
    const { clock, told, timers, a } = timersOf()
    const [first, second] = [a('first'), a('second')]
    timers.add(first, 100)
    timers.add(second, 100)
    timers.remove(first)
    expect(clock.sleeping).to.equal(1)
    timers.remove(second)
    await clock.advance(0)
    expect(clock.sleeping).to.equal(0)
    await clock.advance(1_000)
    expect(told).to.deep.equal([])
  })

  it('needs one timer for any number of calls, and none for each of those that follow', async () => {
    const { clock, told, timers, a } = timersOf({ lingers: true })
    for (let i = 0; i < 1_000; i++) {
      const call = a(String(i))
      timers.add(call, 1_000)
      if (i % 2 === 0) timers.remove(call)
      expect(clock.sleeping).to.equal(1)
    }
    await clock.advance(1_000)
    expect(told).to.have.length(500)
    expect(clock.sleeping).to.equal(0)
  })

  it('tells in time what was added while a timer lingers', async () => {
    const { clock, told, timers, a } = timersOf({ lingers: true })
    const gone = a('gone')
    timers.add(gone, 1_000)
    timers.remove(gone)
    await clock.advance(400)
    timers.add(a('call'), 1_000)
    await clock.advance(5_000)
    expect(told).to.deep.equal(['call 1400'])
  })

  it('tells again what asks for more time when it is told', async () => {
    const { clock, told, timers } = timersOf()
    const call = {
      due: (): void => {
        told.push(String(clock.monotonicMs()))
        if (told.length < 3) timers.add(call, 100)
      }
    }
    timers.add(call, 100)
    await clock.advance(1_000)
    expect(told).to.deep.equal(['100', '200', '300'])
  })

  it('tells nobody once it is cleared, or abandoned, and hangs on to nothing', async () => {
    const abandoned = new AbortController()
    const { clock, told, timers, a } = timersOf({ abandoned: abandoned.signal, lingers: true })
    timers.add(a('cleared'), 100)
    timers.clear()
    await clock.advance(0)
    expect(clock.sleeping).to.equal(0)
    expect(getEventListeners(abandoned.signal, 'abort')).to.have.length(0)
    timers.add(a('again'), 100)
    await clock.advance(100)
    expect(told).to.deep.equal(['again 100'])
    timers.add(a('abandoned'), 100)
    abandoned.abort()
    timers.add(a('too late'), 100)
    await clock.advance(1_000)
    expect(told).to.have.length(1)
    expect(clock.sleeping).to.equal(0)
  })
})
