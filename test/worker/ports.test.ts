import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { KinesisClient } from '@aws-sdk/client-kinesis'
import { expect } from 'chai'
import { fleetSettings } from '../../src/fleet/fleet-settings.ts'
import type { HeartbeatListener } from '../../src/fleet/heartbeat.ts'
import { LocalHeartbeat } from '../../src/fleet/local-heartbeat.ts'
import { ThreadHeartbeat } from '../../src/fleet/thread-heartbeat.ts'
import { memoryLeaseStore } from '../../src/index.ts'
import type { StreamSource } from '../../src/kinesis/stream-source.ts'
import { memoryControlStore } from '../../src/leases/memory-control-store.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { resolveOptions } from '../../src/worker/options.ts'
import { openPorts, type WorkerPorts } from '../../src/worker/ports.ts'
import { CollectingMetrics } from '../support/collecting-metrics.ts'

const GOOD = { streamName: 'orders', applicationName: 'indexer', handler: (): void => {} }
const clock = new VirtualClock()
const context = { clock, random: seededRandom(1), settings: fleetSettings(10_000) }
const listener: HeartbeatListener = { acknowledged: () => {}, died: () => {}, stalled: () => {}, failed: () => {} }

function resolve(more: object = {}) {
  return resolveOptions({ ...GOOD, ...more }, seededRandom(1), clock.epochMs())
}

/** A client of the SDK that counts how often it was destroyed. */
function counting<T extends { destroy(): void }>(client: T): { client: T; destroyed: () => number } {
  let count = 0
  const destroy = client.destroy.bind(client)
  client.destroy = () => {
    count += 1
    destroy()
  }
  return { client, destroyed: () => count }
}

const STREAM = { streamName: 'orders' }

describe('openPorts', () => {
  it('uses the ports that it is given, and closes none of them', () => {
    let closed = 0
    const port = new FakeKinesis({ clock }).port('orders')
    const kinesis = { ...port, close: () => void closed++ }
    const store = memoryLeaseStore()
    const ports = openPorts(resolve(), context, { kinesis, store })
    const stream = ports.openStream(STREAM)
    expect(stream.kinesis).to.equal(kinesis)
    expect(ports.store).to.equal(store)
    expect(ports.control, 'that of the table').to.equal(store.control)
    stream.close()
    ports.close()
    expect(closed).to.equal(0)
  })

  it('opens the source of a stream, and closes it', async () => {
    const port = new FakeKinesis({ clock }).port('orders')
    let closed = 0
    const told: unknown[] = []
    const source: StreamSource = {
      streamName: 'orders',
      traits: { maxRecords: 10, idleMs: 300, bytesPerSecond: 1, beginsByTime: true },
      open: opening => {
        opening.lost({ shardId: 'a', because: 'trimmed' })
        told.push(opening.requestTimeoutMs)
        return { ...port, close: () => void closed++ }
      }
    }
    const options = resolve({ streamName: undefined, source })
    const ports = openPorts(
      options,
      { ...context, lost: (...loss) => void told.push(loss) },
      { store: memoryLeaseStore() }
    )
    const stream = ports.openStream(STREAM)
    expect(told).to.deep.equal([[{ shardId: 'a', because: 'trimmed' }, 'orders'], 10_000])
    expect(stream.kinesis.streamName).to.equal('orders')
    stream.close()
    expect(closed).to.equal(1)
    openPorts(options, context, { store: memoryLeaseStore() }).openStream(STREAM).close()
  })

  it('counts nothing unless metrics are wanted, and then every call', async () => {
    const kinesis = new FakeKinesis({ clock })
    kinesis.createStream('orders', 1)
    const [port, fanOut, store] = [kinesis.port('orders'), kinesis.fanOut('orders'), memoryLeaseStore()]
    const retrieval = { retrieval: { mode: 'fan-out' } }
    const plain = openPorts(resolve(retrieval), context, { kinesis: port, fanOut, store })
    const uncounted = plain.openStream(STREAM)
    expect([plain.requests, uncounted.kinesis === port, uncounted.fanOut === fanOut]).to.deep.equal([
      undefined,
      true,
      true
    ])
    const metrics = new CollectingMetrics('worker')
    const counted = openPorts(resolve({ ...retrieval, metrics }), context, { kinesis: port, fanOut, store })
    const opened = counted.openStream(STREAM)
    const calls = Promise.all([opened.kinesis.describeStream(), opened.kinesis.listShards()])
    await clock.advance(100)
    await calls
    expect(counted.requests?.take().map(({ operation }) => operation)).to.deep.equal([
      ...['DescribeStreamSummary', 'ListShards']
    ])
    expect(opened.fanOut).to.not.equal(fanOut)
  })

  it('counts the beats of the thread of the heartbeat', async () => {
    const metrics = new CollectingMetrics('worker')
    const ports = openPorts(resolve({ metrics }), context, { kinesis: new FakeKinesis({ clock }).port('orders') })
    const heartbeat = ports.makeHeartbeat(listener)
    expect(heartbeat).to.be.instanceOf(ThreadHeartbeat)
    Object.defineProperty(heartbeat, 'beats', { get: () => 4 })
    const [beats] = ports.requests?.take() ?? []
    expect(beats).to.include({ service: 'dynamodb', operation: 'UpdateItem', requests: 4, writeUnits: 4 })
    heartbeat.close()
    ports.close()
  })

  it('prefers the store of the ports, then that of the options, then DynamoDB', () => {
    const [mine, theirs] = [memoryLeaseStore(), memoryLeaseStore()]
    const options = resolve({ leases: { store: theirs } })
    expect(openPorts(options, context, { store: mine }).store).to.equal(mine)
    expect(openPorts(options, context, {}).store).to.equal(theirs)
    const ports = openPorts(resolve({ leases: { tableName: 'leases' } }), context, {})
    expect(ports.store.tableName).to.equal('leases')
    ports.close()
  })

  it('prefers the control store of the ports, then that of the options, then that of the table, then DynamoDB', () => {
    const [mine, theirs] = [memoryControlStore(), memoryControlStore()]
    const store = memoryLeaseStore()
    const options = resolve({ leases: { controlStore: theirs } })
    expect(openPorts(options, context, { store, control: mine }).control).to.equal(mine)
    expect(openPorts(options, context, { store }).control).to.equal(theirs)
    expect(openPorts(resolve(), context, { store }).control).to.equal(store.control)
    expect(openPorts(resolve({ leases: { store } }), context, {}).control).to.equal(store.control)
    const { control: _, ...alone } = store
    const ports = openPorts(resolve({ leases: { controlTableName: 'heartbeats' } }), context, { store: alone })
    expect(ports.control.tableName).to.equal('heartbeats')
    ports.close()
    expect(openPorts(resolve(), context, {}).control.tableName).to.equal('millrace-control')
  })

  it('has the heartbeat in a thread, unless it is wanted otherwise or the thread could not reach the table', () => {
    const main = { leases: { heartbeat: 'main' } }
    const isInThread = (options: object, given: Partial<WorkerPorts>): boolean => {
      const ports = openPorts(resolve(options), context, given)
      const heartbeat = ports.makeHeartbeat(listener)
      heartbeat.close()
      ports.close()
      expect(heartbeat).to.be.instanceOf(heartbeat instanceof ThreadHeartbeat ? ThreadHeartbeat : LocalHeartbeat)
      return heartbeat instanceof ThreadHeartbeat
    }
    const store = memoryLeaseStore()
    const { control: _, ...alone } = store
    expect([
      isInThread({}, {}),
      isInThread({}, { store: alone }),
      isInThread(main, {}),
      isInThread({}, { store }),
      isInThread({ leases: { store } }, {}),
      isInThread({}, { control: store.control }),
      isInThread({ leases: { controlStore: store.control } }, {})
    ]).to.deep.equal([true, true, false, false, false, false, false])
  })

  it('destroys no client of the user', () => {
    const kinesis = counting(new KinesisClient({ region: 'us-east-1' }))
    const dynamodb = counting(new DynamoDBClient({ region: 'us-east-1' }))
    openPorts(resolve({ kinesis: kinesis.client, dynamodb: dynamodb.client }), context, {}).close()
    expect([kinesis.destroyed(), dynamodb.destroyed()]).to.deep.equal([0, 0])
    kinesis.client.destroy()
    dynamodb.client.destroy()
  })

  it('lets go of the clients that it made', () => {
    const handlers = [0, 1].map(() => {
      const handler = {
        destroyed: 0,
        handle: () => Promise.reject(new Error('no')),
        destroy: () => void handler.destroyed++
      }
      return handler
    })
    const [forKinesis, forDynamo] = handlers
    const config = { region: 'us-east-1' }
    const ports = openPorts(
      resolve({
        kinesis: { ...config, requestHandler: forKinesis },
        dynamodb: { ...config, requestHandler: forDynamo }
      }),
      context,
      {}
    )
    ports.openStream(STREAM).close()
    ports.close()
    // One each for Kinesis, leases, control items and a Java fleet.
    expect(handlers.map(({ destroyed }) => destroyed)).to.deep.equal([1, 3])
  })

  for (const [durationMs, timeoutMs] of [
    [1_000, 500],
    [8_000, 2_000],
    [600_000, 5_000]
  ] as const) {
    it(`leaves time for another write where a session lives for ${durationMs} ms: one has ${timeoutMs} ms`, async () => {
      const silent = { handle: () => new Promise<never>(() => {}), destroy: () => {} }
      const dynamodb = {
        region: 'us-east-1',
        credentials: { accessKeyId: 'none', secretAccessKey: 'none' },
        requestHandler: silent
      }
      const settings = fleetSettings(durationMs)
      const { store, control, close } = openPorts(resolve({ dynamodb }), { ...context, settings }, {})
      for (const read of [() => store.get('a lease'), () => control.mailbox('a session')]) {
        let error: unknown
        const reading = read().catch((reason: unknown) => {
          error = reason
        })
        await clock.advance(timeoutMs - 1)
        expect(error).to.equal(undefined)
        await clock.advance(1)
        await reading
        expect(error).to.include({ kind: 'timeout' })
      }
      close()
    })
  }

  it('calls nothing: a worker that was only made has no connections', () => {
    const ports = openPorts(resolve(), context, {})
    expect(clock.sleeping).to.equal(0)
    ports.close()
  })
})
