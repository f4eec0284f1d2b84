// The part of the 128-bit hash space that a shard covers. Both ends are inclusive, as in the Kinesis API.

/** Inclusive ends, 0 to 2^128 - 1. */
export interface HashKeyRange {
  /** The first hash key of the shard. */
  readonly start: bigint
  /** The last hash key of the shard. */
  readonly end: bigint
}

/** The last hash key there is. */
export const MAX_HASH_KEY = 2n ** 128n - 1n
/** Every hash key there is: what a stream of one shard has, and what all its shards cover together. */
export const FULL_HASH_KEY_RANGE: HashKeyRange = { start: 0n, end: MAX_HASH_KEY }

/** Whether a record with this hash key goes to the shard with this range. */
export function containsHashKey(range: HashKeyRange, hashKey: bigint): boolean {
  return range.start <= hashKey && hashKey <= range.end
}

/** Whether there is a hash key in both ranges. */
export function rangesOverlap(a: HashKeyRange, b: HashKeyRange): boolean {
  return a.start <= b.end && b.start <= a.end
}

/**
 * The parts of the hash space that no given range covers, in ascending order. Overlaps are fine: a parent and its
 * children cover the same keys while the parent is being finished.
 */
export function findHoles(ranges: readonly HashKeyRange[]): HashKeyRange[] {
  const holes: HashKeyRange[] = []
  let next = 0n
  for (const range of [...ranges].sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0))) {
    if (range.start > next) holes.push({ start: next, end: range.start - 1n })
    if (range.end >= next) next = range.end + 1n
  }
  if (next <= MAX_HASH_KEY) holes.push({ start: next, end: MAX_HASH_KEY })
  return holes
}
