// On an emulator: the tables, the index and the records that KCL 3.x leaves behind.
import {
  CreateTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  type KeySchemaElement,
  ListTablesCommand
} from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { expect } from 'chai'
import { type DynamoKclEstate, dynamoKclEstate } from '../../src/leases/dynamo-kcl-estate.ts'
import type { KclItem } from '../../src/leases/kcl-estate.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { sharedDynalite } from '../support/emulators.ts'
import { pollUntil } from '../support/poll.ts'
import { uniqueName } from '../support/streams.ts'
import { sdkError, stubDynamo } from '../support/stub-dynamo.ts'

const LEASE = { leaseKey: 'shardId-000000000000', leaseCounter: 4, ownerSwitchesSinceCheckpoint: 0, checkpoint: '123' }
const LOCK = { key: 'Leader', ownerName: 'java-1', leaseDuration: '120000', recordVersionNumber: 'r-1' }

describe('dynamoKclEstate', function () {
  this.timeout(30_000)
  let client: DynamoDBClient
  let documents: DynamoDBDocumentClient
  let name: string
  let estate: DynamoKclEstate

  before(async () => {
    client = new DynamoDBClient((await sharedDynalite()).clientConfig())
    documents = DynamoDBDocumentClient.from(client)
  })

  beforeEach(async () => {
    name = uniqueName('kcl')
    estate = dynamoKclEstate({
      applicationName: name,
      tableName: name,
      client,
      clock: systemClock,
      requestTimeoutMs: 5_000
    })
    await table(name, 'leaseKey', true)
    await put(name, LEASE)
  })

  after(() => client?.destroy())

  async function table(tableName: string, hash: string, withIndex = false): Promise<void> {
    const key = (AttributeName: string, KeyType: 'HASH' | 'RANGE'): KeySchemaElement => ({ AttributeName, KeyType })
    const index = {
      IndexName: 'LeaseOwnerToLeaseKeyIndex',
      KeySchema: [key('leaseOwner', 'HASH'), key(hash, 'RANGE')],
      Projection: { ProjectionType: 'KEYS_ONLY' as const }
    }
    const names = withIndex ? [hash, 'leaseOwner'] : [hash]
    await client.send(
      new CreateTableCommand({
        ...{ TableName: tableName, BillingMode: 'PAY_PER_REQUEST', KeySchema: [key(hash, 'HASH')] },
        AttributeDefinitions: names.map(AttributeName => ({ AttributeName, AttributeType: 'S' })),
        ...(withIndex && { GlobalSecondaryIndexes: [index] })
      })
    )
    await pollUntil('the table to be active', async () => {
      const { Table } = await client.send(new DescribeTableCommand({ TableName: tableName }))
      const isReady = Table?.GlobalSecondaryIndexes?.every(({ IndexStatus }) => IndexStatus === 'ACTIVE') ?? true
      return Table?.TableStatus === 'ACTIVE' && isReady
    })
  }

  const put = (TableName: string, Item: object) => documents.send(new PutCommand({ TableName, Item: { ...Item } }))
  const itemOf = (items: readonly KclItem[], key: string): KclItem => {
    const item = items.find(each => each.key === key)
    if (item === undefined) throw new Error(`no item ${key}`)
    return item
  }

  it('finds records, tables and the index of KCL 3.x, and no lease among them', async () => {
    await table(`${name}-CoordinatorState`, 'key')
    await put(`${name}-CoordinatorState`, LOCK)
    await put(name, { leaseKey: 'java-1', entityType: 'WORKER_METRIC_STATS', lut: 5 })
    const { items, index, tables, closed, traces } = await estate.look()
    expect(items.map(({ key, kind, table: place }) => [place, key, kind])).to.deep.equal([
      [name, 'java-1', 'worker-metrics'],
      [`${name}-CoordinatorState`, 'Leader', 'leader']
    ])
    expect(index).to.deep.equal({ name: 'LeaseOwnerToLeaseKeyIndex', status: 'ACTIVE' })
    expect(tables).to.deep.equal([`${name}-CoordinatorState`])
    expect([closed, traces.strange, traces.incomplete]).to.deep.equal([[], [], []])
  })

  it('deletes a record, but not one that has beaten since, and never a lease', async () => {
    await put(name, { leaseKey: 'java-1', entityType: 'WORKER_METRIC_STATS', lut: 5 })
    const before = itemOf((await estate.look()).items, 'java-1')
    await put(name, { leaseKey: 'java-1', entityType: 'WORKER_METRIC_STATS', lut: 35 })
    expect(await estate.removeItem(before)).to.equal(false)
    expect(await estate.removeItem(itemOf((await estate.look()).items, 'java-1'))).to.equal(true)
    expect((await estate.look()).items).to.deep.equal([])
    expect(await estate.removeItem({ table: name, key: LEASE.leaseKey, kind: 'stream' })).to.equal(false)
    const { Item } = await documents.send(new GetCommand({ TableName: name, Key: { leaseKey: LEASE.leaseKey } }))
    expect(Item).to.deep.equal(LEASE)
  })

  it('deletes the other tables, once or twice, and never the lease table', async () => {
    await table(`${name}-WorkerMetricStats`, 'wid')
    await estate.removeTable(`${name}-WorkerMetricStats`)
    await pollUntil('the table to be gone', async () => {
      const { TableNames = [] } = await client.send(new ListTablesCommand({}))
      return !TableNames.includes(`${name}-WorkerMetricStats`)
    })
    await estate.removeTable(`${name}-WorkerMetricStats`)
    for (const table of [name, 'somebody-elses']) {
      const refusal = await estate.removeTable(table).then(
        () => undefined,
        (error: Error) => error.message
      )
      expect(refusal).to.include(table)
    }
  })

  // The emulator has indexes, and does not delete them.
  it('deletes the index of KCL and no other, if there is one', async () => {
    for (const [found, deleted] of [
      [['LeaseOwnerToLeaseKeyIndex', 'mine'], 1],
      [['mine'], 0]
    ] as const) {
      const indexes = found.map(IndexName => ({ IndexName, IndexStatus: 'ACTIVE' }))
      const stub = stubDynamo(() => ({ Table: { GlobalSecondaryIndexes: indexes } }))
      const how = { client: stub.client, clock: systemClock, requestTimeoutMs: 5_000 }
      await dynamoKclEstate({ applicationName: 'app', tableName: 'leases', ...how }).removeIndex()
      const updates = stub.sent.filter(call => call.name === 'UpdateTable')
      expect(updates.map(({ input }) => input)).to.deep.equal(
        Array(deleted).fill({
          TableName: 'leases',
          GlobalSecondaryIndexUpdates: [{ Delete: { IndexName: 'LeaseOwnerToLeaseKeyIndex' } }]
        })
      )
    }
  })

  it('names other tables that it may not look into, and goes on without them', async () => {
    const stub = stubDynamo(({ name: call, input }) => {
      if (call === 'DescribeTable') return { Table: {} }
      if (input.TableName === 'leases') return { Items: [] }
      throw sdkError(input.TableName === 'app-CoordinatorState' ? 'AccessDeniedException' : 'ResourceNotFoundException')
    })
    const how = { client: stub.client, clock: systemClock, requestTimeoutMs: 5_000 }
    const remains = await dynamoKclEstate({ applicationName: 'app', tableName: 'leases', ...how }).look()
    expect(remains).to.deep.include({ tables: [], closed: ['app-CoordinatorState'], items: [] })
  })
})
