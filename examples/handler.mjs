// The same in plain JavaScript, without a build step.
// Run: STREAM_NAME=orders node examples/handler.mjs
import { Worker } from 'millrace'

const worker = new Worker({
  streamName: process.env.STREAM_NAME ?? 'orders',
  applicationName: 'order-printer-js', // also the name of the lease table
  startAt: 'TRIM_HORIZON',
  handler: async (records, { shardId }) => {
    for (const record of records) console.log(`record ${shardId} ${record.partitionKey} ${record.text()}`)
  }
})

worker.on('worker:started', () => console.log('started'))
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => worker.stop())

await worker.start()
await worker.finished // resolves when stopped; rejects with the error that ended it
