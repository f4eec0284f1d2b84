// What is known about a worker that runs: how many records, how fast, and what happened. Knows nothing of how it is shown.
import type { Clock } from '../runtime/clock.ts'
import type { WorkerHealth } from '../worker/health-rules.ts'
import type { Observable } from '../worker/observable.ts'
import { type ShardOfStream, tallyKey } from './text-rules.ts'

/** One shard that was read here. */
export interface ShardTally {
  readonly shardId: string
  readonly streamName: string
  /** User records that were processed here. */
  records: number
  /** Processed in the last seconds, per second. */
  perSecond: number
  millisBehindLatest: number
  /** Whether the lease is held. */
  isHeld: boolean
}

/** Something that happened, in words. */
export interface Happening {
  /** Epoch milliseconds. */
  readonly atMs: number
  readonly level: 'info' | 'warn' | 'error'
  readonly text: string
}

/** Everything at one moment. */
export interface RunSnapshot {
  readonly streamName: string
  readonly applicationName: string
  readonly elapsedMs: number
  readonly health: WorkerHealth
  readonly records: number
  readonly bytes: number
  readonly perSecond: number
  readonly bytesPerSecond: number
  /** Of the shard that is furthest behind. */
  readonly millisBehindLatest: number
  /** Those that are held, by id. */
  readonly shards: readonly ShardTally[]
  /** The oldest first. */
  readonly happenings: readonly Happening[]
}

/** A worker, as far as it is listened to. */
export type WatchedWorker = Pick<Observable, 'on'> & { health(): WorkerHealth }

/** What happened longer ago than the last so many is forgotten. */
const MAX_HAPPENINGS = 50
/** Rates are of a time that is at least so long. Milliseconds. */
const RATE_MS = 3_000

interface Mark {
  readonly atMs: number
  readonly records: number
  readonly bytes: number
  readonly byShard: ReadonlyMap<string, number>
}

/** Listens to a worker and counts. */
export class RunBoard {
  readonly #worker: WatchedWorker
  readonly #clock: Clock
  readonly #names: { readonly streamName: string; readonly applicationName: string }
  readonly #startedMs: number
  readonly #shards = new Map<string, ShardTally>()
  readonly #happenings: Happening[] = []
  /** What was counted at the beginning of the time that rates are of, and of the next. */
  #marks: readonly [Mark, Mark]
  #records = 0
  #bytes = 0
  #abandoned: readonly string[] = []

  constructor(
    worker: WatchedWorker,
    clock: Clock,
    names: { readonly streamName: string; readonly applicationName: string }
  ) {
    this.#worker = worker
    this.#clock = clock
    this.#names = names
    this.#startedMs = clock.monotonicMs()
    const mark = this.#mark()
    this.#marks = [mark, mark]
    worker
      .on('lease:taken', shard => {
        this.#shard(shard).isHeld = true
      })
      .on('lease:released', shard => this.#gone(shard))
      .on('lease:lost', shard => this.#gone(shard))
      .on('shard:ended', shard => this.#gone(shard))
      .on('shard:read', read => {
        this.#shard(read).millisBehindLatest = read.millisBehindLatest
      })
      .on('batch:processed', ({ records, bytes, ...shard }) => {
        this.#shard(shard).records += records
        this.#records += records
        this.#bytes += bytes
      })
      .on('worker:stopped', ({ abandoned }) => {
        this.#abandoned = abandoned
      })
  }

  /** Shards whose processor did not return in time, once the worker has stopped. */
  get abandoned(): readonly string[] {
    return this.#abandoned
  }

  /** Notes that something happened. */
  note(level: Happening['level'], text: string): void {
    this.#happenings.push({ atMs: this.#clock.epochMs(), level, text })
    if (this.#happenings.length > MAX_HAPPENINGS) this.#happenings.shift()
  }

  /** How things are now. */
  snapshot(): RunSnapshot {
    const nowMs = this.#clock.monotonicMs()
    const [from, next] = this.#marks
    const seconds = Math.max(1, nowMs - from.atMs) / 1_000
    if (nowMs - next.atMs >= RATE_MS) this.#marks = [next, this.#mark()]
    const shards = [...this.#shards.values()]
      .filter(({ isHeld }) => isHeld)
      .sort((a, b) => (tallyKey(a) < tallyKey(b) ? -1 : 1))
      .map(shard => ({ ...shard, perSecond: (shard.records - (from.byShard.get(tallyKey(shard)) ?? 0)) / seconds }))
    return {
      ...this.#names,
      elapsedMs: nowMs - this.#startedMs,
      health: this.#worker.health(),
      records: this.#records,
      bytes: this.#bytes,
      perSecond: (this.#records - from.records) / seconds,
      bytesPerSecond: (this.#bytes - from.bytes) / seconds,
      millisBehindLatest: Math.max(0, ...shards.map(({ millisBehindLatest }) => millisBehindLatest)),
      shards,
      happenings: [...this.#happenings]
    }
  }

  #mark(): Mark {
    const byShard = new Map([...this.#shards].map(([key, { records }]) => [key, records]))
    return { atMs: this.#clock.monotonicMs(), records: this.#records, bytes: this.#bytes, byShard }
  }

  #gone(shard: ShardOfStream): void {
    this.#shard(shard).isHeld = false
  }

  #shard({ shardId, streamName }: ShardOfStream): ShardTally {
    const key = tallyKey({ shardId, streamName })
    let shard = this.#shards.get(key)
    if (shard === undefined) {
      shard = { shardId, streamName, records: 0, perSecond: 0, millisBehindLatest: 0, isHeld: false }
      this.#shards.set(key, shard)
    }
    return shard
  }
}
