// What an iterator of a DynamoDB stream stands for, beside what the service knows of it: which shard, and from which time on records are
// wanted. And how far an answer is behind, which the service does not say.

/** An iterator, and what has to be known to read with it. */
export interface ReadingPlace {
  readonly shardId: string
  /** What was asked for: after a record, the oldest ones, or the newest. */
  readonly from: 'record' | 'horizon' | 'latest'
  /** Records created before are skipped, up to the first that was not. Epoch milliseconds; absent: all are wanted. */
  readonly sinceMs?: number
  /** The iterator of the service. */
  readonly iterator: string
}

/** The place as one text, which stands for an iterator everywhere else. */
export function formatPlace({ shardId, from, sinceMs, iterator }: ReadingPlace): string {
  return [shardId, from, sinceMs ?? '', iterator].join(' ')
}

/** The place that a text stands for. */
export function parsePlace(text: string): ReadingPlace {
  const [shardId = '', from = '', sinceMs = '', ...iterator] = text.split(' ')
  return {
    shardId,
    from: from as ReadingPlace['from'],
    ...(sinceMs !== '' && { sinceMs: Number(sinceMs) }),
    iterator: iterator.join(' ')
  }
}

/**
 * The time of a record is that of the storage node that wrote it, in whole seconds, rounded down; the time to begin at is that of
 * another machine of the service. So much earlier records are taken for wanted. Milliseconds.
 */
const CLOCKS_DIFFER_BY_MS = 5_000

/** The creation time of the oldest records that count as created at `timestampMs`. Epoch milliseconds, a whole second. */
export function sinceOf(timestampMs: number): number {
  return Math.floor((timestampMs - CLOCKS_DIFFER_BY_MS) / 1_000) * 1_000
}

/** How many records at the beginning of an answer are older than what is wanted. Those without a time are wanted. */
export function countOlder(createdAtMs: readonly (number | undefined)[], sinceMs: number | undefined): number {
  if (sinceMs === undefined) return 0
  const wanted = createdAtMs.findIndex(time => time === undefined || time >= sinceMs)
  return wanted === -1 ? createdAtMs.length : wanted
}

/** A record that was read within this time of its creation is as new as can be told from whole seconds. Milliseconds. */
const AS_GOOD_AS_NEW_MS = 2_000

/**
 * How far an answer is behind the tip of the shard, as far as records tell: as old as its last record is. An answer without any
 * counts as being at the tip. `sinceMs`: what is older is not wanted, so nothing that is wanted is further behind. Milliseconds.
 */
export function millisBehind(lastCreatedAtMs: number | undefined, nowMs: number, sinceMs = 0): number {
  if (lastCreatedAtMs === undefined) return 0
  const ageMs = nowMs - Math.max(lastCreatedAtMs, sinceMs)
  return ageMs < AS_GOOD_AS_NEW_MS ? 0 : ageMs
}
