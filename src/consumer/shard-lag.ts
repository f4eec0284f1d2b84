// Knows how far one shard is behind, also while nothing moves: notes where the records that were read begin, and what Kinesis
// said. What is settled is looked up when somebody asks, so that records that are processed cost nothing here.
import type { ConsumedRecord } from '../model/record.ts'
import { comparePositions, type ExtendedSequenceNumber, positionOf } from '../model/sequence-number.ts'
import type { Clock } from '../runtime/clock.ts'
import { type Lag, lagOf } from './lag-rules.ts'

/** What is asked when somebody wants to know. */
export interface ShardLagOptions {
  readonly clock: Clock
  /** Everything up to here is settled. */
  readonly settled: () => ExtendedSequenceNumber
}

/** How far a shard is behind, and since when. */
export interface ShardLagReport extends Lag {
  /** How long nothing was settled while there was something to settle, or nothing was heard of the shard. Milliseconds. */
  readonly sinceProgressMs: number
}

/** A stretch of records that were read: where it begins and ends, and when its first record arrived. */
interface Stretch {
  readonly from: ExtendedSequenceNumber
  readonly to: ExtendedSequenceNumber
  readonly arrivedAtMs: number
}

/** An answer is kept as so many stretches at most. While part of a stretch is settled, its age counts as that of its first record. */
const STRETCHES = 8

/** The lag of one shard during one tenure. */
export class ShardLag {
  readonly #options: ShardLagOptions
  /** What may not be settled of what was read, oldest first. */
  #stretches: readonly Stretch[] = []
  #toldMs: number | undefined
  #toldAtMs: number
  #progressAtMs: number
  /** What was settled the last time somebody looked. */
  #seen: ExtendedSequenceNumber

  constructor(options: ShardLagOptions) {
    this.#options = options
    this.#toldAtMs = options.clock.monotonicMs()
    this.#progressAtMs = this.#toldAtMs
    this.#seen = options.settled()
  }

  /** The shard is about to be processed: until now it was not its turn. */
  begins(): void {
    if (this.#toldMs !== undefined) return
    this.#toldAtMs = this.#options.clock.monotonicMs()
    this.#progressAtMs = this.#toldAtMs
  }

  /** Kinesis has answered: what it read ends so far behind the tip. */
  told(millisBehindLatest: number): void {
    const nowMs = this.#options.clock.monotonicMs()
    this.#toldMs = millisBehindLatest
    this.#toldAtMs = nowMs
    if (this.#isAllSettled()) this.#progressAtMs = nowMs
  }

  /** These are to be settled. What was noted of them or of later ones, before reading began anew, is forgotten. */
  received(records: readonly ConsumedRecord[]): void {
    const [first] = records
    if (first === undefined) return
    const { clock } = this.#options
    if (this.#isAllSettled()) this.#progressAtMs = clock.monotonicMs()
    const earlier = this.#stretches.filter(({ from }) => comparePositions(from, first) < 0)
    const step = Math.ceil(records.length / STRETCHES)
    const read: Stretch[] = []
    for (let index = 0; index < records.length; index += step) {
      const from = records[index] as ConsumedRecord
      const to = records[Math.min(index + step, records.length) - 1] as ConsumedRecord
      read.push({ from: positionOf(from), to: positionOf(to), arrivedAtMs: from.arrivedAtMs ?? clock.epochMs() })
    }
    this.#stretches = [...this.#open(earlier), ...read]
  }

  /** Takes note of what is settled by now. To be called now and then: progress is known as exactly as that. */
  look(): void {
    const settled = this.#options.settled()
    if (comparePositions(settled, this.#seen) > 0) this.#progressAtMs = this.#options.clock.monotonicMs()
    this.#seen = settled
    this.#stretches = this.#open(this.#stretches)
  }

  /** How far the shard is behind now. */
  report(): ShardLagReport {
    const { clock } = this.#options
    this.look()
    const nowMs = clock.monotonicMs()
    const oldestArrivedAtMs = this.#stretches[0]?.arrivedAtMs
    const sinceToldMs = nowMs - this.#toldAtMs
    const lag = lagOf({ nowEpochMs: clock.epochMs(), oldestArrivedAtMs, toldMs: this.#toldMs, sinceToldMs })
    return { ...lag, sinceProgressMs: nowMs - this.#progressAtMs }
  }

  #isAllSettled(): boolean {
    return this.#open(this.#stretches).length === 0
  }

  #open(stretches: readonly Stretch[]): readonly Stretch[] {
    const settled = this.#options.settled()
    const first = stretches.findIndex(({ to }) => comparePositions(to, settled) > 0)
    return first === -1 ? [] : first === 0 ? stretches : stretches.slice(first)
  }
}
