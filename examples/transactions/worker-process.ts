// One worker, as a process of its own, which may be killed at any moment.
import { Worker } from 'millrace'
import { dieWithParent } from '../support/die-with-parent.ts'
import { AccountStore } from './account-store.ts'
import { AccountTotals, NaiveTotals, type Told } from './account-totals.ts'
import type { ParentMessage, WorkerAssignment, WorkerMessage } from './messages.ts'

dieWithParent()
const assignment = JSON.parse(process.argv[2] ?? '') as WorkerAssignment
let isToDie = false
const store = new AccountStore(assignment.databaseFile)

function tell(message: WorkerMessage): void {
  if (process.connected) process.send?.(message)
}

const told: Told = {
  loaded(leased, loaded) {
    const isSame =
      loaded?.sequenceNumber === leased.sequenceNumber && loaded.subSequenceNumber === leased.subSequenceNumber
    tell({ kind: 'loaded', isAhead: loaded !== undefined && !isSame })
  },
  committed() {
    if (isToDie) process.kill(process.pid, 'SIGKILL')
  }
}

const worker = new Worker({
  streamName: assignment.streamName,
  applicationName: assignment.applicationName,
  workerId: assignment.workerId,
  startAt: 'TRIM_HORIZON',
  retrieval: { idleMs: 200, maxRecords: 25 }, // small batches: many commits, of which each can be cut short
  leases: { durationMs: assignment.leaseDurationMs },
  processor: () => (assignment.naive ? new NaiveTotals(store, told) : new AccountTotals(store, told))
})
worker.on('worker:started', () => tell({ kind: 'started' }))
worker.on('processor:failed', ({ error }) => tell({ kind: 'problem', text: error.message }))
worker.on('shard:halted', ({ shardId }) => tell({ kind: 'problem', text: `${shardId} is halted` }))

process.on('message', (message: ParentMessage) => {
  if (message === 'die') isToDie = true
  if (message === 'stop') worker.stop({ graceMs: 5_000 }).then(() => process.disconnect())
})

await worker.start()
await worker.finished
