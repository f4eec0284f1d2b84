// How much the fake Kinesis lets be read of a shard: five reads and 2 MB a second, as the service does.
import { ThrottledError } from '../model/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import type { FakeRecord, FakeShard } from './fake-stream.ts'

const READS_PER_SECOND = 5
const BYTES_PER_SECOND = 2 * 1024 * 1024

interface Read {
  readonly atMs: number
  readonly bytes: number
  /** Until when its bytes count. */
  readonly untilMs: number
}

/** What has been read of each shard lately. */
export class ReadLimits {
  readonly #clock: Clock
  readonly #reads = new WeakMap<FakeShard, Read[]>()
  /** When everything that has been read of a shard will have been paid off. */
  readonly #paidAtMs = new WeakMap<FakeShard, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** To be called before a read. @throws ThrottledError if the shard has been read too often, or too much of it */
  throttle(shard: FakeShard): void {
    const nowMs = this.#clock.monotonicMs()
    const reads = (this.#reads.get(shard) ?? []).filter(({ untilMs }) => untilMs > nowMs)
    this.#reads.set(shard, reads)
    const count = reads.filter(({ atMs }) => atMs + 1000 > nowMs).length
    const bytes = reads.reduce((sum, each) => sum + each.bytes, 0)
    if (count < READS_PER_SECOND && bytes < BYTES_PER_SECOND) return
    throw new ThrottledError(`${shard.shard.shardId} has answered ${count} reads and ${bytes} bytes within a second`)
  }

  /**
   * Counts a read. Its bytes count for a second at least, and until they and those read before have been paid off at 2 MB a
   * second: after an answer of 10 MB, nothing can be read for the next five seconds.
   */
  note(shard: FakeShard, records: readonly FakeRecord[]): void {
    const reads = this.#reads.get(shard)
    const atMs = this.#clock.monotonicMs()
    const bytes = records.reduce((sum, { data }) => sum + data.length, 0)
    const paidAtMs = Math.max(atMs, this.#paidAtMs.get(shard) ?? 0) + (bytes / BYTES_PER_SECOND) * 1000
    this.#paidAtMs.set(shard, paidAtMs)
    reads?.push({ atMs, bytes, untilMs: Math.max(atMs + 1000, paidAtMs) })
  }
}
