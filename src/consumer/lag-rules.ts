// How far behind is a shard? An answer that grows while nothing moves, whatever it is that stands still.

/** What is known of how far a shard has come. */
export interface LagFacts {
  /** Epoch milliseconds. */
  readonly nowEpochMs: number
  /** When the oldest record that was read and is not settled arrived at Kinesis. Epoch milliseconds; absent: there is none. */
  readonly oldestArrivedAtMs: number | undefined
  /** How far behind the tip Kinesis said that reading was, the last time. Milliseconds; absent: it has not said. */
  readonly toldMs: number | undefined
  /** How long ago that was, or how long the shard has been here. Milliseconds. */
  readonly sinceToldMs: number
}

/** How far a shard is behind. */
export interface Lag {
  /** How far what is settled is behind the tip of the shard. Milliseconds. */
  readonly millisBehindLatest: number
  /** How old the oldest record is that was read and is not settled. Milliseconds; 0: there is none. */
  readonly oldestUnsettledMs: number
}

/**
 * An answer is good for so long: longer than the time between two answers of a shard that is quiet (fan-out says something every
 * five seconds). After that nobody knows what has come since. Milliseconds.
 */
const ANSWER_IS_GOOD_MS = 10_000

/** Judges how far a shard is behind. */
export function lagOf({ nowEpochMs, oldestArrivedAtMs, toldMs = 0, sinceToldMs }: LagFacts): Lag {
  const oldestUnsettledMs = oldestArrivedAtMs === undefined ? 0 : Math.max(0, nowEpochMs - oldestArrivedAtMs)
  const readMs = toldMs + Math.max(0, sinceToldMs - ANSWER_IS_GOOD_MS)
  return { millisBehindLatest: Math.max(readMs, oldestUnsettledMs), oldestUnsettledMs }
}
