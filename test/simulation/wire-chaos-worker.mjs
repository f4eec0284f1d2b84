// One worker process of the chaos run. Writes down what it is given, what it has checkpointed and what becomes of its
// leases, each before it goes on. Plain JavaScript on the built package, so that it starts as a user's process would.
import { openSync, writeSync } from 'node:fs'
import { RecordProcessor, silentLogger, Worker } from '../../dist/index.js'

const { LEDGER, STREAM, APPLICATION, WORKER, IDLE_MS } = process.env
const GRACE_MS = 30_000
const WORK_MS = 150
const ledger = openSync(LEDGER, 'a')
let session

/** hrtime is the same clock in every process of a machine. */
function note(entry) {
  writeSync(ledger, `${JSON.stringify({ at: String(process.hrtime.bigint()), session, ...entry })}\n`)
}

class Ledger extends RecordProcessor {
  async processRecords({ records, checkpointer, shardId }) {
    note({ shardId, given: records.map(record => [record.partitionKey, record.text()]) })
    // Work takes time: a signal is to meet it half-way now and then, too.
    await new Promise(resolve => setTimeout(resolve, Math.random() * WORK_MS))
    await checkpointer.checkpoint()
    note({ shardId, stored: records.map(record => record.text()) })
  }
}

const worker = new Worker({
  streamName: STREAM,
  applicationName: APPLICATION,
  workerId: WORKER,
  startAt: 'TRIM_HORIZON',
  retrieval: { idleMs: Number(IDLE_MS), maxRecords: 1_000 },
  shardSyncIntervalMs: 5_000,
  logger: silentLogger,
  processor: () => new Ledger()
})

// What the terminal tells the whole group is left to the parent.
for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, () => {})
process.once('disconnect', () => process.exit(3))
process.once('SIGTERM', () => {
  worker.stop({ graceMs: GRACE_MS }).then(() => process.exit(0))
})
worker.finished.catch(error => {
  note({ error: error.message, during: 'run' })
  process.exit(1)
})

/** Shards of which the first read of the tenure is noted already. */
const read = new Set()
for (const event of ['lease:taken', 'lease:revoked', 'lease:released', 'lease:lost', 'shard:ended']) {
  worker.on(event, ({ shardId, why, because }) => {
    read.delete(shardId)
    note({ event, shardId, why: why ?? because })
  })
}
worker.on('shard:read', ({ shardId }) => {
  if (read.has(shardId)) return
  read.add(shardId)
  note({ event: 'shard:read', shardId })
})
worker.on('session:began', event => {
  session = event.session
  note({ event: 'session:began' })
})
worker.on('session:died', ({ how }) => note({ event: 'session:died', why: how }))
worker.on('session:suspended', () => note({ event: 'session:suspended' }))
worker.on('session:resumed', ({ afterMs }) => note({ event: 'session:resumed', why: String(afterMs) }))
worker.on('worker:stalled', ({ forMs }) => note({ event: 'worker:stalled', why: String(forMs) }))
worker.on('leader:elected', ({ term }) => note({ event: 'leader:elected', why: String(term) }))
worker.on('leader:deposed', ({ because }) => note({ event: 'leader:deposed', why: because }))
worker.on('fleet:member-died', event => note({ event: 'fleet:member-died', why: `${event.session} ${event.how}` }))
worker.on('fleet:planned', plan => note({ event: 'fleet:planned', why: JSON.stringify(plan) }))
worker.on('worker:stopped', ({ abandoned }) => note({ event: 'worker:stopped', why: abandoned.join(' ') }))
worker.on('processor:failed', ({ error }) => note({ error: error.message, during: 'process' }))
worker.on('error', ({ error, during }) => note({ error: error.message, during }))

await worker.start()
process.send?.('started')
