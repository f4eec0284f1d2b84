// The lease table in DynamoDB: the calls, each conditional write with its outcome. What is in an item is the business of
// dynamo-item.ts, how a table comes to be that of dynamo-table.ts. Decides nothing and repeats nothing.
import {
  DeleteCommand,
  GetCommand,
  PutCommand,
  ScanCommand,
  type ScanCommandInput,
  UpdateCommand
} from '@aws-sdk/lib-dynamodb'
import {
  type DynamoDBClientOption,
  documentOf,
  type SendOptions,
  type TableCalls,
  tableCalls
} from '../dynamo/dynamo-client.ts'
import { isConditionFailure } from '../dynamo/dynamo-errors.ts'
import { prepareTable, type TableOptions } from '../dynamo/dynamo-table.ts'
import { arnOfTable, describeTable, type TableFacts } from '../dynamo/dynamo-table-facts.ts'
import type { CallListener } from '../metrics/request-meter.ts'
import type { Lease } from '../model/lease.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { creationOf, deletionOf, keyOf, LEASE_TABLE_KEY, parseItem, replacementOf } from './dynamo-item.ts'
import type { LeaseStore, SkippedRow, WriteOutcome } from './lease-store.ts'

export type { DynamoDBClientOption } from '../dynamo/dynamo-client.ts'
export type { TableBilling, TableOptions } from '../dynamo/dynamo-table.ts'

/** The lease table and how to reach it. */
export interface DynamoLeaseStoreOptions extends TableOptions {
  /** Default a client of our own with the SDK's defaults for region and credentials, over HTTP/1.1. */
  readonly client?: DynamoDBClientOption | undefined
  readonly clock: Clock
  readonly logger: Logger
  /** How long one call may take, retries of the SDK included. Milliseconds; default 5,000. */
  readonly requestTimeoutMs?: number
  /** Is told of each request. Default: nothing is counted. */
  readonly called?: CallListener | undefined
}

/** A lease table in DynamoDB. */
export interface DynamoLeaseStore extends LeaseStore {
  /** What the table is like. `undefined`: there is none. */
  describe(signal?: AbortSignal): Promise<TableFacts | undefined>
  /** ARN of the table: its region, account and name. `undefined`: there is none. */
  arn(signal?: AbortSignal): Promise<string | undefined>
  /** Frees the connections, unless they are those of a client that was given. */
  close(): void
}

/**
 * The lease table in DynamoDB, in the schema of KCL. Nothing happens before the first call. A row that is no lease never
 * disturbs the others.
 */
export function dynamoLeaseStore(options: DynamoLeaseStoreOptions): DynamoLeaseStore {
  const { tableName, client, clock, logger, requestTimeoutMs = 5_000, called } = options
  const calls = tableCalls({ tableName, client, clock, requestTimeoutMs, called })
  return {
    tableName,
    prepare: signal => prepareTable(options, LEASE_TABLE_KEY, { calls, clock, logger }, signal),
    describe: signal => describeTable(calls, signal),
    arn: signal => arnOfTable(calls, signal),
    ...readsOf(calls, logger),
    ...writesOf(calls, logger),
    close: () => calls.close()
  }
}

function readsOf(calls: TableCalls, logger: Logger): Pick<LeaseStore, 'get' | 'list'> {
  const { documents, tableName } = calls
  return {
    get: (leaseKey, signal) => readLease(calls, logger, leaseKey, signal),

    async list({ consistent = false, signal } = {}) {
      const leases: Lease[] = []
      const skipped: SkippedRow[] = []
      let from: ScanCommandInput['ExclusiveStartKey']
      do {
        const command = new ScanCommand({
          TableName: tableName,
          ExclusiveStartKey: from,
          ...(consistent && { ConsistentRead: true })
        })
        const page = await calls.call('Scan', undefined, sending => documents.send(command, sending), signal)
        for (const item of page.Items ?? []) {
          const parsed = parseItem(item)
          if (parsed.kind === 'lease') leases.push(parsed.lease)
          else skipped.push(parsed.row)
        }
        from = page.LastEvaluatedKey
      } while (from !== undefined)
      return { leases, skipped }
    }
  }
}

function writesOf(calls: TableCalls, logger: Logger): Pick<LeaseStore, 'create' | 'replace' | 'remove'> {
  const { documents, tableName } = calls
  const showingRow = { TableName: tableName, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' } as const

  const write = async (
    name: string,
    leaseKey: string,
    send: (sending: SendOptions) => Promise<unknown>
  ): Promise<WriteOutcome> => {
    const refusal = await calls.call(name, leaseKey, sending => send(sending).then(landed, refused))
    if (refusal === undefined) return { kind: 'written' }
    const { row } = refusal
    // A refusal without a row: there is none, or this is an emulator that does not show it.
    const current = row === undefined ? await readLease(calls, logger, leaseKey) : readable(row, tableName, logger)
    return current === undefined ? { kind: 'refused' } : { kind: 'refused', current }
  }

  return {
    async create(lease) {
      const command = new PutCommand({ ...showingRow, ...creationOf(lease) })
      return write('PutItem', lease.leaseKey, sending => documents.send(command, sending))
    },

    async replace(before, after) {
      const command = new UpdateCommand({ ...showingRow, ...replacementOf(before, after) })
      return write('UpdateItem', before.leaseKey, sending => documents.send(command, sending))
    },

    async remove(lease) {
      const command = new DeleteCommand({ ...showingRow, ...deletionOf(lease) })
      return write('DeleteItem', lease.leaseKey, sending => documents.send(command, sending))
    }
  }
}

async function readLease(
  calls: TableCalls,
  logger: Logger,
  leaseKey: string,
  signal?: AbortSignal
): Promise<Lease | undefined> {
  const { documents, tableName } = calls
  const command = new GetCommand({ TableName: tableName, Key: keyOf(leaseKey), ConsistentRead: true })
  const { Item } = await calls.call('GetItem', leaseKey, sending => documents.send(command, sending), signal)
  return Item && readable(Item, tableName, logger)
}

function readable(item: Readonly<Record<string, unknown>>, tableName: string, logger: Logger): Lease | undefined {
  const parsed = parseItem(item)
  if (parsed.kind === 'lease') return parsed.lease
  // The comparison of shards and leases tells of the row, once.
  logger.debug({ tableName, ...parsed.row }, 'a row of the lease table could not be read as a lease')
  return undefined
}

interface Refusal {
  readonly row: Readonly<Record<string, unknown>> | undefined
}

function landed(): undefined {
  return undefined
}

function refused(error: unknown): Refusal {
  if (!isConditionFailure(error)) throw error
  return { row: error.Item && documentOf(error.Item) }
}
