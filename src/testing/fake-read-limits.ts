// How much the fake Kinesis lets be read of a shard: five reads and 2 MB a second, as the service does.
import { ThrottledError } from '../model/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import type { FakeRecord, FakeShard } from './fake-stream.ts'

const READS_PER_SECOND = 5
const BYTES_PER_SECOND = 2 * 1024 * 1024

interface Read {
  readonly atMs: number
  readonly bytes: number
}

/** What has been read of each shard lately. */
export class ReadLimits {
  readonly #clock: Clock
  readonly #reads = new WeakMap<FakeShard, Read[]>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** To be called before a read. @throws ThrottledError if the shard has been read too often, or too much of it */
  throttle(shard: FakeShard): void {
    const nowMs = this.#clock.monotonicMs()
    const reads = (this.#reads.get(shard) ?? []).filter(({ atMs, bytes }) => atMs + blocksForMs(bytes) > nowMs)
    this.#reads.set(shard, reads)
    const count = reads.filter(({ atMs }) => atMs + 1000 > nowMs).length
    const bytes = reads.reduce((sum, each) => sum + each.bytes, 0)
    if (count < READS_PER_SECOND && bytes < BYTES_PER_SECOND) return
    throw new ThrottledError(`${shard.shard.shardId} has answered ${count} reads and ${bytes} bytes within a second`)
  }

  /** Counts a read. */
  note(shard: FakeShard, records: readonly FakeRecord[]): void {
    const bytes = records.reduce((sum, { data }) => sum + data.length, 0)
    this.#reads.get(shard)?.push({ atMs: this.#clock.monotonicMs(), bytes })
  }
}

/** How long a read counts against the limit on bytes: an answer of 10 MB blocks the shard for five seconds. */
function blocksForMs(bytes: number): number {
  return Math.max(1000, (bytes / BYTES_PER_SECOND) * 1000)
}
