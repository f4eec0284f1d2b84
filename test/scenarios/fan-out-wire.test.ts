// Whole workers that read by enhanced fan-out on the wire, while it breaks in every way, and from an emulator. In real time,
// but mostly at a speed of its own.
import { KinesisClient } from '@aws-sdk/client-kinesis'
import { expect } from 'chai'
import {
  memoryLeaseStore,
  type RetrievalOptions,
  silentLogger,
  Worker,
  type WorkerEvents,
  type WorkerOptions
} from '../../src/index.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { FaultRecords } from '../simulation/fan-out-faults-records.ts'
import { runFaults } from '../simulation/fan-out-faults-run.ts'
import { sharedKinesisLocal } from '../support/emulators.ts'
import type { FanOutServer } from '../support/fan-out-server.ts'
import { refused } from '../support/fan-out-server-faults.ts'
import { pollUntil } from '../support/poll.ts'
import { seeds } from '../support/seeds.ts'
import { createStream, putRecords, splitShard } from '../support/streams.ts'
import { closeWireServer, STREAM, startWireServer, startWireWorker, WireClock } from './fan-out-wire-world.ts'

const FAN_OUT: RetrievalOptions = { mode: 'fan-out', consumerName: 'reader' }
const POLLING: RetrievalOptions = { mode: 'polling' }

describe('a worker that reads by fan-out, on the wire', function () {
  this.timeout(60_000)

  for (const seed of seeds(1)) {
    const fallback = seed % 2 === 0 ? 'polling' : 'none'
    it(`loses and repeats nothing through 60 faults (SEED=${seed}, fallback ${fallback})`, async () => {
      const setting = { faults: 60, shards: 24, speed: 15, rate: 400, limitMs: 30_000, tls: true }
      const figures = await runFaults({ ...setting, seed, fallback })
      expect(figures.problems, JSON.stringify(figures)).to.deep.equal([])
      expect(figures).to.include({ lost: 0, twice: 0 })
      expect(figures.faults).to.be.at.least(60)
    })
  }

  describe('beside one that polls', () => {
    const clock = new WireClock(10)
    let server: FanOutServer
    let records: FaultRecords
    let calls: string[]

    beforeEach(async () => {
      server = await startWireServer(clock, { tls: true })
      server.kinesis.createStream(STREAM, 3)
      records = new FaultRecords(server.kinesis, STREAM, seededRandom(1))
      calls = []
      server.onRequest = (_, name) => calls.push(name)
    })

    afterEach(() => closeWireServer(server))

    const handler: NonNullable<WorkerOptions['handler']> = (given, { shardId }) => records.give(shardId, given)()

    function putSome(): void {
      for (const shard of records.open()) for (let count = 0; count < 40; count++) records.put(shard)
    }

    async function untilSettled(): Promise<void> {
      await pollUntil('everything to be processed', () => records.settled === records.produced, 15_000)
    }

    it('goes on where the other one stopped, back and forth, and through a split', async () => {
      const store = memoryLeaseStore()
      for (const retrieval of [POLLING, FAN_OUT, POLLING, FAN_OUT]) {
        putSome()
        const { stop } = await startWireWorker(server, clock, { store, retrieval, handler })
        // A call that the one before had under way when it stopped may have come late.
        calls.length = 0
        putSome()
        await untilSettled()
        const [open] = records.open()
        if (open !== undefined) server.split(STREAM, open.shardId)
        putSome()
        await untilSettled()
        await stop()
        expect([retrieval, calls.includes('GetRecords')]).to.deep.equal([retrieval, retrieval === POLLING])
        expect([retrieval, calls.includes('SubscribeToShard')]).to.deep.equal([retrieval, retrieval === FAN_OUT])
      }
      expect(records.problems).to.deep.equal([])
      expect([records.twice, records.again]).to.deep.equal([0, 0])
      await pollUntil('every connection to be closed', () => server.line.openConnections === 0)
    })

    it('polls while the service denies subscriptions, says so, and comes back to fan-out', async () => {
      const changes: WorkerEvents['shard:retrieval-changed'][] = []
      server.chance = () => refused('AccessDeniedException')
      putSome()
      const started = await startWireWorker(server, clock, { store: memoryLeaseStore(), retrieval: FAN_OUT, handler })
      started.worker.on('shard:retrieval-changed', event => changes.push(event))
      await untilSettled()
      expect(changes.map(({ shardId, mode }) => [shardId, mode]).sort()).to.deep.equal(
        records.open().map(({ shardId }) => [shardId, 'polling'])
      )
      for (const { error, retryInMs } of changes) {
        expect(error).to.include({ kind: 'access-denied', retryable: false })
        expect(String(error)).to.include('SubscribeToShard')
        expect(retryInMs).to.be.within(100_000, 300_000)
      }
      server.chance = undefined
      clock.runAt(100)
      await pollUntil('fan-out to be tried again, and to work', () => changes.length === 6)
      clock.runAt(10)
      expect(changes.slice(3).map(({ mode, error }) => [mode, error])).to.deep.equal(
        Array(3).fill(['fan-out', undefined])
      )
      calls.length = 0
      putSome()
      await untilSettled()
      expect(server.subscriptions.size).to.equal(3)
      expect(calls).to.not.include('GetRecords')
      await started.stop()
      expect(records.problems).to.deep.equal([])
      expect([records.twice, records.again]).to.deep.equal([0, 0])
    })
  })

  it('reads kinesis-local, which does not end what is closed, and leaves it to polling to go on from there', async () => {
    const emulator = await sharedKinesisLocal()
    const client = new KinesisClient(emulator.clientConfig())
    const streamName = await createStream(client, 2)
    const store = memoryLeaseStore()
    const ids: number[] = []
    const ended: string[] = []
    let put = 0
    const putSome = async (): Promise<void> => {
      const records = Array.from({ length: 50 }, () => ({ partitionKey: `key-${put}`, data: String(put++) }))
      await putRecords(client, streamName, records)
    }
    const until = (count: number): Promise<boolean> => pollUntil(`${count} records`, () => ids.length >= count, 20_000)
    const start = async (retrieval: RetrievalOptions): Promise<Worker> => {
      const worker = new Worker({
        ...{ streamName, retrieval, applicationName: 'wire', startAt: 'TRIM_HORIZON', shardSyncIntervalMs: 1_000 },
        leases: { store, durationMs: 60_000 },
        kinesis: emulator.clientConfig(),
        logger: silentLogger,
        handler: given => void ids.push(...given.map(record => Number(record.text())))
      })
      worker.on('shard:ended', ({ shardId }) => ended.push(shardId))
      await worker.start()
      return worker
    }
    await putSome()
    const pushed = await start(FAN_OUT)
    await until(50)
    await putSome()
    await until(100)
    await splitShard(client, streamName, 'shardId-000000000000', String(2n ** 126n))
    await putSome()
    await pushed.stop()
    expect(ended).to.deep.equal([])
    const polled = await start(POLLING)
    await until(150)
    await polled.stop()
    client.destroy()
    expect(ids.sort((a, b) => a - b)).to.deep.equal(Array.from({ length: 150 }, (_, id) => id))
    expect(ended).to.deep.equal(['shardId-000000000000'])
  })
})
