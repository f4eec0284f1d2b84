// Everything goes wrong, and the processors fail, too, in every way that there is, under every policy for that: the hostile
// profile with records that are poison, calls that hang, batches that fail in part, destinations of dead letters that fail, pauses,
// halts and circuit breakers. At the end the weather clears, what was poison is mended, and everything has to be settled.

import type { LaneKey } from '../../src/consumer/delivery-options.ts'
import {
  type ConsumedRecord,
  type ProcessorErrorOptions,
  type ProcessRecordsInput,
  RecordProcessor
} from '../../src/index.ts'
import { aggregate } from '../../src/kpl/aggregate.ts'
import type { Conduct, SimulatedWorker, World } from '../../src/testing/index.ts'
import type { ConcurrencyOptions } from '../../src/worker/concurrency-options.ts'
import type { ProcessorOption } from '../../src/worker/user-code-options.ts'
import { type ChaosCast, chaos, STREAM } from './profile-chaos.ts'
import type { Figures, Profile } from './seed-run.ts'

/** One record in so many is poison. */
const POISON_EACH = 150
const KEYS = 30
/** At the end, what is poison fails for so long, so that some of it is dead-lettered or skipped. Milliseconds. */
const MENDED_AFTER_MS = 60_000

/** The hostile profile with processors that fail at random. */
export const failing: Profile = chaos({
  faults: 'hostile',
  everyMs: 10_000,
  reshard: 0.08,
  meddle: 0.25,
  cast: world => new FailingCast(world)
})

/** A processor that settles and checkpoints by itself, and fails in part now and then. */
class Careful extends RecordProcessor {
  readonly #world: World

  constructor(world: World) {
    super()
    this.#world = world
  }

  async processRecords({ records, checkpointer, settle }: ProcessRecordsInput) {
    const draw = this.#world.random.next()
    const half = records.length >> 1
    if (draw < 0.1) return { failed: records.slice(half) }
    if (draw < 0.2) {
      for (const record of records.slice(0, half)) settle(record)
      throw new Error('Half of it is settled')
    }
    if (draw < 0.3 && half > 0) {
      await checkpointer.checkpoint(records[half - 1])
      throw new Error('Half of it is checkpointed')
    }
    await checkpointer.checkpoint()
    return undefined
  }
}

class FailingCast implements ChaosCast {
  readonly #world: World
  readonly #by: LaneKey
  readonly #poisonous: number
  #put = 0
  #letters = 0
  #halts = 0
  #mendingSinceMs: number | undefined
  #isMended = false

  constructor(world: World) {
    this.#world = world
    // One for all workers: what one does not keep in order, others cannot.
    this.#by = this.#oneOf<LaneKey>(['key', 'key', 'key', 'none', record => record.partitionKey.slice(-1)])
    this.#poisonous = this.#is(0.7) ? POISON_EACH : Number.POSITIVE_INFINITY
  }

  readonly options = (): ReturnType<ChaosCast['options']> => {
    const onProcessorError = this.#policy()
    const isStoring = onProcessorError.then === 'dead-letter'
    const code = this.#code(onProcessorError)
    this.#world.journal.note(
      this.#world.clock.monotonicMs(),
      'cast',
      JSON.stringify({ code: Object.keys(code), ...code, onProcessorError })
    )
    return {
      ...code,
      onProcessorError,
      ...(isStoring && {
        deadLetters: letters => {
          this.#letters += letters.length
        }
      })
    }
  }

  readonly conduct = (): Conduct => {
    const isOdd = this.#is(0.3)
    const takesMs = isOdd ? ([0, 8_000] as const) : ([0, 400] as const)
    const isMended = (): boolean => this.#isMended
    const lost = this.#oneOf([0, 0.2, 0.6])
    return {
      // What never gets on would never come to an end.
      get takesMs() {
        return isMended() ? ([0, 400] as const) : takesMs
      },
      failing: isOdd ? 0.15 : 0.02,
      hanging: this.#is(0.3) ? 0.01 : 0,
      partial: this.#is(0.5) ? 0.1 : 0,
      settling: this.#is(0.5) ? 0.1 : 0,
      poison: this.#isPoison,
      letters: {
        takesMs: [0, 400],
        get failing() {
          return isMended() ? 0 : lost
        },
        hanging: 0.005
      }
    }
  }

  readonly put = (): void => {
    const { kinesis, random } = this.#world
    for (let i = 0; i < 4; i++) {
      if (random.next() > 0.15) kinesis.put(STREAM, this.#key(), this.#text())
      else {
        const users = Array.from({ length: 3 }, () => ({
          partitionKey: this.#key(),
          data: new TextEncoder().encode(this.#text())
        }))
        const { partitionKey, explicitHashKey, data } = aggregate(users)
        kinesis.put(STREAM, partitionKey, data, { explicitHashKey })
      }
    }
  }

  readonly meddle = ({ worker, name }: SimulatedWorker): void => {
    const { shardIds } = worker
    const draw = this.#world.random.next()
    const shardId = draw < 0.5 ? undefined : this.#oneOf(shardIds)
    if (worker.state !== 'running' || (draw >= 0.5 && shardId === undefined)) return
    if (draw < 0.3 || draw > 0.8) {
      this.#world.journal.note(this.#world.clock.monotonicMs(), name, `is told to resume ${shardId ?? 'everything'}`)
      worker.resume(shardId)
      return
    }
    this.#world.journal.note(this.#world.clock.monotonicMs(), name, `is told to pause ${shardId ?? 'everything'}`)
    worker.pause(shardId)
    void this.#world.clock.sleep(this.#world.random.next() * 30_000).then(() => worker.resume())
  }

  readonly mend = (): void => {
    const { clock, workers } = this.#world
    this.#mendingSinceMs ??= clock.monotonicMs()
    this.#isMended = clock.monotonicMs() - this.#mendingSinceMs > MENDED_AFTER_MS
    for (const { isRunning, worker } of workers) if (isRunning) worker.resume()
  }

  readonly figures = (): Figures => {
    const events = this.#world.workers.flatMap(worker => worker.events('records:given-up'))
    this.#halts = this.#world.workers.reduce((sum, worker) => sum + worker.events('shard:halted').length, 0)
    const givenUp = (how: string): number =>
      events.reduce((sum, event) => sum + (event.how === how ? event.records : 0), 0)
    return {
      records: this.#put,
      letters: this.#letters,
      deadLettered: givenUp('dead-letter'),
      skipped: givenUp('skip'),
      halts: this.#halts,
      failures: this.#world.workers.reduce((sum, worker) => sum + worker.events('processor:failed').length, 0)
    }
  }

  readonly #isPoison = (record: ConsumedRecord): boolean => !this.#isMended && record.text().startsWith('poison')

  #policy(): ProcessorErrorOptions {
    const then = this.#oneOf(['halt', 'halt', 'dead-letter', 'dead-letter', 'dead-letter', 'skip', 'stop'] as const)
    const isGivingUp = then === 'dead-letter' || then === 'skip'
    return {
      then,
      attempts: this.#oneOf([1, 2, 3, 5]) + (then === 'stop' ? 5 : 0),
      backoffMs: 200,
      maxBackoffMs: 5_000,
      timeoutMs: this.#oneOf([3_000, 10_000, 20_000]),
      ...(this.#is(0.2) && { maxElapsedMs: 20_000 }),
      ...(this.#is(0.3) && { bisect: this.#is(0.5) }),
      ...(isGivingUp && this.#is(0.15) && { maxRecordAgeMs: 60_000 }),
      ...(this.#is(0.2) && { circuitBreaker: { failures: 4, openMs: 5_000 } })
    }
  }

  #code({ maxRecordAgeMs, then }: ProcessorErrorOptions): ProcessorOption {
    const handler = (): void => {}
    const each = handler
    const concurrency: ConcurrencyOptions = {
      perShard: this.#oneOf([2, 4, 16]),
      by: this.#by,
      ...(this.#is(0.5) && { maxInFlight: 40 })
    }
    const batch = {
      ...(this.#is(0.7) && { maxRecords: 1 + Math.floor(this.#world.random.next() * 20) }),
      ...(this.#is(0.3) && { maxBytes: 100 }),
      ...(this.#is(0.5) && { windowMs: Math.floor(this.#world.random.next() * 5_000) })
    }
    // Of old records that are skipped in lanes an event names the first and the last only.
    const isVague = maxRecordAgeMs !== undefined && then === 'skip'
    switch (this.#oneOf(['each', 'each', 'lanes', 'lanes', 'batch', 'handler', 'processor'] as const)) {
      case 'each':
        return { each, ...(this.#is(0.9) && { concurrency }) }
      case 'lanes':
        return isVague ? { handler } : { handler, concurrency, ...(this.#is(0.5) && { batch }) }
      case 'batch':
        return { handler, batch }
      case 'processor':
        return { processor: () => new Careful(this.#world), ...(this.#is(0.4) && { batch }) }
      default:
        return { handler }
    }
  }

  #text(): string {
    this.#put += 1
    return `${this.#is(1 / this.#poisonous) ? 'poison' : 'record'}-${this.#put}`
  }

  #key(): string {
    return `key-${Math.floor(this.#world.random.next() * KEYS)}`
  }

  #is(share: number): boolean {
    return this.#world.random.next() < share
  }

  #oneOf<T>(items: readonly T[]): T {
    return items[Math.floor(this.#world.random.next() * items.length)] as T
  }
}
