import { expect } from 'chai'
import { receivedError, sentError } from '../../src/fleet/heartbeat-messages.ts'
import { BugError, ServiceError, ThrottledError } from '../../src/model/errors.ts'

const overTheWire = (error: unknown): Error => receivedError(structuredClone(sentError(error)))

describe('sentError and receivedError', () => {
  it('keep what a ServiceError says', () => {
    const sent = new ServiceError('access-denied', 'no such key', { retryable: true, cause: { not: () => 'sendable' } })
    const received = overTheWire(sent)
    expect(received).to.be.instanceOf(ServiceError)
    expect(received).to.include({ kind: 'access-denied', message: 'no such key', retryable: true })
    expect(overTheWire(new ServiceError('other', 'broken', { retryable: false }))).to.include({ retryable: false })
  })

  it('keep a ThrottledError one', () => {
    const received = overTheWire(new ThrottledError('slow down'))
    expect(received).to.be.instanceOf(ThrottledError)
    expect(received.message).to.equal('slow down')
  })

  it('make a BugError of everything that no store rejects with', () => {
    for (const thrown of [new TypeError('x is not a function'), 'a text', undefined]) {
      expect(overTheWire(thrown)).to.be.instanceOf(BugError)
    }
    expect(overTheWire(new TypeError('x is not a function')).message).to.contain('x is not a function')
  })
})
