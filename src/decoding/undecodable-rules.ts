// Whose fault it is when a record is not decoded, its own or the decoder's, and what follows. The only place that says so.
import { ConsumerError, messageOf, RecordUndecodableError } from '../model/errors.ts'
import type { ExtendedSequenceNumber } from '../model/sequence-number.ts'

/**
 * What becomes of a record that cannot be decoded: its dead letter is stored, it is skipped, or it fails as it would if the
 * user's code failed with it alone.
 */
export type UndecodableAction = 'dead-letter' | 'skip' | 'fail'

const DEEPEST_CAUSE = 4

/**
 * That a record cannot be decoded; `undefined`: it is the decoder that has failed, and the record may be decoded yet. What a
 * parser says of a text quotes it, and is not repeated.
 */
export function asUndecodable(record: ExtendedSequenceNumber, cause: unknown): RecordUndecodableError | undefined {
  if (cause instanceof RecordUndecodableError) return cause
  if (isOfDecoder(cause)) return undefined
  if (!(cause instanceof SyntaxError))
    return new RecordUndecodableError(record, 'decoder-failed', messageOf(cause), { cause })
  return new RecordUndecodableError(record, 'decoder-failed', 'it cannot be parsed (SyntaxError)')
}

/** Whether an error, or what is behind it, is about a call to a service, a connection, a file, or says that it will pass. */
function isOfDecoder(thrown: unknown, depth = 0): boolean {
  if (thrown instanceof ConsumerError) return !(thrown instanceof RecordUndecodableError)
  if (typeof thrown !== 'object' || thrown === null || depth > DEEPEST_CAUSE) return false
  const { retryable, syscall, $metadata, cause } = thrown as Readonly<Record<string, unknown>>
  if (retryable === true || typeof syscall === 'string' || $metadata !== undefined) return true
  return cause !== undefined && isOfDecoder(cause, depth + 1)
}

/** What follows if nothing is said: nothing is lost in any case. */
export function defaultAction(hasDeadLetters: boolean): UndecodableAction {
  return hasDeadLetters ? 'dead-letter' : 'fail'
}
