// Calls the user's code again and again until it succeeds, the rules say to give up, or the call is interrupted.
import { LeaseLostError, ProcessorError } from '../model/errors.ts'
import { afterFailure, type FailurePolicy, type FailureVerdict, type LastResort } from '../processor/failure-rules.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'

/** How a call of the user's code came out. `interrupted`: nobody wanted another attempt, and none had succeeded. */
export type CallOutcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'gave-up'; readonly lastResort: LastResort; readonly error: ProcessorError }

/** A call of the user's code that is to be made, and what to do when it fails. */
export interface UserCall {
  readonly shardId: string
  /** Name of the processor's method, for errors and events. */
  readonly method: string
  /** One call. `failures` is how often in a row it has failed before. */
  readonly call: (failures: number) => void | Promise<void>
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
 */
export async function callUser(user: UserCall): Promise<CallOutcome> {
  for (let attempt = 1; !user.interrupt.aborted; attempt++) {
    try {
      await user.call(attempt - 1)
      return { kind: 'done' }
    } catch (cause) {
      if (user.interrupt.aborted && cause instanceof LeaseLostError) break
      const error = new ProcessorError(user.shardId, user.method, attempt, cause)
      if (user.interrupt.aborted) {
        user.failed(error, undefined)
        break
      }
      const verdict: FailureVerdict = user.isHopeless?.(cause)
        ? { kind: 'give-up', lastResort: 'stop' }
        : afterFailure(attempt, user.policy, user.random.next())
      user.failed(error, verdict.kind === 'again' ? verdict.inMs : undefined)
      if (verdict.kind === 'give-up') return { kind: 'gave-up', lastResort: verdict.lastResort, error }
      await user.clock.sleep(verdict.inMs, user.interrupt)
    }
  }
  return { kind: 'interrupted' }
}
