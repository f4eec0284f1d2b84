import { expect } from 'chai'
import { asUndecodable, defaultAction } from '../../src/decoding/undecodable-rules.ts'
import { OptionError, RecordUndecodableError, ServiceError, ThrottledError } from '../../src/model/errors.ts'

const AT = { sequenceNumber: '49', subSequenceNumber: 2 }

describe('asUndecodable', () => {
  it('takes what a decoder throws for the fault of the record', () => {
    for (const [cause, problem] of [
      [new TypeError('no such field'), 'no such field'],
      ['nothing', 'nothing'],
      [undefined, 'undefined']
    ] as const) {
      const error = asUndecodable(AT, cause)
      expect(error).to.include({ ...AT, reason: 'decoder-failed', cause })
      expect(error?.message).to.equal(`Record 49#2 could not be decoded: ${problem}`)
    }
  })

  it('leaves what is said of the record as it is', () => {
    const error = new RecordUndecodableError(AT, 'unknown-schema', 'there is none')
    expect(asUndecodable(AT, error)).to.equal(error)
  })

  it('quotes nothing of what a parser could not read', () => {
    let cause: unknown
    try {
      JSON.parse('{"card":"4111 1111"')
    } catch (thrown) {
      cause = thrown
    }
    expect(asUndecodable(AT, cause)?.message).to.equal(
      'Record 49#2 could not be decoded: it cannot be parsed (SyntaxError)'
    )
  })

  it('takes the failures of a decoder for its own', () => {
    for (const cause of [
      new ThrottledError('slowly'),
      new ServiceError('access-denied', 'no', { retryable: false }),
      new OptionError('decode', 'needs avsc'),
      Object.assign(new Error('the registry is away'), { retryable: true }),
      Object.assign(new Error('no such host'), { code: 'ENOTFOUND', syscall: 'getaddrinfo' }),
      Object.assign(new Error('said the SDK'), { $metadata: { httpStatusCode: 400 } }),
      new TypeError('fetch failed', { cause: Object.assign(new Error('refused'), { syscall: 'connect' }) })
    ]) {
      expect(asUndecodable(AT, cause)).to.equal(undefined)
    }
    expect(asUndecodable(AT, Object.assign(new Error('no'), { retryable: false }))).to.not.equal(undefined)
    const round = new Error('no')
    expect(asUndecodable(AT, Object.assign(round, { cause: round }))).to.not.equal(undefined)
    expect(asUndecodable(AT, new Error('no', { cause: new RangeError('too far') }))).to.not.equal(undefined)
  })
})

describe('defaultAction', () => {
  it('loses nothing', () => {
    expect([defaultAction(true), defaultAction(false)]).to.deep.equal(['dead-letter', 'fail'])
  })
})
