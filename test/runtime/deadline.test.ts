import { getEventListeners } from 'node:events'
import { expect } from 'chai'
import { withDeadline } from '../../src/runtime/deadline.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const never = (): Promise<never> => new Promise(() => {})
const tooLate = (): Error => new Error('too late')

describe('withDeadline', () => {
  const clock = new VirtualClock()

  it('resolves as the work does and leaves neither timer nor listener behind', async () => {
    const stop = new AbortController()
    expect(await withDeadline(clock, 1_000, stop.signal, async () => 'done', tooLate)).to.equal('done')
    expect(clock.sleeping).to.equal(0)
    expect(getEventListeners(stop.signal, 'abort')).to.deep.equal([])
  })

  it('rejects when the time is over, and aborts the work', async () => {
    let given: AbortSignal | undefined
    const result = withDeadline(
      clock,
      1_000,
      undefined,
      signal => {
        given = signal
        return never()
      },
      tooLate
    ).catch(error => error)
    await clock.advance(999)
    expect(given?.aborted).to.equal(false)
    await clock.advance(1)
    expect((await result).message).to.equal('too late')
    expect(given?.reason.message).to.equal('too late')
  })

  it('rejects with the reason of its signal, before and during the work', async () => {
    const stop = new AbortController()
    const result = withDeadline(clock, 1_000, stop.signal, never, tooLate).catch(error => error)
    stop.abort('stopped')
    expect(await result).to.equal('stopped')
    let calls = 0
    const work = async (): Promise<void> => void calls++
    expect(await withDeadline(clock, 1_000, stop.signal, work, tooLate).catch(error => error)).to.equal('stopped')
    expect([calls, clock.sleeping]).to.deep.equal([0, 0])
  })

  it('rejects as the work does, also if that throws at once', async () => {
    const failing = (): Promise<never> => {
      throw new Error('at once')
    }
    expect((await withDeadline(clock, 1_000, undefined, failing, tooLate).catch(error => error)).message).to.equal(
      'at once'
    )
    expect(clock.sleeping).to.equal(0)
  })
})
