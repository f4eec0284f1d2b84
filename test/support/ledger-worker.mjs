// A worker process that writes down what it is given and what it has checkpointed, each before it goes on. Plain
// JavaScript on the built package, so that it starts as quickly as a user's process would.
import { openSync, writeSync } from 'node:fs'
import { RecordProcessor, silentLogger, Worker } from '../../dist/index.js'

const { LEDGER, STREAM, APPLICATION, LEASE_MS } = process.env
const ledger = openSync(LEDGER, 'a')
const note = entry => writeSync(ledger, `${JSON.stringify(entry)}\n`)

class Ledger extends RecordProcessor {
  async processRecords({ records, checkpointer, shardId }) {
    // hrtime is the same clock in every process of a machine.
    note({
      at: String(process.hrtime.bigint()),
      shardId,
      given: records.map(record => [record.partitionKey, record.text()])
    })
    // Work takes time: a kill is to meet it half-way now and then, too.
    await new Promise(resolve => setTimeout(resolve, Math.random() * 150))
    await checkpointer.checkpoint()
    note({ at: String(process.hrtime.bigint()), shardId, stored: records.map(record => record.text()) })
  }
}

const worker = new Worker({
  streamName: STREAM,
  applicationName: APPLICATION,
  startAt: 'TRIM_HORIZON',
  leases: { durationMs: Number(LEASE_MS) },
  retrieval: { idleMs: 200, maxRecords: 100 },
  shardSyncIntervalMs: 2_000,
  logger: process.env.VERBOSE ? undefined : silentLogger,
  processor: () => new Ledger()
})
worker.on('error', ({ error, during }) => note({ error: error.message, during }))
worker.on('lease:taken', ({ shardId, why }) => note({ at: String(process.hrtime.bigint()), taken: shardId, why }))
process.on('disconnect', () => process.exit(3))
process.once('SIGTERM', () => {
  worker.stop({ graceMs: 5_000 }).then(() => process.exit(0))
})
worker.finished.catch(error => {
  note({ error: error.message, during: 'run' })
  process.exit(1)
})
await worker.start()
process.send?.('started')
