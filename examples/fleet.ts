// The entry point of a fleet: as many of these processes as you like, on any machines, share the shards of a stream.
// Everything is read from the environment; what happens is told in JSON lines. SIGTERM hands the shards over and exits.
// Run: STREAM_NAME=orders APPLICATION_NAME=order-fleet node --import tsx examples/fleet.ts
import { type Handler, OptionError, type StartPosition, Worker, type WorkerEventName } from 'millrace'

/** What is done with the records: this is the part to replace. */
const handler: Handler = (records, { shardId }) => {
  for (const record of records) say('record', { shardId, partitionKey: record.partitionKey, text: record.text() })
}

const TOLD: readonly WorkerEventName[] = [
  'worker:started',
  'worker:stopping',
  'worker:stopped',
  'lease:taken',
  'lease:released',
  'lease:lost',
  'shard:started',
  'shard:ended',
  'shard:halted',
  'batch:processed'
]

try {
  await run()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = error instanceof OptionError ? 2 : 1
}

async function run(): Promise<void> {
  const graceMs = number('GRACE_MS', 0, 3_600_000) ?? 30_000
  const worker = makeWorker()
  for (const name of TOLD) worker.on(name, event => say(name, event))
  worker.on('error', ({ error, during }) => console.error(`${during}: ${error.code} ${error.message}`))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void worker.stop({ graceMs }))
  }
  await worker.start()
  await worker.finished
}

function makeWorker(): Worker {
  const workerId = text('WORKER_ID')
  const startAt = startPosition('START_AT')
  const idleMs = number('IDLE_MS', 200, 60_000)
  const maxRecords = number('MAX_RECORDS', 1, 10_000)
  const durationMs = number('LEASE_DURATION_MS', 1_000, 600_000)
  const maxLeases = number('MAX_LEASES', 1, 1_000_000)
  const shardSyncIntervalMs = number('SHARD_SYNC_INTERVAL_MS', 1_000, 3_600_000)
  // An option that is absent takes its default.
  return new Worker({
    streamName: required('STREAM_NAME'),
    applicationName: required('APPLICATION_NAME'),
    ...(workerId !== undefined && { workerId }),
    ...(startAt !== undefined && { startAt }),
    ...(shardSyncIntervalMs !== undefined && { shardSyncIntervalMs }),
    retrieval: { ...(idleMs !== undefined && { idleMs }), ...(maxRecords !== undefined && { maxRecords }) },
    leases: { ...(durationMs !== undefined && { durationMs }), ...(maxLeases !== undefined && { maxLeases }) },
    handler
  })
}

function say(event: string, facts: object): void {
  console.log(JSON.stringify({ event, ...facts }))
}

function text(name: string): string | undefined {
  return process.env[name] || undefined
}

function required(name: string): string {
  const value = text(name)
  if (value === undefined) throw new OptionError(name, 'is not set in the environment')
  return value
}

/** Millrace checks its options too, but knows them by other names, and the grace only once it is asked to stop. */
function number(name: string, min: number, max: number): number | undefined {
  const value = text(name)
  if (value === undefined) return undefined
  if (/^\d+$/.test(value) && Number(value) >= min && Number(value) <= max) return Number(value)
  const range = `from ${min.toLocaleString('en')} to ${max.toLocaleString('en')}`
  throw new OptionError(name, `is ${JSON.stringify(value)}, expected a whole number ${range}`)
}

function startPosition(name: string): StartPosition | undefined {
  const value = text(name)
  if (value === undefined || value === 'TRIM_HORIZON' || value === 'LATEST') return value
  const date = new Date(value)
  if (!Number.isNaN(date.getTime())) return date
  throw new OptionError(name, `is ${JSON.stringify(value)}, expected TRIM_HORIZON, LATEST or a date in ISO 8601`)
}
