// A world of several streams and one lease table in virtual time, and workers that read all of them. What is delivered is
// written down by stream, shard and text.
import { memoryLeaseStore, silentLogger, Worker, type WorkerEventName, type WorkerOptions } from '../../src/index.ts'
import type { LeaseStore } from '../../src/leases/lease-store.ts'
import { ServiceError } from '../../src/model/errors.ts'
import type { ConsumedRecord } from '../../src/model/record.ts'
import type { HandlerContext } from '../../src/processor/handler-processor.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { type FakeCall, FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { WORKER_EVENT_NAMES } from '../../src/worker/events.ts'

export class StreamsWorld {
  readonly clock = new VirtualClock()
  readonly kinesis = new FakeKinesis({ clock: this.clock })
  readonly table = memoryLeaseStore()
  readonly store: LeaseStore
  readonly workers: Worker[] = []
  /** Lines such as `orders shardId-000000000000 text`. */
  readonly delivered: string[] = []
  /** Lines such as `w1 stream:added orders`. */
  readonly told: string[] = []
  readonly calls: FakeCall[] = []
  /** How often the table was listed as a whole. */
  listings = 0
  #records = 0

  constructor() {
    this.kinesis.intercept = call => void this.calls.push(call)
    const list: LeaseStore['list'] = options => {
      this.listings += 1
      return this.table.list(options)
    }
    this.store = { ...this.table, list }
  }

  readonly handler = (records: readonly ConsumedRecord[], { streamName, shardId }: HandlerContext): void => {
    for (const record of records) this.delivered.push(`${streamName} ${shardId} ${record.text()}`)
  }

  /** A worker that is not started. Options that are not given are those of an application that begins at the oldest record. */
  make(options: object): Worker {
    const workerId = `w${this.workers.length + 1}`
    const code = 'handler' in options || 'processor' in options ? {} : { handler: this.handler }
    const given = {
      applicationName: 'app',
      workerId,
      startAt: 'TRIM_HORIZON',
      logger: silentLogger,
      ...code,
      ...options
    }
    const nameOf = (stream: object): string => {
      const name: string = Reflect.get(stream, 'streamName') ?? Reflect.get(stream, 'streamArn')
      return name.slice(name.lastIndexOf('/') + 1)
    }
    const worker = new Worker(given as WorkerOptions, {
      clock: this.clock,
      random: seededRandom(this.workers.length + 1),
      kinesisOf: stream => this.kinesis.port(nameOf(stream)),
      fanOutOf: stream => this.kinesis.fanOut(nameOf(stream)),
      store: this.store,
      control: this.table.control
    })
    for (const name of WORKER_EVENT_NAMES.filter(name => name.startsWith('stream:'))) {
      worker.on(name as 'stream:added', event => this.#tell(workerId, name, event))
    }
    worker.on('error', ({ error, during }) => this.told.push(`${workerId} error ${during}: ${error.message}`))
    this.workers.push(worker)
    return worker
  }

  #tell(workerId: string, name: WorkerEventName, event: object): void {
    const { streamName, why, leases, during } = event as Record<string, unknown>
    this.told.push([workerId, name, streamName, why, leases, during].filter(word => word !== undefined).join(' '))
  }

  async start(options: object): Promise<Worker> {
    const worker = this.make(options)
    await this.over(worker.start())
    return worker
  }

  /** Has calls about a stream fail, until that is ended: they are not allowed, or, of consumers, have no answer. */
  fail(streamName: string, ...names: FakeCall['name'][]): { readonly end: (name: FakeCall['name']) => void } {
    const failing = new Set(names)
    this.kinesis.intercept = call => {
      this.calls.push(call)
      if (call.streamName !== streamName || !failing.has(call.name)) return
      if (call.name === 'describeConsumer') throw new ServiceError('timeout', 'No answer', { retryable: true })
      throw new ServiceError('access-denied', 'Not allowed', { retryable: false })
    }
    return { end: name => void failing.delete(name) }
  }

  /** Lets virtual time pass until `work` is over. */
  async over<T>(work: Promise<T>): Promise<T> {
    let isOver = false
    const end = (): void => {
      isOver = true
    }
    work.then(end, end)
    await this.clock.advanceUntil(() => isOver, 600_000)
    return work
  }

  /** Puts records that spread over the shards of a stream. */
  put(streamName: string, count: number): string[] {
    return Array.from({ length: count }, () => {
      const text = `r${++this.#records}`
      this.kinesis.put(streamName, text, text)
      return text
    })
  }

  /** What of a stream was delivered, in the order of the numbers. */
  textsOf(streamName: string): string[] {
    const lines = this.delivered.filter(line => line.startsWith(`${streamName} `))
    const texts = lines.map(line => line.split(' ')[2] ?? '')
    return texts.sort((a, b) => Number(a.slice(1)) - Number(b.slice(1)))
  }

  async rows(): Promise<readonly string[]> {
    const { leases } = await this.table.list()
    return leases.map(({ leaseKey }) => leaseKey).sort()
  }

  /** How many rows the table has of each stream, by name. */
  async rowsByStream(): Promise<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (const key of await this.rows()) {
      const name = key.split(':')[1] ?? key
      counts[name] = (counts[name] ?? 0) + 1
    }
    return counts
  }

  async stop(): Promise<void> {
    await this.over(Promise.all(this.workers.map(worker => worker.stop())))
  }
}
