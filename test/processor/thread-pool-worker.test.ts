import { expect } from 'chai'
import { memoryLeaseStore, silentLogger, Worker } from '../../src/index.ts'
import type { KinesisPort } from '../../src/kinesis/kinesis-port.ts'
import { memoryControlStore } from '../../src/leases/memory-control-store.ts'
import { isRecordPosition } from '../../src/model/sequence-number.ts'
import { ThreadPool } from '../../src/processor/thread-pool.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import { pollUntil } from '../support/poll.ts'
import { seeds } from '../support/seeds.ts'
import type { MemoryData } from '../support/thread-processor-memory.ts'

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

/** Has numbered records processed by a processor that some of them are bad for: what was stored, and what was given up. */
async function givenUp(
  bad: Pick<MemoryData, 'exitAt' | 'throwAt'>,
  seed: number
): Promise<{ lost: number[]; letters: string[] }> {
  const random = seededRandom(seed)
  const below = (end: number): number => Math.floor(random.next() * end)
  const kinesis = new FakeKinesis({ clock: systemClock })
  kinesis.createStream('orders', 2)
  const letterOf = new Map<number, string>()
  for (let number = 0; number < RECORDS; number++) {
    const text = String(number).padEnd(below(2) === 0 ? 9 : 60_000)
    letterOf.set(number, text)
    kinesis.put('orders', `key-${number}`, text)
  }
  const [kept, stored] = [new SharedArrayBuffer(4 * RECORDS), new SharedArrayBuffer(4 * RECORDS)]
  const data: MemoryData = { ...bad, kept, stored, every: 1 + below(4) }
  const letters: string[] = []
  const store = memoryLeaseStore({ tableName: 'app' })
  const worker = new Worker(
    {
      ...{ streamName: 'orders', applicationName: 'app', startAt: 'TRIM_HORIZON' },
      retrieval: { maxRecords: 3 + below(30), idleMs: 200 },
      // biome-ignore lint/suspicious/noThenProperty: that is the name of the option
      onProcessorError: { backoffMs: 10, attempts: 1 + below(3), then: 'dead-letter' },
      deadLetters: given => {
        letters.push(...given.map(letter => new TextDecoder().decode(letter.data)))
      },
      threads: { module: new URL('../support/thread-processor-memory.ts', import.meta.url), count: 1 + below(2), data },
      logger: silentLogger
    },
    {
      kinesis: withOwnMemory(kinesis.port('orders')),
      store,
      control: memoryControlStore()
    }
  )
  const wrong: string[] = []
  worker.on('shard:halted', ({ error }) => void wrong.push(String(error)))
  const numberOfBad = bad.exitAt.length + bad.throwAt.length
  const isDone = (): boolean => {
    const good = new Int32Array(kept).filter(times => times > 0).length
    return new Set(letters).size >= numberOfBad && good >= RECORDS - numberOfBad
  }
  await worker.start()
  await pollUntil('everything to come to an end', () => wrong.length > 0 || isDone(), 50_000)
  await worker.stop()
  expect(wrong).to.deep.equal([])
  for (const letter of letters) expect(letter).to.equal(letterOf.get(Number(letter)))
  // What was in the memory of a processor that has gone may not have come again yet: then the checkpoint lies before it.
  const lost: number[] = []
  for (const { shardId } of kinesis.shards('orders')) {
    const { checkpoint } = (await store.get(shardId)) ?? {}
    if (checkpoint === undefined || !isRecordPosition(checkpoint)) continue
    for (const { data: payload, sequenceNumber } of kinesis.records('orders', shardId)) {
      const text = new TextDecoder().decode(payload)
      const isPassed = BigInt(sequenceNumber) <= BigInt(checkpoint.sequenceNumber)
      if (isPassed && new Int32Array(stored)[Number(text)] === 0 && !letters.includes(text)) lost.push(Number(text))
    }
  }
  return { lost, letters: [...new Set(letters)].map(letter => letter.trimEnd()) }
}

describe('ThreadPool, in a worker', function () {
  this.timeout(60_000)

  for (const seed of seeds(3)) {
    it(`gives up just what is bad, and loses nothing of what a processor had in memory SEED=${seed}`, async () => {
      const { lost, letters } = await givenUp({ exitAt: [17], throwAt: [5, 30] }, seed)
      expect(letters.sort()).to.deep.equal(['17', '30', '5'])
      expect(lost).to.deep.equal([])
    })
  }

  it('processes every record once, in threads', async () => {
    expect(await processed(-1, 2)).to.deep.equal({ seen: new Array(RECORDS).fill(1), deaths: 0, failed: [] })
  })

  it('loses nothing when a thread ends in the midst of a batch', async () => {
    const { seen, deaths, failed } = await processed(17, 1)
    expect(seen.filter(times => times === 0)).to.deep.equal([])
    expect([deaths, failed.length > 0, failed.every(code => code === 'PROCESSOR_GONE')]).to.deep.equal([1, true, true])
  })
})
