// Lets so many calls of one kind be under way at a time, so that they leave room for others; the rest waits its turn.

/** Places for calls. More can be made at any time. */
export class CallPlaces {
  #places: number
  #taken = 0
  /** What lets the next one in, in the order in which they came. */
  readonly #waiting = new Set<() => void>()

  /** `places`: at least 1. */
  constructor(places: number) {
    this.#places = places
  }

  /** How many there are from now on, at least 1. Calls that wait begin at once where there are more; none is broken off. */
  resize(places: number): void {
    this.#places = places
    this.#admit()
  }

  /** Carries `work` out when there is a place for it. Rejects with the reason of `signal` if that aborts before. */
  async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.#taken < this.#places) this.#taken += 1
    else await this.#place(signal)
    try {
      return await work()
    } finally {
      this.#taken -= 1
      this.#admit()
    }
  }

  #place(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      const leave = (): void => {
        this.#waiting.delete(enter)
        signal.removeEventListener('abort', abort)
      }
      const enter = (): void => {
        leave()
        this.#taken += 1
        resolve()
      }
      const abort = (): void => {
        leave()
        reject(signal.reason)
      }
      signal.addEventListener('abort', abort, { once: true })
      this.#waiting.add(enter)
    })
  }

  #admit(): void {
    for (const enter of this.#waiting) {
      if (this.#taken >= this.#places) return
      enter()
    }
  }
}
