// What the daemon of aws-kcl starts for each shard: touches every record, and says over a socket how many there were,
// because standard output belongs to the daemon. Ends the daemon when nobody listens any more.
import { createRequire } from 'node:module'
import { connect } from 'node:net'

const { BENCH_KCL_PACKAGE = '', BENCH_KCL_PORT = '' } = process.env
const CHECKPOINT_MS = 1_000

const kcl = createRequire(import.meta.url)(BENCH_KCL_PACKAGE)
const listener = connect(Number(BENCH_KCL_PORT), '127.0.0.1')
let checkpointedAtMs = performance.now()

// If whoever measures is gone, however that came, nothing else would end the daemon, which is this process's parent.
listener.on('error', () => {})
listener.on('close', () => {
  process.kill(process.ppid, 'SIGKILL')
  process.exit()
})
listener.unref()

kcl({
  initialize: (_, done) => done(),
  processRecords: ({ records, checkpointer }, done) => {
    let touched = 0
    for (const { partitionKey, data } of records) touched += partitionKey.length + Buffer.byteLength(data, 'base64')
    listener.write(`${process.pid} ${records.length} ${touched}\n`)
    const nowMs = performance.now()
    if (nowMs < checkpointedAtMs + CHECKPOINT_MS) {
      done()
      return
    }
    checkpointedAtMs = nowMs
    checkpointer.checkpoint(() => done())
  },
  leaseLost: (_, done) => done(),
  shardEnded: ({ checkpointer }, done) => checkpointer.checkpoint(() => done()),
  shutdownRequested: (_, done) => done()
}).run()
