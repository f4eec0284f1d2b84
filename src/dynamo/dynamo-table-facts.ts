// What a table is like, as far as operators care: whether it is there, what it is paid by, how large it is.
import { DescribeTableCommand } from '@aws-sdk/client-dynamodb'
import { ServiceError } from '../model/errors.ts'
import type { TableCalls } from './dynamo-client.ts'
import type { TableBilling } from './dynamo-table.ts'

/** What a table is like. */
export interface TableFacts {
  readonly tableName: string
  /** Such as `ACTIVE`. */
  readonly status: string
  readonly billing: TableBilling
  /** As DynamoDB counted about six hours ago. */
  readonly items: number
  /** As DynamoDB counted about six hours ago. */
  readonly bytes: number
  /** Whether it cannot be deleted until that is switched off. */
  readonly isProtected: boolean
}

/** What the table is like. `undefined`: there is none. */
export async function describeTable(calls: TableCalls, signal?: AbortSignal): Promise<TableFacts | undefined> {
  const { client, tableName } = calls
  try {
    const command = new DescribeTableCommand({ TableName: tableName })
    const { Table } = await calls.call('DescribeTable', undefined, options => client.send(command, options), signal)
    const { ReadCapacityUnits: readCapacity = 0, WriteCapacityUnits: writeCapacity = 0 } =
      Table?.ProvisionedThroughput ?? {}
    // A table on demand has units, too: none.
    const isProvisioned = Table?.BillingModeSummary?.BillingMode !== 'PAY_PER_REQUEST' && writeCapacity > 0
    return {
      tableName,
      status: Table?.TableStatus ?? 'UNKNOWN',
      billing: isProvisioned ? { mode: 'provisioned', readCapacity, writeCapacity } : { mode: 'on-demand' },
      items: Table?.ItemCount ?? 0,
      bytes: Table?.TableSizeBytes ?? 0,
      isProtected: Table?.DeletionProtectionEnabled === true
    }
  } catch (error) {
    if (error instanceof ServiceError && error.kind === 'not-found') return undefined
    throw error
  }
}
