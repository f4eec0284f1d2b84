// What follows when the user's code fails: again after a delay, in halves, or the last resort. Never "skip" unless asked to.
import type { ExtendedSequenceNumber } from '../model/sequence-number.ts'
import { type Backoff, backoffMs } from '../runtime/backoff.ts'

/**
 * What to do once the attempts are used up: `halt` this shard and leave the others alone, `stop` the whole worker, store the
 * records as dead letters, or `skip` them.
 */
export type LastResort = 'halt' | 'stop' | 'dead-letter' | 'skip'

/** The last resorts that give records up and go on. */
export type GivingUp = Extract<LastResort, 'dead-letter' | 'skip'>

/** What may follow a failure. */
export type FailureAction = 'retry' | 'bisect' | LastResort

/** What user code returns that has failed with some of its records: the others are settled, and these are delivered again. */
export interface PartialFailure {
  /** The records, or their positions, in any order, each with its reason if there is one. Without any, all of them are settled. */
  readonly failed: Iterable<ExtendedSequenceNumber | FailedRecord>
  /** Why those have failed that have no reason of their own: an error, mostly. It stands in dead letters. Absent: that is not said. */
  readonly reason?: unknown
}

/** A record that has failed, and why. */
export interface FailedRecord {
  /** The record, or its position. */
  readonly record: ExtendedSequenceNumber
  /** An error, mostly. It stands in the dead letter of this record. */
  readonly reason: unknown
}

/** What user code names as failed, taken apart: which record that is, and the reason, if it has one of its own. */
export function namedRecord(named: ExtendedSequenceNumber | FailedRecord): Partial<FailedRecord> {
  const isWithReason = typeof named === 'object' && named !== null && 'record' in named
  return isWithReason ? { record: named.record, reason: named.reason } : { record: named }
}

/** What a policy is told of a failure, to decide what follows. */
export interface ProcessorFailure {
  /** What the call threw or rejected with; a `HandlerTimeoutError` if it took too long. */
  readonly error: unknown
  /** The shard whose processing failed. */
  readonly shardId: string
  /** Name of the stream that the shard is of. */
  readonly streamName: string
  /** The method that failed: `processRecords`, also for a handler; or `initialize`, `shardEnded`, `shutdownRequested`. */
  readonly method: string
  /** How many records the call was given; 0 for a method that is given none. */
  readonly records: number
  /** How many calls in a row have failed with these records, this one included. From 1. */
  readonly attempt: number
  /** How long ago the first of them failed. Milliseconds. */
  readonly elapsedMs: number
  /** How long ago the oldest of the records arrived at Kinesis. Milliseconds; absent where the service does not say. */
  readonly ageMs: number | undefined
}

/** How often and how soon the user's code is called again after a failure, and what then. */
export interface FailurePolicy {
  /** How often a call is made in all before giving up; `Infinity` never gives up. With `bisect` the last is with one record alone. */
  readonly attempts: number
  /** How long after the first failure the attempts count as used up. Milliseconds; Infinity: never. */
  readonly maxElapsedMs: number
  /** Whether the bad record is looked for, by halves, before the last resort. */
  readonly bisect: boolean
  readonly lastResort: LastResort
  readonly backoff: Backoff
  /** Records that arrived longer ago are given up before the next call that would have them. Milliseconds; Infinity: never. */
  readonly maxRecordAgeMs: number
  /** What the user decides instead, error by error. */
  readonly decide?: (failure: ProcessorFailure) => FailureAction | undefined
}

/** What follows a failure: the same records again in so many milliseconds, the records in halves, or the last resort. */
export type FailureVerdict =
  | { readonly kind: 'again'; readonly inMs: number }
  | { readonly kind: 'bisect' }
  | { readonly kind: 'give-up'; readonly lastResort: LastResort }

/** What is known of the records of a call that failed. */
export interface Suspicion {
  /** They are a part of records that have used up their attempts, and are being looked through by halves. */
  readonly isHalf: boolean
  /** The user's code named them as the ones that failed: there is nothing to look for. */
  readonly isNamed: boolean
}

/** What is known of the records of a call beside its failure. */
export interface FailedCall {
  /** Whether they are a part of records that have used up their attempts: it has one. */
  readonly isHalf: boolean
  /** Whether the user's code named them as the ones that failed, so that nothing is to be looked for. */
  readonly isNamed: boolean
}

const WHOLE: FailedCall = { isHalf: false, isNamed: false }

/**
 * Judges a failure; `chance` from 0 up to 1 spreads the delay. The age of records is no matter here: whoever calls gives up
 * those that are too old, and only those.
 */
export function afterFailure(
  failure: ProcessorFailure,
  policy: FailurePolicy,
  chance: number,
  call: FailedCall = WHOLE
): FailureVerdict {
  const action = policy.decide?.(failure) ?? ownAction(failure, policy, call)
  if (action === 'retry') return { kind: 'again', inMs: backoffMs(failure.attempt, policy.backoff, chance) }
  // One record has no halves.
  if (action === 'bisect' && failure.records > 1) return { kind: 'bisect' }
  return { kind: 'give-up', lastResort: carriedOut(action === 'bisect' ? policy.lastResort : action, failure) }
}

/** The policy without what the user decides. */
function ownAction(failure: ProcessorFailure, policy: FailurePolicy, call: FailedCall): FailureAction {
  const { attempt, elapsedMs, records } = failure
  const mayBisect = policy.bisect && records > 1 && !call.isNamed
  // The last attempt of a record is alone.
  const attempts = mayBisect ? Math.max(1, policy.attempts - 1) : policy.attempts
  const isOver = call.isHalf || attempt >= attempts || elapsedMs >= policy.maxElapsedMs
  if (!isOver) return 'retry'
  return mayBisect ? 'bisect' : policy.lastResort
}

/** A method that is given no records has none to give up: the shard cannot go on without it. */
function carriedOut(lastResort: LastResort, { records }: ProcessorFailure): LastResort {
  return records === 0 && (lastResort === 'dead-letter' || lastResort === 'skip') ? 'halt' : lastResort
}
