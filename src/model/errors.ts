// Every error class and code that Millrace throws. Imports nothing, so that nothing can form a cycle through it.
// A subclass exists only where a caller would catch it separately; everything else is told apart by `code`.

/** What every Millrace error carries: a stable `code`, and whether trying the same thing again can help. */
export abstract class ConsumerError extends Error {
  /** Stable, machine-readable kind of the error. Branch on this or on `instanceof`, never on the message. */
  abstract readonly code: string
  /** Whether the same call may succeed later without anybody changing anything. */
  abstract readonly retryable: boolean

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = new.target.name
  }
}

/** An option is missing, of the wrong type or out of its range. The message names the option, the value and the range. */
export class OptionError extends ConsumerError {
  static readonly code = 'BAD_OPTION'
  readonly code = OptionError.code
  readonly retryable = false
  /** Path of the option, such as `leases.durationMs`. */
  readonly option: string

  constructor(option: string, problem: string, options?: { cause?: unknown }) {
    super(`Option ${option}: ${problem}`, options)
    this.option = option
  }
}

/**
 * The lease table, or what is in it, does not belong to this application and stream: another key schema, the leases of
 * another stream, or the leases of an earlier stream of the same name.
 */
export class TableMismatchError extends ConsumerError {
  static readonly code = 'TABLE_MISMATCH'
  readonly code = TableMismatchError.code
  readonly retryable = false
}

/** A write was refused because another worker has the lease, or this worker could not prove in time that it still has it. */
export class LeaseLostError extends ConsumerError {
  static readonly code = 'LEASE_LOST'
  readonly code = LeaseLostError.code
  readonly retryable = false
  /** Key of the lease in the table; the same as the shard id. */
  readonly leaseKey: string

  constructor(leaseKey: string, reason: string, options?: { cause?: unknown }) {
    super(`The lease of ${leaseKey} is lost: ${reason}`, options)
    this.leaseKey = leaseKey
  }
}

/** A checkpoint was asked for that would go back, past what has been delivered, or past what was done. Nothing was written. */
export class CheckpointRefusedError extends ConsumerError {
  static readonly code = 'CHECKPOINT_REFUSED'
  readonly code = CheckpointRefusedError.code
  readonly retryable = false
  /**
   * Why, in one word: `behind` the stored checkpoint, `ahead` of what was delivered, `malformed`, or `void`: without a position,
   * by a call that was interrupted and is made again.
   */
  readonly because: string

  constructor(because: string, message: string) {
    super(message)
    this.because = because
  }
}

/** Kinesis or DynamoDB said to slow down. */
export class ThrottledError extends ConsumerError {
  static readonly code = 'THROTTLED'
  readonly code = ThrottledError.code
  readonly retryable = true
}

/** What a failed service call was about, so that the caller can decide without reading messages. */
export type ServiceErrorKind =
  | 'not-found' /** the stream, shard or table does not exist */
  | 'expired-iterator' /** a shard iterator was older than five minutes */
  | 'invalid-argument' /** the service understood the call and rejects what it asks for */
  | 'in-use' /** the resource is being created, changed or used by somebody else */
  | 'access-denied' /** credentials are missing, expired or lack a permission */
  | 'timeout' /** no answer in time; the call may or may not have been carried out */
  | 'other'

/** Any other failed call to Kinesis or DynamoDB. `cause` is the error of the SDK. */
export class ServiceError extends ConsumerError {
  static readonly code = 'SERVICE'
  readonly code = ServiceError.code
  readonly retryable: boolean
  /** What is wrong, in one word. */
  readonly kind: ServiceErrorKind

  constructor(kind: ServiceErrorKind, message: string, options: { retryable: boolean; cause?: unknown }) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.kind = kind
    this.retryable = options.retryable
  }
}

/** The user's record processor threw. Carries where and how often; never the records. */
export class ProcessorError extends ConsumerError {
  static readonly code = 'PROCESSOR'
  readonly code = ProcessorError.code
  readonly retryable = true
  /** The shard whose processor it was. */
  readonly shardId: string
  /** Which of the processor's methods threw. */
  readonly method: string
  /** How often in a row it has failed at this point; starts at 1. */
  readonly attempt: number

  constructor(shardId: string, method: string, attempt: number, cause: unknown) {
    super(`${method} of ${shardId} failed (attempt ${attempt}): ${messageOf(cause)}`, { cause })
    this.shardId = shardId
    this.method = method
    this.attempt = attempt
  }
}

/**
 * The thread or the process that a processor lived in is gone, and with it what the processor knew and the batch that it had. The shard is
 * to be read again from its checkpoint, with a new processor.
 */
export class ProcessorGoneError extends ConsumerError {
  static readonly code = 'PROCESSOR_GONE'
  readonly code = ProcessorGoneError.code
  readonly retryable = true
  /** The shard whose processor it was. */
  readonly shardId: string

  constructor(shardId: string, because: string, options?: { cause?: unknown }) {
    super(`The processor of ${shardId} is gone: ${because}`, options)
    this.shardId = shardId
  }
}

/** A call of the user's code took longer than it may (option `onProcessorError.timeoutMs`). */
export class HandlerTimeoutError extends ConsumerError {
  static readonly code = 'HANDLER_TIMEOUT'
  readonly code = HandlerTimeoutError.code
  readonly retryable = true
  /** How long the call may take. Milliseconds. */
  readonly limitMs: number
  /** Whether the call had not returned either when this was made: what it still does is not waited for, and counts for nothing. */
  readonly isLeftBehind: boolean

  constructor(limitMs: number, isLeftBehind: boolean, options?: { cause?: unknown }) {
    const left = isLeftBehind ? ', and it did not return when its signal aborted' : ''
    super(`The call took longer than ${limitMs} ms${left}`, options)
    this.limitMs = limitMs
    this.isLeftBehind = isLeftBehind
  }
}

/** The user's code returned, and named records that it has not processed. The `cause` is the first reason that it gave, if any. */
export class FailedRecordsError extends ConsumerError {
  static readonly code = 'FAILED_RECORDS'
  readonly code = FailedRecordsError.code
  readonly retryable = true
  /** How many records it named. */
  readonly failed: number
  readonly #reasons: ReadonlyMap<string, unknown>

  /** @param reasons why records have failed, by their positions as `sequence#subSequence`; those without a reason are absent */
  constructor(failed: number, records: number, reasons: ReadonlyMap<string, unknown> = new Map()) {
    const [cause] = reasons.values()
    super(`${failed} of ${records} records were returned as failed`, cause === undefined ? {} : { cause })
    this.failed = failed
    this.#reasons = reasons
  }

  /** Why a record has failed, as the user's code says; this error, if it does not. */
  reasonOf(record: { readonly sequenceNumber: string; readonly subSequenceNumber: number }): unknown {
    return this.#reasons.get(`${record.sequenceNumber}#${record.subSequenceNumber}`) ?? this
  }
}

/** Records were given up without a further call, because they arrived longer ago than `onProcessorError.maxRecordAgeMs`. */
export class RecordTooOldError extends ConsumerError {
  static readonly code = 'RECORD_TOO_OLD'
  readonly code = RecordTooOldError.code
  readonly retryable = false

  constructor(maxAgeMs: number, options?: { cause?: unknown }) {
    super(`The record arrived more than ${maxAgeMs} ms ago`, options)
  }
}

/** Where a record is, and what else is known of why it could not be decoded. */
interface UndecodableDetails {
  readonly cause?: unknown
  /** What a validator has found, in its own words. */
  readonly issues?: readonly { readonly message: string }[]
}

/**
 * A record is not what option `decode` makes values of: no JSON, not as its schema says, or the decoder threw. The message
 * quotes no payload. What follows is up to `onDecodeError`.
 */
export class RecordUndecodableError extends ConsumerError {
  static readonly code = 'RECORD_UNDECODABLE'
  readonly code = RecordUndecodableError.code
  readonly retryable = false
  /** What is wrong, in one word: `not-json`, `schema-mismatch`, `decoder-failed`, or another one of a decoder. */
  readonly reason: string
  /** Sequence number of the Kinesis record. */
  readonly sequenceNumber: string
  /** Place inside an aggregated Kinesis record, from 0. */
  readonly subSequenceNumber: number
  /** What a validator has found, in its own words, which may quote the payload: loggers do not see it. Empty: no validator. */
  declare readonly issues: readonly { readonly message: string }[]

  constructor(
    record: { readonly sequenceNumber: string; readonly subSequenceNumber: number },
    reason: string,
    problem: string,
    details: UndecodableDetails = {}
  ) {
    const { sequenceNumber, subSequenceNumber } = record
    const at = `${sequenceNumber}#${subSequenceNumber}`
    super(`Record ${at} could not be decoded: ${problem}`, 'cause' in details ? { cause: details.cause } : undefined)
    this.reason = reason
    this.sequenceNumber = sequenceNumber
    this.subSequenceNumber = subSequenceNumber
    Object.defineProperty(this, 'issues', { value: details.issues ?? [], enumerable: false })
  }
}

/** A dead letter could not be stored. Nothing was passed over: the record is given up only once its letter is stored. */
export class DeadLetterError extends ConsumerError {
  static readonly code = 'DEAD_LETTER'
  readonly code = DeadLetterError.code
  readonly retryable = true
  /** Name of the destination. */
  readonly destination: string

  constructor(destination: string, cause: unknown) {
    super(`Dead letters could not be stored in ${destination}: ${messageOf(cause)}`, { cause })
    this.destination = destination
  }
}

/** A shard was read for a while without any answer, or processed without anything being settled. */
export class StalledError extends ConsumerError {
  static readonly code = 'STALLED'
  readonly code = StalledError.code
  readonly retryable = true
  /** The shard that stood still. */
  readonly shardId: string

  constructor(shardId: string, waitingFor: string, forMs: number) {
    super(`${shardId} has made no progress for ${Math.round(forMs)} ms: it waits for ${waitingFor}`)
    this.shardId = shardId
  }
}

/** A worker that has stopped was asked to start; or why the signal of a processor aborted that a stop does not wait for. */
export class WorkerStoppedError extends ConsumerError {
  static readonly code = 'WORKER_STOPPED'
  readonly code = WorkerStoppedError.code
  readonly retryable = false
}

/**
 * Why something that an operator asked for could not be done. `not-let-go`: whoever has the leases did not let go of them in
 * time. `not-arrived`: a lease did not come to the worker in time. `foreign-workers`: workers of another kind own leases, who
 * take no orders. `mismatch`: what was to be imported is not of this stream. `busy`: somebody else writes rows of the same leases.
 * `no-such-table`: no worker of the application has ever run there. `interrupted`: it was asked to end half-way, and says what is
 * done.
 */
export type OperationRefusal =
  | 'not-let-go'
  | 'not-arrived'
  | 'no-such-lease'
  | 'no-such-worker'
  | 'cannot-take'
  | 'foreign-workers'
  | 'changed-meanwhile'
  | 'mismatch'
  | 'busy'
  | 'no-such-table'
  | 'blocked'
  | 'not-finished'
  | 'interrupted'

/** Something that an operator asked for of a fleet could not be done. The message says what is left of it, if anything is. */
export class OperationError extends ConsumerError {
  static readonly code = 'OPERATION'
  readonly code = OperationError.code
  readonly retryable = false
  /** Why, in one word. */
  readonly because: OperationRefusal

  constructor(because: OperationRefusal, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.because = because
  }
}

/** An invariant of Millrace itself broke. */
export class BugError extends ConsumerError {
  static readonly code = 'BUG'
  readonly code = BugError.code
  readonly retryable = false

  constructor(message: string, options?: { cause?: unknown }) {
    super(`${message}. This is a bug in Millrace: please report it with the log around it`, options)
  }
}

/** An error of ours; what is none is a bug. */
export function asConsumerError(thrown: unknown): ConsumerError {
  return thrown instanceof ConsumerError ? thrown : new BugError(messageOf(thrown), { cause: thrown })
}

/** What was thrown, in words. Anything can be thrown, even what cannot be made a string of; this never throws. */
export function messageOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown)
  } catch {
    return `${typeof thrown} that cannot be shown`
  }
}

/** Whether an error says that the same call may succeed later. Unknown errors count as not retryable. */
export function isRetryable(error: unknown): boolean {
  return error instanceof ConsumerError && error.retryable
}
