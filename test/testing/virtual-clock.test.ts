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

  it('has 20,000 sleepers wake in order, and quickly', async () => {
    const clock = new VirtualClock(0, { settlingTurns: 1 })
    const woken: number[] = []
    for (let index = 0; index < 20_000; index++) {
      void clock.sleep(20_000 - index).then(() => woken.push(clock.monotonicMs()))
    }
    await clock.advance(20_000)
    expect(woken).to.have.length(20_000)
    expect(woken).to.deep.equal(woken.toSorted((a, b) => a - b))
    expect(clock.wakes).to.equal(20_000)
  })

  it('lets sleeps with and without a signal of the same time wake in the order in which they began', async () => {
    const clock = new VirtualClock()
    const { signal } = new AbortController()
    const woken: number[] = []
    for (let index = 0; index < 6; index++) {
      void clock.sleep(10, index % 2 === 0 ? signal : undefined).then(() => woken.push(index))
    }
    await clock.advance(10)
    expect(woken).to.deep.equal([0, 1, 2, 3, 4, 5])
  })

  it('ends a sleep of what is left until a time at that time, whatever the fractions', async () => {
    const clock = new VirtualClock()
    await clock.advance(0.1)
    const untilMs = clock.monotonicMs() + 1_234.567
    let turns = 0
    const waiting = (async () => {
      for (; clock.monotonicMs() < untilMs; turns++) await clock.sleep(untilMs - clock.monotonicMs())
    })()
    await clock.advance(10_000)
    await waiting
    expect(turns).to.equal(1)
  })

  describe('advance', () => {
    it('stops early once it is told that it is over', async () => {
      const clock = new VirtualClock()
      for (const ms of [100, 200, 300]) void clock.sleep(ms)
      await clock.advance(1_000, () => clock.monotonicMs() >= 200)
      expect([clock.monotonicMs(), clock.sleeping]).to.deep.equal([200, 1])
    })
  })

  describe('drifting', () => {
    it('runs at its own speed, its sleeps with it', async () => {
      const clock = new VirtualClock()
      const fast = clock.drifting(1.25)
      const slow = clock.drifting(0.8)
      const woken: [string, number][] = []
      void fast.sleep(1_000).then(() => woken.push(['fast', clock.monotonicMs()]))
      void slow.sleep(1_000).then(() => woken.push(['slow', clock.monotonicMs()]))
      await clock.advance(2_000)
      expect(woken).to.deep.equal([
        ['fast', 800],
        ['slow', 1_250]
      ])
      expect([fast.monotonicMs(), slow.monotonicMs()]).to.deep.equal([2_500, 1_600])
    })

    it('has a calendar that jumps without anything else moving', async () => {
      const clock = new VirtualClock(1_000)
      const off = clock.drifting(1, -300)
      expect(off.epochMs()).to.equal(700)
      off.jump(3_600_000)
      expect([off.epochMs(), off.monotonicMs()]).to.deep.equal([3_600_700, 0])
    })

    it('ends a sleep whose signal aborts', async () => {
      const clock = new VirtualClock()
      const stop = new AbortController()
      const sleep = clock.drifting(0.5).sleep(1_000, stop.signal)
      stop.abort()
      await sleep
      expect(clock.sleeping).to.equal(0)
    })

    it('refuses to stand still', () => {
      const clock = new VirtualClock()
      for (const rate of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
        expect(() => clock.drifting(rate)).to.throw(RangeError, 'more than 0')
      }
    })
  })
})
