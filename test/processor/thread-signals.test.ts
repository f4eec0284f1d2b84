import { MessageChannel } from 'node:worker_threads'
import { expect } from 'chai'
import { sentError } from '../../src/processor/thread-errors.ts'
import { ThreadSignals } from '../../src/processor/thread-signals.ts'

describe('ThreadSignals', () => {
  let channel: MessageChannel
  let signals: ThreadSignals
  const abort = (call: number, reason = new RangeError('over')): void =>
    channel.port1.postMessage({ call, reason: sentError(reason) })
  beforeEach(() => {
    channel = new MessageChannel()
    signals = new ThreadSignals(channel.port2)
  })
  afterEach(() => channel.port1.close())

  it('are seen to have aborted by code that lets no event in', () => {
    const [first, second, third] = [signals.open(1), signals.open(2), signals.open(3)]
    abort(1)
    abort(2)
    expect([first.aborted, second.aborted, third.aborted]).to.deep.equal([true, true, false])
    expect(first.reason).to.be.instanceOf(RangeError)
    expect(() => second.throwIfAborted()).to.throw(RangeError, 'over')
    expect(() => third.throwIfAborted()).to.not.throw()
  })

  it('tell those who listen, also through other signals', async () => {
    const signal = signals.open(1)
    const both = AbortSignal.any([signal, new AbortController().signal])
    const heard = new Promise(resolve => both.addEventListener('abort', resolve))
    abort(1)
    await heard
    expect([signal.aborted, both.aborted, both.reason.message]).to.deep.equal([true, true, 'over'])
  })

  it('have aborted from the start if that was said before their call came', () => {
    const first = signals.open(1)
    abort(2)
    abort(3)
    expect(first.aborted).to.equal(false)
    expect([signals.open(2).aborted, signals.open(3).aborted]).to.deep.equal([true, true])
  })

  it('do not abort once their call is over', () => {
    const signal = signals.open(1)
    signals.close(1)
    abort(1)
    expect(signal.aborted).to.equal(false)
  })
})
