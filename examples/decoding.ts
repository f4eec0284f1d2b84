// Orders as a schema has them: each record is validated before the code is called, and its value has the type of the schema. What
// is no order goes to dead letters, which are printed here, and the others go on.
// Run: STREAM_NAME=orders node --import tsx examples/decoding.ts
import { Worker } from 'millrace'
import { z } from 'zod'

const order = z.object({ orderId: z.string(), cents: z.number().int() })

const worker = new Worker({
  streamName: process.env.STREAM_NAME ?? 'orders',
  applicationName: 'order-totals', // also the name of the lease table
  startAt: 'TRIM_HORIZON',
  decode: order, // a schema of zod, valibot or arktype, a function, or glueSchemaRegistry()
  deadLetters: letters => {
    for (const { sequenceNumber, error } of letters) console.log(`letter ${sequenceNumber} ${error.message}`)
  },
  // record.value is { orderId: string, cents: number }
  each: ({ value }, { shardId }) => console.log(`order ${shardId} ${value.orderId} ${(value.cents / 100).toFixed(2)}`)
})

worker
  .on('worker:started', () => console.log('started'))
  .on('record:undecodable', ({ shardId, records, reason }) =>
    console.log(`undecodable ${shardId} ${records} ${reason}`)
  )

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void worker.stop())
}

await worker.start()
await worker.finished // resolves when stopped; rejects with the error that ended it
