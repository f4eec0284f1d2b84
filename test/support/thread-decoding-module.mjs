// A module of a thread that decodes its records, for tests: numbers, of which 13 cannot be decoded, or ends the thread. What it is given is counted in
// shared memory, where it is to fail with 7 at first.
import { workerData } from 'node:worker_threads'

const seen = new Int32Array(workerData.seen)
const decoded = new Int32Array(workerData.decoded)

export async function decode(record) {
  const number = Number(record.text())
  decoded[number] += 1
  if (number === 13 && workerData.exits) process.exit(3)
  if (number === 13) throw Object.assign(new TypeError('an unlucky number'), { socket: () => {} })
  return { number }
}

export function handler(records, { failures }) {
  if (!workerData.exits && failures === 0 && records.some(({ value }) => value.number === 7)) throw new Error('not yet')
  for (const { value, byteLength } of records) if (byteLength > 0) seen[value.number] += 1
}
