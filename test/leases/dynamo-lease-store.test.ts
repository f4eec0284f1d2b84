import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { expect } from 'chai'
import { toItem } from '../../src/leases/dynamo-item.ts'
import { type DynamoLeaseStore, dynamoLeaseStore } from '../../src/leases/dynamo-lease-store.ts'
import { ServiceError, ThrottledError } from '../../src/model/errors.ts'
import { checkpointed, claimed, type Lease, newLease, released, renewed } from '../../src/model/lease.ts'
import { TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { type Logger, silentLogger } from '../../src/runtime/logger.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { sharedDynalite } from '../support/emulators.ts'
import { uniqueName } from '../support/streams.ts'
import { type SentCall, sdkError, stubDynamo } from '../support/stub-dynamo.ts'

const KEY = 'shardId-000000000000'
const CREDENTIALS = { accessKeyId: 'x', secretAccessKey: 'x' }
const bare = newLease({ shardId: KEY, checkpoint: TRIM_HORIZON })
const held = claimed(bare, 'worker-1/1')

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
  ['list', 'Scan in table orders', (store, signal) => store.list(signal)],
  ['get', `GetItem of ${KEY} in table orders`, (store, signal) => store.get(KEY, signal)],
  ['create', `PutItem of ${KEY} in table orders`, store => store.create(bare)],
  ['replace', `UpdateItem of ${KEY} in table orders`, store => store.replace(held, renewed(held))],
  ['request', `UpdateItem of ${KEY} in table orders`, store => store.request(held, 'worker-2/1')],
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
      expect(((await rejection) as Error).message).to.include(about)
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
    const rejection = rejectionOf(storeOn(stub.client).list(stopping.signal))
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
      expect(error).to.include({ kind: 'access-denied', retryable: false })
      expect(error.message).to.include('AWS_REGION')
      store.close()
    } finally {
      process.env = env
    }
  })
})

describe('dynamoLeaseStore, refused', () => {
  /** A client whose writes are refused, and which has `row` to show for it, or does not show it. */
  const refusing = (row: object | undefined, { shows }: { shows: boolean }) =>
    stubDynamo(({ name }: SentCall) => {
      if (name === 'GetItem') return { Item: row }
      throw sdkError('ConditionalCheckFailedException', shows ? { Item: row } : {})
    })

  it('takes the row from the refusal', async () => {
    const current = renewed(held)
    const stub = refusing(toItem(current), { shows: true })
    expect(await storeOn(stub.client).replace(held, renewed(held))).to.deep.equal({ kind: 'refused', current })
    expect(stub.sent.map(({ name }) => name)).to.deep.equal(['UpdateItem'])
    expect(stub.sent[0]?.input).to.include({ ReturnValuesOnConditionCheckFailure: 'ALL_OLD' })
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
      throw sdkError(name === 'GetItem' ? 'ThrottlingException' : 'ConditionalCheckFailedException')
    })
    expect(await rejectionOf(storeOn(client).create(bare))).to.be.instanceOf(ThrottledError)
  })

  it('has no current row if that is no lease, and warns', async () => {
    const warnings: object[] = []
    const logger = { ...silentLogger, warn: (fields: object) => warnings.push(fields) }
    for (const shows of [true, false]) {
      const { client } = refusing({ leaseKey: { S: KEY }, leaseCounter: { S: 'x' } }, { shows })
      expect(await storeOn(client, { logger }).create(bare)).to.deep.equal({ kind: 'refused' })
    }
    expect(warnings).to.have.length(2)
    expect(warnings[0]).to.include({ tableName: 'orders', key: KEY, because: 'malformed' })
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
    for (const lease of leases) await put(toItem({ ...lease, leaseKey: lease.shardId }))
    await put({ leaseKey: { S: 'Leader' }, entityType: { S: 'LEADER' }, ownerName: { S: 'worker-1' } })
    await put({ leaseKey: { S: 'no-counter' }, checkpoint: { S: 'LATEST' } })
    await put({ leaseKey: { S: 'huge-counter' }, leaseCounter: { N: '1e37' }, checkpoint: { S: 'LATEST' } })
    await put({ ...toItem(bare), leaseKey: { S: 'huge-extra' }, throughputKBps: { N: '12345678901234567890.25' } })
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
    const { entityType: _, ...item } = toItem(bare)
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
      const { entityType: __, ...expected } = toItem(lease)
      expect(await raw(KEY)).to.deep.equal({ ...expected, ...extras })
    }
    await store.request(lease, 'worker-2/1')
    expect(await raw(KEY)).to.deep.include({ ...extras, millraceWantedBy: { S: 'worker-2/1' } })
  })

  it('reports a write whose answer is lost as a timeout, and the next one as refused with the row one ahead', async () => {
    const lease = claimed({ ...bare, leaseKey: 'shardId-000000000200', shardId: 'shardId-000000000200' }, 'worker-1/1')
    await store.create(lease)
    let lost = false
    const flaky = stubDynamo(async ({ name }, command) => {
      const answer = await client.send(command)
      if (name === 'UpdateItem' && !lost) {
        lost = true
        throw sdkError('TimeoutError')
      }
      return answer
    })
    const unlucky = dynamoLeaseStore({ tableName, client: flaky.client, clock: systemClock, logger: silentLogger })
    expect(await rejectionOf(unlucky.replace(lease, renewed(lease)))).to.include({ kind: 'timeout', retryable: true })
    const second = await unlucky.replace(lease, renewed(lease))
    expect(second).to.deep.equal({ kind: 'refused', current: renewed(lease) })
  })
})
