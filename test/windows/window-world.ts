// One shard and its table, on which owners follow one another: they crash within writes and within calls of the user's code,
// and records are out of order. What they store is kept by the id of its window, the newest in the place of the one before.
import type { Checkpointer } from '../../src/checkpoint/checkpointer.ts'
import { LeaseLostError } from '../../src/model/errors.ts'
import type { PendingCheckpoint } from '../../src/model/lease.ts'
import { ConsumedRecord } from '../../src/model/record.ts'
import { comparePositions, type ExtendedSequenceNumber, positionOf } from '../../src/model/sequence-number.ts'
import type { RecordProcessor } from '../../src/processor/record-processor.ts'
import { type Random, seededRandom } from '../../src/runtime/random.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { tumblingWindows } from '../../src/windows/tumbling-windows.ts'
import type { ClosingWindow, TumblingWindowsOptions } from '../../src/windows/window-options.ts'
import { NAMES } from '../support/builders.ts'

export const WINDOW_MS = 60_000
export const SHARD = 'shardId-000000000000'

/** Numbers of records, in the order in which they were added. */
export type Numbers = number[]

export interface WorldOptions {
  readonly seed?: number
  readonly late?: TumblingWindowsOptions<Numbers>['late']
  readonly allowedLatenessMs?: number
  readonly windows?: Partial<TumblingWindowsOptions<Numbers>>
}

/** A record with a number, which happened and arrived at given times. */
export function aRecord(number: number, atMs: number, arrivedAtMs = Math.max(atMs, 0) + 10_000_000): ConsumedRecord {
  return new ConsumedRecord({
    sequenceNumber: String(1_000_000 + number),
    subSequenceNumber: 0,
    partitionKey: 'key',
    data: new TextEncoder().encode(`${number} ${atMs}`),
    arrivedAtMs,
    aggregated: false
  })
}

const fieldsOf = (record: ConsumedRecord): number[] => record.text().split(' ').map(Number)
export const numberOf = (record: ConsumedRecord): number => fieldsOf(record)[0] ?? -1

export class WindowWorld {
  readonly clock = new VirtualClock()
  readonly random: Random
  readonly log: ConsumedRecord[] = []
  /** What was stored, by id. */
  readonly sink = new Map<string, Numbers>()
  readonly closings: ClosingWindow<Numbers>[] = []
  readonly lateOnes: number[] = []
  stored: ExtendedSequenceNumber | undefined
  pending: PendingCheckpoint | undefined
  writes = 0
  /** How many there have been. */
  owners = 0
  /** Asked at every write once it has landed, and after every close: whether the owner is no more. */
  crashes: (at: 'checkpoint' | 'prepare' | 'close') => boolean = () => false
  fails: (at: 'add' | 'close' | 'write') => boolean = () => false
  /** Records that can never be added: given up once they have failed alone. */
  isPoison: (number: number) => boolean = () => false
  owner: Owner
  readonly #options: WorldOptions

  constructor(options: WorldOptions = {}) {
    this.#options = options
    this.random = seededRandom(options.seed ?? 1)
    this.owner = this.#takeOver()
  }

  /** Another owner takes the shard over; the one before hears nothing any more. */
  takeOver(): void {
    this.owner.isAlive = false
    this.owner = this.#takeOver()
  }

  put(atMs: number): void {
    this.log.push(aRecord(this.log.length, atMs))
  }

  /** Delivers what has not been, at most `count` records. Moves no time. */
  async deliver(count = Number.POSITIVE_INFINITY): Promise<unknown> {
    const { owner } = this
    const batch = this.log.slice(owner.next, owner.next + count)
    if (batch.length === 0) return
    const isAtTip = owner.next + batch.length === this.log.length
    const failure = await owner.process(batch, isAtTip ? 0 : 1)
    const isGivenUp = batch.length === 1 && this.isPoison(numberOf(batch[0] as ConsumedRecord))
    if (failure === undefined || isGivenUp) owner.next += batch.length
    return failure
  }

  /** The numbers of the records that were stored, each as often as it counts. */
  inSink(): number[] {
    return [...this.sink.values()].flat().sort((a, b) => a - b)
  }

  #takeOver(): Owner {
    const { late, allowedLatenessMs, windows } = this.#options
    this.owners += 1
    const owner: Owner = new Owner(this)
    const factory = tumblingWindows<Numbers>({
      windowMs: WINDOW_MS,
      timeOf: record => fieldsOf(record)[1] ?? Number.NaN,
      open: () => [],
      add: (numbers, record) => {
        numbers.push(numberOf(record))
        if (this.fails('add') || this.isPoison(numberOf(record))) throw new Error('add fails')
      },
      close: async closing => {
        if (this.fails('close')) throw new Error('close fails')
        if (!owner.isAlive) return
        this.closings.push(closing)
        this.sink.set(closing.id, closing.state)
        if (this.crashes('close')) await owner.crash()
      },
      ...(late !== undefined && { late }),
      ...(allowedLatenessMs !== undefined && { allowedLatenessMs }),
      clock: this.clock,
      ...windows
    })
    owner.begin(factory(), factory)
    return owner
  }
}

/** Who has the shard. */
export class Owner {
  isAlive = true
  next = 0
  factory: ReturnType<typeof tumblingWindows> | undefined
  readonly lifetime = new AbortController()
  readonly #world: WindowWorld
  #processor: RecordProcessor | undefined
  #delivered: ExtendedSequenceNumber | undefined

  constructor(world: WindowWorld) {
    this.#world = world
  }

  begin(processor: RecordProcessor, factory: ReturnType<typeof tumblingWindows>): void {
    const { stored, pending, log } = this.#world
    this.#processor = processor
    this.factory = factory
    this.next = stored === undefined ? 0 : log.findIndex(record => comparePositions(record, stored) > 0)
    if (this.next === -1) this.next = log.length
    void processor.initialize({
      shardId: SHARD,
      ...NAMES,
      checkpoint: stored?.sequenceNumber,
      subSequenceNumber: stored?.subSequenceNumber ?? 0,
      fencingToken: this.#world.owners,
      pendingCheckpoint: pending,
      signal: this.lifetime.signal
    })
  }

  /** What the call failed with; `undefined` if it did not. Never settles if the owner crashes in it. */
  async process(records: readonly ConsumedRecord[], millisBehindLatest = 0, signal?: AbortSignal): Promise<unknown> {
    const last = records.at(-1)
    if (last !== undefined) this.#delivered = positionOf(last)
    return this.#call(() =>
      this.#processor?.processRecords({
        shardId: SHARD,
        ...NAMES,
        records,
        checkpointer: this.checkpointer(),
        millisBehindLatest,
        failures: 0,
        signal: signal ?? this.lifetime.signal
      } as Parameters<RecordProcessor['processRecords']>[0])
    )
  }

  endShard(): Promise<unknown> {
    const { signal } = this.lifetime
    return this.#call(() =>
      this.#processor?.shardEnded({ shardId: SHARD, ...NAMES, checkpointer: this.checkpointer(), signal })
    )
  }

  shutDown(): Promise<unknown> {
    const { signal } = this.lifetime
    return this.#call(() =>
      this.#processor?.shutdownRequested({ shardId: SHARD, ...NAMES, checkpointer: this.checkpointer(), signal })
    )
  }

  loseLease(): void {
    this.lifetime.abort(new LeaseLostError(SHARD, 'a test took it'))
    void this.#processor?.leaseLost({ shardId: SHARD, ...NAMES })
  }

  /** From here on nothing of it happens. */
  crash(): Promise<never> {
    this.isAlive = false
    return new Promise<never>(() => {})
  }

  checkpointer(): Checkpointer {
    const world = this.#world
    const write = async (at: 'checkpoint' | 'prepare', position: ExtendedSequenceNumber, land: () => void) => {
      if (!this.isAlive) await new Promise<never>(() => {})
      if (world.owner !== this) throw new LeaseLostError(SHARD, 'another owner has it')
      if (world.fails('write')) throw new Error('the table fails')
      if (this.#delivered === undefined || comparePositions(position, this.#delivered) > 0) throw new Error('ahead')
      if (world.stored !== undefined && comparePositions(position, world.stored) < 0) throw new Error('behind')
      land()
      world.writes += 1
      if (world.crashes(at)) await this.crash()
    }
    return {
      checkpoint: async (at = this.#delivered) => {
        if (at === undefined) return
        await write('checkpoint', at, () => {
          world.stored = positionOf(at)
          world.pending = undefined
        })
      },
      prepareCheckpoint: async (at = this.#delivered, state) => {
        const position = positionOf(at as ExtendedSequenceNumber)
        await write('prepare', position, () => {
          world.pending = { position, ...(state !== undefined && { state }) }
        })
        return { position, checkpoint: () => this.checkpointer().checkpoint(position) }
      }
    }
  }

  async #call(work: () => unknown): Promise<unknown> {
    try {
      await work()
      return undefined
    } catch (error) {
      return error ?? new Error('it failed')
    }
  }
}
