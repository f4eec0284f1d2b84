// What went wrong with a call to DynamoDB, as an error of ours: whether to slow down, try again, or tell a person.
import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { ConsumerError, messageOf, ServiceError, type ServiceErrorKind, ThrottledError } from '../model/errors.ts'

const THROTTLED: ReadonlySet<string> = new Set([
  'LimitExceededException',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'ThrottledException',
  'Throttling',
  'ThrottlingException',
  'TooManyRequestsException'
])

const IN_USE: ReadonlySet<string> = new Set([
  'ContinuousBackupsUnavailableException',
  'ResourceInUseException',
  'TransactionConflictException'
])

const ACCESS_DENIED: ReadonlySet<string> = new Set([
  'AccessDenied',
  'AccessDeniedException',
  'CredentialsProviderError',
  'IncompleteSignatureException',
  'InvalidClientTokenId',
  'MissingAuthenticationTokenException',
  'NotAuthorized',
  'OptInRequired',
  'TokenProviderError',
  'UnrecognizedClientException'
])

// Credential providers fetch new ones on their own, so that a later call may succeed.
// A signature is refused for a clock that is wrong, too, which the SDK then corrects.
const EXPIRED_CREDENTIALS: ReadonlySet<string> = new Set([
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidSignatureException',
  'RequestTimeTooSkewed'
])

// The connection ended before the answer came: the request may have been carried out.
const ANSWER_LOST: ReadonlySet<string> = new Set([
  ...['ECONNABORTED', 'ECONNRESET', 'EPIPE', 'EPROTO', 'ERR_STREAM_PREMATURE_CLOSE', 'ETIMEDOUT', 'TimeoutError'],
  // An answer that cannot be read is as good as none.
  'SyntaxError'
])

const NOT_REACHED: ReadonlySet<string> = new Set([
  ...['EADDRNOTAVAIL', 'EAI_AGAIN', 'ECONNREFUSED', 'EHOSTDOWN', 'EHOSTUNREACH', 'EMFILE', 'ENETDOWN', 'ENETRESET'],
  ...['ENETUNREACH', 'ENFILE', 'ENOTFOUND']
])

interface Verdict {
  readonly kind: ServiceErrorKind
  readonly retryable: boolean
  readonly advice?: string
}

/** The facts of an SDK error that decide what it is. */
interface SdkFailure {
  readonly name: string
  readonly message: string
  readonly networkCode: string
  readonly status: number
  readonly ofServer: boolean
}

/** A refused conditional write. The item that was in the way comes in DynamoDB's types, from the document client too. */
export interface ConditionFailure extends Error {
  readonly Item?: Record<string, AttributeValue>
}

/** Whether a conditional write was refused. That is a normal outcome and no error. */
export function isConditionFailure(error: unknown): error is ConditionFailure {
  return error instanceof Error && error.name === 'ConditionalCheckFailedException'
}

/** Whether the service does not know the call at all, as emulators do with some. */
export function isUnsupported(error: unknown): boolean {
  return (
    error instanceof Error && ['UnknownOperationException', 'NotImplemented', 'UnknownOperation'].includes(error.name)
  )
}

/** Whether the service took the call for a mistake, as it does with a query of an index that is not there or not filled yet. */
export function isMistake(error: unknown): boolean {
  return error instanceof Error && error.name === 'ValidationException'
}

/**
 * The error for a failed call. `about` names the call, the table and the key of the item, such as
 * `GetItem of shardId-000000000000 in table orders`. Errors of ours stay as they are.
 */
export function dynamoError(error: unknown, about: string): ConsumerError {
  if (error instanceof ConsumerError) return error
  const failure = failureOf(error)
  if (THROTTLED.has(failure.name) || failure.status === 429) {
    return new ThrottledError(`${about} was throttled: ${failure.message}`, { cause: error })
  }
  const { kind, retryable, advice } = verdictOn(failure)
  const reason = `${failure.name}: ${failure.message}${advice === undefined ? '' : `. ${advice}`}`
  return new ServiceError(kind, `${about} failed: ${reason}`, { retryable, cause: error })
}

/** The error for a call without an answer after `ms` milliseconds. */
export function timeoutError(about: string, ms: number, { changesNothing }: { changesNothing: boolean }): ServiceError {
  const consequence = changesNothing ? '' : '; it may or may not have been carried out'
  return new ServiceError('timeout', `${about} had no answer within ${ms} ms${consequence}`, { retryable: true })
}

function verdictOn({ name, message, networkCode, ofServer }: SdkFailure): Verdict {
  if (name === 'ResourceNotFoundException') {
    return { kind: 'not-found', retryable: false, advice: 'There is no such table (any more)' }
  }
  if (IN_USE.has(name)) return { kind: 'in-use', retryable: true }
  if (EXPIRED_CREDENTIALS.has(name)) {
    return {
      kind: 'access-denied',
      retryable: true,
      advice: 'The credentials have expired or do not match, or the clock of this machine is wrong'
    }
  }
  if (ACCESS_DENIED.has(name)) return { kind: 'access-denied', retryable: false, advice: adviceOnAccess(name) }
  // The SDK throws a plain Error for this one: there is nothing but the message to tell it by.
  if (message === 'Region is missing') {
    const advice = 'Set AWS_REGION, or give the DynamoDB client a region'
    return { kind: 'other', retryable: false, advice }
  }
  if (ANSWER_LOST.has(networkCode) || ANSWER_LOST.has(name)) return { kind: 'timeout', retryable: true }
  if (NOT_REACHED.has(networkCode)) return { kind: 'other', retryable: true, advice: 'DynamoDB could not be reached' }
  if (ofServer) return { kind: 'other', retryable: true }
  if (name === 'ValidationException') return { kind: 'invalid-argument', retryable: false }
  return { kind: 'other', retryable: false }
}

function adviceOnAccess(name: string): string {
  if (name.startsWith('AccessDenied') || name === 'NotAuthorized') {
    return 'Allow this call on that table in the IAM policy of the worker'
  }
  return 'Give the worker valid AWS credentials: a role, the AWS_ environment variables, or a configured DynamoDB client'
}

function failureOf(error: unknown): SdkFailure {
  const { name, message } = error instanceof Error ? error : { name: 'Error', message: messageOf(error) }
  const { code, $fault, $metadata } = Object(error) as Partial<Record<string, unknown>>
  const { httpStatusCode } = Object($metadata) as Partial<Record<string, unknown>>
  const status = typeof httpStatusCode === 'number' ? httpStatusCode : 0
  const networkCode = typeof code === 'string' ? code : ''
  return { name, message, networkCode, status, ofServer: $fault === 'server' || status >= 500 }
}
