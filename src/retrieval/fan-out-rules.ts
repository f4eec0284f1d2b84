// How a shard is read by enhanced fan-out: where the next subscription begins, what of an event is new, how long to wait
// after a failure, and when fan-out has to be given up.
import type { SubscriptionEvent } from '../kinesis/fan-out-port.ts'
import { ServiceError, type ServiceErrorKind } from '../model/errors.ts'
import type { KinesisRecord } from '../model/record.ts'
import { compareSequenceNumbers } from '../model/sequence-number.ts'
import { backoffMs } from '../runtime/backoff.ts'
import type { ReadStart } from './read-rules.ts'

/**
 * How long after a call of SubscribeToShard that succeeded the next one for the same consumer and shard is not refused. The
 * service asks for five seconds, by its own clock. Milliseconds.
 */
export const SUBSCRIBE_EVERY_MS = 5_100
/** After how long the service ends a subscription. Milliseconds. */
export const SUBSCRIPTION_MS = 300_000
/** How long a subscription may be silent while it is listened to. The service says something every five seconds. Milliseconds. */
export const SILENCE_LIMIT_MS = 30_000
/** The most records that are handed on at once. As many as GetRecords brings at most. */
export const MAX_BATCH_RECORDS = 10_000

const BACKOFF = { firstMs: 500, maxMs: 15_000 }
/** Tries before a failure that should not pass is believed: credentials can be out of reach for a moment, for example. */
const HOPELESS_TRIES = 3
const GIVE_UP_AFTER_MS = 60_000
const GIVE_UP_FAILURES = 2

const RENEW_AFTER_MS = 270_000
const RENEW_WITHIN_MS = 20_000

const FIRST_EXPECTED_BYTES = 256 * 1024
const LEAST_EXPECTED_BYTES = 16 * 1024

/**
 * How old a subscription is to become before the next one takes its place, in milliseconds. The service ends it after five
 * minutes; whoever subscribes anew before, and five seconds or more after the last time, takes over without a gap. Spread by
 * `chance` (0 up to 1), so that the shards of a worker do not all do so at once.
 */
export function renewAfterMs(chance: number): number {
  return RENEW_AFTER_MS + RENEW_WITHIN_MS * chance
}

/**
 * Where the next subscription begins after an event. An event without records says, too, how far the shard has been read;
 * but where reading began at a checkpointed record, which may be an aggregate that is only partly done, nothing that is not
 * past that record moves the position.
 */
export function positionAfter(position: ReadStart, event: SubscriptionEvent): ReadStart {
  const last = event.records.at(-1)?.sequenceNumber
  const continuation = event.continuationSequenceNumber
  if (last !== undefined) return startAfter(continuation === undefined ? last : laterOf(last, continuation))
  if (continuation === undefined) return position
  const isPast = !('sequenceNumber' in position) || compareSequenceNumbers(continuation, position.sequenceNumber) > 0
  return isPast ? startAfter(continuation) : position
}

/** The position right after a record. */
export function startAfter(sequenceNumber: string): ReadStart {
  return { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber }
}

function laterOf(a: string, b: string): string {
  return compareSequenceNumbers(a, b) >= 0 ? a : b
}

/**
 * What an event that brought `newRecords` new records says of the end of the shard. The last event of a shard has no continuation,
 * and names its children. Without them it may have been cut short, or the service names none: then it is believed once another
 * subscription, from the same position, says so too.
 *
 * @param wasSaid whether the event before it said so: what this returned for it was `said`
 */
export function endIn(event: SubscriptionEvent, newRecords: number, wasSaid: boolean): 'none' | 'said' | 'certain' {
  const { continuationSequenceNumber, childShards = [] } = event
  if (continuationSequenceNumber !== undefined) return 'none'
  return childShards.length > 0 || (wasSaid && newRecords === 0) ? 'certain' : 'said'
}

/** A number of records, and how long their payloads are together. Bytes. */
export interface ReadAmount {
  readonly records: number
  readonly bytes: number
}

/** Both together. */
export function added(one: ReadAmount, other: ReadAmount): ReadAmount {
  return { records: one.records + other.records, bytes: one.bytes + other.bytes }
}

/** What is left of `whole` without `part`; nothing where that is more. */
export function without(whole: ReadAmount, part: ReadAmount): ReadAmount {
  return { records: Math.max(0, whole.records - part.records), bytes: Math.max(0, whole.bytes - part.bytes) }
}

/** Those of `records` that come after the one numbered `newest`; all of them where there is none. They are in order. */
export function newerThan(newest: string | undefined, records: readonly KinesisRecord[]): readonly KinesisRecord[] {
  if (newest === undefined) return records
  const isNew = ({ sequenceNumber }: KinesisRecord): boolean => compareSequenceNumbers(sequenceNumber, newest) > 0
  const [oldest] = records
  return oldest === undefined || isNew(oldest) ? records : records.filter(isNew)
}

/** A start moved back in time by `earlierMs` milliseconds. Only a time can be. */
export function movedBack(start: ReadStart, earlierMs: number): ReadStart {
  return start.type === 'AT_TIMESTAMP' ? { ...start, timestampMs: Math.max(0, start.timestampMs - earlierMs) } : start
}

/** What the payloads of records take. Bytes. */
export function payloadBytes(records: readonly KinesisRecord[]): number {
  return records.reduce((sum, { data }) => sum + data.length, 0)
}

/**
 * How large the next event is taken to be, in bytes, given the largest one lately (`undefined`: none yet): much while events are large,
 * little on a shard where hardly anything comes, for it is kept free for as long as the event is waited for.
 */
export function expectedBytes(lately: number | undefined, shareBytes: number): number {
  return Math.min(shareBytes, Math.max(LEAST_EXPECTED_BYTES, lately ?? FIRST_EXPECTED_BYTES))
}

/** The largest event lately, after one of `bytes` bytes. What is long ago counts less and less. */
export function largestLately(lately: number | undefined, bytes: number): number {
  return Math.max(bytes, Math.floor((lately ?? 0) / 2))
}

/**
 * How long after a failure to subscribe again, in milliseconds. `in-use` says that somebody, maybe ourselves in a call whose
 * answer was lost, has subscribed within five seconds, or that the consumer is not active yet. Everything else is tried again
 * quickly, and more slowly while nothing comes of it, but never so soon that it would be `in-use`.
 *
 * @param failures how many there were in a row, this one included
 * @param sinceOpenedMs how long ago the last subscription was made; Infinity: never
 */
export function resubscribeDelayMs(error: unknown, failures: number, sinceOpenedMs: number, chance: number): number {
  if (isOfKind(error, 'in-use')) return SUBSCRIBE_EVERY_MS + 1_000 * chance
  return Math.max(backoffMs(failures, BACKOFF, chance), SUBSCRIBE_EVERY_MS - sinceOpenedMs)
}

/** How fan-out goes. */
export interface FanOutTrouble {
  /** Failures in a row, with no event in between. */
  readonly failures: number
  /** Those of them that should not pass. */
  readonly hopeless: number
  /** For how long there has been no subscription that brought an event, while there should be one. Milliseconds. */
  readonly forMs: number
}

/** Whether fan-out does not work: a failure that does not pass has been seen three times, or nothing has worked for a minute. */
export function isFanOutFailing({ failures, hopeless, forMs }: FanOutTrouble): boolean {
  return hopeless >= HOPELESS_TRIES || (failures >= GIVE_UP_FAILURES && forMs >= GIVE_UP_AFTER_MS)
}

/** Whether the service has refused the place at which a subscription was to begin. */
export function isStartRefused(error: unknown): boolean {
  return isOfKind(error, 'invalid-argument')
}

/** Whether it is a ServiceError of this kind. */
export function isOfKind(error: unknown, kind: ServiceErrorKind): boolean {
  return error instanceof ServiceError && error.kind === kind
}

/** How long after fan-out had to be given up `times` times in a row it is tried again, in milliseconds: minutes. */
export function retryFanOutInMs(times: number, chance: number): number {
  return backoffMs(times, { firstMs: 300_000, maxMs: 3_600_000 }, chance)
}
