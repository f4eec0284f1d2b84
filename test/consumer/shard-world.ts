// A stream, a lease table, a session and a consumer of one shard in virtual time, with everything between them real.
import { ShardConsumer, type ShardConsumerOptions } from '../../src/consumer/shard-consumer.ts'
import type { ShardListener } from '../../src/consumer/shard-listener.ts'
import { aggregate } from '../../src/kpl/aggregate.ts'
import { DeaggregationRoom } from '../../src/kpl/deaggregate.ts'
import type { FleetMode } from '../../src/leases/control-store.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import { Tenure } from '../../src/leases/tenure.ts'
import { ProcessorError } from '../../src/model/errors.ts'
import { claimed, isFinished, type Lease, newLease } from '../../src/model/lease.ts'
import { formatPosition, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import type { ChildShard } from '../../src/model/shard.ts'
import {
  type InitializeInput,
  type LeaseLostInput,
  type ProcessRecordsInput,
  type ProcessRecordsOutcome,
  RecordProcessor,
  type ShardEndedInput,
  type ShutdownRequestedInput
} from '../../src/processor/record-processor.ts'
import { ByteBudget } from '../../src/retrieval/byte-budget.ts'
import { PollingRetriever } from '../../src/retrieval/polling-retriever.ts'
import { startOf } from '../../src/retrieval/read-rules.ts'
import { ShardPaces } from '../../src/retrieval/shard-paces.ts'
import { type Loop, startLoop } from '../../src/runtime/loop.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import type { ShardEndOutcome } from '../../src/shards/shard-syncer.ts'
import { FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aFailurePolicy, NAMES, shardId } from '../support/builders.ts'
import { flakyStore } from '../support/flaky-store.ts'
import { Heart } from '../support/heart.ts'

export const STREAM = 'orders'
/** Mixed mode: how long a lease counts as held without a write, and how often it is renewed. */
const LEASE_MS = 8_000
const RENEW_MS = 2_000

/** What a test has the processor do. What is left out is done as RecordProcessor does it; every batch is checkpointed. */
export interface Script {
  initialize?(input: InitializeInput): void | Promise<void>
  processRecords?(input: ProcessRecordsInput): ReturnType<RecordProcessor['processRecords']>
  leaseLost?(input: LeaseLostInput): void | Promise<void>
  shardEnded?(input: ShardEndedInput): void | Promise<void>
  shutdownRequested?(input: ShutdownRequestedInput): void | Promise<void>
}

/** Writes down what is called and when it returns or throws, and whether two calls ever overlap. */
class ScriptedProcessor extends RecordProcessor {
  readonly #script: Script
  readonly #log: string[]
  #running = 0

  constructor(script: Script, log: string[]) {
    super()
    this.#script = script
    this.#log = log
  }

  override initialize(input: InitializeInput): Promise<void> {
    return this.#run('initialize', () => this.#script.initialize?.(input))
  }

  override processRecords(input: ProcessRecordsInput): Promise<ProcessRecordsOutcome> {
    const { processRecords = ({ checkpointer }) => checkpointer.checkpoint() } = this.#script
    return this.#run(`records ${input.records.map(record => record.text()).join(' ')}`, () => processRecords(input))
  }

  override leaseLost(input: LeaseLostInput): Promise<void> {
    return this.#run('leaseLost', () => this.#script.leaseLost?.(input))
  }

  override shardEnded(input: ShardEndedInput): Promise<void> {
    const { shardEnded = () => super.shardEnded(input) } = this.#script
    return this.#run('shardEnded', () => shardEnded(input))
  }

  override shutdownRequested(input: ShutdownRequestedInput): Promise<void> {
    const { shutdownRequested = () => super.shutdownRequested(input) } = this.#script
    return this.#run('shutdownRequested', () => shutdownRequested(input))
  }

  async #run<T>(what: string, work: () => T | Promise<T>): Promise<T> {
    this.#log.push(what)
    if (++this.#running > 1) this.#log.push(`${what} OVERLAPS`)
    try {
      return await work()
    } catch (error) {
      this.#log.push(`${what} threw`)
      throw error
    } finally {
      this.#running -= 1
    }
  }
}

export interface Running {
  readonly consumer: ShardConsumer
  readonly tenure: Tenure
  /** Calls of the processor, and in between what the consumer tells: `> halted` for a state, `! ...` for a failure. */
  readonly log: string[]
  /** Calls of the processor only. */
  calls(): string[]
  /** What the processor was given, in order, with repetitions. */
  delivered(): string[]
  isDone(): boolean
  /** Neither renews nor looks at its session any more, as a worker that is asleep. */
  fallAsleep(): void
}

/** Options of the consumer that are not as always, and those of what it is given. */
export interface RunOptions extends Partial<ShardConsumerOptions> {
  readonly maxRecords?: number
  readonly batchProcessed?: ShardListener['batchProcessed']
}

export class ShardWorld {
  readonly clock = new VirtualClock()
  /** Of the session that all tenures here belong to: proved, unless told otherwise. */
  readonly heart = new Heart(this.clock)
  readonly kinesis: FakeKinesis
  readonly table = memoryLeaseStore()
  readonly store = flakyStore(this.table, this.clock)
  readonly #room = new DeaggregationRoom()
  readonly budget = new ByteBudget({ maxBytes: 2 ** 30, maxShardBytes: 2 ** 30 })
  readonly #paces = new ShardPaces({
    ...{ idleMs: 1_000, otherApplications: 0 },
    ...{ clock: this.clock, random: seededRandom(11) }
  })
  readonly #mode: FleetMode
  readonly #tenures: Tenure[] = []

  constructor(shardCount = 1, mode: FleetMode = 'mixed') {
    this.#mode = mode
    this.kinesis = new FakeKinesis({ clock: this.clock, enforceLimits: true })
    this.kinesis.createStream(STREAM, shardCount)
  }

  /** Puts plain records and returns their sequence numbers. */
  put(...texts: readonly string[]): string[] {
    return texts.map(text => this.kinesis.put(STREAM, 'key', text).sequenceNumber)
  }

  /** Puts one aggregated record and returns its sequence number. */
  putAggregate(...texts: readonly string[]): string {
    const records = texts.map(text => ({ partitionKey: 'key', data: new TextEncoder().encode(text) }))
    const { partitionKey, explicitHashKey, data } = aggregate(records)
    return this.kinesis.put(STREAM, partitionKey, data, { explicitHashKey }).sequenceNumber
  }

  /** Claims the lease of a shard, creating it if it is missing. */
  async claim(session = 'me', number = 0, with_: Partial<Lease> = {}): Promise<Tenure> {
    const id = shardId(number)
    await this.table.create({ ...newLease({ shardId: id, checkpoint: TRIM_HORIZON }), ...with_ })
    const row = (await this.table.get(id)) as Lease
    const lease = claimed(row, session)
    await this.table.replace(row, lease)
    const random = seededRandom(number + 1)
    const tenure = new Tenure(lease, this.clock.monotonicMs(), {
      store: this.store,
      session,
      proof: this.heart.proof,
      clock: this.clock,
      random,
      leaseValidMs: () => (this.#mode === 'mixed' ? LEASE_MS : Number.POSITIVE_INFINITY),
      ended: () => {}
    })
    this.#tenures.push(tenure)
    return tenure
  }

  /** The session is dead: everything that was held under it is lost. */
  die(): void {
    this.heart.lapse()
    for (const tenure of this.#tenures) tenure.abandon('the session is dead')
  }

  /** Starts a consumer, and looks after its lease and session as a worker does. */
  run(tenure: Tenure, script: Script = {}, given: RunOptions = {}): Running {
    const { maxRecords = 1_000, batchProcessed = () => {}, ...with_ } = given
    const log: string[] = []
    const options: ShardConsumerOptions = {
      tenure,
      stream: NAMES,
      processor: () => new ScriptedProcessor(script, log),
      openRetriever: (lease, told) =>
        new PollingRetriever({
          kinesis: this.kinesis.port(STREAM),
          shardId: lease.shardId,
          start: startOf(lease, undefined),
          maxRecords,
          pace: this.#paces.open(lease.shardId),
          allowance: this.budget.open(),
          clock: this.clock,
          random: seededRandom(7),
          listener: told
        }),
      parentsFinished: async lease => {
        const parents = await Promise.all(lease.parentShardIds.map(parent => this.table.get(parent)))
        return parents.every(parent => parent === undefined || isFinished(parent))
      },
      settleShardEnd: (_, children) => this.createChildren(children),
      policy: aFailurePolicy(),
      handlerTimeoutMs: 900_000,
      breaker: undefined,
      deadLettering: { destination: undefined, stream: STREAM, applicationName: 'app' },
      concurrency: undefined,
      batch: undefined,
      stallMs: 60_000,
      outOfRange: 'deliver',
      room: this.#room,
      clock: this.clock,
      random: seededRandom(3),
      listener: {
        moved: (_, to) => log.push(`> ${to}`),
        batchProcessed,
        processorFailed: (error, retryInMs) =>
          log.push(`! ${error.method} ${error.attempt} ${retryInMs !== undefined}`),
        gaveUp: error =>
          log.push(
            `! gave up ${error instanceof ProcessorError ? `${error.method} after ${error.attempt}` : error.message}`
          ),
        gaveUpRecords: ({ records, how }) => log.push(`! ${how} ${records}`),
        undecodable: ({ records, reason, action }) => log.push(`! undecodable ${records} ${reason} ${action}`),
        deadLetterFailed: (_, retryInMs) => log.push(`! letter ${retryInMs !== undefined}`),
        stalled: ({ waitingFor, action }) => log.push(`! stalled ${waitingFor} ${action}`),
        progressed: () => log.push('! progressed'),
        paused: () => log.push('! paused'),
        resumed: () => log.push('! resumed'),
        failed: ({ retryInMs }) => log.push(`! read ${retryInMs === undefined ? 'for good' : 'again'}`),
        read: () => {},
        modeChanged: () => {},
        oddRecords: ({ outOfRange, corrupt }) => log.push(`! odd ${outOfRange} ${corrupt}`),
        suppressed: () => {},
        checkpointed: () => {},
        ended: children => log.push(`! ended ${children.join(' ')}`)
      },
      ...with_
    }
    const consumer = new ShardConsumer(options)
    const care = this.#careFor(tenure)
    let isDone = false
    const stop = (): void => {
      isDone = true
      care.stop()
    }
    consumer.run().then(stop, error => {
      log.push(`! BROKE ${error}`)
      stop()
    })
    const calls = (): string[] => log.filter(line => !/^[>!]/.test(line))
    const delivered = (): string[] =>
      calls().flatMap(line => (/^records (?!.*(threw|OVERLAPS)$)/.test(line) ? line.split(' ').slice(1) : []))
    return { consumer, tenure, log, calls, delivered, isDone: () => isDone, fallAsleep: care.stop }
  }

  #careFor(tenure: Tenure): { stop(): void } {
    const { clock, heart } = this
    const every = (delayMs: () => number, run: () => Promise<void>): Loop =>
      startLoop({ clock, run, delayMs, onError: () => {} })
    const loops = [
      every(
        () => Math.max(10, heart.proof.remainingMs() > 0 ? Math.min(RENEW_MS, heart.proof.remainingMs()) : RENEW_MS),
        async () => void tenure.isValid()
      ),
      every(
        () => RENEW_MS,
        async () => (this.#mode === 'mixed' && !tenure.hasEnded ? tenure.renew() : undefined)
      )
    ]
    return {
      stop: () => {
        for (const loop of loops) void loop.stop()
      }
    }
  }

  async createChildren(children: readonly ChildShard[] | undefined): Promise<ShardEndOutcome> {
    if (children === undefined) return { kind: 'not-ended', because: 'no children' }
    for (const { shardId: id, parentShardIds, hashKeyRange } of children) {
      await this.table.create(
        newLease({ shardId: id, checkpoint: TRIM_HORIZON, parentShardIds, ...(hashKeyRange && { hashKeyRange }) })
      )
    }
    return { kind: 'ended', childShardIds: children.map(child => child.shardId) }
  }

  async row(number = 0): Promise<Lease> {
    return (await this.table.get(shardId(number))) as Lease
  }

  async checkpoint(number = 0): Promise<string> {
    return formatPosition((await this.row(number)).checkpoint)
  }

  /** Another session claims the lease, whatever the row says. */
  async steal(number = 0): Promise<void> {
    const row = await this.row(number)
    await this.table.replace(row, claimed(row, 'thief'))
  }

  async until(running: Running): Promise<void> {
    await this.clock.advanceUntil(running.isDone, 600_000)
  }
}

/** Something to wait for, and a way to let it go on. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open: () => void = () => {}
  const opened = new Promise<void>(resolve => {
    open = resolve
  })
  return { opened, open: () => open() }
}
