// Which calls have failed with which records, worker by worker: to judge whether a record deserved to be given up, and whether a
// worker that let a shard go had tried to settle it.
import type { ProcessorErrorOptions } from '../worker/failure-options.ts'

/** What is known of a record that has failed. */
export interface FailedEntry {
  /** How many calls of this worker have failed with it since it was last settled. */
  readonly calls: number
  /** When the last of them failed. Virtual milliseconds since the world began. */
  readonly lastAtMs: number
  /** How many records the last of them left open. */
  readonly among: number
  /** Whether that call named them. */
  readonly isNamed: boolean
}

/** A record that is given up, as whoever does so says. */
export interface GivenUpEntry {
  /** How many calls have failed with it; `undefined`: that was not said. */
  readonly attempts: number | undefined
  /** How long ago it arrived, by the calendar of the worker. Milliseconds. */
  readonly ageMs: number
  /** Whether that is because it cannot be decoded. Absent: it is not. */
  readonly isUndecodable?: boolean
}

/** The failures of one application. */
export class FailureBooks {
  /** By worker and shard, by entry. */
  readonly #failed = new Map<string, Map<number, FailedEntry>>()

  /** A call has failed, and left these open. */
  failed(worker: string, shardId: string, entries: readonly number[], isNamed: boolean, atMs: number): void {
    const books = this.#of(worker, shardId)
    for (const entry of entries) {
      books.set(entry, { calls: (books.get(entry)?.calls ?? 0) + 1, lastAtMs: atMs, among: entries.length, isNamed })
    }
  }

  /** A call that took too long is over, and has left no others than these open: to the worker it has failed only now. */
  left(worker: string, shardId: string, entries: readonly number[], atMs: number): void {
    const books = this.#of(worker, shardId)
    for (const entry of entries) {
      const failed = books.get(entry)
      if (failed !== undefined) books.set(entry, { ...failed, lastAtMs: atMs, among: entries.length })
    }
  }

  settled(worker: string, shardId: string, entry: number): void {
    this.#of(worker, shardId).delete(entry)
  }

  /** A worker has a lease anew, and knows nothing of before. */
  forget(worker: string, shardId: string): void {
    this.#failed.delete(`${worker}|${shardId}`)
  }

  of(worker: string, shardId: string, entry: number): FailedEntry | undefined {
    return this.#of(worker, shardId).get(entry)
  }

  #of(worker: string, shardId: string): Map<number, FailedEntry> {
    const key = `${worker}|${shardId}`
    const known = this.#failed.get(key)
    if (known !== undefined) return known
    const books = new Map<number, FailedEntry>()
    this.#failed.set(key, books)
    return books
  }
}

/**
 * Why a record did not deserve to be given up; `undefined`: it did. It has to be older than it may be, or to have failed in as
 * many calls as it may, the last time alone or by name; or it cannot be decoded, and was never called with. What `decide`
 * decides is the user's own business.
 */
export function undeservedBecause(
  failed: FailedEntry | undefined,
  { attempts: said, ageMs, isUndecodable = false }: GivenUpEntry,
  {
    attempts = 10,
    maxElapsedMs = Number.POSITIVE_INFINITY,
    maxRecordAgeMs,
    bisect = true,
    decide
  }: ProcessorErrorOptions
): string | undefined {
  if (maxRecordAgeMs !== undefined && ageMs >= maxRecordAgeMs) return undefined
  if (isUndecodable && failed === undefined) return undefined
  if (failed === undefined) return 'no call has failed with it'
  if (said !== undefined && (said < 1 || said > failed.calls)) {
    return `${said} calls are said to have failed with it, and it were ${failed.calls}`
  }
  if (decide !== undefined) return undefined
  if (maxElapsedMs === Number.POSITIVE_INFINITY && failed.calls < attempts) {
    return `only ${failed.calls} of ${attempts} calls have failed with it`
  }
  const isAlone = failed.among === 1 || failed.isNamed || !bisect
  return isAlone ? undefined : `the last call has failed with it and ${failed.among - 1} others`
}
