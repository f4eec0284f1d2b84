// Has the bodies of answers received a share at a time, and one after another where more comes than is decoded. Otherwise a turn
// of the event loop takes two megabytes from each connection that has as much, which with hundreds of them is seconds; and as
// many bodies are in memory as there are connections. Those that wait are in the buffers of the kernel.
import type { Clock } from '../runtime/clock.ts'

/** How much is received in one turn of the event loop, but for one piece of each body that was not paused yet. Bytes. */
const TURN_BYTES = 4 * 1024 * 1024

/** How many bodies are received on with each turn: those that have nothing to receive take nobody's place. */
const RESUMED_PER_TURN = 4

/** No further body is begun while as much waits to be decoded. Bytes. */
const MOST_BACKLOG_BYTES = 16 * 1024 * 1024

/** For how long at most that is why a body is not begun: whoever sends it may give up. Milliseconds. */
const MAX_WAIT_MS = 5_000

/** Receives one body. Begins paused. */
export interface Receiver {
  /** Begins to take what comes, or goes on. */
  resume(): void
  /** Takes nothing more until {@link resume} is called, but for what is there already. */
  pause(): void
}

/** Whose turn it is to receive. */
export class ReceiveTurns {
  readonly #clock: Clock
  readonly #backlogBytes: () => number
  /** Begun, and paused since. */
  readonly #paused = new Set<Receiver>()
  /** Not begun, and since when they wait: first come, first served. Monotonic milliseconds. */
  readonly #waiting = new Map<Receiver, number>()
  /** Received in this turn of the event loop. */
  #bytes = 0
  #isRunning = false

  /** @param backlogBytes how much was received and waits to be decoded */
  constructor(clock: Clock, backlogBytes: () => number) {
    this.#clock = clock
    this.#backlogBytes = backlogBytes
  }

  /** Has a receiver begin, at once or when it is its turn. */
  enter(receiver: Receiver): void {
    if (this.#isFull()) {
      this.#waiting.set(receiver, this.#clock.monotonicMs())
      this.#keepTurning()
    } else receiver.resume()
  }

  /** To be told of each piece, before anything is done with it. */
  took(receiver: Receiver, bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes >= TURN_BYTES && !this.#paused.has(receiver)) {
      this.#paused.add(receiver)
      receiver.pause()
    }
    this.#keepTurning()
  }

  /** To be told when a receiver is done, or gives up. */
  leave(receiver: Receiver): void {
    this.#paused.delete(receiver)
    this.#waiting.delete(receiver)
  }

  #isFull(): boolean {
    const isSomebodyFirst = this.#paused.size + this.#waiting.size > 0
    return isSomebodyFirst || this.#bytes >= TURN_BYTES || this.#backlogBytes() >= MOST_BACKLOG_BYTES
  }

  #keepTurning(): void {
    if (!this.#isRunning) void this.#run()
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    do {
      await this.#clock.sleep(0)
      this.#bytes = 0
      this.#resumeSome()
    } while (this.#paused.size + this.#waiting.size > 0)
    this.#isRunning = false
  }

  #resumeSome(): void {
    let resumed = 0
    for (const receiver of this.#paused) {
      if (resumed++ === RESUMED_PER_TURN) return
      this.#paused.delete(receiver)
      receiver.resume()
    }
    for (const [receiver, sinceMs] of this.#waiting) {
      if (resumed++ === RESUMED_PER_TURN || !this.#mayBegin(sinceMs)) return
      this.#waiting.delete(receiver)
      receiver.resume()
    }
  }

  #mayBegin(sinceMs: number): boolean {
    return this.#backlogBytes() < MOST_BACKLOG_BYTES || this.#clock.monotonicMs() - sinceMs >= MAX_WAIT_MS
  }
}
