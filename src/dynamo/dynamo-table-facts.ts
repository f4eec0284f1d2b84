// What a table is like, as far as operators care: whether it is there, what it is paid by, how large it is.
import { DescribeTableCommand, type TableDescription } from '@aws-sdk/client-dynamodb'
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
  const table = await descriptionOf(calls, signal)
  if (table === undefined) return undefined
  const { ReadCapacityUnits: readCapacity = 0, WriteCapacityUnits: writeCapacity = 0 } =
    table.ProvisionedThroughput ?? {}
  // A table on demand has units, too: none.
  const isProvisioned = table.BillingModeSummary?.BillingMode !== 'PAY_PER_REQUEST' && writeCapacity > 0
  return {
    tableName: calls.tableName,
    status: table.TableStatus ?? 'UNKNOWN',
    billing: isProvisioned ? { mode: 'provisioned', readCapacity, writeCapacity } : { mode: 'on-demand' },
    items: table.ItemCount ?? 0,
    bytes: table.TableSizeBytes ?? 0,
    isProtected: table.DeletionProtectionEnabled === true
  }
}

/** The ARN of the table. `undefined`: there is none. */
export async function arnOfTable(calls: TableCalls, signal?: AbortSignal): Promise<string | undefined> {
  return (await descriptionOf(calls, signal))?.TableArn
}

async function descriptionOf(calls: TableCalls, signal?: AbortSignal): Promise<TableDescription | undefined> {
  const { client, tableName } = calls
  try {
    const command = new DescribeTableCommand({ TableName: tableName })
    const { Table = {} } = await calls.call(
      'DescribeTable',
      undefined,
      options => client.send(command, options),
      signal
    )
    return Table
  } catch (error) {
    if (error instanceof ServiceError && error.kind === 'not-found') return undefined
    throw error
  }
}
