// A fake table with a stream, and workers that read it through a real client of the AWS SDK, in virtual time.
import { expect } from 'chai'
import {
  changeOf,
  type DynamodbStreamOptions,
  dynamodbStream,
  type TableStream
} from '../../src/dynamodb-streams/dynamodb-stream.ts'
import {
  memoryLeaseStore,
  silentLogger,
  Worker,
  type WorkerEventName,
  type WorkerEvents,
  type WorkerOptions
} from '../../src/index.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { FakeTable, type FakeTableOptions } from '../../src/testing/fake-table.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

export const TABLE = 'orders'

/** A change as a worker was given it. */
export interface SeenChange {
  readonly worker: Worker
  readonly id: string
  readonly version: number | undefined
  readonly eventName: string
  readonly shardId: string
}

export interface HeardTableEvent {
  readonly name: WorkerEventName
  readonly event: WorkerEvents[WorkerEventName]
}

export interface Order {
  readonly id: string
  readonly version: number
}

/** Options of a worker, all of which the world has defaults for. */
export type TableWorkerOptions = Partial<
  Pick<WorkerOptions, 'startAt' | 'retrieval' | 'onRecreatedStream' | 'shardSyncIntervalMs' | 'concurrency'>
> & {
  readonly stream?: TableStream
  readonly durationMs?: number
  readonly client?: DynamodbStreamOptions['client']
}

export class TableWorld {
  readonly clock = new VirtualClock(1_900_000_000_000, { settlingTurns: 12 })
  readonly table: FakeTable
  readonly store = memoryLeaseStore({ tableName: 'app' })
  readonly seen: SeenChange[] = []
  readonly heard: HeardTableEvent[] = []
  readonly workers: Worker[] = []
  readonly versions = new Map<string, number>()
  /** Called for each record before it counts as seen. */
  handle: (id: string) => Promise<void> | void = () => {}

  constructor(options: Partial<FakeTableOptions> = {}) {
    this.table = new FakeTable({ tableName: TABLE, clock: this.clock, ...options })
  }

  /** Writes the next version of an item. */
  write(id: string): void {
    const version = (this.versions.get(id) ?? 0) + 1
    this.versions.set(id, version)
    this.table.put({ id, version })
  }

  worker(options: TableWorkerOptions = {}): Worker {
    const { stream = { tableName: TABLE }, durationMs = 10_000, client = this.table.clientConfig, ...others } = options
    const worker: Worker = new Worker(
      {
        source: dynamodbStream(stream, { client }),
        applicationName: 'app',
        startAt: 'TRIM_HORIZON',
        leases: { store: this.store, durationMs },
        logger: silentLogger,
        ...others,
        each: async (record, { shardId }) => {
          const { eventName, newImage, keys } = changeOf<Order>(record)
          await this.handle(String(keys.id))
          this.seen.push({ worker, id: String(keys.id), version: newImage?.version, eventName, shardId })
        }
      } as WorkerOptions,
      { clock: this.clock, random: seededRandom(this.workers.length + 1) }
    )
    for (const name of [
      'records:lost',
      'shard:failed',
      'shard:ended',
      'lease:created',
      'lease:removed',
      'stream:recreated',
      'error'
    ] as const) {
      worker.on(name, event => this.heard.push({ name, event }))
    }
    this.workers.push(worker)
    worker.finished.catch(() => {})
    return worker
  }

  async start(options: TableWorkerOptions = {}): Promise<Worker> {
    const worker = this.worker(options)
    await this.reach(worker.start())
    return worker
  }

  async stop(worker: Worker): Promise<void> {
    await this.reach(worker.stop())
  }

  /** Moves time on until a promise settles. */
  async reach<T>(work: Promise<T>): Promise<T> {
    let isOver = false
    work.then(
      () => {
        isOver = true
      },
      () => {
        isOver = true
      }
    )
    await this.clock.advanceUntil(() => isOver)
    return work
  }

  async stopAll(): Promise<void> {
    for (const worker of this.workers) await this.stop(worker)
  }

  /** Moves time on until every version of every item was seen, or of those that are asked for. */
  async untilSeen(ids: Iterable<string> = this.versions.keys()): Promise<void> {
    const wanted = [...ids]
    await this.clock.advanceUntil(
      () => wanted.every(id => this.seenOf(id).includes(this.versions.get(id) ?? 0)),
      600_000
    )
  }

  /** The versions of an item in the order in which they were seen. */
  seenOf(id: string): (number | undefined)[] {
    return this.seen.flatMap(each => (each.id === id && each.eventName !== 'REMOVE' ? [each.version] : []))
  }

  /** Every version of every item was seen, once and in order. */
  expectAllOnce(): void {
    for (const [id, version] of this.versions) {
      expect(this.seenOf(id), id).to.deep.equal(Array.from({ length: version }, (_, index) => index + 1))
    }
  }

  events<Name extends WorkerEventName>(name: Name): WorkerEvents[Name][] {
    return this.heard.flatMap(each => (each.name === name ? [each.event as WorkerEvents[Name]] : []))
  }

  async leases() {
    return (await this.store.list({ consistent: true })).leases
  }
}
