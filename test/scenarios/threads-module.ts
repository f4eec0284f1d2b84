// Code that runs in the threads of a worker, for tests. Each record says its number and what to do with it; what comes of a
// batch is said on a channel.
import { threadId, workerData } from 'node:worker_threads'
import type { ConsumedRecord, Handler } from '../../src/index.ts'

/** What the threads are given. */
export interface ThreadData {
  /** The name of the channel. */
  readonly channel: string
  /** How many threads have ended because a record said so. One Int32. */
  readonly deaths: SharedArrayBuffer
}

/** What a thread says about one call of the handler, before it does anything. */
export interface ThreadSaid {
  readonly threadId: number
  readonly shardId: string
  readonly numbers: readonly number[]
  readonly failures: number
  /** How large the memory is that the first payload is in. Bytes. */
  readonly memoryBytes: number
}

// They are absent where this file is imported for its types.
const { channel = 'none', deaths = new SharedArrayBuffer(4) } = Object(workerData) as Partial<ThreadData>

export const handler: Handler = (records, { shardId, failures, settle }) => {
  const words = records.map(record => record.text().trimEnd().split(' '))
  const said: ThreadSaid = {
    threadId,
    shardId,
    failures,
    numbers: words.map(([number]) => Number(number)),
    memoryBytes: records[0]?.data.buffer.byteLength ?? 0
  }
  const saying = new BroadcastChannel(channel)
  saying.postMessage(said)
  saying.close()
  for (const [index, [, what]] of words.entries()) {
    const record = records[index] as ConsumedRecord
    if (what === 'die-once' && Atomics.add(new Int32Array(deaths), 0, 1) === 0) process.exit(3)
    if (what === 'throw-twice' && failures < 2) throw Object.assign(new Error('not yet'), { code: 'E_NOT_YET' })
    if (what === 'throw') throw new RangeError('this one is bad')
    if (what === 'exit') process.exit(4)
    if (what === 'never-return') for (;;);
    if (what === 'never-settle') return new Promise(() => {})
    if (what === 'settle') settle(record)
    if (what === 'fail-twice' && failures < 2) return { failed: records.filter((_, each) => words[each]?.[1] === what) }
  }
  return undefined
}
