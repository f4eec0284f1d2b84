import { expect } from 'chai'
import { memoryLeaseStore, silentLogger, Worker } from '../../src/index.ts'
import type { KinesisPort } from '../../src/kinesis/kinesis-port.ts'
import { memoryControlStore } from '../../src/leases/memory-control-store.ts'
import { ThreadPool } from '../../src/processor/thread-pool.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { FakeKinesis } from '../../src/testing/fake-kinesis.ts'

const RECORDS = 40

/** The port, with memory of its own for each answer, as an answer over a connection has it. */
function withOwnMemory(port: KinesisPort): KinesisPort {
  return {
    ...port,
    getRecords: async (iterator, options) => {
      const answer = await port.getRecords(iterator, options)
      const memory = new Uint8Array(answer.records.reduce((sum, { data }) => sum + data.length, 0))
      let at = 0
      const records = answer.records.map(record => {
        memory.set(record.data, at)
        const data = memory.subarray(at, at + record.data.length)
        at += data.length
        return { ...record, data }
      })
      return { ...answer, records }
    }
  }
}

/** Has numbered records processed in threads, one of which ends at record `exitAt`. How often each of them was processed. */
async function processed(exitAt: number, count: number): Promise<{ seen: number[]; deaths: number; failed: string[] }> {
  const kinesis = new FakeKinesis({ clock: systemClock })
  kinesis.createStream('orders', 3)
  // Large ones, so that they are transferred; each answer brings a few.
  const put = (number: number): unknown => kinesis.put('orders', `key-${number}`, String(number).padEnd(60_000))
  for (let number = 0; number < RECORDS; number++) put(number)
  const data = { seen: new SharedArrayBuffer(4 * RECORDS), exits: new SharedArrayBuffer(4), exitAt }
  const deaths: unknown[] = []
  const failed: string[] = []
  const module = new URL('../support/thread-processor-ledger.mjs', import.meta.url)
  const pool = new ThreadPool({
    threads: { module, count, data, maxHeapMb: undefined },
    clock: systemClock,
    random: seededRandom(1),
    died: death => void deaths.push(death)
  })
  const worker = new Worker(
    {
      streamName: 'orders',
      applicationName: 'app',
      startAt: 'TRIM_HORIZON',
      retrieval: { maxRecords: 5, idleMs: 200 },
      onProcessorError: { backoffMs: 10 },
      processor: () => pool.processor(),
      logger: silentLogger
    },
    {
      kinesis: withOwnMemory(kinesis.port('orders')),
      store: memoryLeaseStore({ tableName: 'app' }),
      control: memoryControlStore()
    }
  )
  worker.on('processor:failed', ({ error }) => void failed.push(String(Reflect.get(Object(error.cause), 'code'))))
  const seen = new Int32Array(data.seen)
  const isAllSeen = new Promise<void>(resolve => {
    worker.on('batch:processed', () => {
      if (seen.every(times => times > 0)) resolve()
    })
  })
  await worker.start()
  await isAllSeen
  await worker.stop()
  await pool.close()
  return { seen: [...seen], deaths: deaths.length, failed }
}

describe('ThreadPool, in a worker', function () {
  this.timeout(60_000)

  it('processes every record once, in threads', async () => {
    expect(await processed(-1, 2)).to.deep.equal({ seen: new Array(RECORDS).fill(1), deaths: 0, failed: [] })
  })

  it('loses nothing when a thread ends in the midst of a batch', async () => {
    const { seen, deaths, failed } = await processed(17, 1)
    expect(seen.filter(times => times === 0)).to.deep.equal([])
    expect([deaths, failed.length > 0, failed.every(code => code === 'PROCESSOR_GONE')]).to.deep.equal([1, true, true])
  })
})
