// Work that many ask for and that one run serves: at most one run is under way, and whoever asks meanwhile shares the
// next one, because the present run may have looked already at what they want it to see.

interface Run<T> {
  hasBegun: boolean
  waiting: number
  readonly nobodyWaits: AbortController
  readonly result: Promise<T>
}

/** Work that is done once for all who asked for it before it began. */
export class SharedRun<T> {
  readonly #work: (signal: AbortSignal) => Promise<T>
  readonly #gather: ((signal: AbortSignal) => Promise<void>) | undefined
  /** The last run that was asked for: under way, or waiting for the one before it. */
  #last: Run<T> | undefined

  /**
   * `work` is given a signal that aborts once nobody waits for its result any more; and so is `gather`, which a run waits for
   * before it begins, so that more can share it. Default: it begins at once.
   */
  constructor(work: (signal: AbortSignal) => Promise<T>, gather?: (signal: AbortSignal) => Promise<void>) {
    this.#work = work
    this.#gather = gather
  }

  /** Resolves with the result of a run that began after this call. Rejects early, for this caller alone, if `signal` aborts. */
  ask(signal?: AbortSignal): Promise<T> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    const last = this.#last
    const canShare = last !== undefined && !last.hasBegun && !last.nobodyWaits.signal.aborted
    return join(canShare ? last : this.#begin(last?.result ?? Promise.resolve()), signal)
  }

  #begin(before: Promise<unknown>): Run<T> {
    const nobodyWaits = new AbortController()
    const work = async (): Promise<T> => {
      if (this.#gather !== undefined) await this.#gather(nobodyWaits.signal)
      run.hasBegun = true
      nobodyWaits.signal.throwIfAborted()
      return this.#work(nobodyWaits.signal)
    }
    const forget = (): void => {
      if (this.#last === run) this.#last = undefined
    }
    const run: Run<T> = { hasBegun: false, waiting: 0, nobodyWaits, result: before.then(work, work) }
    run.result.then(forget, forget)
    this.#last = run
    return run
  }
}

function join<T>(run: Run<T>, signal: AbortSignal | undefined): Promise<T> {
  run.waiting++
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      run.waiting--
      if (run.waiting === 0) run.nobodyWaits.abort(signal?.reason)
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', leave, { once: true })
    run.result.then(resolve, reject).finally(() => signal?.removeEventListener('abort', leave))
  })
}
