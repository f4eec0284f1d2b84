import { getEventListeners } from 'node:events'
import { expect } from 'chai'
import { unlessAborted, whenAborted } from '../../src/runtime/abort.ts'

describe('unlessAborted', () => {
  it('passes on what the work brings and keeps no listener', async () => {
    const stop = new AbortController()
    expect(await unlessAborted(Promise.resolve(7), stop.signal)).to.equal(7)
    expect(await unlessAborted(Promise.reject(new Error('no')), stop.signal).catch(error => error.message)).to.equal(
      'no'
    )
    await Promise.resolve()
    expect(getEventListeners(stop.signal, 'abort')).to.deep.equal([])
  })

  it('rejects with the reason of the signal, which may have aborted before', async () => {
    const stop = new AbortController()
    const waiting = unlessAborted(new Promise(() => {}), stop.signal).catch(reason => reason)
    stop.abort('enough')
    expect(await waiting).to.equal('enough')
    expect(await unlessAborted(Promise.resolve(7), stop.signal).catch(reason => reason)).to.equal('enough')
  })

  it('handles the failure of work that nobody waits for any more', async () => {
    const stop = new AbortController()
    let fail: (error: Error) => void = () => {}
    const work = new Promise((_, reject) => {
      fail = reject
    })
    const waiting = unlessAborted(work, stop.signal).catch(reason => reason)
    stop.abort('enough')
    fail(new Error('late'))
    expect(await waiting).to.equal('enough')
  })
})

describe('whenAborted', () => {
  it('resolves for a signal that aborts and for one that has', async () => {
    const stop = new AbortController()
    const waiting = whenAborted(stop.signal)
    stop.abort()
    await waiting
    await whenAborted(stop.signal)
  })
})
