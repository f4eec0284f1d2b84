import { getEventListeners } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect } from 'chai'
import { anyOf, firstAborted, forMany, unlessAborted, whenAborted, withSignal } from '../../src/runtime/abort.ts'

const listenersOf = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length
const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'done',
    (error: unknown) => error
  )

describe('unlessAborted', () => {
  it('resolves and rejects as the work does', async () => {
    const { signal } = new AbortController()
    expect(await unlessAborted(Promise.resolve(7), signal)).to.equal(7)
    const failure = new Error('no')
    expect(await failureOf(unlessAborted(Promise.reject(failure), signal))).to.equal(failure)
  })

  it('leaves no listener behind, however often the same signal is waited with', async () => {
    const abort = new AbortController()
    for (let turn = 0; turn < 50; turn++) {
      await unlessAborted(Promise.resolve(turn), abort.signal)
      await failureOf(unlessAborted(Promise.reject(new Error('no')), abort.signal))
    }
    await new Promise(resolve => setImmediate(resolve))
    expect(listenersOf(abort.signal)).to.equal(0)
    const waiting = failureOf(unlessAborted(new Promise(() => {}), abort.signal))
    expect(listenersOf(abort.signal)).to.equal(1)
    abort.abort()
    await waiting
    expect(listenersOf(abort.signal)).to.equal(0)
  })

  it('rejects with the reason as soon as the signal aborts, before and after', async () => {
    const abort = new AbortController()
    const work = new Promise(() => {})
    const waiting = failureOf(unlessAborted(work, abort.signal))
    abort.abort(new Error('enough'))
    expect(await waiting).to.have.property('message', 'enough')
    expect(await failureOf(unlessAborted(work, abort.signal))).to.have.property('message', 'enough')
  })

  it('takes care of a failure of work that nobody waits for any more', async () => {
    const failing = Promise.reject(new Error('unseen'))
    expect(await failureOf(unlessAborted(failing, AbortSignal.abort(new Error('enough'))))).to.have.property(
      'message',
      'enough'
    )
    await new Promise(resolve => setImmediate(resolve))
  })
})

describe('whenAborted', () => {
  it('resolves once the signal aborts, and leaves no listener behind', async () => {
    const abort = new AbortController()
    let isAborted = false
    const waiting = whenAborted(abort.signal).then(() => {
      isAborted = true
    })
    await new Promise(resolve => setImmediate(resolve))
    expect(isAborted).to.equal(false)
    abort.abort()
    await waiting
    expect(listenersOf(abort.signal)).to.equal(0)
    await whenAborted(abort.signal)
  })
})

describe('withSignal', () => {
  it('gives the work a signal that aborts with its source, and lets go of the source afterwards', async () => {
    const source = new AbortController()
    const reason = await withSignal([source.signal], async signal => {
      source.abort('enough')
      return signal.reason
    })
    expect(reason).to.equal('enough')
    const other = new AbortController()
    for (let call = 0; call < 3; call++) await withSignal([other.signal], () => {})
    expect(await withSignal([other.signal], () => Promise.reject('no')).catch(error => error)).to.equal('no')
    expect(listenersOf(other.signal)).to.equal(0)
  })

  it('gives a signal that aborts with the first of its sources that does, and lets go of all of them', async () => {
    for (const order of [
      [0, 1],
      [1, 0]
    ]) {
      const sources = [new AbortController(), new AbortController()]
      const reasons = await withSignal(
        sources.map(({ signal }) => signal),
        async signal => {
          expect(signal.aborted).to.equal(false)
          return order.map(index => {
            sources[index]?.abort(`of ${index}`)
            return signal.reason
          })
        }
      )
      expect(reasons).to.deep.equal([`of ${order[0]}`, `of ${order[0]}`])
    }
    const [aborting, quiet] = [new AbortController(), new AbortController()]
    await withSignal([aborting.signal, quiet.signal], () => aborting.abort())
    expect([aborting, quiet].map(({ signal }) => listenersOf(signal))).to.deep.equal([0, 0])
  })

  it('gives a signal that has aborted if one of its sources has, with the reason of the first', async () => {
    const { signal: quiet } = new AbortController()
    const [before, later] = [AbortSignal.abort('before'), AbortSignal.abort('later')]
    expect(await withSignal([before], signal => signal.reason)).to.equal('before')
    expect(await withSignal([quiet, before, later], signal => signal.reason)).to.equal('before')
    expect(listenersOf(quiet)).to.equal(0)
  })

  it('gives a signal that never aborts where there is no source', async () => {
    expect(await withSignal([], signal => signal.aborted)).to.equal(false)
  })

  it('lets go of its sources, and passes on what is thrown, where the work throws at once', async () => {
    const source = new AbortController()
    const thrown = await withSignal([source.signal], () => {
      throw new Error('at once')
    }).catch((error: unknown) => error)
    expect(thrown).to.have.property('message', 'at once')
    expect(listenersOf(source.signal)).to.equal(0)
  })
})

describe('firstAborted', () => {
  it('resolves with the first of the signals, and hangs on to none', async () => {
    const [aborting, quiet] = [new AbortController(), new AbortController()]
    let isAborted = false
    const waiting = firstAborted([quiet.signal, aborting.signal]).then(() => {
      isAborted = true
    })
    await Promise.resolve()
    expect(isAborted).to.equal(false)
    aborting.abort()
    await waiting
    expect([aborting, quiet].map(({ signal }) => listenersOf(signal))).to.deep.equal([0, 0])
    await firstAborted([quiet.signal, AbortSignal.abort()])
  })
})

describe('forMany', () => {
  it('lets a signal have any number of listeners, without a warning, and gives it back', async () => {
    const warnings: string[] = []
    const warned = ({ message }: Error): unknown => warnings.push(message)
    process.on('warning', warned)
    const { signal } = new AbortController()
    expect(forMany(signal)).to.equal(signal)
    for (let i = 0; i < 20; i++) signal.addEventListener('abort', () => {})
    await new Promise(resolve => setImmediate(resolve))
    process.off('warning', warned)
    expect(warnings).to.deep.equal([])
  })
})

describe('anyOf', () => {
  it('aborts with the first that does, for its reason, now or later', () => {
    const [first, second] = [new AbortController(), new AbortController()]
    const either = anyOf([first.signal, second.signal])
    expect(either.aborted).to.equal(false)
    second.abort('second')
    first.abort('first')
    expect([either.aborted, either.reason]).to.deep.equal([true, 'second'])
    expect(anyOf([new AbortController().signal, first.signal]).reason).to.equal('first')
  })

  it('keeps nothing alive that listens to it, though it never aborts', async () => {
    const listened = (make: typeof anyOf): WeakRef<object> => {
      const listening = { size: 1_000 }
      const [first, second] = [new AbortController(), new AbortController()]
      make([first.signal, second.signal]).addEventListener('abort', () => void listening.size)
      return new WeakRef(listening)
    }
    const ref = listened(anyOf)
    setFlagsFromString('--expose-gc')
    const collect: () => void = runInNewContext('gc')
    // What a weak reference has been asked for, or was made of, lives until the end of the turn.
    await new Promise(resolve => setImmediate(resolve))
    collect()
    expect(ref.deref()).to.equal(undefined)
  })
})
