// How long to wait before the next read of a shard. Kinesis allows 5 reads and 2 MB per second and shard, to all applications
// together: who is refused takes a smaller share of that, and grows slowly.

/** Calls of GetRecords per second and shard that Kinesis allows. */
export const READS_PER_SECOND = 5
/**
 * Bytes per second and shard that Kinesis allows to read: 2 MB. If it means 2 MiB, what is left is a gap of some hundred
 * milliseconds after each large answer, in which another application finds its way in.
 */
export const BYTES_PER_SECOND = 2_000_000
/** Calls do not travel equally fast: five that were sent within 1,000 ms may arrive within less. */
const SECOND_MS = 1_020

/** What has been read of a shard lately. */
export interface ReadDebt {
  /** When the last reads were, at most as many as a second allows, oldest first. Monotonic milliseconds. */
  readonly readsAtMs: readonly number[]
  /** Monotonic milliseconds up to which the bytes have been paid off. */
  readonly atMs: number
  /** Bytes not yet paid off: a debt that time pays off. */
  readonly bytes: number
}

/** What is owed before the first read: nothing. */
export const NO_DEBT: ReadDebt = { readsAtMs: [], atMs: 0, bytes: 0 }

/** The debt after a call was made. It counts even if it fails: the service may have counted it. */
export function afterCall(debt: ReadDebt, share: number, nowMs: number, bytesPerSecond = BYTES_PER_SECOND): ReadDebt {
  const readsAtMs = [...debt.readsAtMs, nowMs].slice(-READS_PER_SECOND)
  return { readsAtMs, atMs: nowMs, bytes: unpaidBytes(debt, share * bytesPerSecond, nowMs) }
}

/** The debt after a call brought `bytes` bytes. */
export function afterAnswer(debt: ReadDebt, bytes: number): ReadDebt {
  return { ...debt, bytes: debt.bytes + bytes }
}

/**
 * How long the limits of a shard forbid to read it, in milliseconds, for who takes `share` of them (0 to 1). With all of
 * them, up to five reads may follow one another at once, and the sixth comes a second after the first of them; with less,
 * reads are evenly spaced, so that others find room between them. Bytes are paid off in full.
 */
export function debtDelayMs(debt: ReadDebt, share: number, nowMs: number, bytesPerSecond = BYTES_PER_SECOND): number {
  const { readsAtMs } = debt
  const isAlone = share >= 1
  const atMs = readsAtMs[readsAtMs.length - (isAlone ? READS_PER_SECOND : 1)]
  const forReads = atMs === undefined ? 0 : atMs + (isAlone ? SECOND_MS : spacingMs(share)) - nowMs
  const ours = bytesPerSecond * share
  const forBytes = (unpaidBytes(debt, ours, nowMs) / ours) * 1_000
  return Math.max(0, forReads, forBytes)
}

/** How far apart reads are who takes `share` of the limits (0 to 1). Milliseconds. */
export function spacingMs(share: number): number {
  return SECOND_MS / (READS_PER_SECOND * share)
}

function unpaidBytes(debt: ReadDebt, bytesPerSecond: number, nowMs: number): number {
  if (bytesPerSecond === Number.POSITIVE_INFINITY) return 0
  const seconds = Math.max(0, nowMs - debt.atMs) / 1_000
  return Math.max(0, debt.bytes - seconds * bytesPerSecond)
}

/** A shard that had records within this time is not idle. Milliseconds. */
const LATELY_MS = 10_000
/** No idle shard waits longer because there are many. Milliseconds. */
const MAX_STRETCHED_MS = 1_000
/** How much longer idle shards wait for each shard that the worker reads. Milliseconds. */
const STRETCH_MS = 2

/** What a shard at its tip is like. */
export interface TipFacts {
  /** The wait between reads that was asked for. Milliseconds. */
  readonly idleMs: number
  /** How many shards the worker reads. */
  readonly shards: number
  /** How long ago the last records came. Milliseconds; absent: there were none yet. */
  readonly quietMs: number | undefined
  /** From 0 up to 1, for spreading the reads of many shards. */
  readonly chance: number
}

/**
 * How long to wait after a read at the tip of a shard, in milliseconds. Where a worker reads many shards, those that had no
 * records lately are read less often, up to once a second: 1,000 of them make 1,000 calls a second.
 */
export function tipWaitMs({ idleMs, shards, quietMs, chance }: TipFacts): number {
  const stretchedMs = Math.min(MAX_STRETCHED_MS, STRETCH_MS * shards)
  const isIdle = quietMs === undefined || quietMs > LATELY_MS
  return isIdle && stretchedMs > idleMs ? Math.max(idleMs, stretchedMs * (0.9 + 0.2 * chance)) : idleMs
}

/** How many times more than its part of a second a read may bring to who has fallen behind. */
const CATCHING_UP = 1.5

/**
 * How many bytes a read should bring at most, for who takes `share` of the limits (0 to 1). Who shares them reads a fifth of
 * what a second has room for: then there is room for the bytes of as many reads as there may be, and nobody is locked out
 * for seconds by the large answer of another. Who is behind reads more: those at the tip mostly need less than that.
 */
export function readCapBytes(share: number, isBehind: boolean, bytesPerSecond = BYTES_PER_SECOND): number {
  if (share >= 1) return Number.POSITIVE_INFINITY
  return (bytesPerSecond / READS_PER_SECOND) * (isBehind ? CATCHING_UP : 1)
}

/** The share of the limits of a shard that this worker takes, as it was when it last changed. */
export interface RateShare {
  /** More than 0, up to 1. */
  readonly value: number
  /** Monotonic milliseconds. */
  readonly atMs: number
}

/** Nobody is driven below this share: one read in two seconds. */
const LEAST_SHARE = 0.1
/** What is left of a share after it was refused: from this … */
const KEPT_AT_LEAST = 0.6
/** … up to that much more. Chance decides, so that applications which are refused together do not go on in step. */
const KEPT_BY_CHANCE = 0.2
/** How much a share grows within a minute at first … */
const GROWTH = 0.02
/** … and with the third power of the minutes: little while others still compete, all of it some minutes after they have left. */
const FAST_GROWTH = 0.01

/** How much a share grows with each read of who is behind, so that it comes to need less again. */
const GROWTH_BEHIND = 0.004

/** The share now. Grows from what was left after the last refusal, to `most` at most. */
export function shareAt({ value, atMs }: RateShare, most: number, nowMs: number): number {
  const minutes = (nowMs - atMs) / 60_000
  return Math.min(most, value + GROWTH * minutes + FAST_GROWTH * minutes ** 3)
}

/** The share after a refusal. `chance` from 0 up to 1. */
export function afterRefusal(share: RateShare, most: number, nowMs: number, chance: number): RateShare {
  const kept = KEPT_AT_LEAST + KEPT_BY_CHANCE * chance
  return { value: Math.max(LEAST_SHARE, shareAt(share, most, nowMs) * kept), atMs: nowMs }
}

/** The share after a read that did not reach the tip: who is behind needs more than those who are not. */
export function afterReadBehind({ value, atMs }: RateShare): RateShare {
  return { value: Math.min(1, value + GROWTH_BEHIND), atMs }
}
