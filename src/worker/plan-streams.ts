// Which of the streams that have leases in a shared table are in the list no more, and whose leases are to be deleted.

/** What becomes of streams that are in the list no more: nothing, or they are forgotten once they have been so for a while. */
export type RemovalPolicy =
  | 'keep'
  | {
      /** Milliseconds. */
      readonly forgetAfterMs: number
      /** Whether this one may be forgotten. */
      readonly mayForget: (streamId: string) => boolean
    }

/** What is known of the streams of a table. */
export interface StreamFacts {
  /** Monotonic milliseconds. */
  readonly nowMs: number
  /** The streams that leases in the table are of. */
  readonly inTable: ReadonlySet<string>
  /** Whether a stream is in the list. One of which it is not known yet which stream it is counts, if it may be this one. */
  readonly isListed: (streamId: string) => boolean
  /** Those that do not exist any more, as the service has just said. */
  readonly gone: ReadonlySet<string>
  /** Since when streams have been seen in the table and not in the list. Monotonic milliseconds. */
  readonly missingSinceMs: ReadonlyMap<string, number>
  readonly policy: RemovalPolicy
}

/** Why the leases of a stream are deleted: the stream is `gone`, or it was `removed` from the list. */
export type ForgetReason = 'gone' | 'removed'

/** What follows. */
export interface StreamPlan {
  /** Who is missing from now on. Whoever is in the list again is not, and begins anew if it goes another time. */
  readonly missingSinceMs: ReadonlyMap<string, number>
  readonly forget: ReadonlyMap<string, ForgetReason>
}

/** A stream that exists and is in the list is never forgotten, and one that is gone only if it is not in the list, either. */
export function planStreams(facts: StreamFacts): StreamPlan {
  const { nowMs, inTable, isListed, gone, missingSinceMs, policy } = facts
  const missing = new Map<string, number>()
  const forget = new Map<string, ForgetReason>()
  for (const streamId of inTable) {
    if (isListed(streamId)) continue
    const sinceMs = missingSinceMs.get(streamId) ?? nowMs
    missing.set(streamId, sinceMs)
    if (gone.has(streamId)) forget.set(streamId, 'gone')
    else if (policy !== 'keep' && nowMs - sinceMs >= policy.forgetAfterMs && policy.mayForget(streamId)) {
      forget.set(streamId, 'removed')
    }
  }
  return { missingSinceMs: missing, forget }
}
