// A plain function: returning means done, and the batch is checkpointed; throwing means again.
// Run: STREAM_NAME=orders node --import tsx examples/handler.ts
import { Worker } from 'millrace'

const worker = new Worker({
  streamName: process.env.STREAM_NAME ?? 'orders',
  applicationName: 'order-printer', // also the name of the lease table
  startAt: 'TRIM_HORIZON',
  handler: (records, { shardId, millisBehindLatest }) => {
    for (const record of records) console.log(`record ${shardId} ${record.partitionKey} ${record.text()}`)
    if (millisBehindLatest > 60_000) console.warn(`${shardId} is more than a minute behind`)
  },
  onProcessorError: { attempts: 5 } // after the fifth this shard is halted, and the others go on
})

worker
  .on('worker:started', () => console.log('started'))
  .on('lease:taken', ({ shardId, why }) => console.log(`lease ${shardId} ${why}`))
  .on('processor:failed', ({ shardId, error, attempt, retryInMs }) =>
    console.error(`${shardId}: attempt ${attempt} failed, again in ${retryInMs} ms`, error)
  )

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void worker.stop())
}

await worker.start()
await worker.finished // resolves when stopped; rejects with the error that ended it
