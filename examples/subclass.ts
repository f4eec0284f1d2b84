// A subclass of RecordProcessor: for work that has a beginning, an end, or something to keep between batches.
// Run: STREAM_NAME=orders node --import tsx examples/subclass.ts
import {
  type InitializeInput,
  type ProcessRecordsInput,
  RecordProcessor,
  type ShardEndedInput,
  type ShutdownRequestedInput,
  Worker
} from 'millrace'

/** Counts the records of each partition key in one shard. One instance is made for every shard that is leased. */
class KeyCounter extends RecordProcessor {
  readonly #counts = new Map<string, number>()

  override initialize({ shardId, checkpoint }: InitializeInput): void {
    console.log(`start ${shardId} ${checkpoint ?? 'from the beginning'}`)
  }

  async processRecords({ records, shardId, checkpointer, signal }: ProcessRecordsInput): Promise<void> {
    for (const record of records) {
      if (signal.aborted) return // the lease is gone: whoever has it now gets these records again
      this.#counts.set(record.partitionKey, (this.#counts.get(record.partitionKey) ?? 0) + 1)
      console.log(`record ${shardId} ${record.partitionKey} ${record.text()}`)
    }
    await checkpointer.checkpoint() // everything this processor was given so far
  }

  override async shardEnded({ shardId, checkpointer }: ShardEndedInput): Promise<void> {
    this.#report(shardId)
    await checkpointer.checkpoint()
  }

  override async shutdownRequested({ shardId, checkpointer }: ShutdownRequestedInput): Promise<void> {
    this.#report(shardId)
    await checkpointer.checkpoint()
  }

  override leaseLost(): void {
    this.#counts.clear() // another worker has the shard: nothing may be checkpointed any more
  }

  #report(shardId: string): void {
    for (const [key, count] of this.#counts) console.log(`count ${shardId} ${key} ${count}`)
  }
}

const worker = new Worker({
  streamName: process.env.STREAM_NAME ?? 'orders',
  applicationName: 'key-counter', // also the name of the lease table
  startAt: 'TRIM_HORIZON',
  processor: () => new KeyCounter()
})

worker.on('worker:started', () => console.log('started'))
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void worker.stop())
}

await worker.start()
await worker.finished // resolves when stopped; rejects with the error that ended it
