import { expect } from 'chai'
import { dynamoError, isConditionFailure, isUnsupported, timeoutError } from '../../src/dynamo/dynamo-errors.ts'
import { BugError, isRetryable, ServiceError, ThrottledError } from '../../src/model/errors.ts'
import { sdkError } from '../support/stub-dynamo.ts'

const ABOUT = 'GetItem of shardId-000000000000 in table orders'

describe('dynamoError', () => {
  const throttles = [
    sdkError('ProvisionedThroughputExceededException', { $metadata: { httpStatusCode: 400 } }),
    sdkError('ThrottlingException'),
    sdkError('RequestLimitExceeded'),
    sdkError('LimitExceededException'),
    sdkError('Unknown', { $metadata: { httpStatusCode: 429 } })
  ]
  for (const error of throttles) {
    it(`takes ${error.name} for throttling`, () => {
      const mapped = dynamoError(error, ABOUT)
      expect(mapped).to.be.instanceOf(ThrottledError)
      expect(mapped.message).to.include(ABOUT)
      expect(mapped.cause).to.equal(error)
    })
  }

  const failures: readonly [Error, ServiceError['kind'], boolean][] = [
    [sdkError('ResourceNotFoundException', { $metadata: { httpStatusCode: 400 } }), 'not-found', false],
    [sdkError('ResourceInUseException'), 'in-use', true],
    [sdkError('TransactionConflictException'), 'in-use', true],
    [sdkError('AccessDeniedException', { $metadata: { httpStatusCode: 400 } }), 'access-denied', false],
    [sdkError('UnrecognizedClientException'), 'access-denied', false],
    [sdkError('CredentialsProviderError'), 'access-denied', false],
    [sdkError('Error', { message: 'Region is missing' }), 'other', false],
    [sdkError('ExpiredTokenException'), 'access-denied', true],
    [sdkError('TimeoutError'), 'timeout', true],
    [sdkError('Error', { code: 'ETIMEDOUT' }), 'timeout', true],
    [sdkError('Error', { code: 'ECONNRESET' }), 'timeout', true],
    [sdkError('Error', { code: 'ECONNREFUSED' }), 'other', true],
    [sdkError('Error', { code: 'ENOTFOUND' }), 'other', true],
    [sdkError('InternalServerError', { $fault: 'server' }), 'other', true],
    [sdkError('ServiceUnavailable', { $metadata: { httpStatusCode: 503 } }), 'other', true],
    [sdkError('ValidationException', { $metadata: { httpStatusCode: 400 } }), 'invalid-argument', false],
    [sdkError('SomethingNewException', { $metadata: { httpStatusCode: 400 } }), 'other', false]
  ]
  for (const [error, kind, retryable] of failures) {
    const code = (error as { code?: string }).code
    it(`takes ${code ?? (error.name === 'Error' ? error.message : error.name)} for ${kind}`, () => {
      const mapped = dynamoError(error, ABOUT)
      expect(mapped).to.be.instanceOf(ServiceError)
      expect(mapped).to.include({ kind, retryable, cause: error })
      expect(mapped.message).to.include(ABOUT).and.to.include(error.name).and.to.include(error.message)
    })
  }

  it('says what to do about a missing region, credentials or permission', () => {
    const messageFor = (name: string, message = '') => dynamoError(sdkError(name, { message }), ABOUT).message
    expect(messageFor('Error', 'Region is missing')).to.include('AWS_REGION')
    expect(messageFor('CredentialsProviderError')).to.include('credentials')
    expect(messageFor('AccessDeniedException')).to.include('IAM policy')
    expect(messageFor('ResourceNotFoundException')).to.include('no such table')
    const refused = dynamoError(sdkError('Error', { code: 'ECONNREFUSED' }), ABOUT)
    expect(refused.message).to.include('could not be reached')
  })

  it('copes with what is no Error at all', () => {
    for (const thrown of ['text', undefined, null, 5]) {
      expect(dynamoError(thrown, ABOUT)).to.include({ kind: 'other', retryable: false, cause: thrown })
    }
  })

  it('leaves errors of ours as they are', () => {
    const error = new BugError('odd')
    expect(dynamoError(error, ABOUT)).to.equal(error)
  })
})

describe('timeoutError', () => {
  it('can be tried again, and says that the call may have been carried out', () => {
    const about = 'UpdateItem of shardId-000000000000 in table orders'
    const error = timeoutError(about, 5_000, { changesNothing: false })
    expect(error.kind).to.equal('timeout')
    expect(isRetryable(error)).to.equal(true)
    expect(error.message).to.include(about).and.to.include('5000 ms').and.to.include('may or may not')
  })

  it('does not say so of a call that only reads', () => {
    for (const about of [ABOUT, 'Scan in table orders', 'DescribeTable in table orders']) {
      expect(timeoutError(about, 5_000, { changesNothing: true }).message)
        .to.include(about)
        .and.not.include('may or may not')
    }
  })
})

describe('isConditionFailure', () => {
  it('knows a refused condition by the name of the error', () => {
    expect(isConditionFailure(sdkError('ConditionalCheckFailedException'))).to.equal(true)
    expect(isConditionFailure(sdkError('ValidationException'))).to.equal(false)
    expect(isConditionFailure('ConditionalCheckFailedException')).to.equal(false)
  })
})

describe('isUnsupported', () => {
  it('knows a call that an emulator does not have', () => {
    expect(isUnsupported(sdkError('UnknownOperationException'))).to.equal(true)
    expect(isUnsupported(sdkError('AccessDeniedException'))).to.equal(false)
  })
})
