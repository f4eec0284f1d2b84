// One call to SQS or S3: bounded in time, and with its failure as an error of ours. No payload comes into the message.
import { isClockSkewCorrectedError, isServerError, isThrottlingError, isTransientError } from '@smithy/core/retry'
import { ConsumerError, messageOf, ServiceError, type ServiceErrorKind, ThrottledError } from '../model/errors.ts'
import type { Backoff } from '../runtime/backoff.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { withDeadline } from '../runtime/deadline.ts'
import { type Random, systemRandom } from '../runtime/random.ts'

/** Time and chance, which tests replace. */
export interface CallPorts {
  readonly clock: Clock
  readonly random: Random
}

/** The time and the chance of the system. */
export const SYSTEM_PORTS: CallPorts = { clock: systemClock, random: systemRandom }

/** How soon and how often a call is made again before a store rejects; whoever asked for it tries again in turn. */
export const CALL_RETRIES: { readonly attempts: number; readonly backoff: Backoff } = {
  attempts: 5,
  backoff: { firstMs: 100, maxMs: 5_000 }
}

/** Which call it is, and how long it may take. */
export interface ServiceCall {
  /** In words, such as `PutObject to bucket letters`. */
  readonly about: string
  readonly clock: Clock
  /** Milliseconds. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** Makes one call. Rejects with ThrottledError or ServiceError, or with the reason of the signal. */
export function callService<T>(
  { about, clock, timeoutMs, signal }: ServiceCall,
  send: (options: { abortSignal: AbortSignal }) => Promise<T>
): Promise<T> {
  return withDeadline(
    clock,
    timeoutMs,
    signal,
    async abortSignal => {
      try {
        return await send({ abortSignal })
      } catch (error) {
        throw serviceErrorOf(error, about)
      }
    },
    () => new ServiceError('timeout', `${about}: there was no answer within ${timeoutMs} ms`, { retryable: true })
  )
}

/** An error as the SDK judges it. */
type SdkFailure = Parameters<typeof isServerError>[0]

/** What the SDK threw, as an error of ours. */
function serviceErrorOf(error: unknown, about: string): ConsumerError {
  if (error instanceof ConsumerError) return error
  if (!(error instanceof Error)) return new ServiceError('other', `${about}: ${messageOf(error)}`, { retryable: false })
  // It quotes the answer, which is made of payloads where letters are read.
  if (error instanceof SyntaxError) {
    return new ServiceError('other', `${about}: the answer could not be read`, { retryable: true })
  }
  const message = `${about}: ${error.name}: ${error.message}`
  const failure = error as SdkFailure
  if (isThrottlingError(failure)) return new ThrottledError(message, { cause: error })
  const retryable = isTransientError(failure) || isServerError(failure) || isClockSkewCorrectedError(failure) === true
  return new ServiceError(kindOf(error), message, { retryable, cause: error })
}

function kindOf(error: Error): ServiceErrorKind {
  const { $metadata } = error as { $metadata?: { httpStatusCode?: number } }
  switch ($metadata?.httpStatusCode) {
    case 400:
      return 'invalid-argument'
    case 401:
    case 403:
      return 'access-denied'
    case 404:
      return 'not-found'
    default:
      return 'other'
  }
}
