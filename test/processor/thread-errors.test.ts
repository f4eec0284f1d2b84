import { expect } from 'chai'
import {
  CheckpointRefusedError,
  LeaseLostError,
  OptionError,
  ProcessorError,
  ProcessorGoneError,
  ServiceError,
  ThrottledError
} from '../../src/model/errors.ts'
import { receivedError, sentError } from '../../src/processor/thread-errors.ts'

/** What was thrown, once it has been to another thread. */
function crossed(thrown: unknown): unknown {
  return receivedError(structuredClone(sentError(thrown)))
}

class Ours extends LeaseLostError {}
class Theirs extends Error {
  override readonly name = 'Theirs'
  readonly socket = { write: () => {} }
  readonly detail = { status: 404 }
}

describe('an error that crosses', () => {
  for (const error of [
    new LeaseLostError('shard', 'somebody has it'),
    new CheckpointRefusedError('ahead', 'It is ahead'),
    new ServiceError('timeout', 'No answer', { retryable: true, cause: new TypeError('inner') }),
    new ThrottledError('Slow down'),
    new OptionError('threads.module', 'is missing'),
    new ProcessorError('shard', 'initialize', 2, new RangeError('inner')),
    new ProcessorGoneError('shard', 'it ended'),
    new RangeError('too far'),
    new AggregateError([new TypeError('first'), 'second'], 'both')
  ]) {
    it(`is the ${error.name} that it was`, () => {
      const received = crossed(error) as Error
      expect(received).to.be.instanceOf(error.constructor).and.not.equal(error)
      expect({ ...received }).to.deep.equal({ ...error })
      expect([received.name, received.message, received.stack]).to.deep.equal([error.name, error.message, error.stack])
      expect(String(received)).to.equal(String(error))
      if (error.cause instanceof Error) expect(received.cause).to.be.instanceOf(error.cause.constructor)
      else expect('cause' in received).to.equal(false)
      if (error instanceof AggregateError) {
        expect((received as AggregateError).errors[0])
          .to.be.instanceOf(TypeError)
          .with.property('message', 'first')
        expect((received as AggregateError).errors[1]).to.equal('second')
      }
    })
  }

  it('is of the nearest class that both sides know, and keeps its name and what can be cloned', () => {
    expect(crossed(new Ours('shard', 'it ended')))
      .to.be.instanceOf(LeaseLostError)
      .with.property('leaseKey', 'shard')
    const received = crossed(new Theirs('not found')) as Theirs
    expect(received).to.be.instanceOf(Error).and.to.not.be.instanceOf(Theirs)
    expect({ ...received }).to.deep.equal({ name: 'Theirs', detail: { status: 404 } })
    expect(String(received)).to.equal('Theirs: not found')
  })

  it('is an AbortError as a DOMException', () => {
    const received = crossed(AbortSignal.abort().reason)
    expect(received).to.be.instanceOf(DOMException).with.property('name', 'AbortError')
  })

  it('ends where its causes go round in a circle', () => {
    const circle = new Error('round')
    circle.cause = circle
    expect(crossed(circle)).to.have.nested.property('cause.cause.message', 'round')
  })

  it('may be anything that can be thrown', () => {
    expect([crossed('text'), crossed(undefined), crossed({ a: 1 })]).to.deep.equal(['text', undefined, { a: 1 }])
    const odd = { toString: () => 'odd', call: () => {} }
    expect(crossed(odd)).to.be.instanceOf(Error).with.property('message', 'odd')
    const hostile = new Proxy(new Error('x'), {
      get: () => {
        throw new Error('no')
      }
    })
    expect(crossed(hostile)).to.be.instanceOf(Error).with.property('message', 'object that cannot be shown')
  })
})
