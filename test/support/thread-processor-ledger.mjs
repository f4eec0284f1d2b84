// A handler that notes which numbered records it was given, in memory that is shared with the test; and that ends its thread
// in the midst of a batch, once.
import { workerData } from 'node:worker_threads'

const seen = new Int32Array(workerData.seen)
const exits = new Int32Array(workerData.exits)
const text = new TextDecoder()

export function handler(records) {
  for (const record of records) {
    const number = Number(text.decode(record.data))
    if (number === workerData.exitAt && Atomics.add(exits, 0, 1) === 0) process.exit(1)
    Atomics.add(seen, number, 1)
  }
}
