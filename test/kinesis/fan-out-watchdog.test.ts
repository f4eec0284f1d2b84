import { expect } from 'chai'
import { FanOutWatchdog } from '../../src/kinesis/fan-out-watchdog.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

function aWatched() {
  const watched = { looks: 0, look: () => void watched.looks++ }
  return watched
}

describe('FanOutWatchdog', () => {
  it('looks at what waits, as often as it says', async () => {
    const clock = new VirtualClock()
    const watchdog = new FanOutWatchdog(clock, 10_000)
    const [first, second] = [aWatched(), aWatched()]
    watchdog.watch(first)
    await clock.advance(5_000)
    watchdog.watch(second)
    await clock.advance(5_000)
    expect(first.looks).to.equal(watchdog.looksIn(10_000))
    expect(second.looks).to.equal(watchdog.looksIn(5_000))
  })

  it('looks at it no longer when it is told so, and then has no timer', async () => {
    const real = new VirtualClock()
    let sleeping = 0
    const clock: Clock = {
      monotonicMs: () => real.monotonicMs(),
      epochMs: () => real.epochMs(),
      sleep: async (ms, signal) => {
        sleeping++
        await real.sleep(ms, signal)
        sleeping--
      }
    }
    const watchdog = new FanOutWatchdog(clock, 10_000)
    const watched = aWatched()
    watchdog.watch(watched)
    await real.advance(1_000)
    expect([watched.looks, sleeping]).to.deep.equal([2, 1])
    watchdog.unwatch(watched)
    await real.advance(10_000)
    expect([watched.looks, sleeping]).to.deep.equal([2, 0])
    watchdog.watch(watched)
    watchdog.unwatch(watched)
    watchdog.watch(watched)
    await real.advance(1_000)
    expect([watched.looks, sleeping]).to.deep.equal([4, 1])
  })

  it('looks often enough for short limits', () => {
    expect(new FanOutWatchdog(new VirtualClock(), 40).looksIn(40)).to.equal(4)
    expect(new FanOutWatchdog(new VirtualClock(), 20_000).looksIn(20_000)).to.equal(40)
  })

  it('takes the time for which nobody could look for one look', async () => {
    const clock = new VirtualClock()
    const watchdog = new FanOutWatchdog(clock, 10_000)
    const watched = aWatched()
    // A sleep that takes a minute longer than it should, as it does while the event loop is blocked.
    let isFirst = true
    const blocked: Clock = {
      ...{ monotonicMs: () => clock.monotonicMs(), epochMs: () => clock.epochMs() },
      sleep: (ms, signal) => {
        const extra = isFirst ? 60_000 : 0
        isFirst = false
        return clock.sleep(ms + extra, signal)
      }
    }
    new FanOutWatchdog(blocked, 10_000).watch(watched)
    await clock.advance(60_000 + 2_000)
    expect(watched.looks).to.be.lessThan(watchdog.looksIn(10_000))
  })
})
