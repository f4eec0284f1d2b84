import { expect } from 'chai'
import { type LoopOptions, startLoop } from '../../src/runtime/loop.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

/** A loop whose runs take `runMs` and are noted with the time at which they begin. */
function aLoop(runMs = 0, with_: Partial<LoopOptions> = {}) {
  const clock = new VirtualClock()
  const runs: number[] = []
  const errors: unknown[] = []
  let running = 0
  let most = 0
  const loop = startLoop({
    clock,
    run: async () => {
      runs.push(clock.monotonicMs())
      most = Math.max(most, ++running)
      if (runMs > 0) await clock.sleep(runMs)
      running -= 1
    },
    delayMs: () => 100,
    onError: error => errors.push(error),
    ...with_
  })
  return { clock, runs, errors, loop, most: () => most }
}

describe('startLoop', () => {
  it('runs at once, and again after each wait, which begins when a run is over', async () => {
    const { clock, runs } = aLoop(50)
    await clock.advance(500)
    expect(runs).to.deep.equal([0, 150, 300, 450])
  })

  it('waits first if it is told to', async () => {
    const { clock, runs } = aLoop(0, { runAtOnce: false })
    await clock.advance(250)
    expect(runs).to.deep.equal([100, 200])
  })

  it('asks for the wait anew after each run', async () => {
    let delayMs = 50
    const { clock, runs } = aLoop(0, { delayMs: () => (delayMs *= 2) })
    await clock.advance(1_000)
    expect(runs).to.deep.equal([0, 100, 300, 700])
  })

  it('goes on after an error, and tells of it', async () => {
    let count = 0
    const { clock, errors } = aLoop(0, {
      run: async () => {
        throw new Error(`${++count}`)
      }
    })
    await clock.advance(250)
    expect(errors.map(String)).to.deep.equal(['Error: 1', 'Error: 2', 'Error: 3'])
  })

  it('goes on after a run that throws before it returns a promise', async () => {
    const { clock, errors } = aLoop(0, {
      run: () => {
        throw new Error('at once')
      }
    })
    await clock.advance(150)
    expect(errors).to.have.length(2)
  })

  describe('nudge', () => {
    it('cuts a wait short', async () => {
      const { clock, runs, loop } = aLoop()
      await clock.advance(30)
      loop.nudge()
      await clock.advance(30)
      expect(runs).to.deep.equal([0, 30])
      await clock.advance(100)
      expect(runs).to.deep.equal([0, 30, 130])
    })

    it('cuts the first wait short', async () => {
      const { clock, runs, loop } = aLoop(0, { runAtOnce: false })
      await clock.advance(30)
      loop.nudge()
      await clock.settle()
      expect(runs).to.deep.equal([30])
    })

    it('during a run leads to one more run right after it, however often', async () => {
      const { clock, runs, loop, most } = aLoop(50)
      await clock.advance(20)
      for (let count = 0; count < 3; count++) loop.nudge()
      await clock.advance(100)
      expect(runs).to.deep.equal([0, 50])
      await clock.advance(100)
      expect(runs).to.deep.equal([0, 50, 200])
      expect(most()).to.equal(1)
    })
  })

  describe('stop', () => {
    it('during a wait resolves at once, and nothing runs any more', async () => {
      const { clock, runs, loop } = aLoop()
      await clock.advance(30)
      await loop.stop()
      expect(clock.sleeping).to.equal(0)
      loop.nudge()
      await clock.advance(1_000)
      expect(runs).to.deep.equal([0])
    })

    it('during a run resolves when that is over', async () => {
      const { clock, runs, loop } = aLoop(50)
      await clock.advance(20)
      let isStopped = false
      void loop.stop().then(() => {
        isStopped = true
      })
      await clock.advance(20)
      expect(isStopped).to.equal(false)
      await clock.advance(20)
      expect(isStopped).to.equal(true)
      await clock.advance(1_000)
      expect(runs).to.deep.equal([0])
    })

    it("aborts the signal of the run under way, whose error is nobody's business any more", async () => {
      const { clock, errors, loop } = aLoop(0, {
        run: signal => new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('cut'))))
      })
      await clock.settle()
      await loop.stop()
      expect(errors).to.deep.equal([])
    })

    it('before the first run leaves it out, and called again resolves as well', async () => {
      const { clock, runs, loop } = aLoop(0, { runAtOnce: false })
      await Promise.all([loop.stop(), loop.stop()])
      await clock.advance(1_000)
      expect(runs).to.deep.equal([])
    })
  })
})
