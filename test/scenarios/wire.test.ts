// On the real wire: what only the SDK, HTTP and the emulators can get wrong. In real time, but short.
import {
  CreateTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  PutItemCommand,
  UpdateItemCommand
} from '@aws-sdk/client-dynamodb'
import { KinesisClient } from '@aws-sdk/client-kinesis'
import { expect } from 'chai'
import { ServiceError, silentLogger, Worker, type WorkerEvents, type WorkerOptions } from '../../src/index.ts'
import { type Emulator, sharedDynalite, sharedKinesalite, sharedKinesisLocal } from '../support/emulators.ts'
import { pollUntil } from '../support/poll.ts'
import { createStream, mergeShards, putRecords, splitShard, uniqueName } from '../support/streams.ts'

const SHARDS = [0, 1, 2].map(number => `shardId-${String(number).padStart(12, '0')}`)

interface Place {
  readonly kinesis: Emulator
  readonly dynamodb: Emulator
  readonly client: KinesisClient
}

/** Runs `body` with both emulators and a client of the first, which is destroyed afterwards. */
async function withEmulators(
  startKinesis: () => Promise<Emulator>,
  body: (place: Place) => Promise<void>
): Promise<void> {
  const [kinesis, dynamodb] = await Promise.all([startKinesis(), sharedDynalite()])
  const client = new KinesisClient(kinesis.clientConfig())
  try {
    await body({ kinesis, dynamodb, client })
  } finally {
    client.destroy()
  }
}

/** Runs `body` with environment variables set, or removed where the value is `undefined`; puts back what was there. */
async function withEnvironment(changes: Record<string, string | undefined>, body: () => Promise<void>): Promise<void> {
  const apply = (variables: Record<string, string | undefined>): void => {
    for (const [name, value] of Object.entries(variables)) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
  const before = Object.fromEntries(Object.keys(changes).map(name => [name, process.env[name]]))
  apply(changes)
  try {
    await body()
  } finally {
    apply(before)
  }
}

const NO_CREDENTIALS = {
  AWS_ACCESS_KEY_ID: undefined,
  AWS_SECRET_ACCESS_KEY: undefined,
  AWS_SESSION_TOKEN: undefined,
  AWS_PROFILE: undefined,
  AWS_WEB_IDENTITY_TOKEN_FILE: undefined,
  AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: undefined,
  AWS_CONTAINER_CREDENTIALS_FULL_URI: undefined,
  AWS_SHARED_CREDENTIALS_FILE: '/nonexistent/credentials',
  AWS_CONFIG_FILE: '/nonexistent/config',
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_REGION: 'us-east-1'
}

function records(count: number, from = 0, keys = 20): { partitionKey: string; data: string }[] {
  return Array.from({ length: count }, (_, i) => ({ partitionKey: `key-${(from + i) % keys}`, data: String(from + i) }))
}

/** Keeps what was delivered; tells what is missing, twice or out of order. */
class Tally {
  readonly ids: number[] = []
  readonly #newest = new Map<string, number>()
  readonly outOfOrder: number[] = []
  /** When the first record came, on the clock of `performance`. */
  firstAtMs = Number.POSITIVE_INFINITY

  readonly handler: WorkerOptions['handler'] & {} = delivered => {
    this.firstAtMs = Math.min(this.firstAtMs, performance.now())
    for (const record of delivered) {
      const id = Number(record.text())
      this.ids.push(id)
      if (id < (this.#newest.get(record.partitionKey) ?? -1)) this.outOfOrder.push(id)
      this.#newest.set(record.partitionKey, id)
    }
  }

  async until(count: number): Promise<void> {
    await pollUntil(`${count} records`, () => new Set(this.ids).size >= count, 15_000)
  }
}

function aWorker({ kinesis, dynamodb }: Place, streamName: string, tally: Tally, more: object = {}): Worker {
  return new Worker({
    streamName,
    applicationName: streamName,
    startAt: 'TRIM_HORIZON',
    retrieval: { idleMs: 200 },
    shardSyncIntervalMs: 1_000,
    // So long that nothing is lost, and thus repeated, where the processor is busy with other things.
    leases: { durationMs: 60_000 },
    logger: silentLogger,
    kinesis: kinesis.clientConfig(),
    dynamodb: dynamodb.clientConfig(),
    handler: tally.handler,
    ...more
  })
}

describe('a worker on the wire', () => {
  for (const [name, start] of [
    ['kinesis-local, which names child shards', sharedKinesisLocal],
    ['kinesalite, which does not name child shards', sharedKinesalite]
  ] as const) {
    it(`reads on through a split and a merge on ${name}`, async function () {
      this.timeout(150_000)
      this.slow(20_000)
      await withEmulators(start, async place => {
        const { client } = place
        const streamName = await createStream(client)
        const tally = new Tally()
        await using worker = aWorker(place, streamName, tally)
        const ended: string[] = []
        worker.on('shard:ended', ({ shardId }) => ended.push(shardId))
        await putRecords(client, streamName, records(100))
        await worker.start()
        await splitShard(client, streamName, SHARDS[0] ?? '')
        await putRecords(client, streamName, records(100, 100))
        await tally.until(200)
        await mergeShards(client, streamName, SHARDS[1] ?? '', SHARDS[2] ?? '')
        await putRecords(client, streamName, records(100, 200))
        await tally.until(300)
        await worker.stop()
        expect(tally.ids).to.have.length(300)
        expect(tally.outOfOrder).to.deep.equal([])
        expect(ended.sort()).to.deep.equal(SHARDS)
      })
    })
  }

  it('leaves rows alone that are none of its own, or broken, and tells of the broken ones', async () => {
    await withEmulators(sharedKinesalite, async place => {
      const { client, dynamodb: emulator } = place
      const streamName = await createStream(client, 2)
      const dynamodb = new DynamoDBClient(emulator.clientConfig())
      try {
        await createTable(dynamodb, streamName)
        const put = (Item: Record<string, { S: string } | { N: string }>) =>
          dynamodb.send(new PutItemCommand({ TableName: streamName, Item }))
        const lease = { checkpoint: { S: 'TRIM_HORIZON' }, leaseCounter: { N: '1' } }
        await put({ leaseKey: { S: 'broken' }, checkpoint: { S: 'nowhere' }, leaseCounter: { N: '1' } })
        await put({ leaseKey: { S: 'unreadable' }, ...lease, leaseCounter: { S: 'many' } })
        await put({ leaseKey: { S: 'worker-1' }, entityType: { S: 'WORKER_METRICS' }, lut: { N: '5' } })
        const tally = new Tally()
        const skipped: WorkerEvents['lease:row-skipped'][] = []
        const worker = aWorker(place, streamName, tally)
        worker.on('lease:row-skipped', event => skipped.push(event))
        await putRecords(client, streamName, records(50))
        await worker.start()
        await tally.until(50)
        await worker.stop()
        expect(tally.ids).to.have.length(50)
        expect(skipped.map(({ key }) => key).sort()).to.deep.equal(['broken', 'unreadable'])
        for (const { problem } of skipped) expect(problem).to.be.a('string').and.not.equal('')
      } finally {
        dynamodb.destroy()
      }
    })
  })

  it('reads the other shards while the row of one is broken, and that one once it is mended', async () => {
    await withEmulators(sharedKinesalite, async place => {
      const { client, dynamodb: emulator } = place
      const streamName = await createStream(client, 2)
      const dynamodb = new DynamoDBClient(emulator.clientConfig())
      const setCounter = (counter: { S: string } | { N: string }) =>
        dynamodb.send(
          new UpdateItemCommand({
            TableName: streamName,
            Key: { leaseKey: { S: SHARDS[0] ?? '' } },
            UpdateExpression: 'SET leaseCounter = :counter',
            ExpressionAttributeValues: { ':counter': counter }
          })
        )
      try {
        const tally = new Tally()
        const brief = { leases: { durationMs: 2_000 } }
        const first = aWorker(place, streamName, tally, brief)
        await putRecords(client, streamName, records(40))
        await first.start()
        await tally.until(40)
        await first.stop()
        await setCounter({ S: 'many' })
        const shardOf = await putRecords(client, streamName, records(40, 40))
        const readable = shardOf.filter(({ shardId }) => shardId !== SHARDS[0]).length
        const second = aWorker(place, streamName, tally, brief)
        const skipped: string[] = []
        second.on('lease:row-skipped', ({ key }) => skipped.push(key))
        await second.start()
        await tally.until(40 + readable)
        expect(second.shardIds).to.deep.equal([SHARDS[1]])
        await setCounter({ N: '7' })
        await tally.until(80)
        await second.stop()
        expect(readable).to.be.within(1, 39)
        expect(tally.ids).to.have.length(80)
        expect(tally.outOfOrder).to.deep.equal([])
        expect(skipped).to.deep.equal([SHARDS[0]])
      } finally {
        dynamodb.destroy()
      }
    })
  })

  it('is configured by the environment alone', async () => {
    await withEmulators(sharedKinesalite, async place => {
      const { client, kinesis, dynamodb } = place
      const streamName = await createStream(client, 2)
      await putRecords(client, streamName, records(20))
      const environment = {
        AWS_REGION: 'us-east-1',
        AWS_ACCESS_KEY_ID: 'none',
        AWS_SECRET_ACCESS_KEY: 'none',
        AWS_PROFILE: undefined,
        AWS_ENDPOINT_URL: undefined,
        AWS_ENDPOINT_URL_KINESIS: kinesis.endpoint,
        AWS_ENDPOINT_URL_DYNAMODB: dynamodb.endpoint
      }
      await withEnvironment(environment, async () => {
        const tally = new Tally()
        const worker = aWorker(place, streamName, tally, { kinesis: undefined, dynamodb: undefined })
        await worker.start()
        await tally.until(20)
        await worker.stop()
        expect(tally.ids).to.have.length(20)
      })
    })
  })

  it('says at once that it has no credentials', async () => {
    await withEmulators(sharedKinesalite, async place => {
      const { client, kinesis, dynamodb } = place
      const streamName = await createStream(client)
      const without = (emulator: Emulator): object => ({ endpoint: emulator.endpoint })
      const configurations = [
        { kinesis: without(kinesis), dynamodb: without(dynamodb) },
        { kinesis: without(kinesis) },
        { dynamodb: without(dynamodb) }
      ]
      await withEnvironment(NO_CREDENTIALS, async () => {
        for (const configuration of configurations) {
          const worker = aWorker(place, streamName, new Tally(), configuration)
          const startedMs = performance.now()
          const error = await worker.start().catch((reason: unknown) => reason)
          expect(error).to.be.instanceOf(ServiceError).and.include({ kind: 'access-denied', retryable: false })
          expect((error as Error).message).to.match(/credentials/i)
          expect(performance.now() - startedMs).to.be.lessThan(2_000)
          await worker.stop()
        }
      })
    })
  })

  it('hands over the first record of 64 shards in less than three seconds, table and leases included', async function () {
    this.timeout(60_000)
    this.slow(10_000)
    await withEmulators(sharedKinesalite, async place => {
      const { client } = place
      const streamName = await createStream(client, 64)
      await putRecords(client, streamName, records(640, 0, 640))
      const coldStart = async (): Promise<number> => {
        const tally = new Tally()
        const begunMs = performance.now()
        const worker = aWorker(place, streamName, tally, { applicationName: uniqueName('app') })
        await Promise.all([worker.start(), tally.until(1)])
        const tookMs = tally.firstAtMs - begunMs
        await tally.until(640)
        await worker.stop()
        return tookMs
      }
      // The emulators share the processor with whatever else runs here: three attempts for one good one.
      let bestMs = await coldStart()
      for (let attempt = 2; attempt <= 3 && bestMs >= 3_000; attempt++) bestMs = Math.min(bestMs, await coldStart())
      expect(bestMs).to.be.lessThan(3_000)
    })
  })

  it('keeps nothing open after it has stopped', async () => {
    await withEmulators(sharedKinesalite, async place => {
      const streamName = await createStream(place.client)
      const worker = aWorker(place, streamName, new Tally(), { applicationName: uniqueName('app') })
      const open = (kind: string): number => process.getActiveResourcesInfo().filter(name => name === kind).length
      const timers = open('Timeout')
      const connections = open('TCPSocketWrap')
      await worker.start()
      expect(open('TCPSocketWrap')).to.be.greaterThan(connections)
      await worker.stop()
      expect(open('Timeout')).to.be.at.most(timers + 1)
      await pollUntil('every connection to be closed', () => open('TCPSocketWrap') <= connections, 3_000)
    })
  })
})

async function createTable(client: DynamoDBClient, name: string): Promise<void> {
  await client.send(
    new CreateTableCommand({
      TableName: name,
      AttributeDefinitions: [{ AttributeName: 'leaseKey', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'leaseKey', KeyType: 'HASH' }],
      ProvisionedThroughput: { ReadCapacityUnits: 10, WriteCapacityUnits: 10 }
    })
  )
  await pollUntil('the table to be ACTIVE', async () => {
    const { Table } = await client.send(new DescribeTableCommand({ TableName: name }))
    return Table?.TableStatus === 'ACTIVE'
  })
}
