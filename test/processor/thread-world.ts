// A pool of threads, and calls of its processors, for tests.
import type { Checkpointer } from '../../src/checkpoint/checkpointer.ts'
import { ConsumedRecord, type KinesisRecord } from '../../src/model/record.ts'
import type { ExtendedSequenceNumber } from '../../src/model/sequence-number.ts'
import type { InitializeInput, ProcessRecordsInput } from '../../src/processor/record-processor.ts'
import { type ResolvedThreads, type ThreadDeath, ThreadPool } from '../../src/processor/thread-pool.ts'
import type { ThreadProcessor } from '../../src/processor/thread-processor.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { NAMES } from '../support/builders.ts'

const MODULE = new URL('../support/thread-processor.ts', import.meta.url)

/** What a thread tells about a batch. */
export interface Report {
  readonly shardId: string
  readonly failures: number
  readonly fencingToken: number
  readonly millisBehindLatest: number
  readonly isAborted: boolean
  readonly seen: readonly { readonly data: string; readonly partitionKey: string; readonly sequenceNumber: string }[]
  readonly threadId: number
  readonly workerData: unknown
  readonly data: unknown
  readonly told: unknown
}

/** Records with these payloads, all of them in one buffer of their own that they fill; and as they were read. */
export function aBatch(...texts: readonly string[]): { records: ConsumedRecord[]; read: KinesisRecord[] } {
  const bytes = texts.map(text => new TextEncoder().encode(text))
  const memory = new Uint8Array(bytes.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  const read = bytes.map((each, index) => {
    memory.set(each, at)
    const data = memory.subarray(at, at + each.length)
    at += each.length
    return { sequenceNumber: String(index + 1), partitionKey: `key-${index}`, data }
  })
  return {
    read,
    records: read.map(record => new ConsumedRecord({ ...record, subSequenceNumber: 0, aggregated: false }))
  }
}

/** A checkpointer that grants everything, and what it was asked. */
export class Asked implements Checkpointer {
  readonly checkpoints: (ExtendedSequenceNumber | undefined)[] = []
  /** The sequence numbers that the call has settled on their own. */
  readonly settled: string[] = []
  readonly reports: Report[] = []
  readonly made: string[] = []
  readonly #refusal: Error | undefined

  /** @param refusal what checkpoints are refused with */
  constructor(refusal?: Error) {
    this.#refusal = refusal
  }

  async checkpoint(at?: ExtendedSequenceNumber): Promise<void> {
    if (this.#refusal !== undefined) throw this.#refusal
    this.checkpoints.push(at)
  }

  async prepareCheckpoint(at?: ExtendedSequenceNumber, state?: Uint8Array) {
    const text = new TextDecoder().decode(state)
    if (at === undefined) this.reports.push(JSON.parse(text))
    const checkpoint = async (): Promise<void> => void this.made.push(text)
    return { position: at ?? { sequenceNumber: '1', subSequenceNumber: 0 }, checkpoint }
  }
}

/** A pool, whose threads end with {@link close}. */
export class ThreadWorld {
  readonly deaths: ThreadDeath[] = []
  readonly pool: ThreadPool

  constructor(threads: Partial<ResolvedThreads> = {}) {
    this.pool = new ThreadPool({
      threads: { module: MODULE, count: 1, data: undefined, maxHeapMb: undefined, ...threads },
      clock: systemClock,
      random: seededRandom(1),
      died: death => void this.deaths.push(death)
    })
  }

  /** A processor that has begun. */
  async begun(shardId = 'shard', input: Partial<InitializeInput> = {}): Promise<ThreadProcessor> {
    const processor = this.pool.processor()
    await processor.initialize(anInitialization(shardId, input))
    return processor
  }

  close(): Promise<void> {
    return this.pool.close()
  }
}

/** What `initialize` is given. */
export function anInitialization(shardId: string, input: Partial<InitializeInput> = {}): InitializeInput {
  const { signal } = new AbortController()
  const checkpoint = { checkpoint: undefined, subSequenceNumber: 0, pendingCheckpoint: undefined }
  return { shardId, ...NAMES, ...checkpoint, fencingToken: 5, signal, ...input }
}

/** What `processRecords` is given. */
export function aCall(
  records: readonly ConsumedRecord[],
  input: Partial<ProcessRecordsInput> = {}
): ProcessRecordsInput & { checkpointer: Asked } {
  const { signal } = new AbortController()
  const checkpointer = (input.checkpointer as Asked | undefined) ?? new Asked()
  const settle = ({ sequenceNumber }: ExtendedSequenceNumber): void => void checkpointer.settled.push(sequenceNumber)
  const told = { shardId: 'shard', ...NAMES, millisBehindLatest: 7, failures: 0, fencingToken: 5 }
  return { ...told, settle, signal, records, ...input, checkpointer }
}

/** What a promise rejects with. */
export function failureOf(work: Promise<unknown>): Promise<Error> {
  return work.then(
    () => {
      throw new Error('did not fail')
    },
    error => error
  )
}
