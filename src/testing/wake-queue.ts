// Who wakes next: a binary heap by time, first in first out among equal times. Sleepers that were cancelled stay in it
// until they come up, or until they are the greater part of it.

/** Somebody who wakes at a time. Made by {@link WakeQueue.add}. */
export interface Sleeper {
  /** Milliseconds, on the scale of whoever owns the queue. */
  readonly atMs: number
  /** Tells the sleepers of the same time apart: they wake in the order in which they were added. */
  readonly turn: number
  /** What to call at that time. Absent: cancelled. */
  wake: (() => void) | undefined
}

/** Below so many cancelled sleepers the queue is not cleared up. */
const FEW = 64

/** Sleepers in the order in which they wake. Adding, taking and cancelling cost the logarithm of their number at most. */
export class WakeQueue {
  #heap: Sleeper[] = []
  #turns = 0
  #cancelled = 0

  /** How many sleepers wait, those cancelled apart. */
  get size(): number {
    return this.#heap.length - this.#cancelled
  }

  /** Adds a sleeper, which wakes after those of the same time that were added before. */
  add(atMs: number, wake: () => void): Sleeper {
    const sleeper: Sleeper = { atMs, turn: this.#turns++, wake }
    this.#heap.push(sleeper)
    this.#rise(this.#heap.length - 1)
    return sleeper
  }

  /** Takes back a sleeper that has not been taken yet. */
  cancel(sleeper: Sleeper): void {
    if (sleeper.wake === undefined) return
    sleeper.wake = undefined
    this.#cancelled += 1
    if (this.#cancelled > FEW && this.#cancelled * 2 > this.#heap.length) this.#clearUp()
  }

  /** When the next sleeper wakes. Infinity: there is none. */
  nextAtMs(): number {
    this.#dropCancelled()
    return this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY
  }

  /** Takes the sleeper that is next out of the queue and returns what to call. `undefined`: there is none. */
  take(): (() => void) | undefined {
    this.#dropCancelled()
    const sleeper = this.#removeFirst()
    const wake = sleeper?.wake
    // Cancelling it from now on changes nothing.
    if (sleeper !== undefined) sleeper.wake = undefined
    return wake
  }

  #dropCancelled(): void {
    while (this.#heap.length > 0 && this.#heap[0]?.wake === undefined) {
      this.#removeFirst()
      this.#cancelled -= 1
    }
  }

  #clearUp(): void {
    this.#heap = this.#heap.filter(({ wake }) => wake !== undefined)
    this.#cancelled = 0
    for (let index = (this.#heap.length >> 1) - 1; index >= 0; index--) this.#sink(index)
  }

  #removeFirst(): Sleeper | undefined {
    const first = this.#heap[0]
    const last = this.#heap.pop()
    if (last !== undefined && this.#heap.length > 0) {
      this.#heap[0] = last
      this.#sink(0)
    }
    return first
  }

  #rise(from: number): void {
    const heap = this.#heap
    const sleeper = heap[from] as Sleeper
    let index = from
    while (index > 0) {
      const above = (index - 1) >> 1
      const other = heap[above] as Sleeper
      if (!isBefore(sleeper, other)) break
      heap[index] = other
      index = above
    }
    heap[index] = sleeper
  }

  #sink(from: number): void {
    const heap = this.#heap
    const sleeper = heap[from] as Sleeper
    let index = from
    for (let below = 2 * index + 1; below < heap.length; below = 2 * index + 1) {
      const right = heap[below + 1]
      if (right !== undefined && isBefore(right, heap[below] as Sleeper)) below += 1
      const other = heap[below] as Sleeper
      if (!isBefore(other, sleeper)) break
      heap[index] = other
      index = below
    }
    heap[index] = sleeper
  }
}

function isBefore(a: Sleeper, b: Sleeper): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.turn < b.turn)
}
