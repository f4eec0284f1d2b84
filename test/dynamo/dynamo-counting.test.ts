// What is sent to DynamoDB, counted: with a client that a function answers, and with dynalite.
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { expect } from 'chai'
import { dynamoControlStore } from '../../src/leases/dynamo-control-store.ts'
import { dynamoLeaseStore } from '../../src/leases/dynamo-lease-store.ts'
import type { ServiceCall } from '../../src/metrics/request-meter.ts'
import { released } from '../../src/model/lease.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLogger } from '../../src/runtime/logger.ts'
import { aLease } from '../support/builders.ts'
import { sharedDynalite } from '../support/emulators.ts'
import { uniqueName } from '../support/streams.ts'
import { RefusedByDynamo, type SentCall, sdkError, stubDynamo } from '../support/stub-dynamo.ts'

const shared = { clock: systemClock, logger: silentLogger }

/** A lease store over a stub, and what is told of its calls. */
function aStore(answer: (call: SentCall) => unknown) {
  const told: ServiceCall[] = []
  const stub = stubDynamo(answer)
  const called = (call: ServiceCall): void => void told.push(call)
  const make = (counts: boolean) =>
    dynamoLeaseStore({ ...shared, tableName: 'leases', client: stub.client, ...(counts && { called }) })
  return { stub, told, make }
}

describe('DynamoCounting', () => {
  it('tells of each request and of the units that the answer names', async () => {
    const { stub, told, make } = aStore(({ name }) => ({
      ...(name === 'Scan' && { Items: [] }),
      ConsumedCapacity: { CapacityUnits: name === 'Scan' ? 4.5 : 2 }
    }))
    const store = make(true)
    await store.get('shard-0')
    await store.list()
    await store.create(aLease())
    await store.replace(aLease(), released(aLease()))
    await store.remove(aLease())
    const call = { service: 'dynamodb', requests: 1 } as const
    expect(told).to.deep.equal([
      { ...call, operation: 'GetItem', readUnits: 2 },
      { ...call, operation: 'Scan', readUnits: 4.5 },
      { ...call, operation: 'PutItem', writeUnits: 2 },
      { ...call, operation: 'UpdateItem', writeUnits: 2 },
      { ...call, operation: 'DeleteItem', writeUnits: 2 }
    ])
    expect(stub.sent.map(({ input }) => input.ReturnConsumedCapacity)).to.deep.equal(Array(5).fill('TOTAL'))
  })

  it('asks for nothing where nobody counts, also not of the same client', async () => {
    const { stub, told, make } = aStore(() => ({}))
    make(true)
    await make(false).get('shard-0')
    await make(false).create(aLease())
    expect(told).to.deep.equal([])
    expect(stub.sent.map(({ input }) => input.ReturnConsumedCapacity)).to.deep.equal([undefined, undefined])
  })

  it('takes a condition that is not met for an answer that is paid for', async () => {
    const { told, make } = aStore(({ name }) => {
      if (name === 'UpdateItem') throw new RefusedByDynamo()
      return {}
    })
    expect(await make(true).replace(aLease(), released(aLease()))).to.deep.equal({ kind: 'refused' })
    expect(told).to.deep.equal([
      { service: 'dynamodb', operation: 'UpdateItem', writeUnits: 1 },
      { service: 'dynamodb', operation: 'GetItem', requests: 1, readUnits: 1 }
    ])
  })

  it('tells failures from throttling', async () => {
    const names = ['ThrottlingException', 'InternalServerError']
    const { told, make } = aStore(() => {
      throw sdkError(names.shift() ?? '')
    })
    const store = make(true)
    for (let i = 0; i < 2; i++) expect(await store.get('shard-0').catch(error => error)).to.be.an('error')
    expect(told).to.deep.equal([
      { service: 'dynamodb', operation: 'GetItem', outcome: 'throttled' },
      { service: 'dynamodb', operation: 'GetItem', outcome: 'failed' }
    ])
  })

  it('counts both tables on dynalite, which says what it is paid', async () => {
    const dynalite = await sharedDynalite()
    const told: ServiceCall[] = []
    const called = (call: ServiceCall): void => void told.push(call)
    const client = new DynamoDBClient(dynalite.clientConfig())
    const store = dynamoLeaseStore({ ...shared, tableName: uniqueName('leases'), client, called })
    const control = dynamoControlStore({
      ...shared,
      ...{ tableName: uniqueName('control'), applicationName: 'indexer', client, called }
    })
    try {
      await store.prepare()
      await control.prepare()
      expect(told.map(({ operation }) => operation)).to.include.members(['CreateTable', 'DescribeTable'])
      told.length = 0
      await store.create(aLease())
      await store.list({ consistent: true })
      await control.leader({ consistent: true })
      await control.replaceLeader(undefined, { who: 'w1/1', term: 1 })
      const units = told.map(({ operation, readUnits, writeUnits }) => [operation, readUnits, writeUnits])
      expect(units).to.deep.equal([
        ['PutItem', undefined, 1],
        // Of dynalite: in AWS, a read that is strongly consistent takes a whole unit.
        ['Scan', 0.5, undefined],
        ['GetItem', 1, undefined],
        ['PutItem', undefined, 1]
      ])
    } finally {
      store.close()
      control.close()
      client.destroy()
    }
  })
})
