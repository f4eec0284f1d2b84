// Connections that stay open and bring nothing, on the wire: for one shard of three, GetRecords or a subscription. In real
// time, but at a speed of its own.
import { expect } from 'chai'
import { memoryLeaseStore, type RetrievalOptions, silentLogger, Worker, type WorkerEvents } from '../../src/index.ts'
import { readIterator } from '../../src/testing/fake-iterator.ts'
import { shardId } from '../support/builders.ts'
import type { FanOutServer } from '../support/fan-out-server.ts'
import { dead, type Fault, silence, unanswered } from '../support/fan-out-server-faults.ts'
import { pollUntil } from '../support/poll.ts'
import { closeWireServer, connectTo, STREAM, startWireServer, WireClock } from './fan-out-wire-world.ts'

const SPEED = 30
const STALL_MS = 20_000
/** Longer than a subscription takes to heal itself. */
const FAN_OUT_STALL_MS = 60_000
/** The watchdog looks every so often, and this machine has other things to do. */
const LOOK_MS = 5_000
const SLACK_MS = 5_000

describe('a connection that stays open and brings nothing', function () {
  this.timeout(30_000)
  const clock = new WireClock(SPEED)
  let server: FanOutServer
  let stop: () => Promise<void>
  let worker: Worker
  let stalls: (WorkerEvents['shard:stalled'] & { readonly atMs: number })[]
  let got: Map<string, number[]>
  let put: number

  beforeEach(async () => {
    server = await startWireServer(clock)
    server.kinesis.createStream(STREAM, 3)
    stalls = []
    got = new Map()
    put = 0
  })

  afterEach(async () => {
    await stop()
    await closeWireServer(server)
  })

  async function start(retrieval: RetrievalOptions, stallMs = STALL_MS): Promise<void> {
    const { client, fanOut } = connectTo(server, clock)
    worker = new Worker(
      {
        ...{ streamName: STREAM, applicationName: 'frozen', startAt: 'TRIM_HORIZON', logger: silentLogger, retrieval },
        leases: { store: memoryLeaseStore(), durationMs: 300_000 },
        watchdog: { stallMs },
        kinesis: client,
        handler: (records, { shardId: id }) => {
          got.set(id, [...(got.get(id) ?? []), ...records.map(record => Number(record.text()))])
        }
      },
      { clock, fanOut }
    )
    worker.on('shard:stalled', event => stalls.push({ ...event, atMs: clock.monotonicMs() }))
    stop = async () => {
      await worker.stop()
      fanOut.close()
    }
    await worker.start()
  }

  function putSome(count = 10): void {
    for (const shard of [0, 1, 2])
      for (let each = 0; each < count; each++) server.put(STREAM, shardId(shard), String(put + each))
    put += count
  }

  const has = (shard: number): boolean => (got.get(shardId(shard))?.length ?? 0) === put
  const all = (): number[] => Array.from({ length: put }, (_, each) => each)

  async function expectHealed(): Promise<void> {
    putSome()
    await pollUntil('everything to be read', () => [0, 1, 2].every(has), 10_000)
    for (const shard of [0, 1, 2]) expect(got.get(shardId(shard))).to.deep.equal(all())
  }

  it('for GetRecords is closed and made anew: by its timeout, or else by the watchdog, and nothing is lost', async () => {
    // Hangs for the second shard only; its requests get no byte of an answer.
    let isFrozen = false
    let frozenAtMs = 0
    let hung = 0
    const portOf = server.kinesis.port.bind(server.kinesis)
    server.kinesis.port = streamName => {
      const port = portOf(streamName)
      const getRecords = port.getRecords.bind(port)
      port.getRecords = (iterator, options) => {
        if (!isFrozen || readIterator(iterator)?.shardId !== shardId(1)) return getRecords(iterator, options)
        hung += 1
        if (hung === 1) frozenAtMs = clock.monotonicMs()
        return new Promise(() => {})
      }
      return port
    }
    await start({ requestTimeoutMs: STALL_MS / 2 })
    putSome()
    await pollUntil('the first records', () => [0, 1, 2].every(has))
    isFrozen = true
    putSome()
    await pollUntil('the others to be read', () => [0, 2].every(has))
    await pollUntil('the stall', () => stalls.length > 0, 10_000)
    const [stall] = stalls
    expect(stall).to.include({ shardId: shardId(1), waitingFor: 'answer', action: 'restart' })
    expect((stall?.atMs ?? 0) - frozenAtMs).to.be.within(STALL_MS - 2_000, STALL_MS + LOOK_MS + SLACK_MS)
    expect(worker.health().shards.find(each => each.shardId === shardId(1))?.color).to.equal('red')
    expect(hung).to.be.within(1, 4)
    putSome()
    await pollUntil('the others to be read', () => [0, 2].every(has))
    isFrozen = false
    await expectHealed()
    await pollUntil('it to be green', () => worker.health().color === 'green')
    expect(stalls.filter(({ action }) => action === 'restart')).to.have.length(1)
  })

  const faults: readonly (readonly [string, (after: number) => Fault])[] = [
    ['that is never answered', () => unanswered()],
    ['that goes quiet', after => silence(after)],
    ['whose connection goes dead', after => dead(after)]
  ]
  for (const [how, fault] of faults) {
    it(`for a subscription ${how} is begun anew before the watchdog has to see to it, and nothing is lost`, async () => {
      server.faults.push(fault(2))
      putSome()
      await start({ mode: 'fan-out', consumerName: 'reader', fallback: 'none' }, FAN_OUT_STALL_MS)
      const startedMs = clock.monotonicMs()
      for (let second = 0; second < 10; second++) {
        putSome(2)
        await clock.sleep(1_000)
      }
      await pollUntil('everything to be read', () => [0, 1, 2].every(has), 10_000)
      expect(server.struck).to.equal(1)
      // Events come every five seconds at least; 20 s without any end a subscription, and a ping says that a connection is dead.
      expect(clock.monotonicMs() - startedMs).to.be.at.most(FAN_OUT_STALL_MS + LOOK_MS + SLACK_MS)
      expect(stalls).to.deep.equal([])
      await expectHealed()
      await pollUntil('it to be green', () => worker.health().color === 'green')
    })
  }
})
