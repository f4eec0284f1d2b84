// One shard read by a PollingRetriever in virtual time.
import type { IteratorStart } from '../../src/kinesis/kinesis-port.ts'
import type { RecordsAnswer } from '../../src/model/records-answer.ts'
import { ByteBudget, type ByteBudgetOptions } from '../../src/retrieval/byte-budget.ts'
import { PollingRetriever, type PollingRetrieverOptions } from '../../src/retrieval/polling-retriever.ts'
import type { ReadStart } from '../../src/retrieval/read-rules.ts'
import type { ReadReport, Retrieved, RetrievedRecords } from '../../src/retrieval/retriever.ts'
import { ShardPaces } from '../../src/retrieval/shard-paces.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { type FakeCall, FakeKinesis, type FakeKinesisOptions } from '../../src/testing/fake-kinesis.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { shardId } from '../support/builders.ts'

export const STREAM = 'orders'
export const SHARD = shardId(0)
export const SIX_MINUTES = 360_000

/** What a retriever of a world is like. */
export interface RetrieverWorldOptions
  extends Partial<Pick<PollingRetrieverOptions, 'maxRecords' | 'listener'>>,
    Partial<ByteBudgetOptions> {
  /** Milliseconds; default 1,000. */
  readonly idleMs?: number
  /** Whether records are given back as soon as they were handed on. Default true. */
  readonly isSettledAtOnce?: boolean
}

/** A retriever on a stream of one shard, and what passes between them. */
export class RetrieverWorld {
  readonly clock = new VirtualClock()
  readonly kinesis: FakeKinesis
  readonly calls: (FakeCall & { atMs: number })[] = []
  readonly reports: ReadReport[] = []
  readonly retries: { error: unknown; retryInMs: number }[] = []
  /** What a call meets before it is carried out. */
  fault: (call: FakeCall) => void | Promise<void> = () => {}
  readonly budget: ByteBudget
  readonly retriever: PollingRetriever
  /** What was handed on, and not yet given back. */
  readonly unsettled: RetrievedRecords[] = []
  readonly #isSettledAtOnce: boolean

  constructor(
    start: ReadStart | ((world: RetrieverWorld) => ReadStart) = { type: 'TRIM_HORIZON' },
    options: RetrieverWorldOptions = {},
    kinesisOptions: Omit<FakeKinesisOptions, 'clock'> = { enforceLimits: true },
    /** What becomes of an answer on its way. */
    changed: (answer: RecordsAnswer, iterator: string) => RecordsAnswer = answer => answer
  ) {
    this.kinesis = new FakeKinesis({ clock: this.clock, ...kinesisOptions })
    this.kinesis.createStream(STREAM)
    this.kinesis.intercept = call => {
      this.calls.push({ ...call, atMs: this.clock.monotonicMs() })
      return this.fault(call)
    }
    const port = this.kinesis.port(STREAM)
    const { maxRecords = 1_000, idleMs = 1_000, maxBytes = 2 ** 30, maxShardBytes = 2 ** 25 } = options
    const { clock } = this
    const random = seededRandom(1)
    this.budget = new ByteBudget({ maxBytes, maxShardBytes })
    this.#isSettledAtOnce = options.isSettledAtOnce ?? true
    this.retriever = new PollingRetriever({
      kinesis: {
        ...port,
        streamName: port.streamName,
        getRecords: async (iterator, readOptions) => changed(await port.getRecords(iterator, readOptions), iterator)
      },
      shardId: SHARD,
      start: typeof start === 'function' ? start(this) : start,
      maxRecords,
      pace: new ShardPaces({ idleMs, otherApplications: 0, clock, random }).open(SHARD),
      allowance: this.budget.open(),
      clock,
      random,
      listener: options.listener ?? {
        onRead: report => this.reports.push(report),
        onRetry: (error, retryInMs) => this.retries.push({ error, retryInMs })
      }
    })
  }

  put(...texts: readonly string[]): string[] {
    return texts.map(text => this.kinesis.put(STREAM, 'key', text).sequenceNumber)
  }

  /** The texts of the next records, or `end`; time passes until there are some. */
  async next(signal = new AbortController().signal): Promise<string> {
    let retrieved: Retrieved | undefined
    let failure: unknown
    this.retriever.next(signal).then(
      value => {
        retrieved = value
      },
      error => {
        failure = error
      }
    )
    await this.clock.advanceUntil(() => retrieved !== undefined || failure !== undefined, SIX_MINUTES)
    if (failure !== undefined) throw failure
    if (retrieved?.kind !== 'records') return 'end'
    if (this.#isSettledAtOnce) retrieved.release()
    else this.unsettled.push(retrieved)
    return textsOf(retrieved)
  }

  names(): string[] {
    return this.calls.map(({ name }) => name)
  }

  starts(): (IteratorStart | undefined)[] {
    return this.calls.filter(({ name }) => name === 'getShardIterator').map(({ start }) => start)
  }
}

function textsOf({ records }: RetrievedRecords): string {
  return records.map(({ data }) => new TextDecoder().decode(data)).join(' ')
}
