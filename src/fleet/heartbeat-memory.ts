// What the main thread and the heartbeat's thread know of one session without a message: memory that both see at once, so
// that it is current also when one of them was blocked. Each session has its own: a proof can be of no other.
import type { HeartbeatProgress } from './local-heartbeat.ts'

const CELLS = { hb: 0, ack: 1, provedAtMs: 2, tickAtMs: 3 } as const

/** Shared memory of one session. Each number is read and written as a whole. */
export class HeartbeatMemory {
  readonly buffer: SharedArrayBuffer
  readonly #cells: BigInt64Array<SharedArrayBuffer>
  readonly #number = new Float64Array(1)
  readonly #bits = new BigInt64Array(this.#number.buffer)

  /** Memory of a session that begins now; or, in the other thread, what the `buffer` of that one holds. */
  constructor(buffer?: SharedArrayBuffer) {
    this.buffer = buffer ?? new SharedArrayBuffer(Object.keys(CELLS).length * BigInt64Array.BYTES_PER_ELEMENT)
    this.#cells = new BigInt64Array(this.buffer)
    if (buffer === undefined) this.progress = { hb: 0, ack: 0, provedAtMs: Number.NEGATIVE_INFINITY }
  }

  /** Written by the thread that beats. Whoever reads all of it does so when that thread is gone. */
  get progress(): HeartbeatProgress {
    return { hb: this.#read(CELLS.hb), ack: this.#read(CELLS.ack), provedAtMs: this.provedAtMs }
  }

  set progress({ hb, ack, provedAtMs }: HeartbeatProgress) {
    this.#write(CELLS.hb, hb)
    this.#write(CELLS.ack, ack)
    this.#write(CELLS.provedAtMs, provedAtMs)
  }

  /** See {@link HeartbeatProgress.provedAtMs}: on the monotonic clock, which is the same in both threads. */
  get provedAtMs(): number {
    return this.#read(CELLS.provedAtMs)
  }

  /** When the main loop ran the last time, in monotonic milliseconds. Written by the main thread. */
  get tickAtMs(): number {
    return this.#read(CELLS.tickAtMs)
  }

  set tickAtMs(ms: number) {
    this.#write(CELLS.tickAtMs, ms)
  }

  #read(cell: number): number {
    this.#bits[0] = Atomics.load(this.#cells, cell)
    return this.#number[0] as number
  }

  #write(cell: number, value: number): void {
    this.#number[0] = value
    Atomics.store(this.#cells, cell, this.#bits[0] as bigint)
  }
}
