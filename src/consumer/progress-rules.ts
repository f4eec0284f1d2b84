// Is a shard stuck, and what is to be done about it? Whoever waits has a reason and a limit; reading has none of its own.
import type { StallAction, StallCause } from './shard-listener.ts'

/** What is known of a shard that is being processed. */
export interface ProgressFacts {
  /** Since when an answer of Kinesis is waited for. Milliseconds; absent: it is not. */
  readonly readingForMs: number | undefined
  /** Whether that is because there is no room for it in memory: other shards, or what is being processed, have it. */
  readonly lacksRoom: boolean
  /** How long the oldest call of the user's code has been under way. Milliseconds; absent: there is none. */
  readonly calledForMs: number | undefined
  /** Whether dead letters are being stored. */
  readonly isStoringLetters: boolean
  /** How long dead letters have been stored, or tried to be. Milliseconds. */
  readonly storingForMs: number
  /** How long Kinesis has answered nothing but that it is asked too often. Milliseconds; absent: it answers. */
  readonly throttledForMs?: number | undefined
  /** How long checkpoints could not be written. Milliseconds; absent: they can. */
  readonly unwrittenForMs?: number | undefined
  /** How long calls have failed and nothing was settled. Milliseconds; absent: something was, since the last failure. */
  readonly failingForMs?: number | undefined
}

/** A shard that stands still: what it waits for, how long, and what is to be done. */
export interface Stall {
  readonly waitingFor: StallCause
  /** Milliseconds. */
  readonly forMs: number
  readonly action: StallAction
}

/**
 * Judges whether a shard stands still; `undefined`: it does not. Reading is begun anew after `stallMs` milliseconds without an
 * answer, and given up after as long again: renewing a lease without reading is not to go on. What waits for anything else has
 * limits elsewhere, or would be no better off in another worker, and is told of.
 */
export function judgeProgress(facts: ProgressFacts, stallMs: number): Stall | undefined {
  const { readingForMs, lacksRoom, calledForMs, isStoringLetters, storingForMs } = facts
  const isLong = (forMs: number | undefined): forMs is number => forMs !== undefined && forMs >= stallMs
  if (readingForMs !== undefined && readingForMs >= stallMs && !lacksRoom) {
    return { waitingFor: 'answer', forMs: readingForMs, action: readingForMs >= 2 * stallMs ? 'release' : 'restart' }
  }
  if (isStoringLetters && storingForMs >= stallMs) {
    return { waitingFor: 'dead-letters', forMs: storingForMs, action: 'report' }
  }
  if (calledForMs !== undefined && calledForMs >= stallMs) {
    return { waitingFor: 'processor', forMs: calledForMs, action: 'report' }
  }
  if (isLong(facts.unwrittenForMs)) {
    return { waitingFor: 'checkpoint', forMs: facts.unwrittenForMs, action: 'report' }
  }
  if (isLong(facts.failingForMs)) return { waitingFor: 'failures', forMs: facts.failingForMs, action: 'report' }
  if (isLong(facts.throttledForMs)) return { waitingFor: 'throttling', forMs: facts.throttledForMs, action: 'report' }
  if (readingForMs !== undefined && readingForMs >= stallMs) {
    return { waitingFor: 'memory', forMs: readingForMs, action: 'report' }
  }
  return undefined
}
