// Watches one shard while it is processed: notes what it waits for and since when, and says when that has become too long.
import type { Clock } from '../runtime/clock.ts'
import { judgeProgress, type Stall } from './progress-rules.ts'
import type { ShardListener, StallAction } from './shard-listener.ts'

/** What is watched, and who is told. */
export interface ShardWatchOptions {
  /** How long a shard may stand still. Milliseconds. */
  readonly stallMs: number
  /** Since when the oldest call of the user's code is under way. Monotonic milliseconds; `undefined`: none is. */
  readonly calledSinceMs: () => number | undefined
  readonly isStoringLetters: () => boolean
  /** Whether reading waits for room in memory. */
  readonly lacksRoom: () => boolean
  /** Since when checkpoints cannot be written. Monotonic milliseconds; `undefined`: they can. Absent: that is not watched. */
  readonly unwrittenSinceMs?: () => number | undefined
  /** Since when calls have failed and nothing was settled. Monotonic milliseconds; `undefined`: something was. Absent: likewise. */
  readonly failingSinceMs?: () => number | undefined
  readonly clock: Clock
  readonly listener: Pick<ShardListener, 'stalled' | 'progressed'>
}

const SEVERITY: readonly StallAction[] = ['report', 'restart', 'release']

/** The watch over one shard. */
export class ShardWatch {
  readonly #options: ShardWatchOptions
  /** Since when an answer is waited for. Monotonic milliseconds. */
  #readingSinceMs: number | undefined
  /** Whether reading waited for room when it was looked at last. */
  #wasLackingRoom = false
  #storingSinceMs: number | undefined
  #throttledSinceMs: number | undefined
  /** What was told last; `undefined`: the shard makes progress. */
  #told: Stall | undefined

  constructor(options: ShardWatchOptions) {
    this.#options = options
  }

  /** What the shard stands still for; `undefined`: it does not, as far as was told. */
  get stall(): Stall | undefined {
    return this.#told
  }

  /** Kinesis is asked too often. To be told so is an answer, too. */
  throttled(): void {
    this.#throttledSinceMs ??= this.#options.clock.monotonicMs()
    this.#noteAnswer()
  }

  /** The next records are waited for, from now on. */
  reads(): void {
    this.#readingSinceMs ??= this.#options.clock.monotonicMs()
  }

  /** Kinesis has answered, perhaps without records. */
  answered(): void {
    this.#throttledSinceMs = undefined
    this.#noteAnswer()
  }

  #noteAnswer(): void {
    if (this.#readingSinceMs !== undefined) this.#readingSinceMs = this.#options.clock.monotonicMs()
  }

  /** Nothing is waited for any more: records came, or reading is over. */
  hasRead(): void {
    this.#readingSinceMs = undefined
  }

  /** Looks at what the shard waits for, and tells what is new about it. What is to be done; `undefined`: nothing more. */
  look(): StallAction | undefined {
    const { stallMs, calledSinceMs, isStoringLetters, lacksRoom, clock, listener } = this.#options
    const { unwrittenSinceMs, failingSinceMs } = this.#options
    const nowMs = clock.monotonicMs()
    const since = (atMs: number | undefined): number | undefined => (atMs === undefined ? undefined : nowMs - atMs)
    this.#storingSinceMs = isStoringLetters() ? (this.#storingSinceMs ?? nowMs) : undefined
    // Room that is waited for is no answer that does not come: from when there is room, that counts anew.
    const isLackingRoom = this.#readingSinceMs !== undefined && lacksRoom()
    if (this.#wasLackingRoom && !isLackingRoom) this.#noteAnswer()
    this.#wasLackingRoom = isLackingRoom
    const stall = judgeProgress(
      {
        readingForMs: since(this.#readingSinceMs),
        lacksRoom: isLackingRoom,
        calledForMs: since(calledSinceMs()),
        isStoringLetters: this.#storingSinceMs !== undefined,
        storingForMs: since(this.#storingSinceMs) ?? 0,
        throttledForMs: since(this.#throttledSinceMs),
        unwrittenForMs: since(unwrittenSinceMs?.()),
        failingForMs: since(failingSinceMs?.())
      },
      stallMs
    )
    const before = this.#told
    this.#told = stall
    if (stall === undefined) {
      if (before !== undefined) listener.progressed()
      return undefined
    }
    const isSame = before?.waitingFor === stall.waitingFor
    if (isSame && SEVERITY.indexOf(stall.action) <= SEVERITY.indexOf(before.action)) return undefined
    listener.stalled(stall)
    return stall.action
  }
}
