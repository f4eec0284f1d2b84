import { expect } from 'chai'
import { type LoopOptions, startLoop } from '../../src/runtime/loop.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

describe('startLoop', () => {
  const started = (options: Partial<LoopOptions> = {}) => {
    const clock = new VirtualClock()
    const runs: number[] = []
    const errors: unknown[] = []
    const loop = startLoop({
      clock,
      run: async () => void runs.push(clock.monotonicMs()),
      delayMs: () => 100,
      onError: error => errors.push(error),
      ...options
    })
    const since = clock.monotonicMs()
    return { clock, loop, errors, runs: () => runs.map(at => at - since) }
  }

  it('runs at once, then again after each delay', async () => {
    const { clock, loop, runs } = started()
    await clock.advance(250)
    expect(runs()).to.deep.equal([0, 100, 200])
    await loop.stop()
    await clock.advance(1_000)
    expect(runs()).to.have.length(3)
    expect(clock.sleeping).to.equal(0)
  })

  it('waits first where it is told to', async () => {
    const { clock, loop, runs } = started({ runAtOnce: false })
    await clock.advance(150)
    expect(runs()).to.deep.equal([100])
    await loop.stop()
  })

  it('never starts when it is stopped during a first wait', async () => {
    const { clock, loop, runs } = started({ runAtOnce: false })
    await loop.stop()
    await clock.advance(1_000)
    expect(runs()).to.deep.equal([])
  })

  it('runs at once when nudged while waiting, and once more when nudged during a run', async () => {
    const { clock, loop, runs } = started()
    await clock.advance(10)
    loop.nudge()
    await clock.settle()
    expect(runs()).to.deep.equal([0, 10])
    await loop.stop()

    const slow: { release: () => void } = { release: () => {} }
    let count = 0
    const other = started({
      run: () => {
        count += 1
        return new Promise(resolve => {
          slow.release = resolve
        })
      }
    })
    await other.clock.settle()
    other.loop.nudge()
    slow.release()
    await other.clock.settle()
    expect(count).to.equal(2)
    const stopping = other.loop.stop()
    slow.release()
    await stopping
  })

  it('reports what a run throws and goes on', async () => {
    const { clock, loop, errors } = started({ run: () => Promise.reject(new Error('no')) })
    await clock.advance(250)
    expect(errors).to.have.length(3)
    await loop.stop()
  })

  it('resolves stop() only when the run under way is over, whose signal has aborted', async () => {
    let aborted = false
    const { loop } = started({
      run: signal =>
        new Promise(resolve => {
          signal.addEventListener('abort', () => {
            aborted = true
            resolve()
          })
        })
    })
    await loop.stop()
    expect(aborted).to.equal(true)
  })
})
