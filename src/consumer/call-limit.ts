// Bounds a call of the user's code in time. Code that goes on regardless is left behind, and what it says afterwards counts for
// nothing: it cannot be ended, unless it is in a thread.
import { HandlerTimeoutError, ProcessorGoneError } from '../model/errors.ts'
import type { Clock } from '../runtime/clock.ts'

/** How long a call may take after its signal has aborted before it is left behind. Milliseconds. */
export const LEAVE_BEHIND_MS = 5_000

/** What a call is given. */
export interface CallScope {
  /** Aborts with the first of the sources that does, or when the call has taken too long. */
  readonly signal: AbortSignal
  /** Whether nobody waits for the call any more: it has ended, or was left behind. */
  readonly isOver: boolean
  /** Whether it was left behind: it may still be running, and what it says counts for nothing. */
  readonly isLeftBehind: boolean
}

/** The bounds of a call. */
export interface CallLimit {
  /** What makes the signal of the call abort. Nothing stays hung on to them. */
  readonly sources: readonly AbortSignal[]
  /** How long the call may take. Milliseconds. */
  readonly limitMs: number
  readonly clock: Clock
  /** Aborts when nobody needs to be told any more that the call takes too long: the lease is given back. Absent: never. */
  readonly abandoned?: AbortSignal | undefined
  /** Where calls are made that may have to wait for others. Absent, or `undefined`: they do not. */
  readonly turn?: (() => CallTurn | undefined) | undefined
  /** Ends what can be ended of a call that is left behind: what it has failed with. Absent: nothing can. */
  readonly leftBehind?: ((error: HandlerTimeoutError) => unknown) | undefined
}

/** Whether calls get on: where several processors share a thread, the time that one takes is not the others'. */
export interface CallTurn {
  /** Resolves once the call under way has begun; `undefined`: it has. */
  readonly begun: Promise<void> | undefined
  /** Whether it waits for another one now. */
  isHeldUp(): boolean
}

/**
 * Makes a call and waits for it, but not for ever: after `limitMs` its signal aborts, and it has failed, whatever it returns.
 *
 * @throws HandlerTimeoutError once it has ended after that, or has not within {@link LEAVE_BEHIND_MS}; then, if there is a
 *   `leftBehind`, what that says
 */
export async function withinLimit<T>(
  { sources, limitMs, clock, abandoned, turn, leftBehind }: CallLimit,
  work: (scope: CallScope) => T | Promise<T>
): Promise<T> {
  const own = new AbortController()
  const ended = new AbortController()
  const undo = sources.map(source => {
    const forward = (): void => own.abort(source.reason)
    if (source.aborted) forward()
    else source.addEventListener('abort', forward, { once: true })
    return () => source.removeEventListener('abort', forward)
  })
  let isTooLong = false
  let isLeftBehind = false
  /** Aborts when the time that the call takes is of no interest any more. */
  const timer = new AbortController()
  const stopTimer = (): void => timer.abort('over')
  const passed = async (ms: number): Promise<void> => {
    do await clock.sleep(ms, timer.signal)
    while (!timer.signal.aborted && turn?.()?.isHeldUp())
    // Nobody waits for this any more, or nobody is to be told.
    if (timer.signal.aborted) await new Promise(() => {})
  }
  const tooLong = async (): Promise<never> => {
    await turn?.()?.begun
    await passed(limitMs)
    isTooLong = true
    own.abort(new HandlerTimeoutError(limitMs, false))
    await passed(LEAVE_BEHIND_MS)
    isLeftBehind = true
    const error = new HandlerTimeoutError(limitMs, true)
    throw leftBehind === undefined ? error : leftBehind(error)
  }
  const scope: CallScope = {
    signal: own.signal,
    get isOver() {
      return ended.signal.aborted
    },
    get isLeftBehind() {
      return isLeftBehind
    }
  }
  try {
    const outcome = work(scope)
    if (!isThenable(outcome)) return outcome
    if (abandoned?.aborted) stopTimer()
    else abandoned?.addEventListener('abort', stopTimer, { once: true })
    const limit = tooLong()
    limit.catch(() => {})
    const value = await Promise.race([outcome, limit])
    if (isTooLong) throw new HandlerTimeoutError(limitMs, false)
    return value
  } catch (cause) {
    if (!isTooLong || cause instanceof HandlerTimeoutError || cause instanceof ProcessorGoneError) throw cause
    throw new HandlerTimeoutError(limitMs, false, { cause })
  } finally {
    // With a reason, or one would be made: an error with its stack, for each call.
    ended.abort('over')
    stopTimer()
    abandoned?.removeEventListener('abort', stopTimer)
    for (const remove of undo) remove()
  }
}

function isThenable<T>(outcome: T | Promise<T>): outcome is Promise<T> {
  return typeof (outcome as Promise<T> | undefined)?.then === 'function'
}
