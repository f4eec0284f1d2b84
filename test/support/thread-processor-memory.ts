// A processor that keeps the numbers of records in memory and stores them before it checkpoints, which is now and then; and that
// fails, or ends its thread, whenever it is given some of them. For tests.
import { workerData } from 'node:worker_threads'
import {
  type ProcessRecordsInput,
  RecordProcessor,
  type ShutdownRequestedInput
} from '../../src/processor/record-processor.ts'

/** What the threads are given. */
export interface MemoryData {
  /** How often each number was processed, and kept in memory. Int32s. */
  readonly kept: SharedArrayBuffer
  /** How often each number was stored. Int32s. */
  readonly stored: SharedArrayBuffer
  readonly exitAt: readonly number[]
  readonly throwAt: readonly number[]
  /** A checkpoint after so many batches. */
  readonly every: number
}

// They are absent where this file is imported for its types.
const {
  kept = new SharedArrayBuffer(4),
  stored = new SharedArrayBuffer(4),
  exitAt = [],
  throwAt = [],
  every = 1
} = Object(workerData) as Partial<MemoryData>

export const processor = (): RecordProcessor => new Remembering()

class Remembering extends RecordProcessor {
  readonly #kept: number[] = []
  #batches = 0

  override async processRecords({ records, checkpointer }: ProcessRecordsInput): Promise<void> {
    const numbers = records.map(record => Number(record.text()))
    if (numbers.some(number => exitAt.includes(number))) process.exit(5)
    if (numbers.some(number => throwAt.includes(number))) throw new Error('one of them is bad')
    this.#kept.push(...numbers)
    for (const number of numbers) Atomics.add(new Int32Array(kept), number, 1)
    if (++this.#batches % every === 0) await this.#store(() => checkpointer.checkpoint())
  }

  override shutdownRequested({ checkpointer }: ShutdownRequestedInput): Promise<void> {
    return this.#store(() => checkpointer.checkpoint())
  }

  async #store(checkpoint: () => Promise<void>): Promise<void> {
    for (const number of this.#kept.splice(0)) Atomics.add(new Int32Array(stored), number, 1)
    await checkpoint()
  }
}
