// Whole workers whose handler runs in threads, on the wire: with emulators, and by fan-out. In real time, but short.
import { KinesisClient } from '@aws-sdk/client-kinesis'
import { expect } from 'chai'
import {
  aggregate,
  memoryLeaseStore,
  OptionError,
  ProcessorGoneError,
  silentLogger,
  Worker,
  type WorkerEvents
} from '../../src/index.ts'
import { type Emulator, sharedDynalite, sharedKinesalite } from '../support/emulators.ts'
import { pollUntil } from '../support/poll.ts'
import { createStream, putRecords } from '../support/streams.ts'
import { STREAM, startWireServer, startWireWorker, WireClock } from './fan-out-wire-world.ts'
import { Threads } from './threads-world.ts'

describe('a worker with threads, on the wire', function () {
  this.timeout(60_000)

  let emulators: readonly [kinesis: Emulator, dynamodb: Emulator]
  let client: KinesisClient
  let threads: Threads
  const running: Worker[] = []

  before(async () => {
    emulators = await Promise.all([sharedKinesalite(), sharedDynalite()])
  })

  beforeEach(() => {
    client = new KinesisClient(emulators[0].clientConfig())
    threads = new Threads()
  })

  afterEach(async () => {
    await Promise.all(running.splice(0).map(worker => worker.stop({ graceMs: 0 })))
    threads.close()
    client.destroy()
  })

  /** With leases in memory unless told otherwise: that is sooner there. */
  function aWorker(streamName: string, more: object = {}): Worker {
    const worker = new Worker({
      ...{ streamName, applicationName: streamName, startAt: 'TRIM_HORIZON', retrieval: { idleMs: 200 } },
      leases: { store: memoryLeaseStore(), durationMs: 60_000 },
      onProcessorError: { backoffMs: 50 },
      kinesis: emulators[0].clientConfig(),
      dynamodb: emulators[1].clientConfig(),
      logger: silentLogger,
      threads: threads.option(),
      ...more
    })
    running.push(worker)
    return worker
  }

  /** Puts records that say their number, from `first` on, and what is to be done with some of them. */
  async function put(streamName: string, count: number, first = 0, what: Record<number, string> = {}): Promise<void> {
    const numbers = Array.from({ length: count }, (_, index) => first + index)
    const records = numbers.map(number => ({ partitionKey: `key-${number}`, data: `${number} ${what[number] ?? ''}` }))
    await putRecords(client, streamName, records)
  }

  /** How long stopping takes. Milliseconds. */
  async function stopped(worker: Worker, graceMs?: number): Promise<number> {
    const begunMs = performance.now()
    await worker.stop(graceMs === undefined ? {} : { graceMs })
    return performance.now() - begunMs
  }

  it('has each shard processed in one thread, stores checkpoints, and stops at once', async () => {
    const streamName = await createStream(client, 3)
    await put(streamName, 300)
    const leases = { durationMs: 60_000 }
    const first = aWorker(streamName, { leases })
    await first.start()
    await threads.until(300)
    expect(await stopped(first)).to.be.lessThan(2_000)
    expect(threads.numbers.sort((a, b) => a - b)).to.deep.equal(Array.from({ length: 300 }, (_, number) => number))
    const placesOf = new Map<string, Set<number>>()
    for (const { shardId, threadId } of threads.heard) {
      placesOf.set(shardId, (placesOf.get(shardId) ?? new Set()).add(threadId))
    }
    expect([...placesOf.values()].map(({ size }) => size)).to.deep.equal([1, 1, 1])
    expect(new Set(threads.heard.map(({ threadId }) => threadId))).to.have.property('size', 2)

    await put(streamName, 30, 300)
    const numbers: number[] = []
    const second = aWorker(streamName, {
      leases,
      threads: undefined,
      handler: (records: readonly { text(): string }[]) => {
        numbers.push(...records.map(record => Number(record.text())))
      }
    })
    await second.start()
    await pollUntil('the rest', () => numbers.length >= 30)
    expect(numbers.sort((a, b) => a - b)).to.deep.equal(Array.from({ length: 30 }, (_, index) => 300 + index))
  })

  it('loses nothing when a thread ends in the midst of a batch, and tells of it', async () => {
    const streamName = await createStream(client, 2)
    await put(streamName, 100)
    const worker = aWorker(streamName)
    const died: WorkerEvents['thread:died'][] = []
    const failed: WorkerEvents['processor:failed'][] = []
    worker.on('thread:died', event => died.push(event))
    worker.on('processor:failed', event => failed.push(event))
    await worker.start()
    await threads.until(100)
    await put(streamName, 100, 100, { 150: 'die-once' })
    await pollUntil('the thread to end', () => died.length > 0)
    await put(streamName, 20, 200)
    await threads.until(220)
    await worker.stop()
    expect(died.map(({ because }) => because)).to.deep.equal(['it ended on its own, with exit code 3'])
    expect(died[0]?.shardIds).to.have.length(1)
    expect(failed.every(({ error }) => error.cause instanceof ProcessorGoneError)).to.equal(true)
    // What was checkpointed before does not come again.
    const again = threads.numbers.filter((number, index, all) => all.indexOf(number) < index)
    expect(again.filter(number => number < 100)).to.deep.equal([])
    expect(again).to.include(150)
  })

  it('gives a handler that throws the same records again, until it succeeds', async () => {
    const streamName = await createStream(client)
    await put(streamName, 20, 0, { 7: 'throw-twice' })
    const worker = aWorker(streamName)
    const failed: WorkerEvents['processor:failed'][] = []
    worker.on('processor:failed', event => failed.push(event))
    await worker.start()
    await pollUntil('the batch to be processed', () => threads.heard.some(({ failures }) => failures === 2))
    await worker.stop()
    const calls = threads.heard.filter(({ numbers }) => numbers.includes(7))
    expect(calls.map(({ failures }) => failures)).to.deep.equal([0, 1, 2])
    for (const { numbers } of calls) expect(numbers).to.deep.equal(calls[0]?.numbers)
    expect(failed.map(({ attempt }) => attempt)).to.deep.equal([1, 2])
    for (const { error } of failed) expect(error.cause).to.include({ message: 'not yet', code: 'E_NOT_YET' })
  })

  it('hands large answers over as the memory that they are in', async () => {
    const streamName = await createStream(client)
    const aggregates = Array.from({ length: 8 }, (_, index) =>
      aggregate(
        Array.from({ length: 50 }, (_, each) => ({
          partitionKey: `key-${each}`,
          data: Buffer.from(`${index * 50 + each} `.padEnd(1_000))
        }))
      )
    )
    await putRecords(client, streamName, aggregates)
    const bytesRead: number[] = []
    const worker = aWorker(streamName)
    worker.on('shard:read', ({ bytes }) => bytesRead.push(bytes))
    await worker.start()
    await threads.until(400)
    await worker.stop()
    const [largest = 0] = bytesRead.sort((a, b) => b - a)
    expect(threads.numbers).to.deep.equal(Array.from({ length: 400 }, (_, number) => number))
    expect(largest).to.be.greaterThan(131_072)
    // More than the payloads of the user records: what is between them has not been taken out.
    expect(Math.max(...threads.heard.map(({ memoryBytes }) => memoryBytes))).to.equal(largest)
  })

  it('stops when the grace is over, though a thread never returns', async () => {
    const streamName = await createStream(client)
    await put(streamName, 1, 0, { 0: 'never-return' })
    const worker = aWorker(streamName)
    const abandoned: string[] = []
    worker.on('worker:stopped', event => abandoned.push(...event.abandoned))
    await worker.start()
    await threads.until(1)
    expect(await stopped(worker, 300)).to.be.within(290, 2_000)
    expect(abandoned).to.deep.equal(['shardId-000000000000'])
  })

  it('stops, and says why, where there is no such module', async () => {
    const streamName = await createStream(client)
    await put(streamName, 1)
    const worker = aWorker(streamName, { threads: { module: new URL('no-such-module.mjs', import.meta.url) } })
    await worker.start()
    const error = await worker.finished.catch((reason: unknown) => reason)
    expect(error).to.have.nested.property('cause').that.is.instanceOf(OptionError)
    expect(String((error as Error).cause))
      .to.include('threads.module')
      .and.include('cannot be loaded')
  })

  it('loses nothing by fan-out, where a thread ends and events were put together', async () => {
    const clock = new WireClock(10)
    const server = await startWireServer(clock)
    try {
      server.kinesis.createStream(STREAM, 2)
      let number = 0
      const putSome = (): void => {
        for (const { shardId } of server.kinesis.shards(STREAM)) {
          for (let count = 0; count < 30; count++, number++) {
            server.put(STREAM, shardId, `${number} ${number === 100 ? 'die-once' : ''}`.padEnd(20_000))
          }
        }
      }
      putSome()
      const started = await startWireWorker(server, clock, {
        ...{ store: memoryLeaseStore(), retrieval: { mode: 'fan-out' }, threads: threads.option(1) }
      })
      const died: unknown[] = []
      started.worker.on('thread:died', event => died.push(event))
      await threads.until(60)
      putSome()
      await threads.until(120)
      putSome()
      await threads.until(180)
      await started.stop()
      expect(died).to.have.length(1)
      const memories = threads.heard.map(({ memoryBytes }) => memoryBytes)
      expect(Math.max(...memories)).to.be.at.least(20_000 * 7)
    } finally {
      await server.close()
    }
  })
})
