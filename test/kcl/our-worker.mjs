// One worker process of Millrace beside those of Java KCL. Writes down the same lines as they do, each before it goes on.
// Plain JavaScript on the built package, so that it starts as a user's process would.
import { openSync, writeSync } from 'node:fs'
import { RecordProcessor, silentLogger, Worker } from '../../dist/index.js'

const { LEDGER, STREAM, APPLICATION, WORKER, IDLE_MS, CHECKPOINT_EVERY, WORK_MS, DURATION_MS, VERBOSE } = process.env
const GRACE_MS = 30_000
const checkpointEvery = Number(CHECKPOINT_EVERY)
const ledger = openSync(LEDGER, 'a')

/** hrtime is the same clock in every process of a machine, be it Node.js or Java. */
function note(entry) {
  writeSync(ledger, `${JSON.stringify({ at: String(process.hrtime.bigint()), ...entry })}\n`)
}

class Ledger extends RecordProcessor {
  sinceCheckpoint = 0
  last

  initialize({ shardId, checkpoint, subSequenceNumber }) {
    this.shardId = shardId
    note({ event: 'began', shardId, position: [checkpoint ?? 'TRIM_HORIZON', subSequenceNumber] })
  }

  async processRecords({ records, checkpointer, shardId }) {
    const given = records.map(record => [
      record.partitionKey,
      record.text(),
      record.sequenceNumber,
      record.subSequenceNumber
    ])
    note({ shardId, given })
    // Work takes time: a signal is to meet it half-way now and then, too.
    await new Promise(resolve => setTimeout(resolve, Math.random() * Number(WORK_MS)))
    for (const record of records) {
      this.last = record
      this.sinceCheckpoint += 1
      if (this.sinceCheckpoint >= checkpointEvery) await this.store(checkpointer)
    }
  }

  leaseLost({ shardId }) {
    note({ event: 'lost', shardId })
  }

  async shardEnded({ shardId, checkpointer }) {
    await checkpointer.checkpoint()
    note({ event: 'ended', shardId })
  }

  async shutdownRequested({ shardId, checkpointer }) {
    note({ event: 'shutdown-requested', shardId })
    if (this.sinceCheckpoint > 0) await this.store(checkpointer)
  }

  async store(checkpointer) {
    const { sequenceNumber, subSequenceNumber } = this.last
    await checkpointer.checkpoint({ sequenceNumber, subSequenceNumber })
    this.sinceCheckpoint = 0
    note({ shardId: this.shardId, stored: [sequenceNumber, subSequenceNumber] })
  }
}

const worker = new Worker({
  streamName: STREAM,
  applicationName: APPLICATION,
  workerId: WORKER,
  startAt: 'TRIM_HORIZON',
  retrieval: { idleMs: Number(IDLE_MS), maxRecords: 1_000 },
  leases: { mode: 'mixed', durationMs: Number(DURATION_MS) },
  logger: VERBOSE === undefined ? silentLogger : undefined,
  processor: () => new Ledger()
})

// What the terminal tells the whole group is left to the parent.
for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, () => {})
process.once('disconnect', () => process.exit(3))
process.once('SIGTERM', () => {
  worker.stop({ graceMs: GRACE_MS }).then(() => {
    note({ event: 'stopped' })
    process.exit(0)
  })
})
worker.finished.catch(error => {
  note({ event: 'failed', why: error.message })
  process.exit(1)
})
const TOLD = [
  ...['lease:taken', 'lease:revoked', 'lease:released', 'lease:lost', 'lease:created', 'lease:removed', 'shard:ended'],
  ...['leader:elected', 'fleet:foreigners-found', 'fleet:planned', 'session:died', 'session:suspended'],
  ...['processor:failed', 'lease:row-skipped', 'lease:hole-found', 'error']
]
for (const event of TOLD) {
  worker.on(event, ({ shardId, error, ...about }) => {
    note({ event, shardId, why: JSON.stringify({ ...about, ...(error && { error: error.message }) }) })
  })
}
note({ event: 'process-started', why: WORKER })
await worker.start()
