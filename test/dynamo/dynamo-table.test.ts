import {
  type AttributeDefinition,
  CreateTableCommand,
  DynamoDBClient,
  type KeySchemaElement
} from '@aws-sdk/client-dynamodb'
import { expect } from 'chai'
import { tableCalls } from '../../src/dynamo/dynamo-client.ts'
import { prepareTable, type TableKey, type TableOptions, tableDefinition } from '../../src/dynamo/dynamo-table.ts'
import { ServiceError, TableMismatchError } from '../../src/model/errors.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLogger } from '../../src/runtime/logger.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { sharedDynalite } from '../support/emulators.ts'
import { uniqueName } from '../support/streams.ts'
import { type SentCall, sdkError, stubDynamo } from '../support/stub-dynamo.ts'

const KEY: TableKey = { hash: 'leaseKey' }
const KEY_SCHEMA: KeySchemaElement[] = [{ AttributeName: 'leaseKey', KeyType: 'HASH' }]
const ATTRIBUTES: AttributeDefinition[] = [{ AttributeName: 'leaseKey', AttributeType: 'S' }]

/** The answer of DescribeTable for one of our tables in this state; `absent` is none. */
function description(status: string): unknown {
  if (status === 'absent') throw sdkError('ResourceNotFoundException')
  return { Table: { TableStatus: status, KeySchema: KEY_SCHEMA, AttributeDefinitions: ATTRIBUTES } }
}

/** Prepares a table that is in each of these states in turn, and then stays in the last. Time is virtual. */
function preparing(
  statuses: readonly string[],
  { answer = () => ({}), ...options }: Partial<TableOptions> & { answer?: (call: SentCall) => unknown } = {}
) {
  const clock = new VirtualClock()
  const warnings: string[] = []
  const left = [...statuses]
  const stub = stubDynamo(call => {
    if (call.name !== 'DescribeTable') return answer(call)
    return description((left.length > 1 ? left.shift() : left[0]) ?? 'ACTIVE')
  })
  const calls = tableCalls({ tableName: 'orders', client: stub.client, clock, requestTimeoutMs: 5_000 })
  const logger = { ...silentLogger, warn: (_: object, message: string) => warnings.push(message) }
  const stopping = new AbortController()
  const settled = prepareTable(
    { tableName: 'orders', ...options },
    KEY,
    { calls, clock, logger },
    stopping.signal
  ).then(
    () => 'prepared',
    (error: unknown) => error
  )
  let outcome: unknown
  void settled.then(value => {
    outcome = value
  })
  const finished = async () => {
    await clock.advanceUntil(() => outcome !== undefined)
    return outcome
  }
  return { clock, stub, warnings, stopping, finished, names: () => stub.sent.map(call => call.name) }
}

describe('prepareTable', () => {
  it('is content with a table that is there, even one that is being changed', async () => {
    for (const status of ['ACTIVE', 'UPDATING']) {
      const { finished, names, clock } = preparing([status])
      expect(await finished()).to.equal('prepared')
      expect(names()).to.deep.equal(['DescribeTable'])
      expect(clock.monotonicMs()).to.equal(0)
    }
  })

  it('creates a table that is missing and waits for it, first briefly and then longer', async () => {
    const { finished, names, clock } = preparing(['absent', ...Array(8).fill('CREATING'), 'ACTIVE'])
    expect(await finished()).to.equal('prepared')
    expect(names()).to.deep.equal(['DescribeTable', 'CreateTable', ...Array(9).fill('DescribeTable')])
    expect(clock.monotonicMs()).to.equal(100 + 200 + 400 + 800 + 1_600 + 3_200 + 5_000 + 5_000 + 5_000)
  })

  it('waits for a table that somebody else creates at the same time', async () => {
    const answer = () => {
      throw sdkError('ResourceInUseException')
    }
    const { finished } = preparing(['absent', 'CREATING', 'ACTIVE'], { answer })
    expect(await finished()).to.equal('prepared')
  })

  it('waits for a table that is being deleted to go, and creates it', async () => {
    const { finished, names } = preparing(['DELETING', 'DELETING', 'absent', 'CREATING', 'ACTIVE'])
    expect(await finished()).to.equal('prepared')
    expect(names().filter(name => name === 'CreateTable')).to.have.length(1)
  })

  for (const status of ['CREATING', 'DELETING']) {
    it(`gives up on a table that is still ${status} after ten minutes`, async () => {
      const { finished, clock } = preparing([status])
      const error = await finished()
      expect(error).to.be.instanceOf(ServiceError)
      expect(error).to.include({ kind: 'timeout', retryable: false })
      expect((error as Error).message)
        .to.include('orders')
        .and.to.include(status)
        .and.to.include('600 s')
      expect(clock.monotonicMs()).to.be.within(600_000, 605_000)
    })
  }

  it('does not wait for a table that does not come back on its own', async () => {
    const { finished } = preparing(['ARCHIVED'])
    expect(await finished()).to.include({ kind: 'other', retryable: false })
  })

  it('rejects with what CreateTable fails with', async () => {
    const answer = () => {
      throw sdkError('AccessDeniedException')
    }
    expect(await preparing(['absent'], { answer }).finished()).to.include({ kind: 'access-denied' })
  })

  it('stops waiting when the signal aborts', async () => {
    const { clock, stopping, finished } = preparing(['CREATING'])
    await clock.advance(50_000)
    stopping.abort('stop')
    expect(await finished()).to.equal('stop')
    expect(clock.sleeping).to.equal(0)
  })
})

describe('prepareTable, with point-in-time recovery', () => {
  it('leaves it alone unless asked', async () => {
    const { finished, names } = preparing(['ACTIVE'], { pointInTimeRecovery: false })
    await finished()
    expect(names()).to.deep.equal(['DescribeTable'])
  })

  it('switches it on, also for a table that was there', async () => {
    const { finished, stub } = preparing(['ACTIVE'], { pointInTimeRecovery: true })
    expect(await finished()).to.equal('prepared')
    expect(stub.sent[1]).to.deep.include({
      name: 'UpdateContinuousBackups',
      input: { TableName: 'orders', PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } }
    })
  })

  it('tries again while a new table does not have backups yet', async () => {
    let calls = 0
    const answer = ({ name }: SentCall) => {
      if (name === 'UpdateContinuousBackups' && ++calls < 3) throw sdkError('ContinuousBackupsUnavailableException')
      return {}
    }
    const { finished, clock } = preparing(['ACTIVE'], { pointInTimeRecovery: true, answer })
    expect(await finished()).to.equal('prepared')
    expect(clock.monotonicMs()).to.equal(300)
  })

  it('rejects if it is not allowed', async () => {
    const answer = () => {
      throw sdkError('AccessDeniedException')
    }
    const { finished } = preparing(['ACTIVE'], { pointInTimeRecovery: true, answer })
    expect(await finished()).to.include({ kind: 'access-denied' })
  })

  it('goes without, and warns, on an emulator that does not have it', async () => {
    const answer = () => {
      throw sdkError('UnknownOperationException')
    }
    const { finished, warnings } = preparing(['ACTIVE'], { pointInTimeRecovery: true, answer })
    expect(await finished()).to.equal('prepared')
    expect(warnings).to.have.length(1)
  })
})

describe('prepareTable, on dynalite', () => {
  let client: DynamoDBClient

  before(async () => {
    client = new DynamoDBClient((await sharedDynalite()).clientConfig())
  })

  after(() => client.destroy())

  const prepare = async (tableName: string, options: Partial<TableOptions> = {}, key = KEY): Promise<string[]> => {
    const warnings: string[] = []
    const logger = { ...silentLogger, warn: (_: object, message: string) => warnings.push(message) }
    const calls = tableCalls({ tableName, client, clock: systemClock, requestTimeoutMs: 5_000 })
    await prepareTable({ tableName, ...options }, key, { calls, clock: systemClock, logger })
    return warnings
  }

  it('creates a table with everything there is to ask for, and warns of what the emulator lacks', async () => {
    const warnings = await prepare(uniqueName('leases'), {
      billing: { mode: 'provisioned', readCapacity: 10, writeCapacity: 5 },
      tags: { team: 'data' },
      deletionProtection: false,
      pointInTimeRecovery: true
    })
    expect(warnings).to.have.length(1)
  })

  it('is content with a table of two keys if they are those expected, and refuses it otherwise', async () => {
    const tableName = uniqueName('control')
    const key = { hash: 'pk', range: 'sk' }
    await prepare(tableName, {}, key)
    await prepare(tableName, {}, key)
    const error = await prepare(tableName, {}, { hash: 'pk', range: 'at' }).catch((reason: unknown) => reason)
    expect(error).to.be.instanceOf(TableMismatchError)
    const { message } = error as Error
    expect(message).to.include('key pk (S, HASH) + sk (S, RANGE), expected pk (S, HASH) + at (S, RANGE) and')
  })

  const shapes: readonly [string, readonly [string, 'S' | 'N', 'HASH' | 'RANGE'][], string][] = [
    ['another key', [['id', 'S', 'HASH']], 'id (S, HASH)'],
    ['a key of another type', [['leaseKey', 'N', 'HASH']], 'leaseKey (N, HASH)'],
    [
      'a sort key',
      [
        ['leaseKey', 'S', 'HASH'],
        ['at', 'N', 'RANGE']
      ],
      'leaseKey (S, HASH) + at (N, RANGE)'
    ]
  ]
  for (const [name, keys, found] of shapes) {
    it(`refuses a table with ${name} and says what it found`, async () => {
      const TableName = uniqueName('foreign')
      await client.send(
        new CreateTableCommand({
          TableName,
          AttributeDefinitions: keys.map(([AttributeName, AttributeType]) => ({ AttributeName, AttributeType })),
          KeySchema: keys.map(([AttributeName, , KeyType]) => ({ AttributeName, KeyType })),
          BillingMode: 'PAY_PER_REQUEST'
        })
      )
      const error = await prepare(TableName).then(
        () => undefined,
        (reason: unknown) => reason
      )
      expect(error).to.be.instanceOf(TableMismatchError)
      const { message } = error as Error
      expect(message).to.include(TableName).and.to.include(found).and.to.include('expected leaseKey (S, HASH)')
    })
  }
})

describe('tableDefinition', () => {
  const minimal = {
    TableName: 'orders',
    AttributeDefinitions: ATTRIBUTES,
    KeySchema: KEY_SCHEMA,
    BillingMode: 'PAY_PER_REQUEST'
  }

  it('pays on demand and asks for nothing else by default', () => {
    expect(tableDefinition({ tableName: 'orders' }, KEY)).to.deep.equal(minimal)
    const explicit = { tableName: 'orders', billing: { mode: 'on-demand' }, tags: {} } as const
    expect(tableDefinition(explicit, KEY)).to.deep.equal(minimal)
  })

  it('has a sort key if there is one', () => {
    expect(tableDefinition({ tableName: 'orders' }, { hash: 'pk', range: 'sk' })).to.deep.include({
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: 'S' }
      ],
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' }
      ]
    })
  })

  it('provisions capacity', () => {
    const billing = { mode: 'provisioned', readCapacity: 10, writeCapacity: 5 } as const
    expect(tableDefinition({ tableName: 'orders', billing }, KEY)).to.deep.equal({
      ...minimal,
      BillingMode: 'PROVISIONED',
      ProvisionedThroughput: { ReadCapacityUnits: 10, WriteCapacityUnits: 5 }
    })
  })

  it('sets tags and deletion protection', () => {
    const options = { tableName: 'orders', tags: { team: 'data' }, deletionProtection: true }
    const definition = tableDefinition(options, KEY)
    expect(definition).to.deep.equal({
      ...minimal,
      Tags: [{ Key: 'team', Value: 'data' }],
      DeletionProtectionEnabled: true
    })
  })
})
