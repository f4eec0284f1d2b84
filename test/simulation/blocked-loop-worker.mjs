// A worker process of blocked-loop.ts. The first call of the handler in `blocker` blocks the event loop; every delivery and
// event is a line of JSON.
import { RecordProcessor, silentLogger, Worker } from '../../dist/index.js'

const { NAME, STREAM, BLOCK_MS } = process.env
const say = (what, more = {}) =>
  process.stdout.write(`${JSON.stringify({ atMs: Date.now(), name: NAME, what, ...more })}\n`)
let isFresh = true

class Blocking extends RecordProcessor {
  async processRecords({ records, checkpointer, shardId }) {
    say('delivered', { shardId, texts: records.map(record => record.text()) })
    if (isFresh && Number(BLOCK_MS) > 0) {
      isFresh = false
      say('blocks')
      for (const untilMs = performance.now() + Number(BLOCK_MS); performance.now() < untilMs; );
      say('goes on')
    }
    await checkpointer.checkpoint().then(
      () => say('checkpointed'),
      error => say('refused', { code: error.code })
    )
  }
}

const worker = new Worker({
  streamName: STREAM,
  applicationName: STREAM,
  workerId: NAME,
  startAt: 'TRIM_HORIZON',
  logger: silentLogger,
  processor: () => new Blocking()
})
for (const name of [
  'worker:stalled',
  'session:suspended',
  'session:resumed',
  'session:died',
  'lease:taken',
  'lease:lost',
  'error'
]) {
  worker.on(name, ({ error, ...event }) =>
    say(name, { ...event, ...(error && { code: error.code, message: error.message }) })
  )
}
process.once('SIGTERM', () => void worker.stop())
await worker.start()
say('started')
await worker.finished
process.exit()
