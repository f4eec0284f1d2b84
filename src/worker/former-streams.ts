// Forgets streams of a shared lease table that are in the list no more, while this worker leads: first nobody is to have their
// leases, so that whoever does lets go of them, and then the rows are removed.
import type { LeaseListing, LeaseStore } from '../leases/lease-store.ts'
import { isRetryable } from '../model/errors.ts'
import type { Lease } from '../model/lease.ts'
import type { StreamNames } from '../model/stream-id.ts'
import type { Clock } from '../runtime/clock.ts'
import { type ForgetReason, planStreams } from './plan-streams.ts'
import type { ResolvedStreamList } from './stream-options.ts'
import type { WorkerStream } from './worker-stream.ts'

/** What streams are forgotten with. */
export interface FormerStreamsOptions {
  readonly store: LeaseStore
  readonly removed: ResolvedStreamList['removed']
  /** How long whoever holds a lease may take to let go of it, before its row is removed under it. Milliseconds. */
  readonly graceMs: number
  readonly clock: Clock
  /** See the option of the same name of the shard syncer. */
  readonly guard: () => () => boolean
  /** Whether this worker leads: who does not forgets nothing. */
  readonly isLeading: () => boolean
  readonly forgotten: (stream: StreamNames, why: ForgetReason, leases: number) => void
  readonly failed: (during: string, error: unknown) => void
}

/** What is known of the streams when it is time to tidy up. */
export interface TidyFacts {
  /** Those that do not exist any more, as the service has just said. */
  readonly gone: ReadonlySet<string>
  readonly isListed: (streamId: string) => boolean
  readonly of: (lease: Lease) => WorkerStream
}

/** A stream that is being forgotten. */
interface Retired {
  readonly why: ForgetReason
  readonly sinceMs: number
  removed: number
}

/** How often a row is removed that somebody keeps writing to, before that is left for the next time. */
const ATTEMPTS = 5

/** The streams that leases in the table are of, and that are in the list no more. */
export class FormerStreams {
  readonly #options: FormerStreamsOptions
  readonly #retired = new Map<string, Retired>()
  #missingSinceMs: ReadonlyMap<string, number> = new Map()
  #heard: readonly Lease[] | undefined

  constructor(options: FormerStreamsOptions) {
    this.#options = options
  }

  /** Whether nobody is to have the leases of a stream any more. */
  isRetired(streamId: string): boolean {
    return this.#retired.has(streamId)
  }

  /** Those in the list are not missing any more, also if they go again before the next comparison. */
  revive(isListed: (streamId: string) => boolean): void {
    this.#missingSinceMs = new Map([...this.#missingSinceMs].filter(([streamId]) => !isListed(streamId)))
  }

  /** The newest listing of the table, whoever it was for. */
  hear({ leases }: LeaseListing): void {
    this.#heard = leases
  }

  /**
   * Forgets whom it is time to forget. To be called after each comparison. Resolves with the streams in the table, and with those
   * whose leases nobody is to have from now on.
   */
  async tidy(
    { gone, isListed, of }: TidyFacts,
    signal: AbortSignal
  ): Promise<{ readonly inTable: ReadonlySet<string>; readonly retired: readonly string[] }> {
    const { store, clock, guard, isLeading } = this.#options
    const isOurs = guard()
    const leases = this.#heard ?? (await store.list({ signal })).leases
    this.#heard = undefined
    const byStream = new Map<string, Lease[]>()
    for (const lease of leases)
      byStream.set(lease.streamId ?? '', [...(byStream.get(lease.streamId ?? '') ?? []), lease])
    const inTable = new Set(byStream.keys())
    // Whoever leads looks after all of them: their shards may have ended, and whether they are still there shows, too.
    for (const [lease] of byStream.values()) if (lease?.streamId !== undefined) of(lease)
    if (!isLeading()) {
      this.#retired.clear()
      this.#missingSinceMs = new Map()
      return { inTable, retired: [] }
    }
    const policy = await this.#policy(of, byStream)
    const nowMs = clock.monotonicMs()
    const plan = planStreams({ nowMs, inTable, isListed, gone, missingSinceMs: this.#missingSinceMs, policy })
    this.#missingSinceMs = plan.missingSinceMs
    for (const streamId of this.#retired.keys()) if (!plan.forget.has(streamId)) this.#retired.delete(streamId)
    const retired = [...plan.forget.keys()].filter(streamId => !this.#retired.has(streamId))
    for (const [streamId, why] of plan.forget) {
      const known = this.#retired.get(streamId) ?? { why, sinceMs: nowMs, removed: 0 }
      this.#retired.set(streamId, known)
      // It may be in the list again by the time that the next row is removed.
      const mayRemove = (): boolean => isOurs() && isLeading() && !isListed(streamId)
      await this.#remove(streamId, known, byStream.get(streamId) ?? [], of, mayRemove)
    }
    return { inTable, retired }
  }

  async #policy(of: TidyFacts['of'], byStream: ReadonlyMap<string, readonly Lease[]>) {
    const { removed, failed } = this.#options
    if (removed === 'keep') return removed
    try {
      const only = await removed.only()
      const mayForget = (streamId: string): boolean => {
        const [lease] = byStream.get(streamId) ?? []
        if (only === undefined || lease === undefined) return only === undefined
        const { streamName, streamArn } = of(lease).names
        return [streamId, streamName, streamArn].some(name => only.includes(name))
      }
      return { forgetAfterMs: removed.forgetAfterMs, mayForget }
    } catch (error) {
      // Nothing is deleted on a guess.
      failed('ask which streams may be forgotten', error)
      return 'keep' as const
    }
  }

  /** Removes the rows that nobody holds; and those that somebody does, if the grace is over. */
  async #remove(
    streamId: string,
    retired: Retired,
    leases: readonly Lease[],
    of: TidyFacts['of'],
    mayRemove: () => boolean
  ): Promise<void> {
    const { clock, graceMs, forgotten, failed } = this.#options
    const isLate = clock.monotonicMs() - retired.sinceMs >= graceMs
    const [first] = leases
    if (first === undefined) return
    const { names } = of(first)
    let left = leases.length
    try {
      for (const lease of leases) {
        if (lease.owner !== undefined && !isLate) continue
        if (!mayRemove()) return
        if (!(await this.#removeOne(lease, isLate))) continue
        left -= 1
        retired.removed += 1
      }
    } catch (error) {
      if (!isRetryable(error)) throw error
      failed('delete the leases of a stream', error)
    }
    if (left > 0) return
    this.#retired.delete(streamId)
    forgotten(names, retired.why, retired.removed)
  }

  /** Says whether the row is gone. Unless it is late, one that somebody has taken meanwhile stays. */
  async #removeOne(lease: Lease, isLate: boolean): Promise<boolean> {
    const { store } = this.#options
    let row = lease
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const outcome = await store.remove(row)
      if (outcome.kind === 'written' || outcome.current === undefined) return true
      row = outcome.current
      if (row.owner !== undefined && !isLate) return false
    }
    return false
  }
}
