import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { KinesisClient } from '@aws-sdk/client-kinesis'
import { expect } from 'chai'
import { memoryLeaseStore } from '../../src/index.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { resolveOptions } from '../../src/worker/options.ts'
import { openPorts } from '../../src/worker/ports.ts'

const GOOD = { streamName: 'orders', applicationName: 'indexer', handler: (): void => {} }
const clock = new VirtualClock()

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

describe('openPorts', () => {
  it('uses the ports that it is given, and closes none of them', () => {
    let closed = 0
    const port = new FakeKinesis({ clock }).port('orders')
    const kinesis = { ...port, close: () => void closed++ }
    const store = memoryLeaseStore()
    const ports = openPorts(resolve(), clock, { kinesis, store })
    expect(ports.kinesis).to.equal(kinesis)
    expect(ports.store).to.equal(store)
    ports.close()
    expect(closed).to.equal(0)
  })

  it('prefers the store of the ports, then that of the options, then DynamoDB', () => {
    const [mine, theirs] = [memoryLeaseStore(), memoryLeaseStore()]
    const options = resolve({ leases: { store: theirs } })
    expect(openPorts(options, clock, { store: mine }).store).to.equal(mine)
    expect(openPorts(options, clock, {}).store).to.equal(theirs)
    const ports = openPorts(resolve({ leases: { tableName: 'leases' } }), clock, {})
    expect(ports.store.tableName).to.equal('leases')
    ports.close()
  })

  it('destroys no client of the user', () => {
    const kinesis = counting(new KinesisClient({ region: 'us-east-1' }))
    const dynamodb = counting(new DynamoDBClient({ region: 'us-east-1' }))
    openPorts(resolve({ kinesis: kinesis.client, dynamodb: dynamodb.client }), clock, {}).close()
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
    openPorts(
      resolve({
        kinesis: { ...config, requestHandler: forKinesis },
        dynamodb: { ...config, requestHandler: forDynamo }
      }),
      clock,
      {}
    ).close()
    expect(handlers.map(({ destroyed }) => destroyed)).to.deep.equal([1, 1])
  })

  for (const [durationMs, timeoutMs] of [
    [1_000, 500],
    [8_000, 2_000],
    [600_000, 5_000]
  ] as const) {
    it(`leaves time for another write in a lease of ${durationMs} ms: one has ${timeoutMs} ms`, async () => {
      const silent = { handle: () => new Promise<never>(() => {}), destroy: () => {} }
      const dynamodb = {
        region: 'us-east-1',
        credentials: { accessKeyId: 'none', secretAccessKey: 'none' },
        requestHandler: silent
      }
      const { store, close } = openPorts(resolve({ leases: { durationMs }, dynamodb }), clock, {})
      let error: unknown
      const reading = store.get('a lease').catch((reason: unknown) => {
        error = reason
      })
      await clock.advance(timeoutMs - 1)
      expect(error).to.equal(undefined)
      await clock.advance(1)
      await reading
      expect(error).to.include({ kind: 'timeout' })
      close()
    })
  }

  it('calls nothing: a worker that was only made has no connections', () => {
    const ports = openPorts(resolve(), clock, {})
    expect(clock.sleeping).to.equal(0)
    ports.close()
  })
})
