// One worker of the demo, as a process of its own: a subclass of RecordProcessor, a Worker, and messages to the parent.
import { setTimeout as sleep } from 'node:timers/promises'
import { type ConsumedRecord, type ProcessRecordsInput, RecordProcessor, Worker } from 'millrace'
import { dieWithParent } from '../support/die-with-parent.ts'
import { parseRequest } from './access-log.ts'
import { type LedgerRow, openLedger } from './ledger.ts'
import type { ParentMessage, ShownEvent, WorkerAssignment, WorkerMessage } from './messages.ts'

/** How long the work on one record is made to take, so that there is something to see and to interrupt. */
const WORK_MS = 4
const WORK_AT_ONCE = 8

dieWithParent()
const assignment = JSON.parse(process.argv[2] ?? '') as WorkerAssignment
const appendToLedger = openLedger(assignment.ledgerFile)

/** Counts requests, bytes and errors per path: one row a request, which outlives this process, where a sum would not. */
class RequestCounter extends RecordProcessor {
  async processRecords({ records, shardId, checkpointer, signal }: ProcessRecordsInput): Promise<void> {
    for (let from = 0; from < records.length; from += WORK_AT_ONCE) {
      const some = records.slice(from, from + WORK_AT_ONCE)
      await sleep(some.length * WORK_MS)
      if (signal.aborted) return // the lease is gone: whoever has it now gets these records again
      const rows = some.map(rowOf)
      appendToLedger(rows)
      tell({ kind: 'processed', shardId, rows, left: records.length - from - rows.length })
    }
    await checkpointer.checkpoint()
  }
}

function rowOf(record: ConsumedRecord): LedgerRow {
  const text = record.text()
  const tab = text.indexOf('\t')
  const request = parseRequest(text.slice(tab + 1))
  return { at: String(process.hrtime.bigint()), line: Number(text.slice(0, tab)), ...request }
}

function tell(message: WorkerMessage): void {
  if (process.connected) process.send?.(message)
}

const worker = new Worker({
  streamName: assignment.streamName,
  applicationName: assignment.applicationName,
  workerId: assignment.workerId,
  startAt: 'TRIM_HORIZON',
  retrieval: { idleMs: 250, maxRecords: 50 }, // small batches: what is processed twice after a kill is at most one of them
  leases: { durationMs: assignment.leaseDurationMs },
  processor: () => new RequestCounter()
})

const SHOWN: readonly ShownEvent[] = [
  'lease:taken',
  'lease:revoked',
  'lease:released',
  'lease:lost',
  'shard:started',
  'shard:ended'
]
for (const name of SHOWN) {
  worker.on(name, event => {
    const why = 'why' in event ? { why: event.why } : 'because' in event ? { why: event.because } : {}
    tell({ kind: 'event', name, shardId: event.shardId, atNs: String(process.hrtime.bigint()), ...why })
  })
}
worker.on('worker:started', () => tell({ kind: 'started' }))
worker.on('processor:failed', ({ error }) => tell({ kind: 'problem', text: error.message }))
worker.on('error', ({ error, during }) => tell({ kind: 'problem', text: `${during}: ${error.message}` }))

process.on('message', (message: ParentMessage) => {
  if (message === 'stop') worker.stop({ graceMs: 5_000 }).then(() => process.disconnect())
})

await worker.start()
await worker.finished
