import { getEventListeners } from 'node:events'
import { expect } from 'chai'
import { type Deadline, withDeadline } from '../../src/runtime/deadline.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const late = () => new Error('late')
const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'done',
    (error: unknown) => error
  )

describe('withDeadline', () => {
  it('resolves and rejects as the work does, and leaves nothing behind', async () => {
    const clock = new VirtualClock()
    const { signal } = new AbortController()
    expect(await withDeadline(clock, 100, signal, async () => 'value', late)).to.equal('value')
    const failure = new Error('no')
    expect(await failureOf(withDeadline(clock, 100, signal, () => Promise.reject(failure), late))).to.equal(failure)
    await clock.settle()
    expect(clock.sleeping).to.equal(0)
    expect(getEventListeners(signal, 'abort')).to.deep.equal([])
  })

  it('rejects when the time is over, and aborts the work', async () => {
    const clock = new VirtualClock()
    let inner: AbortSignal | undefined
    const work = (signal: AbortSignal): Promise<never> => {
      inner = signal
      return new Promise(() => {})
    }
    const { signal } = new AbortController()
    const failure = failureOf(withDeadline(clock, 100, signal, work, late))
    await clock.advance(99)
    expect(inner?.aborted).to.equal(false)
    await clock.advance(1)
    expect(await failure).to.have.property('message', 'late')
    expect(inner?.aborted).to.equal(true)
    expect(getEventListeners(signal, 'abort')).to.deep.equal([])
  })

  it('does not count time in which it is suspended, however often and by how many', async () => {
    const clock = new VirtualClock()
    let time: Deadline | undefined
    const work = (_signal: AbortSignal, deadline: Deadline): Promise<never> => {
      time = deadline
      return new Promise(() => {})
    }
    let isOver = false
    const failure = failureOf(withDeadline(clock, 1_000, undefined, work, late)).then(error => {
      isOver = true
      return error
    })
    await clock.advance(400)
    const [first, second] = [time?.suspend(), time?.suspend()]
    await clock.advance(5_000)
    first?.()
    first?.()
    await clock.advance(5_000)
    second?.()
    await clock.advance(300)
    const third = time?.suspend()
    await clock.advance(50)
    third?.()
    await clock.advance(299)
    expect(isOver).to.equal(false)
    await clock.advance(101)
    expect(await failure).to.have.property('message', 'late')
    expect(clock.sleeping).to.equal(0)
  })

  it('leaves nothing behind when the work ends while its time is suspended', async () => {
    const clock = new VirtualClock()
    const work = async (_signal: AbortSignal, deadline: Deadline): Promise<string> => {
      deadline.suspend()
      await clock.sleep(5_000)
      return 'value'
    }
    const value = withDeadline(clock, 1_000, undefined, work, late)
    await clock.advance(5_000)
    expect(await value).to.equal('value')
    expect(clock.sleeping).to.equal(0)
  })

  it('rejects with the reason of the signal, and aborts the work', async () => {
    const clock = new VirtualClock()
    const abort = new AbortController()
    let inner: AbortSignal | undefined
    const failure = failureOf(
      withDeadline(
        clock,
        100,
        abort.signal,
        signal => {
          inner = signal
          return new Promise(() => {})
        },
        late
      )
    )
    abort.abort(new Error('enough'))
    expect(await failure).to.have.property('message', 'enough')
    expect(inner?.reason).to.have.property('message', 'enough')
    await clock.settle()
    expect(clock.sleeping).to.equal(0)
  })

  it('does not begin when the signal has aborted before', async () => {
    const work = () => expect.fail('begun')
    const failure = await failureOf(
      withDeadline(new VirtualClock(), 100, AbortSignal.abort(new Error('x')), work, late)
    )
    expect(failure).to.have.property('message', 'x')
  })

  it('leaves nothing behind if the work throws before it returns a promise', async () => {
    const clock = new VirtualClock()
    const { signal } = new AbortController()
    const work = (): Promise<never> => {
      throw new Error('at once')
    }
    expect(await failureOf(withDeadline(clock, 100, signal, work, late))).to.have.property('message', 'at once')
    await clock.settle()
    expect(clock.sleeping).to.equal(0)
    expect(getEventListeners(signal, 'abort')).to.deep.equal([])
  })
})
