// What rows were a while ago: eventually consistent reads see each row as it was at some moment, each by itself.

interface Past<T> {
  /** Absent rows have a past, too. */
  readonly value: T | undefined
  /** When it stopped being the value of the row. */
  readonly untilMs: number
}

/** The past of rows, as far back as reads may see. Times are monotonic milliseconds. */
export class RowHistory<T> {
  readonly #pasts = new Map<string, Past<T>[]>()

  /** Notes that a row is another one from `nowMs` on; before, it was `before` (`undefined`: there was none). */
  changed(key: string, before: T | undefined, nowMs: number, keepMs: number): void {
    const past = this.#pasts.get(key) ?? []
    this.#pasts.set(key, past)
    past.push({ value: before, untilMs: nowMs })
    const first = past.findIndex(({ untilMs }) => untilMs > nowMs - keepMs)
    if (first > 0) past.splice(0, first)
  }

  /** A row as it was at `atMs`; `now` is what it is now. */
  at(key: string, now: T | undefined, atMs: number): T | undefined {
    const then = this.#pasts.get(key)?.find(({ untilMs }) => untilMs > atMs)
    return then === undefined ? now : then.value
  }

  /** The keys of the rows that have changed after `sinceMs`. What was before that is forgotten. */
  changedSince(sinceMs: number): string[] {
    for (const [key, past] of this.#pasts) {
      if ((past.at(-1)?.untilMs ?? 0) <= sinceMs) this.#pasts.delete(key)
    }
    return [...this.#pasts.keys()]
  }
}
