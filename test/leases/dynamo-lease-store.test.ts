import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, GetCommand, NumberValue, PutCommand } from '@aws-sdk/lib-dynamodb'
import { expect } from 'chai'
import { toItem } from '../../src/leases/dynamo-item.ts'
import { type DynamoLeaseStore, dynamoLeaseStore } from '../../src/leases/dynamo-lease-store.ts'
import { ServiceError, ThrottledError } from '../../src/model/errors.ts'
import { FULL_HASH_KEY_RANGE } from '../../src/model/hash-key-range.ts'
import { checkpointed, claimed, type Lease, newLease, released, renewed } from '../../src/model/lease.ts'
import { TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { type Logger, silentLogger } from '../../src/runtime/logger.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { sharedDynalite } from '../support/emulators.ts'
import { pollUntil } from '../support/poll.ts'
import { uniqueName } from '../support/streams.ts'
import { RefusedByDynamo, type SentCall, sdkError, stored, stubDynamo } from '../support/stub-dynamo.ts'

const KEY = 'shardId-000000000000'
const CREDENTIALS = { accessKeyId: 'x', secretAccessKey: 'x' }
const bare = newLease({ shardId: KEY, checkpoint: TRIM_HORIZON })
const held = claimed(bare, 'worker-1/1')
const full: Lease = {
  leaseKey: KEY,
  shardId: KEY,
  owner: 'worker-1/1',
  counter: 42,
  checkpoint: { sequenceNumber: '12', subSequenceNumber: 7 },
  pendingCheckpoint: { position: { sequenceNumber: '13', subSequenceNumber: 9 }, state: new Uint8Array([1, 2]) },
  ownerSwitchesSinceCheckpoint: 3,
  parentShardIds: ['shardId-000000000001', 'shardId-000000000002'],
  childShardIds: ['shardId-000000000003'],
  hashKeyRange: FULL_HASH_KEY_RANGE,
  checkpointOwner: 'worker-2/1',
  throughputKBps: 12.5,
  stream: { streamArn: 'arn', creationEpoch: 1_700_000_000 },
  startTimestampMs: 1_700_000_000_123,
  beganAtMs: 1_600_000_000_000
}

function storeOn(client: DynamoDBClient, options: { requestTimeoutMs?: number; logger?: Logger } = {}) {
  return dynamoLeaseStore({ tableName: 'orders', client, clock: systemClock, logger: silentLogger, ...options })
}

/** What `work` rejects with; fails the test if it does not. */
async function rejectionOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    value => expect.fail(`Expected a rejection, got ${JSON.stringify(value)}`),
    error => error
  )
}

/** Every method of the store, the call it makes and what that is about. */
const METHODS: readonly [string, string, (store: DynamoLeaseStore, signal?: AbortSignal) => Promise<unknown>][] = [
  ['prepare', 'DescribeTable in table orders', (store, signal) => store.prepare(signal)],
  ['list', 'Scan in table orders', (store, signal) => store.list({ ...(signal && { signal }) })],
  ['get', `GetItem of ${KEY} in table orders`, (store, signal) => store.get(KEY, signal)],
  ['create', `PutItem of ${KEY} in table orders`, store => store.create(bare)],
  ['replace', `UpdateItem of ${KEY} in table orders`, store => store.replace(held, renewed(held))],
  ['remove', `DeleteItem of ${KEY} in table orders`, store => store.remove(held)]
]

describe('dynamoLeaseStore', () => {
  for (const [method, about, run] of METHODS) {
    it(`turns failures of ${method} into errors of ours that name the call`, async () => {
      const failWith = (name: string) =>
        rejectionOf(
          run(
            storeOn(
              stubDynamo(() => {
                throw sdkError(name)
              }).client
            )
          )
        )
      const throttled = await failWith('ProvisionedThroughputExceededException')
      expect(throttled).to.be.instanceOf(ThrottledError)
      expect((throttled as Error).message).to.include(about)
      expect(await failWith('AccessDeniedException')).to.include({ kind: 'access-denied' })
    })

    it(`bounds ${method} in time and aborts its call`, async () => {
      const clock = new VirtualClock()
      const stub = stubDynamo(() => new Promise(() => {}))
      const store = dynamoLeaseStore({ tableName: 'orders', client: stub.client, clock, logger: silentLogger })
      const rejection = rejectionOf(run(store))
      await clock.advance(4_999)
      expect(stub.sent[0]?.signal?.aborted).to.equal(false)
      await clock.advance(1)
      expect(await rejection).to.include({ kind: 'timeout', retryable: true })
      const { message } = (await rejection) as Error
      expect(message).to.include(about)
      const mayHaveLanded = !['prepare', 'list', 'get'].includes(method)
      expect(message.includes('may or may not have been carried out')).to.equal(mayHaveLanded)
      expect(stub.sent[0]?.signal?.aborted).to.equal(true)
    })
  }

  it('takes the time that a call may have from requestTimeoutMs', async () => {
    const clock = new VirtualClock()
    const { client } = stubDynamo(() => new Promise(() => {}))
    const store = dynamoLeaseStore({
      tableName: 'orders',
      client,
      clock,
      logger: silentLogger,
      requestTimeoutMs: 20
    })
    const rejection = rejectionOf(store.list())
    await clock.advance(20)
    expect(await rejection).to.include({ kind: 'timeout' })
    expect(clock.sleeping).to.equal(0)
  })

  it('says that the table is gone', async () => {
    const { client } = stubDynamo(() => {
      throw sdkError('ResourceNotFoundException')
    })
    const error = await rejectionOf(storeOn(client).replace(held, renewed(held)))
    expect(error).to.be.instanceOf(ServiceError)
    expect(error).to.include({ kind: 'not-found', retryable: false })
  })

  it('stops a call under way when the signal aborts', async () => {
    const stopping = new AbortController()
    const stub = stubDynamo(() => new Promise(() => {}))
    const rejection = rejectionOf(storeOn(stub.client).list({ signal: stopping.signal }))
    await pollUntil('the call to be under way', () => stub.sent.length > 0)
    stopping.abort('stop')
    expect(await rejection).to.equal('stop')
    expect(stub.sent[0]?.signal?.aborted).to.equal(true)
  })

  it('leaves a client that it was given open', () => {
    const stub = stubDynamo(() => ({}))
    storeOn(stub.client).close()
    expect(stub.destroyed()).to.equal(0)
  })

  it('can be tried again when nothing listens there', async () => {
    const config = { endpoint: 'http://127.0.0.1:1', region: 'us-east-1', credentials: CREDENTIALS, maxAttempts: 1 }
    const store = dynamoLeaseStore({ tableName: 'orders', client: config, clock: systemClock, logger: silentLogger })
    expect(await rejectionOf(store.list())).to.include({ kind: 'other', retryable: true })
    store.close()
  })

  it('says what to do when no region is known', async () => {
    const env = process.env
    const { AWS_REGION: _, AWS_DEFAULT_REGION: __, ...rest } = env
    process.env = { ...rest, AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' }
    try {
      const client = { credentials: CREDENTIALS }
      const store = dynamoLeaseStore({ tableName: 'orders', client, clock: systemClock, logger: silentLogger })
      const error = (await rejectionOf(store.list())) as ServiceError
      expect(error).to.include({ kind: 'other', retryable: false })
      expect(error.message).to.include('AWS_REGION')
      store.close()
    } finally {
      process.env = env
    }
  })
})

describe("dynamoLeaseStore, in DynamoDB's types", () => {
  const inputOf = async (run: (store: DynamoLeaseStore) => Promise<unknown>) => {
    const stub = stubDynamo(() => ({}))
    await run(storeOn(stub.client))
    return stub.sent[0]?.input
  }

  it('writes those of KCL', async () => {
    expect(await inputOf(store => store.create(full))).to.deep.include({
      Item: {
        leaseKey: { S: KEY },
        entityType: { S: 'LEASE' },
        leaseOwner: { S: 'worker-1/1' },
        leaseCounter: { N: '42' },
        checkpoint: { S: '12' },
        checkpointSubSequenceNumber: { N: '7' },
        pendingCheckpoint: { S: '13' },
        pendingCheckpointSubSequenceNumber: { N: '9' },
        pendingCheckpointState: { B: 'AQI=' },
        ownerSwitchesSinceCheckpoint: { N: '3' },
        parentShardId: { SS: ['shardId-000000000001', 'shardId-000000000002'] },
        childShardIds: { SS: ['shardId-000000000003'] },
        startingHashKey: { S: '0' },
        endingHashKey: { S: '340282366920938463463374607431768211455' },
        checkpointOwner: { S: 'worker-2/1' },
        throughputKBps: { N: '12.5' },
        millraceStreamArn: { S: 'arn' },
        millraceStreamEpoch: { N: '1700000000' },
        millraceStartTimestamp: { N: '1700000000123' },
        millraceBeganAt: { N: '1600000000000' }
      }
    })
  })

  it('never writes an empty set, and removes one that became empty', async () => {
    expect(await inputOf(store => store.create(bare))).to.deep.include({
      Item: {
        leaseKey: { S: KEY },
        entityType: { S: 'LEASE' },
        leaseCounter: { N: '0' },
        checkpoint: { S: 'TRIM_HORIZON' },
        checkpointSubSequenceNumber: { N: '0' },
        ownerSwitchesSinceCheckpoint: { N: '0' }
      }
    })
    const emptied = { ...full, counter: 43, parentShardIds: [], childShardIds: [] }
    expect(await inputOf(store => store.replace(full, emptied))).to.deep.include({
      Key: { leaseKey: { S: KEY } },
      UpdateExpression: 'SET #leaseCounter = :leaseCounter REMOVE #parentShardId, #childShardIds',
      ExpressionAttributeValues: {
        ':leaseCounter': { N: '43' },
        ':was_leaseOwner': { S: 'worker-1/1' },
        ':was_leaseCounter': { N: '42' },
        ':was_checkpointOwner': { S: 'worker-2/1' }
      }
    })
  })

  it('asks for the page after the last one by its key', async () => {
    const pages = [{ Items: [stored(toItem(bare))], LastEvaluatedKey: { leaseKey: { S: KEY } } }, { Items: [] }]
    const stub = stubDynamo(() => pages.shift())
    expect(await storeOn(stub.client).list()).to.deep.equal({ leases: [bare], skipped: [] })
    expect(stub.sent[1]?.input).to.deep.include({ ExclusiveStartKey: { leaseKey: { S: KEY } } })
  })

  it('asks for what was written before only if told to', async () => {
    expect(await inputOf(store => store.list())).to.not.have.property('ConsistentRead')
    expect(await inputOf(store => store.list({ consistent: true }))).to.include({ ConsistentRead: true })
  })

  it('reads a page in which one row has numbers beyond 2^53, and another an attribute of any name', async () => {
    const row = (leaseKey: string, attributes: Record<string, unknown>) => ({
      ...stored(toItem({ ...bare, leaseKey })),
      ...attributes
    })
    const { client } = stubDynamo(() => ({
      Items: [
        row('a', { leaseCounter: { N: '9007199254740993' } }),
        row('b', { leaseCounter: { N: '99999999999999999999999999999999999999' } }),
        row('c', { other: { L: [{ N: '-9007199254740993.5' }, { NS: ['9007199254740993', '1E+125'] }] } }),
        row(
          'd',
          JSON.parse('{ "__proto__": { "M": { "leaseOwner": { "S": "nobody" } } }, "constructor": { "S": "x" } }')
        ),
        row('e', { leaseCounter: { N: '9007199254740991' } })
      ]
    }))
    const { leases, skipped } = await storeOn(client).list()
    expect(leases.map(({ leaseKey, owner, counter }) => ({ leaseKey, owner, counter }))).to.deep.equal([
      { leaseKey: 'c', owner: undefined, counter: 0 },
      { leaseKey: 'd', owner: undefined, counter: 0 },
      { leaseKey: 'e', owner: undefined, counter: Number.MAX_SAFE_INTEGER }
    ])
    expect(skipped.map(({ key, because }) => `${key} ${because}`)).to.deep.equal(['a malformed', 'b malformed'])
  })
})

describe('dynamoLeaseStore, with a client that the application uses too', () => {
  const ITEM = { Item: { id: { S: 'x' }, count: { N: '5' }, huge: { N: '9007199254740993' } } }
  const USERS_OPTIONS = { marshallOptions: { removeUndefinedValues: true }, unmarshallOptions: { wrapNumbers: true } }
  const configOf = (client: DynamoDBClient): object => ({ ...client.config })

  /** What the application writes and reads through a document client of its own. */
  const useOf = async (documents: DynamoDBDocumentClient, sent: readonly SentCall[]) => {
    await documents.send(new PutCommand({ TableName: 'mine', Item: { id: 'x', gone: undefined } }))
    const written = sent.at(-1)?.input
    const { Item: read } = await documents.send(new GetCommand({ TableName: 'mine', Key: { id: 'x' } }))
    return { written, read }
  }

  it("leaves the client's configuration and middleware as they are", async () => {
    const { client } = stubDynamo(() => ({}))
    // The first call of all, whoever makes it, leaves the signing region there.
    await client.send(new GetItemCommand({ TableName: 'mine', Key: { id: { S: 'x' } } }))
    const [config, middleware] = [configOf(client), client.middlewareStack.identify()]
    const store = storeOn(client)
    await store.create(full)
    await store.list()
    store.close()
    expect(configOf(client)).to.deep.equal(config)
    expect(client.config).to.not.have.property('translateConfig')
    expect(client.middlewareStack.identify()).to.deep.equal(middleware)
  })

  for (const order of ['before', 'after']) {
    it(`does not change what a document client does that was made ${order} the store, nor the other way round`, async () => {
      const { client, sent } = stubDynamo(({ name, input }) => {
        if (name !== 'GetItem') return {}
        return input.TableName === 'mine' ? ITEM : { Item: stored(toItem(full)) }
      })
      const make = () => DynamoDBDocumentClient.from(client, USERS_OPTIONS)
      const early = order === 'before' ? make() : undefined
      const before = early && (await useOf(early, sent))
      const store = storeOn(client)
      expect(await store.get(KEY)).to.deep.equal(full)
      const documents = early ?? make()
      const during = await useOf(documents, sent)
      expect(await store.get(KEY)).to.deep.equal(full)
      expect(await store.create(full)).to.deep.equal({ kind: 'written' })
      const after = await useOf(documents, sent)

      expect(after.written).to.deep.include({ Item: { id: { S: 'x' } } })
      expect(after.read?.huge).to.be.instanceOf(NumberValue)
      expect(String(after.read?.huge)).to.equal('9007199254740993')
      expect(during).to.deep.equal(after)
      if (before !== undefined) expect(before).to.deep.equal(after)
      expect(client.config).to.have.property('translateConfig', USERS_OPTIONS)
    })
  }

  it('takes a document client for a client', async () => {
    const { client } = stubDynamo(() => ({ Item: stored(toItem(full)) }))
    const documents = DynamoDBDocumentClient.from(client, USERS_OPTIONS)
    expect(await storeOn(documents as unknown as DynamoDBClient).get(KEY)).to.deep.equal(full)
  })

  it('takes a client that caches middleware, which document clients alone refuse', async () => {
    const { client } = stubDynamo(() => ({ Item: stored(toItem(full)) }))
    Object.assign(client.config, { cacheMiddleware: true })
    expect(() => DynamoDBDocumentClient.from(client)).to.throw('cacheMiddleware')
    expect(await storeOn(client).get(KEY)).to.deep.equal(full)
    expect(client.config).to.include({ cacheMiddleware: true })
  })

  it('goes through middleware that the application adds to the client later', async () => {
    const { client } = stubDynamo(() => ({}))
    const store = storeOn(client)
    const commands: (string | undefined)[] = []
    client.middlewareStack.add(
      (next, context) => args => {
        commands.push(context.commandName)
        return next(args)
      },
      { step: 'initialize' }
    )
    await store.list()
    expect(commands).to.deep.equal(['ScanCommand'])
  })
})

describe('dynamoLeaseStore, refused', () => {
  /** A client whose writes are refused, and which has `row` to show for it, or does not show it. */
  const refusing = (row: Record<string, unknown>, { shows }: { shows: boolean }) =>
    stubDynamo(({ name }: SentCall) => {
      if (name === 'GetItem') return { Item: stored(row) }
      throw new RefusedByDynamo(shows ? stored(row) : undefined)
    })

  it('takes the row from the refusal', async () => {
    const current = renewed(held)
    const stub = refusing(toItem(current), { shows: true })
    expect(await storeOn(stub.client).replace(held, renewed(held))).to.deep.equal({ kind: 'refused', current })
    expect(stub.sent.map(({ name }) => name)).to.deep.equal(['UpdateItem'])
    expect(stub.sent[0]?.input).to.include({ ReturnValuesOnConditionCheckFailure: 'ALL_OLD' })
  })

  it('takes everything that a lease can have from the refusal, on every write', async () => {
    const stub = refusing(toItem(full), { shows: true })
    const store = storeOn(stub.client)
    const refusal = { kind: 'refused', current: full }
    expect(await store.create(held)).to.deep.equal(refusal)
    expect(await store.replace(held, renewed(held))).to.deep.equal(refusal)
    expect(await store.remove(held)).to.deep.equal(refusal)
    expect(stub.sent.map(({ name }) => name)).to.deep.equal(['PutItem', 'UpdateItem', 'DeleteItem'])
  })

  it('takes a row with numbers beyond 2^53 from the refusal', async () => {
    const { client } = stubDynamo(() => {
      throw new RefusedByDynamo({ ...stored(toItem(held)), somebodyElses: { N: '12345678901234567890.25' } })
    })
    expect(await storeOn(client).create(bare)).to.deep.equal({ kind: 'refused', current: held })
  })

  it('reads the row, as it is now, if the refusal does not show it', async () => {
    const current = renewed(held)
    const stub = refusing(toItem(current), { shows: false })
    expect(await storeOn(stub.client).remove(held)).to.deep.equal({ kind: 'refused', current })
    expect(stub.sent.map(({ name }) => name)).to.deep.equal(['DeleteItem', 'GetItem'])
    expect(stub.sent[1]?.input).to.include({ ConsistentRead: true })
  })

  it('rejects if the row cannot be read, so that nobody takes it for deleted', async () => {
    const { client } = stubDynamo(({ name }) => {
      throw name === 'GetItem' ? sdkError('ThrottlingException') : new RefusedByDynamo()
    })
    expect(await rejectionOf(storeOn(client).create(bare))).to.be.instanceOf(ThrottledError)
  })

  it('has no current row if that is no lease, and leaves it to the listing to warn', async () => {
    const warnings: object[] = []
    const logger = { ...silentLogger, warn: (fields: object) => warnings.push(fields) }
    for (const shows of [true, false]) {
      const { client } = refusing({ leaseKey: KEY, leaseCounter: 'x' }, { shows })
      expect(await storeOn(client, { logger }).create(bare)).to.deep.equal({ kind: 'refused' })
    }
    expect(warnings).to.deep.equal([])
  })
})

describe('dynamoLeaseStore, on rows of others', () => {
  const tableName = uniqueName('leases')
  let client: DynamoDBClient
  let store: DynamoLeaseStore

  before(async () => {
    client = new DynamoDBClient((await sharedDynalite()).clientConfig())
    store = dynamoLeaseStore({ tableName, client, clock: systemClock, logger: silentLogger })
    await store.prepare()
  })

  after(() => client.destroy())

  const put = (Item: Record<string, unknown>) =>
    client.send(new PutItemCommand({ TableName: tableName, Item: Item as never }))
  const raw = async (leaseKey: string) =>
    (await client.send(new GetItemCommand({ TableName: tableName, Key: { leaseKey: { S: leaseKey } } }))).Item

  it('lists the leases among rows that are none or are broken', async () => {
    const leases = ['shardId-000000000100', 'shardId-000000000101'].map(shardId => ({ ...bare, shardId }))
    for (const lease of leases) await put(stored(toItem({ ...lease, leaseKey: lease.shardId })))
    await put({ leaseKey: { S: 'Leader' }, entityType: { S: 'LEADER' }, ownerName: { S: 'worker-1' } })
    await put({ leaseKey: { S: 'no-counter' }, checkpoint: { S: 'LATEST' } })
    await put({ leaseKey: { S: 'huge-counter' }, leaseCounter: { N: '1e37' }, checkpoint: { S: 'LATEST' } })
    await put({
      ...stored(toItem(bare)),
      leaseKey: { S: 'huge-extra' },
      throughputKBps: { N: '12345678901234567890.25' }
    })
    const listing = await store.list()
    expect(listing.leases.map(lease => lease.leaseKey)).to.have.members([
      'shardId-000000000100',
      'shardId-000000000101',
      'huge-extra'
    ])
    expect(listing.skipped.map(({ key, because }) => `${key} ${because}`)).to.have.members([
      'Leader another-kind',
      'no-counter malformed',
      'huge-counter malformed'
    ])
    expect(await store.get('Leader')).to.equal(undefined)
    expect(await store.get('no-counter')).to.equal(undefined)
  })

  it('keeps every attribute it does not know, and adds no type to a lease of KCL 2.x', async () => {
    const extras = { throughputKBps: { N: '12.5' }, somebodyElses: { M: { nested: { L: [{ BOOL: true }] } } } }
    const { entityType: _, ...item } = stored(toItem(bare))
    await put({ ...item, ...extras })
    const steps: readonly ((lease: Lease) => Lease)[] = [
      lease => claimed(lease, 'worker-1/1'),
      renewed,
      lease => checkpointed(lease, { sequenceNumber: '12', subSequenceNumber: 3 }),
      released
    ]
    let lease = bare
    for (const step of steps) {
      expect(await store.replace(lease, step(lease))).to.deep.equal({ kind: 'written' })
      lease = step(lease)
      const { entityType: __, ...expected } = stored(toItem(lease))
      expect(await raw(KEY)).to.deep.equal({ ...expected, ...extras })
    }
  })

  it('reports a write whose answer is lost as a timeout, and the next one as refused with the row one ahead', async () => {
    const lease = claimed({ ...bare, leaseKey: 'shardId-000000000200', shardId: 'shardId-000000000200' }, 'worker-1/1')
    await store.create(lease)
    let lost = false
    const flaky = new DynamoDBClient((await sharedDynalite()).clientConfig())
    flaky.middlewareStack.add(
      (next, context) => async args => {
        const answer = await next(args)
        if (lost || context.commandName !== 'UpdateItemCommand') return answer
        lost = true
        throw sdkError('TimeoutError')
      },
      { step: 'initialize' }
    )
    const unlucky = dynamoLeaseStore({ tableName, client: flaky, clock: systemClock, logger: silentLogger })
    expect(await rejectionOf(unlucky.replace(lease, renewed(lease)))).to.include({ kind: 'timeout', retryable: true })
    const second = await unlucky.replace(lease, renewed(lease))
    expect(second).to.deep.equal({ kind: 'refused', current: renewed(lease) })
    flaky.destroy()
  })
})
