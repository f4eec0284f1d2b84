// Turns what goes wrong with the calls of enhanced fan-out into our errors: what the SDK throws, what the service says in
// answers and in the middle of a subscription, and what happens to connections.
import { ServiceError, type ServiceErrorKind, ThrottledError } from '../model/errors.ts'
import { messageInJson } from './sdk-faults.ts'
import { callText, type FailedCall, kinesisErrorOf } from './sdk-kinesis-errors.ts'

/** What these kinds mean for a subscription. */
const OF_SUBSCRIPTION: Partial<Readonly<Record<ServiceErrorKind, string>>> = {
  'in-use':
    'the consumer is not active yet, or has a subscription to the shard that is less than five seconds old, or was replaced by another one',
  'not-found': 'there is no such consumer, shard or stream (any more)'
}

/** What these kinds mean for the calls about a consumer. */
const OF_CONSUMER: Partial<Readonly<Record<ServiceErrorKind, string>>> = {
  'in-use': 'there is a consumer of this name, or as many as there may be, or the stream is being changed',
  'not-found': 'there is no such consumer or stream (any more)'
}

/**
 * The error to throw for what was caught in `call`, be it of the SDK or a fault. What is a ServiceError already,
 * because a connection failed, is told to which call that happened.
 */
export function fanOutErrorOf(error: unknown, call: FailedCall): ThrottledError | ServiceError {
  const translated = kinesisErrorOf(error, call)
  if (translated instanceof ThrottledError) return translated
  const { kind, retryable } = translated
  const advice = call.name === 'SubscribeToShard' ? OF_SUBSCRIPTION[kind] : OF_CONSUMER[kind]
  if (advice === undefined || !(error instanceof Error) || error instanceof ServiceError) return translated
  return new ServiceError(kind, `${callText(call)}: ${advice} (${error.name}: ${error.message})`, {
    retryable,
    cause: error
  })
}

/**
 * What the service says in the middle of a subscription, in JSON or as a text. Like a fault of its own, unless it has a name
 * that we know.
 */
export function faultInStream(type: string | undefined, said: Uint8Array | string | undefined): Error {
  const message = said instanceof Uint8Array ? messageInJson(said) : said
  // The key of the stream is nothing that passes by itself.
  const httpStatusCode = type?.startsWith('KMS') ? 400 : 500
  return Object.assign(new Error(message), { name: type ?? 'UnknownError', $metadata: { httpStatusCode } })
}
