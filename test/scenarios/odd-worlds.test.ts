// Worlds that are not as they ought to be: clocks that are wrong, answers that make no sense.
import { expect } from 'chai'
import { memoryLeaseStore, silentLogger, Worker } from '../../src/index.ts'
import type { KinesisPort } from '../../src/kinesis/kinesis-port.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const STREAM = 'orders'

function aWorld(aheadMs = 0) {
  const virtual = new VirtualClock()
  const kinesis = new FakeKinesis({ clock: virtual })
  kinesis.createStream(STREAM, 1)
  const store = memoryLeaseStore()
  const clock: Clock = {
    monotonicMs: () => virtual.monotonicMs(),
    epochMs: () => virtual.epochMs() + aheadMs,
    sleep: (ms, signal) => virtual.sleep(ms, signal)
  }
  const given: string[] = []
  const makeWorker = (port: KinesisPort = kinesis.port(STREAM), seed = 1): Worker =>
    new Worker(
      {
        streamName: STREAM,
        applicationName: 'app',
        startAt: 'LATEST',
        logger: silentLogger,
        handler: records => void given.push(...records.map(record => record.text()))
      },
      { clock, random: seededRandom(seed), kinesis: port, store }
    )
  const run = async (work: Promise<unknown>): Promise<void> => {
    let isDone = false
    const done = work.finally(() => {
      isDone = true
    })
    await Promise.all([done, virtual.advanceUntil(() => isDone, 600_000)])
  }
  return { virtual, kinesis, given, makeWorker, run }
}

describe('a worker whose clock is wrong', () => {
  for (const aheadMs of [600_000, -600_000]) {
    it(`loses nothing from LATEST on over a restart with a clock ${aheadMs / 60_000} minutes ahead`, async () => {
      const { virtual, kinesis, given, makeWorker, run } = aWorld(aheadMs)
      kinesis.put(STREAM, 'key', 'long ago')
      await virtual.advance(60_000)
      const first = makeWorker()
      await run(first.start())
      await run(first.stop())
      const put = ['a', 'b', 'c']
      for (const text of put) kinesis.put(STREAM, 'key', text)
      await virtual.advance(30_000)
      const second = makeWorker(undefined, 2)
      await run(second.start())
      await virtual.advance(10_000)
      expect(given).to.deep.equal(put)
      await run(second.stop())
    })
  }
})

describe('a worker that is given an answer without sense', () => {
  it('leaves the shard to others for a while instead of trying on and on', async () => {
    const { virtual, kinesis, makeWorker, run } = aWorld()
    const port = kinesis.port(STREAM)
    let reads = 0
    const senseless: KinesisPort = {
      ...port,
      streamName: port.streamName,
      getRecords: async () => {
        reads += 1
        // A loop without a wait would not even let the time limit of the test end it.
        if (reads > 100) return new Promise<never>(() => {})
        const record = { sequenceNumber: 'none', partitionKey: 'key', data: new Uint8Array(1) }
        return { records: [record], bytes: 1, nextIterator: 'next', millisBehindLatest: 0 }
      }
    }
    const worker = makeWorker(senseless)
    const errors: string[] = []
    worker.on('error', ({ error }) => void errors.push(error.code))
    await run(worker.start())
    await virtual.advance(20_000)
    expect(errors).to.include('BUG')
    expect(reads).to.be.lessThan(5)
    await run(worker.stop())
  })
})

describe('a worker for a stream that does not exist', () => {
  it('leaves no lease table behind', async () => {
    const { virtual, kinesis } = aWorld()
    let prepared = 0
    const store = memoryLeaseStore()
    const counting = {
      ...store,
      prepare: async () => {
        prepared += 1
      }
    }
    const worker = new Worker(
      { streamName: 'nope', applicationName: 'app', logger: silentLogger, handler: () => {} },
      { clock: virtual, random: seededRandom(1), kinesis: kinesis.port('nope'), store: counting }
    )
    const outcome = worker.start().catch(error => error)
    await virtual.advance(60_000)
    expect((await outcome).message).to.include('nope')
    expect(prepared).to.equal(0)
  })
})
