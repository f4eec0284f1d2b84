// Which records may be processed at the same time: those of different lanes. A lane is a queue that one call at a time takes
// from, so that records of the same key stay in order. Knows no time: it is told what time it is.

/** What may go into one call, and how long a lane waits until it is that much. */
export interface LaneLimits {
  /** Records in one call, at least 1. */
  readonly maxRecords: number
  /** Bytes of payload in one call; one record may have more. */
  readonly maxBytes: number
  /** How long the first record waits for others, unless there are as many as may be. Milliseconds. */
  readonly windowMs: number
}

/** What is queued, and how much it counts. */
export interface Weighed {
  readonly bytes: number
}

interface Lane<T> {
  readonly key: string | undefined
  queue: T[]
  /** How many of the queue were taken already. */
  head: number
  bytes: number
  /** When what is first in the queue came to be first. Monotonic milliseconds. */
  sinceMs: number
  /** Where the lane is: nowhere, in line for a call, waiting for more records, or in a call. */
  state: 'idle' | 'ready' | 'waiting' | 'taken'
}

/** What one call is to be given. To be handed back with {@link KeyLanes.finish}. */
export interface LaneBatch<T> {
  /** In order, never empty. */
  readonly items: readonly T[]
  readonly lane: object
}

/** Queues by key, in the order in which they were ready. */
export class KeyLanes<T extends Weighed> {
  readonly #limits: LaneLimits
  readonly #lanes = new Map<string | undefined, Lane<T>>()
  #ready: Lane<T>[] = []
  /** How many of those were taken already. */
  #readyHead = 0
  /** By when they are due. */
  #waiting: Lane<T>[] = []
  #queued = 0
  #isFlushing = false

  constructor(limits: LaneLimits) {
    this.#limits = limits
  }

  /** How many items are queued; those that were taken are not. */
  get queued(): number {
    return this.#queued
  }

  /** Queues an item in the lane of its key. Without a key, any number of calls may take from the lane at once. */
  add(key: string | undefined, item: T, nowMs: number): void {
    let lane = this.#lanes.get(key)
    if (lane === undefined) {
      lane = { key, queue: [], head: 0, bytes: 0, sinceMs: nowMs, state: 'idle' }
      this.#lanes.set(key, lane)
    }
    if (lane.queue.length === lane.head) lane.sinceMs = nowMs
    lane.queue.push(item)
    lane.bytes += item.bytes
    this.#queued += 1
    if (lane.state === 'idle' || lane.state === 'waiting') this.#enqueue(lane)
  }

  /** What the next call is to be given; `undefined`: nothing for now. */
  take(nowMs: number): LaneBatch<T> | undefined {
    this.#promote(nowMs)
    const lane = this.#ready[this.#readyHead]
    if (lane === undefined) return undefined
    this.#readyHead += 1
    if (this.#readyHead * 2 >= this.#ready.length) {
      this.#ready = this.#ready.slice(this.#readyHead)
      this.#readyHead = 0
    }
    const items = this.#cut(lane)
    lane.sinceMs = nowMs
    if (lane.key !== undefined) lane.state = 'taken'
    else {
      lane.state = 'idle'
      if (lane.queue.length > lane.head) this.#enqueue(lane)
    }
    return { items, lane }
  }

  /** The call with a batch is over, and `left` of it is to be taken again, before everything else in its lane. */
  finish({ lane: handed }: LaneBatch<T>, left: readonly T[] = []): void {
    const lane = handed as Lane<T>
    if (left.length > 0) {
      lane.queue = [...left, ...lane.queue.slice(lane.head)]
      lane.head = 0
      lane.bytes += left.reduce((sum, { bytes }) => sum + bytes, 0)
      this.#queued += left.length
    }
    if (lane.key !== undefined) lane.state = 'idle'
    const isEmpty = lane.queue.length === lane.head
    if (!isEmpty && lane.state === 'idle') this.#enqueue(lane)
    else if (isEmpty && lane.key !== undefined) this.#lanes.delete(lane.key)
  }

  /** The call with a batch is over, and nothing more is to be taken from its lane: what is queued there is dropped. */
  abandon({ lane: handed }: LaneBatch<T>): void {
    const lane = handed as Lane<T>
    if (lane.key === undefined) return
    this.#queued -= lane.queue.length - lane.head
    this.#lanes.delete(lane.key)
  }

  /** Drops everything queued for which `isKept` says no. */
  keep(isKept: (item: T) => boolean): void {
    this.#queued = 0
    for (const lane of this.#lanes.values()) {
      lane.queue = lane.queue.slice(lane.head).filter(isKept)
      lane.head = 0
      lane.bytes = lane.queue.reduce((sum, { bytes }) => sum + bytes, 0)
      this.#queued += lane.queue.length
    }
    const hasWork = (lane: Lane<T>): boolean => {
      if (lane.queue.length > 0) return true
      lane.state = 'idle'
      if (lane.key !== undefined) this.#lanes.delete(lane.key)
      return false
    }
    this.#ready = this.#ready.slice(this.#readyHead).filter(hasWork)
    this.#readyHead = 0
    this.#waiting = this.#waiting.filter(hasWork)
  }

  /** When a lane that waits for more records is to wait no longer. Monotonic milliseconds; `undefined`: none waits. */
  dueMs(): number | undefined {
    const first = this.#waiting[0]
    return first && first.sinceMs + this.#limits.windowMs
  }

  /** Has lanes wait for more records again, after {@link flush}. */
  linger(): void {
    this.#isFlushing = false
  }

  /** Has no lane wait for more records, now and until {@link linger}. */
  flush(): void {
    this.#isFlushing = true
    for (const lane of this.#waiting) lane.state = 'ready'
    this.#ready.push(...this.#waiting)
    this.#waiting = []
  }

  #isFull({ queue, head, bytes }: Lane<T>): boolean {
    return queue.length - head >= this.#limits.maxRecords || bytes >= this.#limits.maxBytes
  }

  #enqueue(lane: Lane<T>): void {
    const isReady = this.#limits.windowMs === 0 || this.#isFlushing || this.#isFull(lane)
    if (!isReady) {
      if (lane.state !== 'waiting') this.#waiting.splice(this.#placeOf(lane), 0, lane)
      lane.state = 'waiting'
      return
    }
    if (lane.state === 'waiting') this.#waiting.splice(this.#waiting.lastIndexOf(lane, this.#placeOf(lane)), 1)
    lane.state = 'ready'
    this.#ready.push(lane)
  }

  /** Behind all lanes that are due no later. One that comes out of a call may be due before others that wait already. */
  #placeOf({ sinceMs }: Lane<T>): number {
    let [from, to] = [0, this.#waiting.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if ((this.#waiting[middle] as Lane<T>).sinceMs <= sinceMs) from = middle + 1
      else to = middle
    }
    return from
  }

  /** Lanes that have waited long enough, in the order in which they began to wait. */
  #promote(nowMs: number): void {
    let due = 0
    for (const lane of this.#waiting) {
      if (nowMs < lane.sinceMs + this.#limits.windowMs) break
      lane.state = 'ready'
      this.#ready.push(lane)
      due += 1
    }
    if (due > 0) this.#waiting = this.#waiting.slice(due)
  }

  /** As much of the queue as may go into one call. */
  #cut(lane: Lane<T>): T[] {
    const { maxRecords, maxBytes } = this.#limits
    const items: T[] = []
    for (let bytes = 0; lane.head < lane.queue.length && items.length < maxRecords; lane.head++) {
      const next = lane.queue[lane.head] as T
      bytes += next.bytes
      if (items.length > 0 && bytes > maxBytes) break
      items.push(next)
      lane.bytes -= next.bytes
    }
    this.#queued -= items.length
    if (lane.head * 2 >= lane.queue.length) {
      lane.queue = lane.queue.slice(lane.head)
      lane.head = 0
    }
    return items
  }
}
