// Calls the user's code: one attempt, which lapses of the session do not count as; and, for methods that are given no records,
// again and again until it succeeds, the rules say to give up, or the call is interrupted.
import { LeaseLostError, ProcessorError, ProcessorGoneError } from '../model/errors.ts'
import { afterFailure, type FailureAction, type FailurePolicy, type LastResort } from '../processor/failure-rules.ts'
import type { ShardPlace } from '../processor/record-processor.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import { type CallLimit, type CallScope, isThenable, withinLimit } from './call-limit.ts'

/**
 * How a call of the user's code came out. `interrupted`: nobody wanted another attempt, and none had succeeded. `gone`: the
 * processor is not there any more, and another attempt of the same call makes no sense.
 */
export type CallOutcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'interrupted' }
  | {
      readonly kind: 'gone'
      readonly cause: ProcessorGoneError
      /** It counts as a failure of the call, which was told of: how long to wait before the next one. Absent: it does not. Milliseconds. */
      readonly restartInMs?: number
    }
  | { readonly kind: 'gave-up'; readonly lastResort: LastResort; readonly error: Error }

/** How one attempt came out. */
export type Attempt<T> =
  | { readonly kind: 'done'; readonly value: T }
  /** `cause`: what it failed with, if that is no consequence of the interruption. */
  | { readonly kind: 'interrupted'; readonly cause?: unknown }
  | { readonly kind: 'gone'; readonly cause: ProcessorGoneError }
  | { readonly kind: 'failed'; readonly cause: unknown }

/** What is asked about a call before and after it is made. */
export interface CallQuestions<T> {
  /** What the gate is to be told that a call has failed with that has returned; `undefined`: it has not. Absent: it never has. */
  readonly failureIn?: ((value: T) => unknown) | undefined
  /** Whether the call is not to be made as it is any more, now that it may be: it has waited. Absent: it is. */
  readonly isOutdated?: (() => boolean) | undefined
}

/** Whether user code may be called: for a tenure, whether the session behind it is proved to live. */
export interface Hold {
  /** Aborts when the proof that is in force now runs out. */
  readonly lapse: AbortSignal
  /** Whether the user wants no calls for now. Absent: calls may be made. */
  readonly isPaused?: boolean
  /** Resolves when user code may be called, or never will be, or `signal` aborts. Never rejects. `undefined`: it may be called. */
  whenValid(signal: AbortSignal): Promise<void> | undefined
}

/** Keeps calls back for a while after too many have failed. */
export interface CallGate {
  /** Resolves when a call may be made. Rejects with the reason of `signal` if that aborts first. */
  admit(signal: AbortSignal): Promise<AdmittedCall>
}

/** A call that may be made, and of which is said how it came out. */
export interface AdmittedCall {
  succeeded(): void
  failed(error: unknown): void
  /** It was not made, or says nothing about how calls come out now. */
  dropped(): void
}

/** What every call of the user's code of one shard is made with. */
export interface CallSetting extends Pick<CallLimit, 'timers' | 'turn' | 'leftBehind'> {
  readonly place: ShardPlace
  readonly hold: Hold
  readonly policy: FailurePolicy
  /** How long a call may take. Milliseconds. */
  readonly limitMs: number
  /** Absent: calls are not kept back. */
  readonly gate?: CallGate | undefined
  /** Aborts when a call under way is to be given up. */
  readonly giveUp: AbortSignal
  /** See {@link CallLimit.abandoned}. */
  readonly abandoned?: AbortSignal | undefined
  readonly clock: Clock
  readonly random: Random
  readonly failed: (error: ProcessorError, retryInMs: number | undefined, action: FailureAction) => void
}

/**
 * Makes a call once. One during which the hold lapsed had its signal aborted, and may have returned because of that: it counts
 * neither as done nor as failed, and is made again once the hold is valid. What it throws is never thrown on.
 *
 * @param interrupt aborts when no call is wanted any more; one under way is waited for all the same: calls never overlap
 * @returns `outdated`: it was not made, because of what {@link CallQuestions.isOutdated} says
 */
export async function attemptCall<T>(
  setting: CallSetting,
  interrupt: AbortSignal,
  call: (scope: CallScope) => T | Promise<T>,
  { failureIn = () => undefined, isOutdated }: CallQuestions<T> = {}
): Promise<Attempt<T> | { readonly kind: 'outdated' }> {
  const { hold, gate, giveUp } = setting
  for (;;) {
    const validity = interrupt.aborted ? undefined : hold.whenValid(interrupt)
    if (validity !== undefined) await validity
    if (interrupt.aborted) return { kind: 'interrupted' }
    const { lapse } = hold
    // Many shards are let go on at once, and another one's code may have blocked the event loop since.
    if (lapse.aborted || hold.isPaused) continue
    const admitted = gate && (await gate.admit(interrupt).catch(() => undefined))
    if (interrupt.aborted || lapse.aborted || hold.isPaused) {
      admitted?.dropped()
      if (interrupt.aborted) return { kind: 'interrupted' }
      continue
    }
    if (isOutdated?.()) {
      admitted?.dropped()
      return { kind: 'outdated' }
    }
    try {
      const outcome = withinLimit(setting, [giveUp, lapse], call)
      const value = isThenable(outcome) ? await outcome : outcome
      if (!lapse.aborted) {
        const failure = failureIn(value)
        if (failure === undefined) admitted?.succeeded()
        else admitted?.failed(failure)
        return { kind: 'done', value }
      }
      admitted?.dropped()
    } catch (cause) {
      const isOver = interrupt.aborted
      if (isOver || lapse.aborted || cause instanceof ProcessorGoneError) admitted?.dropped()
      else admitted?.failed(cause)
      if (cause instanceof ProcessorGoneError) return isOver ? { kind: 'interrupted' } : { kind: 'gone', cause }
      if (lapse.aborted) continue
      if (!isOver) return { kind: 'failed', cause }
      // What the call was interrupted with is no failure of its own.
      const isOwn = !(cause instanceof LeaseLostError || cause === interrupt.reason)
      return { kind: 'interrupted', ...(isOwn && { cause }) }
    }
  }
}

/** A call of a method that is given no records. */
export interface UserCall extends CallSetting {
  /** Name of the processor's method, for errors and events. */
  readonly method: string
  /** One call. */
  readonly call: (scope: CallScope) => void | Promise<void>
  /** Whether a failure will not pass however often the call is made; then the worker is to stop. */
  readonly isHopeless?: (cause: unknown) => boolean
  /** Aborts when no further attempt is wanted. */
  readonly interrupt: AbortSignal
}

/**
 * Makes the call until it succeeds, its policy gives up, or `interrupt` aborts. What the call throws is told to
 * `failed`, and is in the outcome if it was the last straw; it is never thrown on.
 */
export async function callUser(user: UserCall): Promise<CallOutcome> {
  const { place, method, policy, interrupt, clock, random } = user
  const { shardId, streamName } = place
  let failedAtMs: number | undefined
  for (let attempt = 1; ; attempt++) {
    const made = await attemptCall(user, interrupt, user.call)
    if (made.kind === 'done') return { kind: 'done' }
    if (made.kind === 'gone') return made
    // Nobody was asked whether it is.
    if (made.kind === 'outdated') continue
    if (made.kind === 'interrupted') {
      if (made.cause !== undefined)
        user.failed(new ProcessorError(shardId, method, attempt, made.cause), undefined, 'retry')
      return { kind: 'interrupted' }
    }
    const { cause } = made
    const error = new ProcessorError(shardId, method, attempt, cause)
    const nowMs = clock.monotonicMs()
    failedAtMs ??= nowMs
    const failure = {
      error: cause,
      shardId,
      streamName,
      method,
      records: 0,
      attempt,
      elapsedMs: nowMs - failedAtMs,
      ageMs: undefined
    }
    const verdict = user.isHopeless?.(cause)
      ? ({ kind: 'give-up', lastResort: 'stop' } as const)
      : afterFailure(failure, policy, random.next())
    if (verdict.kind !== 'again') {
      const lastResort = verdict.kind === 'give-up' ? verdict.lastResort : 'halt'
      user.failed(error, undefined, lastResort)
      return { kind: 'gave-up', lastResort, error }
    }
    user.failed(error, verdict.inMs, 'retry')
    await clock.sleep(verdict.inMs, interrupt)
  }
}
