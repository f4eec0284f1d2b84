import { expect } from 'chai'
import { tableCalls } from '../../src/dynamo/dynamo-client.ts'
import { describeTable } from '../../src/dynamo/dynamo-table-facts.ts'
import { ServiceError } from '../../src/model/errors.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { sdkError, stubDynamo } from '../support/stub-dynamo.ts'

/** What is made of this answer of DescribeTable. */
function described(answer: () => unknown) {
  const { client } = stubDynamo(answer)
  return describeTable(tableCalls({ tableName: 'orders', client, clock: new VirtualClock(), requestTimeoutMs: 5_000 }))
}

describe('describeTable', () => {
  it('says what a table on demand is like', async () => {
    const Table = {
      ...{ TableStatus: 'ACTIVE', ItemCount: 7, TableSizeBytes: 900, DeletionProtectionEnabled: true },
      BillingModeSummary: { BillingMode: 'PAY_PER_REQUEST' },
      ProvisionedThroughput: { ReadCapacityUnits: 0, WriteCapacityUnits: 0 }
    }
    expect(await described(() => ({ Table }))).to.deep.equal({
      ...{
        tableName: 'orders',
        status: 'ACTIVE',
        billing: { mode: 'on-demand' },
        items: 7,
        bytes: 900,
        isProtected: true
      }
    })
  })

  it('says what a provisioned table has, which names no billing mode unless that was changed', async () => {
    const ProvisionedThroughput = { ReadCapacityUnits: 5, WriteCapacityUnits: 3 }
    const facts = await described(() => ({ Table: { TableStatus: 'ACTIVE', ProvisionedThroughput } }))
    expect(facts?.billing).to.deep.equal({ mode: 'provisioned', readCapacity: 5, writeCapacity: 3 })
    expect(facts?.isProtected).to.equal(false)
  })

  it('is undefined where there is no table, and fails where nobody may say', async () => {
    const failing = (name: string) => () => {
      throw sdkError(name)
    }
    expect(await described(failing('ResourceNotFoundException'))).to.equal(undefined)
    const error = await described(failing('AccessDeniedException')).catch((thrown: unknown) => thrown)
    expect(error).to.be.instanceOf(ServiceError).and.have.property('kind', 'access-denied')
  })
})
