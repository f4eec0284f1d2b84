// How fast each shard may be read, over all of a worker. Outlives whoever reads a shard: the service counts on when a lease
// comes back. What is decided is in pace-rules.ts.
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import {
  afterAnswer,
  afterCall,
  afterReadBehind,
  afterRefusal,
  debtDelayMs,
  NO_DEBT,
  type RateShare,
  type ReadDebt,
  readCapBytes,
  shareAt,
  tipWaitMs
} from './pace-rules.ts'

/** How fast the shards of a worker are to be read. */
export interface ShardPacesOptions {
  /** Wait between reads at the tip of a shard. Milliseconds. */
  readonly idleMs: number
  /** How many other applications read the same shards: they are left their part of the limits. 0 to 4. */
  readonly otherApplications: number
  /** How much may be read of a shard. Bytes a second; default what Kinesis allows. */
  readonly bytesPerSecond?: number
  readonly clock: Clock
  readonly random: Random
}

/** What a read brought, as far as it says how soon to read again. */
export interface PacedAnswer {
  readonly records: number
  readonly bytes: number
  /** Whether there is more to read at once: the answer was behind the tip, or as full as it may be. */
  readonly isBehind: boolean
}

/** The pace of one shard, for one reader of it. */
export interface ShardPace {
  /** How long to wait from now until the next read. Milliseconds. */
  delayMs(): number
  /** How many bytes of payload the next read should bring at most. May be Infinity. */
  readonly maxBytes: number
  /** The shard is about to be read. */
  called(): void
  /** The read was answered. */
  answered(answer: PacedAnswer): void
  /** The read was refused: there were too many, or they brought too much. */
  refused(): void
  /** The shard is not read any more. */
  close(): void
}

/** Shards that have not been read for so long are forgotten: what they have owed has long been paid off. Milliseconds. */
const FORGET_AFTER_MS = 600_000
/** No more shards than this are remembered that are not read. */
const MAX_REMEMBERED = 10_000

/** The pace of every shard that a worker reads, or has read lately. */
export class ShardPaces {
  readonly #options: ShardPacesOptions
  readonly #read = new Map<string, PacedShard>()
  /** Those that are not read any more, in the order in which that ended. */
  readonly #left = new Map<string, PacedShard>()

  constructor(options: ShardPacesOptions) {
    this.#options = options
  }

  /** How many shards are read. */
  get reading(): number {
    return this.#read.size
  }

  /** How many shards are remembered that are not read any more. */
  get remembered(): number {
    return this.#left.size
  }

  /** Begins to read a shard. The first read need only keep the limits. To be closed. */
  open(shardId: string): ShardPace {
    const shard = this.#read.get(shardId) ?? this.#left.get(shardId) ?? new PacedShard(this.#options)
    this.#left.delete(shardId)
    this.#read.set(shardId, shard)
    shard.readers += 1
    let nextAtMs = 0
    let isBehind = true
    let isClosed = false
    return {
      delayMs: () => shard.delayMs(nextAtMs),
      get maxBytes() {
        return shard.maxBytes(isBehind)
      },
      called: () => shard.called(),
      answered: answer => {
        isBehind = answer.isBehind
        nextAtMs = shard.answered(answer, this.#read.size)
      },
      refused: () => shard.refused(),
      close: () => {
        if (isClosed) return
        isClosed = true
        shard.readers -= 1
        if (shard.readers === 0) this.#leave(shardId, shard)
      }
    }
  }

  #leave(shardId: string, shard: PacedShard): void {
    const nowMs = this.#options.clock.monotonicMs()
    this.#read.delete(shardId)
    shard.leftAtMs = nowMs
    this.#left.set(shardId, shard)
    for (const [id, { leftAtMs }] of this.#left) {
      if (this.#left.size <= MAX_REMEMBERED && nowMs - leftAtMs < FORGET_AFTER_MS) return
      this.#left.delete(id)
    }
  }
}

/** What is known of one shard, whoever reads it. */
class PacedShard {
  readers = 0
  leftAtMs = 0
  readonly #options: ShardPacesOptions
  /** All of the limits that is not left to others. */
  readonly #most: number
  #share: RateShare
  #debt: ReadDebt = NO_DEBT
  #recordsAtMs: number | undefined

  constructor(options: ShardPacesOptions) {
    this.#options = options
    this.#most = 1 / (1 + options.otherApplications)
    this.#share = { value: this.#most, atMs: options.clock.monotonicMs() }
  }

  delayMs(nextAtMs: number): number {
    const nowMs = this.#options.clock.monotonicMs()
    return Math.max(
      nextAtMs - nowMs,
      debtDelayMs(this.#debt, this.#shareAt(nowMs), nowMs, this.#options.bytesPerSecond)
    )
  }

  maxBytes(isBehind: boolean): number {
    const { clock, bytesPerSecond } = this.#options
    return readCapBytes(this.#shareAt(clock.monotonicMs()), isBehind, bytesPerSecond)
  }

  called(): void {
    const nowMs = this.#options.clock.monotonicMs()
    this.#debt = afterCall(this.#debt, this.#shareAt(nowMs), nowMs, this.#options.bytesPerSecond)
  }

  /** When to read again at the earliest, but for the limits. Monotonic milliseconds. */
  answered({ records, bytes, isBehind }: PacedAnswer, shards: number): number {
    const { clock, random, idleMs } = this.#options
    const nowMs = clock.monotonicMs()
    this.#debt = afterAnswer(this.#debt, bytes)
    if (records > 0) this.#recordsAtMs = nowMs
    if (isBehind) {
      this.#share = afterReadBehind(this.#share)
      return nowMs
    }
    const quietMs = this.#recordsAtMs === undefined ? undefined : nowMs - this.#recordsAtMs
    return nowMs + tipWaitMs({ idleMs, shards, quietMs, chance: random.next() })
  }

  refused(): void {
    const { clock, random } = this.#options
    this.#share = afterRefusal(this.#share, this.#most, clock.monotonicMs(), random.next())
  }

  #shareAt(nowMs: number): number {
    return shareAt(this.#share, this.#most, nowMs)
  }
}
