import { expect } from 'chai'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

describe('VirtualClock', () => {
  it('stands still until it is told to move', async () => {
    const clock = new VirtualClock(1_000)
    await clock.settle()
    expect([clock.monotonicMs(), clock.epochMs()]).to.deep.equal([0, 1_000])
    await clock.advance(250)
    expect([clock.monotonicMs(), clock.epochMs()]).to.deep.equal([250, 1_250])
  })

  it('wakes sleepers in the order of their time, each at its own', async () => {
    const clock = new VirtualClock()
    const woken: [string, number][] = []
    const sleeper = (name: string, ms: number) => clock.sleep(ms).then(() => woken.push([name, clock.monotonicMs()]))
    const all = [sleeper('late', 30), sleeper('early', 10), sleeper('also late', 30), sleeper('beyond', 31)]
    await clock.advance(30)
    expect(woken).to.deep.equal([
      ['early', 10],
      ['late', 30],
      ['also late', 30]
    ])
    expect(clock.sleeping).to.equal(1)
    await clock.advance(1)
    await Promise.all(all)
  })

  it('lets what a sleeper does settle before the next one wakes', async () => {
    const clock = new VirtualClock()
    const steps: string[] = []
    const chatter = async () => {
      await clock.sleep(10)
      for (let step = 1; step <= 20; step++) await Promise.resolve()
      await new Promise(resolve => setImmediate(resolve))
      steps.push('first is done')
    }
    const all = [chatter(), clock.sleep(11).then(() => steps.push('second wakes'))]
    await clock.advance(11)
    await Promise.all(all)
    expect(steps).to.deep.equal(['first is done', 'second wakes'])
  })

  it('wakes a sleeper that went to sleep on the way', async () => {
    const clock = new VirtualClock()
    const ticks: number[] = []
    const tick = async () => {
      while (ticks.length < 3) {
        await clock.sleep(100)
        ticks.push(clock.monotonicMs())
      }
    }
    const ticking = tick()
    await clock.advance(300)
    await ticking
    expect(ticks).to.deep.equal([100, 200, 300])
  })

  it('ends a sleep whose signal aborts, and one whose signal has aborted', async () => {
    const clock = new VirtualClock()
    const stop = new AbortController()
    const sleep = clock.sleep(1_000, stop.signal)
    stop.abort()
    await sleep
    await clock.sleep(1_000, stop.signal)
    expect([clock.sleeping, clock.monotonicMs()]).to.deep.equal([0, 0])
  })

  it('keeps nothing of a signal whose sleep is over', async () => {
    const clock = new VirtualClock()
    const stop = new AbortController()
    const other = clock.sleep(20)
    const sleep = clock.sleep(10, stop.signal)
    await clock.advance(10)
    await sleep
    stop.abort()
    expect(clock.sleeping).to.equal(1)
    await clock.advance(10)
    await other
  })

  it('takes a negative time as none, and wakes at the next settling', async () => {
    const clock = new VirtualClock()
    const sleep = clock.sleep(-5)
    await clock.advance(0)
    await sleep
    expect(clock.monotonicMs()).to.equal(0)
  })

  describe('advanceUntil', () => {
    it('stops at the sleeper that made it true', async () => {
      const clock = new VirtualClock()
      let count = 0
      const work = async () => {
        for (;;) {
          await clock.sleep(100)
          count++
        }
      }
      void work()
      await clock.advanceUntil(() => count === 3)
      expect(clock.monotonicMs()).to.equal(300)
    })

    it('moves nothing if it is true already', async () => {
      const clock = new VirtualClock()
      await clock.advanceUntil(() => true)
      expect(clock.monotonicMs()).to.equal(0)
    })

    it('rejects when the time is over', async () => {
      const clock = new VirtualClock()
      const failure = await clock.advanceUntil(() => false, 500).catch((error: unknown) => error)
      expect(failure).to.be.instanceOf(Error).with.property('message').that.includes('500 ms')
      expect(clock.monotonicMs()).to.equal(500)
    })
  })
})
