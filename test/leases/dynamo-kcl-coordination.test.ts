import { CreateTableCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { expect } from 'chai'
import { clientOf } from '../../src/dynamo/dynamo-client.ts'
import { toItem } from '../../src/leases/dynamo-item.ts'
import { dynamoKclCoordination } from '../../src/leases/dynamo-kcl-coordination.ts'
import { dynamoLeaseStore } from '../../src/leases/dynamo-lease-store.ts'
import type { KclCoordination } from '../../src/leases/kcl-coordination.ts'
import { ServiceError } from '../../src/model/errors.ts'
import { claimed } from '../../src/model/lease.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLogger } from '../../src/runtime/logger.ts'
import { aLease, shardId } from '../support/builders.ts'
import { sharedDynalite } from '../support/emulators.ts'
import { pollUntil } from '../support/poll.ts'
import { uniqueName } from '../support/streams.ts'
import { sdkError, stubDynamo } from '../support/stub-dynamo.ts'

const SESSION = 'w/00000001'
const NOW_S = 1_700_000_000
const VERSION = { cv: 'CLIENT_VERSION_3X', entityType: 'CLIENT_VERSION_MIGRATION' }
const LOCK = { ownerName: 'java-1', leaseDuration: '120000', recordVersionNumber: 'abc', entityType: 'LEADER' }

class Tables {
  readonly name: string
  readonly client: DynamoDBClient
  readonly documents: DynamoDBDocumentClient
  readonly kcl: KclCoordination

  constructor(client: DynamoDBClient) {
    this.name = uniqueName('kcl')
    this.client = client
    this.documents = DynamoDBDocumentClient.from(client)
    const named = { tableName: this.name, applicationName: this.name }
    this.kcl = dynamoKclCoordination({ ...named, client, clock: systemClock })
  }

  /** Creates a table; the lease table with the index over owners, if it is to have one. */
  async create(suffix: string, key: string, hasIndex = false): Promise<void> {
    const named = (name: string) => ({ AttributeName: name, AttributeType: 'S' }) as const
    const index = {
      IndexName: 'LeaseOwnerToLeaseKeyIndex',
      KeySchema: [
        { AttributeName: 'leaseOwner', KeyType: 'HASH' } as const,
        { AttributeName: key, KeyType: 'RANGE' } as const
      ],
      Projection: { ProjectionType: 'KEYS_ONLY' } as const
    }
    await this.client.send(
      new CreateTableCommand({
        TableName: `${this.name}${suffix}`,
        BillingMode: 'PAY_PER_REQUEST',
        KeySchema: [{ AttributeName: key, KeyType: 'HASH' }],
        AttributeDefinitions: [named(key), ...(hasIndex ? [named('leaseOwner')] : [])],
        ...(hasIndex && { GlobalSecondaryIndexes: [index] })
      })
    )
    await pollUntil('the table', async () => (await this.#status(suffix)) === 'ACTIVE')
  }

  async put(suffix: string, Item: Record<string, unknown>): Promise<void> {
    await this.documents.send(new PutCommand({ TableName: `${this.name}${suffix}`, Item }))
  }

  async get(suffix: string, Key: Record<string, unknown>): Promise<Record<string, unknown> | undefined> {
    return (await this.documents.send(new GetCommand({ TableName: `${this.name}${suffix}`, Key }))).Item
  }

  async #status(suffix: string): Promise<string | undefined> {
    const store = dynamoLeaseStore({
      ...{ tableName: `${this.name}${suffix}`, client: this.client, clock: systemClock, logger: silentLogger }
    })
    return (await store.describe())?.status
  }
}

describe('dynamoKclCoordination', () => {
  let client: DynamoDBClient
  before(async () => {
    client = clientOf((await sharedDynalite()).clientConfig())
  })
  after(() => client.destroy())

  it('reads what a fleet of 3.5 says in the lease table, and finds nothing where nothing is said', async () => {
    const tables = new Tables(client)
    expect(await tables.kcl.read(NOW_S), 'no table at all').to.deep.equal({ hasLegacyTables: false })
    await tables.create('', 'leaseKey')
    expect(await tables.kcl.read(NOW_S)).to.deep.equal({ hasLegacyTables: false })
    await tables.put('', { leaseKey: 'Migration3.0', ...VERSION })
    await tables.put('', { leaseKey: 'Leader', ...LOCK })
    await tables.put('', { leaseKey: 'java-1', entityType: 'WORKER_METRIC_STATS', lut: 7 })
    const lock = { owner: 'java-1', version: 'abc', ownerSeenAtS: 7 }
    expect(await tables.kcl.read(NOW_S)).to.deep.equal({ hasLegacyTables: false, version: '3X', lock })
  })

  it('reads what a fleet of 3.0 to 3.4 says in tables of its own, and where it is when it moves', async () => {
    const tables = new Tables(client)
    await tables.create('', 'leaseKey')
    await tables.create('-CoordinatorState', 'key')
    await tables.create('-WorkerMetricStats', 'wid')
    await tables.put('-CoordinatorState', { key: 'Migration3.0', ...VERSION })
    await tables.put('-CoordinatorState', { key: 'Leader', ...LOCK })
    await tables.put('-WorkerMetricStats', { wid: 'java-1', lut: 9 })
    const lock = { owner: 'java-1', version: 'abc', ownerSeenAtS: 9 }
    expect(await tables.kcl.read(NOW_S)).to.deep.equal({ hasLegacyTables: true, version: '3X', lock })

    const moving = (status: string) =>
      tables.put('-CoordinatorState', { key: 'TableMigration3.5', tm: `TABLE_MIGRATION_STATUS_${status}` })
    await moving('DEPLOYED')
    await tables.kcl.publish(SESSION, 'lease-table', NOW_S)
    expect(await tables.kcl.read(NOW_S), 'ours does not count').to.include({ isLeaseTableInUse: false })
    await tables.put('', { leaseKey: 'java-1', entityType: 'WORKER_METRIC_STATS', lut: NOW_S - 60 })
    expect(await tables.kcl.read(NOW_S)).to.include({ isLeaseTableInUse: true })
    expect(await tables.kcl.read(NOW_S + 1), 'it has gone back').to.include({ isLeaseTableInUse: false })

    await tables.put('', { leaseKey: 'Migration3.0', cv: 'CLIENT_VERSION_3X_WITH_ROLLBACK' })
    await tables.put('', { leaseKey: 'Leader', ...LOCK, recordVersionNumber: 'def' })
    expect((await tables.kcl.read(NOW_S)).lock, 'the old table counts').to.include({ version: 'abc' })
    await moving('COMPLETE')
    expect(await tables.kcl.read(NOW_S)).to.deep.include({ version: '3X_WITH_ROLLBACK', tableMigration: 'COMPLETE' })
    expect((await tables.kcl.read(NOW_S)).lock).to.include({ version: 'def' })
  })

  it('publishes a session where it is told to, and takes that back', async () => {
    const tables = new Tables(client)
    await tables.create('', 'leaseKey')
    await tables.kcl.publish(SESSION, 'legacy-tables', NOW_S)
    await tables.create('-WorkerMetricStats', 'wid')
    for (const [place, suffix, key] of [
      ['lease-table', '', 'leaseKey'],
      ['legacy-tables', '-WorkerMetricStats', 'wid']
    ] as const) {
      await tables.kcl.publish(SESSION, place, NOW_S + 0.7)
      const rest = { entityType: 'WORKER_METRIC_STATS', sts: {}, opr: {}, properties: {}, sup: 1, slu: NOW_S }
      expect(await tables.get(suffix, { [key]: SESSION })).to.deep.equal({ [key]: SESSION, lut: NOW_S, ...rest })
      await tables.kcl.withdraw(SESSION, place)
      await tables.kcl.withdraw(SESSION, place)
      expect(await tables.get(suffix, { [key]: SESSION })).to.equal(undefined)
    }
  })

  it('asks the index over owners, or says that there is none', async () => {
    const tables = new Tables(client)
    expect(await tables.kcl.assigned(SESSION), 'no table').to.equal(undefined)
    await tables.create('', 'leaseKey', true)
    expect(await tables.kcl.assigned(SESSION)).to.deep.equal([])
    for (const [number, owner] of [SESSION, 'java-1', SESSION].entries()) {
      const lease = aLease({ leaseKey: shardId(number), shardId: shardId(number) })
      await tables.documents.send(new PutCommand({ TableName: tables.name, Item: toItem(claimed(lease, owner)) }))
    }
    expect((await tables.kcl.assigned(SESSION))?.sort()).to.deep.equal([shardId(0), shardId(2)])
    const without = new Tables(client)
    await without.create('', 'leaseKey')
    expect(await without.kcl.assigned(SESSION), 'no index').to.equal(undefined)
  })

  it('takes a missing permission for what it is, and names the table', async () => {
    const { client: denied } = stubDynamo(() => {
      throw sdkError('AccessDeniedException')
    })
    const kcl = dynamoKclCoordination({ tableName: 't', applicationName: 'app', client: denied, clock: systemClock })
    for (const call of [kcl.read(NOW_S), kcl.assigned(SESSION), kcl.publish(SESSION, 'legacy-tables', NOW_S)]) {
      const error = await call.then(
        () => expect.fail('expected a rejection'),
        reason => reason
      )
      expect(error).to.be.instanceOf(ServiceError)
      expect(error).to.include({ kind: 'access-denied' })
      expect(error.message).to.match(/in table (t|app-CoordinatorState|app-WorkerMetricStats)/)
    }
  })
})
