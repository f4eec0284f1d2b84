// Bounds a call of the user's code in time. Code that goes on regardless is left behind, and what it says afterwards counts for
// nothing: it cannot be ended, unless it is in a thread.
import { HandlerTimeoutError, ProcessorGoneError } from '../model/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import { CallTimers, type Timed } from './call-timers.ts'

/** How long a call may take after its signal has aborted before it is left behind. Milliseconds. */
export const LEAVE_BEHIND_MS = 5_000

/** What a call is given. */
export interface CallScope {
  /** Aborts with the first of the sources that does, or when the call has taken too long. Made when it is asked for. */
  readonly signal: AbortSignal
  /** Since when the call is under way. Monotonic milliseconds; `undefined`: it has returned at once, or not returned yet. */
  readonly sinceMs: number | undefined
  /** Whether nobody waits for the call any more: it has ended, or was left behind. */
  readonly isOver: boolean
  /** Whether it has taken too long: it has failed, whatever it returns. */
  readonly isTooLong: boolean
  /** Whether it was left behind: it may still be running, and what it says counts for nothing. */
  readonly isLeftBehind: boolean
}

/** The bounds of a call. */
export interface CallLimit {
  /** How long the call may take. Milliseconds. */
  readonly limitMs: number
  readonly clock: Clock
  /** What says that the time of many calls is over. Absent: each has a timer of its own. */
  readonly timers?: CallTimers | undefined
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
 * What the call throws or returns at once is thrown or returned at once.
 *
 * @param sources make the signal of the call abort. Nothing stays hung on to them
 * @throws HandlerTimeoutError once it has ended after that, or has not within {@link LEAVE_BEHIND_MS}; then, if there is a
 *   `leftBehind`, what that says
 */
export function withinLimit<T>(
  limit: CallLimit,
  sources: readonly AbortSignal[],
  work: (scope: CallScope) => T | Promise<T>
): T | Promise<T> {
  const call = new LimitedCall(limit, sources)
  let outcome: T | Promise<T>
  try {
    outcome = work(call)
  } catch (cause) {
    call.end()
    throw cause
  }
  if (isThenable(outcome)) return call.wait(outcome)
  call.end()
  return outcome
}

/** Whether it is a promise, or something like one. */
export function isThenable<T>(outcome: T | Promise<T>): outcome is Promise<T> {
  return typeof (outcome as Promise<T> | undefined)?.then === 'function'
}

/** One call. Hundreds of thousands are made in a second: what only few need is made for those. */
class LimitedCall implements CallScope, Timed {
  readonly #limit: CallLimit
  readonly #sources: readonly AbortSignal[]
  /** Absent: the call has not been waited for yet. */
  #timers: CallTimers | undefined
  #own: AbortController | undefined
  /** Takes the call off what its signal aborts with. */
  #unlink: (() => void) | undefined
  #reject: ((error: unknown) => void) | undefined
  sinceMs: number | undefined
  isOver = false
  isTooLong = false
  isLeftBehind = false

  constructor(limit: CallLimit, sources: readonly AbortSignal[]) {
    this.#limit = limit
    this.#sources = sources
  }

  get signal(): AbortSignal {
    if (this.#own === undefined) {
      this.#own = new AbortController()
      this.#link(this.#own)
    }
    return this.#own.signal
  }

  end(): void {
    this.isOver = true
    this.#unlink?.()
  }

  wait<T>(outcome: Promise<T>): Promise<T> {
    const { clock, turn, limitMs, timers = new CallTimers(this.#limit) } = this.#limit
    this.#timers = timers
    this.sinceMs = clock.monotonicMs()
    return new Promise((resolve, reject) => {
      this.#reject = reject
      const succeed = (value: T): void => {
        if (!this.#isLast()) return
        if (this.isTooLong) reject(this.#tooLong())
        else resolve(value)
      }
      const fail = (cause: unknown): void => {
        if (!this.#isLast()) return
        const isSaid = cause instanceof HandlerTimeoutError || cause instanceof ProcessorGoneError
        reject(this.isTooLong && !isSaid ? this.#tooLong({ cause }) : cause)
      }
      if (outcome instanceof Promise) outcome.then(succeed, fail)
      else Promise.resolve(outcome).then(succeed, fail)
      const begun = turn?.()?.begun
      if (begun === undefined) timers.add(this, limitMs, this.sinceMs)
      else void begun.then(() => this.isOver || timers.add(this, limitMs))
    })
  }

  /** The time is over: first that in which the call ought to have ended, then that in which it ought to have heeded its signal. */
  due(): void {
    const { limitMs, turn, leftBehind } = this.#limit
    const isHeldUp = turn?.()?.isHeldUp() === true
    if (isHeldUp || !this.isTooLong) {
      if (!isHeldUp) {
        this.isTooLong = true
        this.#own?.abort(this.#tooLong())
      }
      this.#timers?.add(this, this.isTooLong ? LEAVE_BEHIND_MS : limitMs)
      return
    }
    this.isLeftBehind = true
    const error = new HandlerTimeoutError(limitMs, true)
    const failure = leftBehind === undefined ? error : leftBehind(error)
    this.end()
    this.#reject?.(failure)
  }

  /** Whether the call ends here, and was not left behind before. */
  #isLast(): boolean {
    if (this.isOver) return false
    this.end()
    this.#timers?.remove(this)
    return true
  }

  #tooLong(options?: { readonly cause: unknown }): HandlerTimeoutError {
    return new HandlerTimeoutError(this.#limit.limitMs, false, options)
  }

  #link(own: AbortController): void {
    if (this.isTooLong) own.abort(this.#tooLong())
    const undo = this.#sources.map(source => {
      const forward = (): void => own.abort(source.reason)
      if (source.aborted) forward()
      else if (!this.isOver) source.addEventListener('abort', forward, { once: true })
      return () => source.removeEventListener('abort', forward)
    })
    this.#unlink = () => {
      for (const remove of undo) remove()
    }
  }
}
