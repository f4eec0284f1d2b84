// Whole workers whose handler fails in threads: what is tried again there, given up with its payload, or ended. In real time.
import { KinesisClient } from '@aws-sdk/client-kinesis'
import { expect } from 'chai'
import {
  aggregate,
  memoryLeaseStore,
  silentLogger,
  Worker,
  type WorkerEvents,
  type WorkerOptions
} from '../../src/index.ts'
import { type Emulator, sharedDynalite, sharedKinesalite } from '../support/emulators.ts'
import { pollUntil } from '../support/poll.ts'
import { createStream, putRecords } from '../support/streams.ts'
import { Threads } from './threads-world.ts'

/** A letter, as far as tests look at it. */
interface Letter {
  readonly text: string
  readonly partitionKey: string
  readonly explicitHashKey: string | undefined
  readonly attempts: number
  readonly error: string
}

// biome-ignore lint/suspicious/noThenProperty: that is the name of the option
const GIVING_UP = { backoffMs: 20, attempts: 2, then: 'dead-letter' } as const

/** Numbers in a row. */
function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}

describe('a worker whose handler fails in threads', function () {
  this.timeout(120_000)

  let emulators: readonly [kinesis: Emulator, dynamodb: Emulator]
  let client: KinesisClient
  let threads: Threads
  let letters: Letter[]
  const running: Worker[] = []

  before(async () => {
    emulators = await Promise.all([sharedKinesalite(), sharedDynalite()])
  })

  beforeEach(() => {
    client = new KinesisClient(emulators[0].clientConfig())
    threads = new Threads()
    letters = []
  })

  afterEach(async () => {
    await Promise.all(running.splice(0).map(worker => worker.stop({ graceMs: 0 })))
    threads.close()
    client.destroy()
  })

  /** A worker that keeps its leases in `store`, and gives up what fails twice. */
  function aWorker(streamName: string, more: Partial<WorkerOptions> = {}, store = memoryLeaseStore()): Worker {
    const worker = new Worker({
      ...{ streamName, applicationName: streamName, startAt: 'TRIM_HORIZON', retrieval: { idleMs: 200 } },
      leases: { store, durationMs: 60_000 },
      onProcessorError: GIVING_UP,
      deadLetters: given => {
        for (const { data, partitionKey, explicitHashKey, attempts, error } of given) {
          const text = new TextDecoder().decode(data)
          letters.push({ text, partitionKey, explicitHashKey, attempts, error: error.name })
        }
      },
      kinesis: emulators[0].clientConfig(),
      dynamodb: emulators[1].clientConfig(),
      logger: silentLogger,
      threads: threads.option(),
      ...more
    } as WorkerOptions)
    running.push(worker)
    return worker
  }

  function textOf(number: number, what: Record<number, string>): string {
    return `${number} ${what[number] ?? ''}`
  }

  async function put(streamName: string, numbers: readonly number[], what: Record<number, string> = {}): Promise<void> {
    const records = numbers.map(number => ({ partitionKey: `key-${number}`, data: textOf(number, what) }))
    await putRecords(client, streamName, records)
  }

  /** What is processed after the checkpoint, once another record was put. */
  async function leftOver(streamName: string, store: ReturnType<typeof memoryLeaseStore>): Promise<number[]> {
    await put(streamName, [9_999])
    const numbers: number[] = []
    const worker = aWorker(
      streamName,
      {
        threads: undefined,
        handler: (records: readonly { text(): string }[]) => {
          numbers.push(...records.map(record => Number.parseInt(record.text(), 10)))
        }
      } as never,
      store
    )
    await worker.start()
    await pollUntil('the last record', () => numbers.includes(9_999))
    return numbers
  }

  it('looks for the bad record by halves and gives it up with its payload, though that had gone to the thread', async () => {
    const streamName = await createStream(client)
    const what = { 61: 'throw' }
    const members = range(0, 100).map(number => ({
      ...{ partitionKey: `key-${number}`, explicitHashKey: String(number) },
      data: Buffer.from(textOf(number, what).padEnd(2_000))
    }))
    await putRecords(
      client,
      streamName,
      range(0, 4).map(each => aggregate(members.slice(each * 25, each * 25 + 25)))
    )
    const store = memoryLeaseStore()
    const worker = aWorker(streamName, { onProcessorError: { ...GIVING_UP, attempts: 3 } }, store)
    const givenUp: WorkerEvents['records:given-up'][] = []
    worker.on('records:given-up', event => givenUp.push(event))
    await worker.start()
    await pollUntil('the letter', () => letters.length > 0)
    await pollUntil('what comes after it', () => threads.heard.at(-1)?.numbers[0] === 62)
    await worker.stop()
    const text = '61 throw'.padEnd(2_000)
    expect(letters).to.deep.equal([
      { text, partitionKey: 'key-61', explicitHashKey: '61', attempts: letters[0]?.attempts, error: 'RangeError' }
    ])
    expect(givenUp.map(({ records, how }) => [records, how])).to.deep.equal([[1, 'dead-letter']])
    expect(Math.max(...threads.heard.map(({ memoryBytes }) => memoryBytes))).to.be.greaterThan(131_072)
    // Each half once, and what is left.
    expect(threads.heard.length).to.be.at.most(1 + 7 + 3 + 1)
    expect(await leftOver(streamName, store)).to.deep.equal([9_999])
  })

  it('gives a handler again only what it has not settled before it threw', async () => {
    const streamName = await createStream(client)
    await put(streamName, range(0, 10), { 0: 'settle', 1: 'settle', 3: 'settle', 5: 'throw-twice', 7: 'settle' })
    const worker = aWorker(streamName, { onProcessorError: { backoffMs: 20 }, deadLetters: undefined as never })
    await worker.start()
    await pollUntil('the batch to be processed', () => threads.heard.length === 3)
    await worker.stop()
    const rest = [2, 4, 5, 6, 7, 8, 9]
    expect(threads.heard.map(({ numbers }) => numbers)).to.deep.equal([range(0, 10), rest, rest])
  })

  it('gives a handler again only what it has named as failed', async () => {
    const streamName = await createStream(client)
    await put(streamName, range(0, 10), { 3: 'fail-twice', 7: 'fail-twice' })
    const store = memoryLeaseStore()
    const worker = aWorker(streamName, { onProcessorError: { backoffMs: 20 }, deadLetters: undefined as never }, store)
    const failed: WorkerEvents['processor:failed'][] = []
    worker.on('processor:failed', event => failed.push(event))
    await worker.start()
    await pollUntil('the batch to be processed', () => threads.heard.length === 3)
    await worker.stop()
    expect(threads.heard.map(({ numbers }) => numbers)).to.deep.equal([range(0, 10), [3, 7], [3, 7]])
    expect(failed.map(({ error }) => Reflect.get(Object(error.cause), 'code'))).to.deep.equal([
      'FAILED_RECORDS',
      'FAILED_RECORDS'
    ])
    expect(await leftOver(streamName, store)).to.deep.equal([9_999])
  })

  for (const [what, error] of [
    ['never-return', 'HandlerTimeoutError'],
    ['never-settle', 'HandlerTimeoutError'],
    ['exit', 'ProcessorGoneError']
  ] as const) {
    it(`finds the record that ends its thread, or has it ended, and gives it up: ${what}`, async () => {
      const streamName = await createStream(client, 2)
      // Both shards are in one thread.
      await put(streamName, range(0, 8), { 5: what })
      const store = memoryLeaseStore()
      const onProcessorError = { ...GIVING_UP, timeoutMs: 1_000 }
      const worker = aWorker(streamName, { threads: threads.option(1), onProcessorError }, store)
      const died: WorkerEvents['thread:died'][] = []
      const halted: unknown[] = []
      worker.on('thread:died', event => died.push(event))
      worker.on('shard:halted', event => halted.push(event))
      await worker.start()
      await pollUntil('the letter', () => letters.length > 0, 60_000)
      await threads.until(8)
      await put(streamName, range(100, 110))
      await threads.until(18)
      await worker.stop()
      expect(letters).to.have.length(1)
      expect(letters[0]).to.include({ text: `5 ${what}`, partitionKey: 'key-5', error })
      expect(halted).to.deep.equal([])
      const because =
        what === 'exit' ? /^it ended on its own, with exit code 4$/ : /^a call for shardId-\d+ took longer than 1000 ms/
      for (const death of died) expect(death.because).to.match(because)
      expect(await leftOver(streamName, store)).to.deep.equal([9_999])
    })
  }

  it('halts the shard of a record that always hangs where nothing else is asked for, and no other one', async () => {
    const streamName = await createStream(client, 2)
    await put(streamName, range(0, 8), { 5: 'never-return' })
    const worker = aWorker(streamName, {
      threads: threads.option(2),
      onProcessorError: { backoffMs: 20, attempts: 2, timeoutMs: 1_000 },
      deadLetters: undefined as never
    })
    const halted: WorkerEvents['shard:halted'][] = []
    worker.on('shard:halted', event => halted.push(event))
    await worker.start()
    await pollUntil('a shard to be halted', () => halted.length > 0, 60_000)
    await put(streamName, range(100, 120))
    const shardId = threads.heard.find(({ numbers }) => numbers.includes(5))?.shardId
    await pollUntil('the other shard to go on', () =>
      threads.heard.some(({ numbers }) => numbers.some(each => each >= 100))
    )
    await worker.stop()
    expect(halted.map(event => event.shardId)).to.deep.equal([shardId])
    expect(threads.heard.filter(({ numbers }) => numbers.includes(5)).map(({ failures }) => failures)).to.deep.equal([
      0, 1
    ])
  })

  it('delivers batches of a size of their own, and gives up one record of them', async () => {
    const streamName = await createStream(client)
    await put(streamName, range(0, 25), { 13: 'throw' })
    const store = memoryLeaseStore()
    const worker = aWorker(streamName, { batch: { maxRecords: 10, windowMs: 500 } }, store)
    await worker.start()
    await threads.until(25)
    await pollUntil('the last batch', () => threads.heard.at(-1)?.numbers.at(-1) === 24)
    await worker.stop()
    expect(letters.map(({ text }) => text)).to.deep.equal(['13 throw'])
    expect(threads.heard.filter(({ failures }) => failures === 0)[0]?.numbers).to.deep.equal(range(0, 10))
    expect(threads.heard.at(-1)?.numbers).to.deep.equal(range(20, 25))
    expect(await leftOver(streamName, store)).to.deep.equal([9_999])
  })
})
