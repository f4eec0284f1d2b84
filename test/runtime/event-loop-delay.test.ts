import { expect } from 'chai'
import { systemClock } from '../../src/runtime/clock.ts'
import { watchEventLoop } from '../../src/runtime/event-loop-delay.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

describe('watchEventLoop', () => {
  it('finds no delay where timers are on time', async () => {
    const clock = new VirtualClock()
    const watch = watchEventLoop(clock)
    await clock.advance(10_000)
    expect(watch.read()).to.deep.equal({ p99Ms: 0, maxMs: 0 })
    watch.stop()
  })

  it('finds how long the event loop stood still, once, and also before it goes on', async () => {
    const watch = watchEventLoop(systemClock)
    const untilMs = systemClock.monotonicMs() + 150
    while (systemClock.monotonicMs() < untilMs);
    const blocked = watch.read()
    expect(blocked.maxMs).to.be.within(125, 1_000)
    await systemClock.sleep(60)
    watch.read()
    await systemClock.sleep(100)
    expect(watch.read().maxMs).to.be.below(blocked.maxMs)
    watch.stop()
  })

  it('says what 99 % of the timers were not as late as', async () => {
    // A clock whose every sleep takes 5 ms too long, and one in 200 of them 500.
    let nowMs = 0
    let slept = 0
    const clock = {
      monotonicMs: () => nowMs,
      epochMs: () => nowMs,
      sleep: async (ms: number): Promise<void> => {
        slept += 1
        if (slept > 400) return new Promise(() => {})
        nowMs += ms + (slept % 200 === 0 ? 500 : 5)
        await new Promise(resolve => setImmediate(resolve))
      }
    }
    const watch = watchEventLoop(clock)
    await systemClock.sleep(0)
    while (slept <= 400) await systemClock.sleep(0)
    expect(watch.read()).to.deep.equal({ p99Ms: 5, maxMs: 500 })
    watch.stop()
  })

  it('stops when it is told to', async () => {
    const clock = new VirtualClock()
    const watch = watchEventLoop(clock)
    await clock.advance(1_000)
    watch.stop()
    await clock.advance(1_000)
    expect(clock.sleeping).to.equal(0)
  })
})
