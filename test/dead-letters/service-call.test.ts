import { expect } from 'chai'
import { callService } from '../../src/dead-letters/service-call.ts'
import { ServiceError, ThrottledError } from '../../src/model/errors.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { noAbort, rejection } from './letters.ts'

function call(send: () => Promise<unknown>, clock = new VirtualClock()): Promise<unknown> {
  return callService({ about: 'PutObject to bucket letters', clock, timeoutMs: 1_000, ...noAbort() }, send)
}

function sdkError(name: string, with_: object): () => Promise<never> {
  return () => Promise.reject(Object.assign(new Error('words'), { name, ...with_ }))
}

const answered = (httpStatusCode: number): object => ({ $metadata: { httpStatusCode } })

describe('callService', () => {
  const verdicts: [send: () => Promise<never>, kind: string, retryable: boolean][] = [
    [sdkError('ThrottlingException', answered(400)), 'throttled', true],
    [sdkError('RequestThrottled', answered(403)), 'throttled', true],
    [sdkError('SlowDown', answered(503)), 'throttled', true],
    [sdkError('InternalError', answered(500)), 'other', true],
    [sdkError('TimeoutError', {}), 'other', true],
    [sdkError('Error', { code: 'ECONNREFUSED' }), 'other', true],
    [sdkError('AccessDenied', answered(403)), 'access-denied', false],
    [sdkError('NoSuchBucket', answered(404)), 'not-found', false],
    [sdkError('InvalidParameterValue', answered(400)), 'invalid-argument', false],
    [sdkError('CredentialsProviderError', {}), 'other', false]
  ]
  for (const [send, kind, retryable] of verdicts) {
    it(`says what an error is: ${kind}, ${retryable ? 'passes' : 'does not pass'}`, async () => {
      const error = (await rejection(call(send))) as ServiceError
      expect(error instanceof ThrottledError ? 'throttled' : error.kind).to.equal(kind)
      expect(error.retryable).to.equal(retryable)
      expect(error.message).to.match(/^PutObject to bucket letters: \w+: words$/)
    })
  }

  it('quotes nothing of an answer that could not be read', async () => {
    const error = (await rejection(call(async () => JSON.parse('secret')))) as ServiceError
    expect([error.message, error.retryable, error.cause]).to.deep.equal([
      'PutObject to bucket letters: the answer could not be read',
      true,
      undefined
    ])
  })

  it('leaves errors of ours as they are, and takes whatever else is thrown', async () => {
    const ours = new ServiceError('other', 'ours', { retryable: false })
    expect(await rejection(call(() => Promise.reject(ours)))).to.equal(ours)
    const odd = await rejection(call(() => Promise.reject('a text')))
    expect(odd.message).to.equal('PutObject to bucket letters: a text')
  })

  it('waits for an answer only so long', async () => {
    const clock = new VirtualClock()
    const failed = rejection(call(() => new Promise(() => {}), clock))
    await clock.advance(1_000)
    expect((await failed).message).to.equal('PutObject to bucket letters: there was no answer within 1000 ms')
  })
})
