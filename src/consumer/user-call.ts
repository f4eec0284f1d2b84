// Calls the user's code again and again until it succeeds, the rules say to give up, or the call is interrupted.
import { LeaseLostError, ProcessorError, ProcessorGoneError } from '../model/errors.ts'
import { afterFailure, type FailurePolicy, type FailureVerdict, type LastResort } from '../processor/failure-rules.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'

/**
 * How a call of the user's code came out. `interrupted`: nobody wanted another attempt, and none had succeeded. `gone`: the
 * processor is not there any more, and another attempt of the same call makes no sense.
 */
export type CallOutcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'gone'; readonly cause: ProcessorGoneError }
  | { readonly kind: 'gave-up'; readonly lastResort: LastResort; readonly error: ProcessorError }

/** Whether user code may be called: for a tenure, whether the session behind it is proved to live. */
export interface Hold {
  /** Aborts when the proof that is in force now runs out. */
  readonly lapse: AbortSignal
  /** Resolves when user code may be called, or never will be, or `signal` aborts. Never rejects. */
  whenValid(signal: AbortSignal): Promise<void>
}

/** A call of the user's code that is to be made, and what to do when it fails. */
export interface UserCall {
  readonly shardId: string
  /** Name of the processor's method, for errors and events. */
  readonly method: string
  /** One call. `failures` is how often in a row it has failed before, `calls` how often it was made before. */
  readonly call: (failures: number, calls: number) => void | Promise<void>
  readonly hold: Hold
  readonly policy: FailurePolicy
  /** Whether a failure will not pass however often the call is made; then the worker is to stop. */
  readonly isHopeless?: (cause: unknown) => boolean
  /** Aborts when no further attempt is wanted. A call under way is waited for all the same: calls never overlap. */
  readonly interrupt: AbortSignal
  readonly clock: Clock
  readonly random: Random
  readonly failed: (error: ProcessorError, retryInMs: number | undefined) => void
}

/**
 * Makes the call until it succeeds, its policy gives up, or `interrupt` aborts. What the call throws is told to
 * `failed`, and is in the outcome if it was the last straw; it is never thrown on.
 *
 * A call during which the hold lapsed had its signal aborted, and may have returned because of that: it counts neither as
 * done nor as failed, and is made again once the hold is valid.
 */
export async function callUser(user: UserCall): Promise<CallOutcome> {
  for (let attempt = 1, calls = 0; ; calls++) {
    if (!user.interrupt.aborted) await user.hold.whenValid(user.interrupt)
    if (user.interrupt.aborted) return { kind: 'interrupted' }
    const { lapse } = user.hold
    // Many shards are let go on at once, and another one's code may have blocked the event loop since.
    if (lapse.aborted) continue
    try {
      await user.call(attempt - 1, calls)
      if (!lapse.aborted) return { kind: 'done' }
    } catch (cause) {
      const isOver = user.interrupt.aborted
      if (cause instanceof ProcessorGoneError) return isOver ? { kind: 'interrupted' } : { kind: 'gone', cause }
      if (lapse.aborted) continue
      // What the call was interrupted with is no failure of its own.
      if (isOver && (cause instanceof LeaseLostError || cause === user.interrupt.reason)) return { kind: 'interrupted' }
      const error = new ProcessorError(user.shardId, user.method, attempt, cause)
      if (isOver) {
        user.failed(error, undefined)
        return { kind: 'interrupted' }
      }
      const verdict: FailureVerdict = user.isHopeless?.(cause)
        ? { kind: 'give-up', lastResort: 'stop' }
        : afterFailure(attempt, user.policy, user.random.next())
      user.failed(error, verdict.kind === 'again' ? verdict.inMs : undefined)
      if (verdict.kind === 'give-up') return { kind: 'gave-up', lastResort: verdict.lastResort, error }
      attempt += 1
      await user.clock.sleep(verdict.inMs, user.interrupt)
    }
  }
}
