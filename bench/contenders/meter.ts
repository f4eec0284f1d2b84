// Counts what a contender has got through, and what it took. A sample is taken at the end of an answer: with answers that
// take a quarter of a second, one more or less would say little about a window of three seconds.

/** What a contender has done up to a moment. */
export interface ContenderSample {
  /** User records that were touched. */
  readonly records: number
  /** Answers, or batches. */
  readonly answers: number
  /** Lengths of their keys and of their data together. Absent: the contender does not count it. */
  readonly touched?: number
  /** Milliseconds of CPU time of the whole process. */
  readonly cpuMs: number
  /** Milliseconds since some moment in the past. */
  readonly atMs: number
}

/** The counters of a contender in this process. */
export class Meter {
  #sample: ContenderSample = { records: 0, answers: 0, touched: 0, cpuMs: 0, atMs: 0 }
  readonly #blocksMs: number[] = []
  #longestMs = 0

  /** Counts an answer that has been handled just now. */
  add(records: number, touched: number): void {
    const { user, system } = process.cpuUsage()
    this.#sample = {
      records: this.#sample.records + records,
      answers: this.#sample.answers + 1,
      touched: (this.#sample.touched ?? 0) + touched,
      cpuMs: (user + system) / 1000,
      atMs: performance.now()
    }
    if (this.#longestMs > 0) this.#blocksMs.push(this.#longestMs)
    this.#longestMs = 0
  }

  /** How it stood at the end of the last answer. */
  sample(): ContenderSample {
    return this.#sample
  }

  /** From here on watches how long the event loop is blocked. Keeps the process busy: not for measuring anything else. */
  watchLoop(): void {
    let lastMs = performance.now()
    const turn = (): void => {
      const nowMs = performance.now()
      this.#longestMs = Math.max(this.#longestMs, nowMs - lastMs)
      lastMs = nowMs
      setImmediate(turn)
    }
    setImmediate(turn)
  }

  /** The longest time without a turn of the event loop, one for each answer, since this was asked last. Milliseconds. */
  takeBlocks(): number[] {
    return this.#blocksMs.splice(0)
  }
}
