// Creates a table if it is missing, waits until it can be used, and checks that it is one of ours. Never changes a table
// that exists, but for switching on point-in-time recovery. Knows nothing of what is in it.
import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DescribeTableCommand,
  type TableDescription,
  UpdateContinuousBackupsCommand
} from '@aws-sdk/client-dynamodb'
import { ServiceError, TableMismatchError } from '../model/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { TableCalls } from './dynamo-client.ts'
import { isUnsupported } from './dynamo-errors.ts'

/** What a table is paid by. */
export type TableBilling =
  | { readonly mode: 'on-demand' }
  | {
      readonly mode: 'provisioned'
      /** Read capacity units. */
      readonly readCapacity: number
      /** Write capacity units. */
      readonly writeCapacity: number
    }

/** The names of the attributes that make the key of a table. Strings, both of them. */
export interface TableKey {
  /** The partition key. */
  readonly hash: string
  /** The sort key. Absent: there is none. */
  readonly range?: string
}

/** A table, and what it is like if it has to be created. A table that exists keeps what it has. */
export interface TableOptions {
  readonly tableName: string
  /** Default on demand. Only for a table that is created. */
  readonly billing?: TableBilling
  /** Default none. Only for a table that is created. */
  readonly tags?: Readonly<Record<string, string>>
  /** Whether the table cannot be deleted until this is switched off. Default false. Only for a table that is created. */
  readonly deletionProtection?: boolean
  /** Whether to switch on point-in-time recovery, also of a table that exists. Default false: left as it is. */
  readonly pointInTimeRecovery?: boolean
}

/** What the preparation of a table needs. */
export interface TableContext {
  readonly calls: TableCalls
  readonly clock: Clock
  readonly logger: Logger
}

const PREPARE_TIMEOUT_MS = 600_000
const FIRST_POLL_MS = 100
const LONGEST_POLL_MS = 5_000

/**
 * Resolves once the table exists and can be used; waits for that up to ten minutes.
 *
 * @throws TableMismatchError if its key is another.
 * @throws ServiceError of kind `timeout` if the time is up.
 */
export async function prepareTable(
  options: TableOptions,
  key: TableKey,
  context: TableContext,
  signal?: AbortSignal
): Promise<void> {
  const wait = waiting(options.tableName, context.clock, signal)
  for (;;) {
    const table = await describe(context.calls, signal)
    if (table === undefined) await create(tableDefinition(options, key), context, signal)
    else if (isUsable(options.tableName, key, table)) break
    await wait(table?.TableStatus ?? 'CREATING')
  }
  if (options.pointInTimeRecovery === true) await enableRecovery(context, wait, signal)
}

/** What CreateTable is given for these options. */
export function tableDefinition(options: TableOptions, key: TableKey): CreateTableCommandInput {
  const { tableName, billing = { mode: 'on-demand' }, tags = {}, deletionProtection } = options
  const tagList = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))
  return {
    TableName: tableName,
    AttributeDefinitions: partsOf(key).map(({ name }) => ({ AttributeName: name, AttributeType: 'S' })),
    KeySchema: partsOf(key).map(({ name, type }) => ({ AttributeName: name, KeyType: type })),
    ...(billing.mode === 'on-demand'
      ? { BillingMode: 'PAY_PER_REQUEST' }
      : {
          BillingMode: 'PROVISIONED',
          ProvisionedThroughput: {
            ReadCapacityUnits: billing.readCapacity,
            WriteCapacityUnits: billing.writeCapacity
          }
        }),
    ...(tagList.length > 0 && { Tags: tagList }),
    ...(deletionProtection !== undefined && { DeletionProtectionEnabled: deletionProtection })
  }
}

async function describe(calls: TableCalls, signal?: AbortSignal): Promise<TableDescription | undefined> {
  try {
    const command = new DescribeTableCommand({ TableName: calls.tableName })
    const answer = await calls.call('DescribeTable', undefined, options => calls.client.send(command, options), signal)
    return answer.Table
  } catch (error) {
    if (error instanceof ServiceError && error.kind === 'not-found') return undefined
    throw error
  }
}

async function create(definition: CreateTableCommandInput, { calls, logger }: TableContext, signal?: AbortSignal) {
  try {
    const command = new CreateTableCommand(definition)
    await calls.call('CreateTable', undefined, sendOptions => calls.client.send(command, sendOptions), signal)
    logger.info({ tableName: calls.tableName }, 'A table was missing and is being created')
  } catch (error) {
    // Another worker was faster.
    if (!(error instanceof ServiceError && error.kind === 'in-use')) throw error
  }
}

/** Whether a table can be used now. False: it is worth waiting for. */
function isUsable(tableName: string, key: TableKey, table: TableDescription): boolean {
  switch (table.TableStatus) {
    case 'DELETING':
      return false
    case 'CREATING':
    case 'ACTIVE':
    case 'UPDATING':
      checkKey(tableName, key, table)
      return table.TableStatus !== 'CREATING'
    default: {
      const problem = `Table ${tableName} is ${table.TableStatus}, expected ACTIVE`
      throw new ServiceError('other', `${problem}. Look it up in the DynamoDB console`, { retryable: false })
    }
  }
}

function checkKey(tableName: string, key: TableKey, table: TableDescription): void {
  const { KeySchema = [], AttributeDefinitions = [] } = table
  const expected = partsOf(key)
    .map(({ name, type }) => `${name} (S, ${type})`)
    .join(' + ')
  const found = KeySchema.map(({ AttributeName, KeyType }) => {
    const type = AttributeDefinitions.find(definition => definition.AttributeName === AttributeName)?.AttributeType
    return `${AttributeName} (${type}, ${KeyType})`
  }).join(' + ')
  if (found === expected) return
  const advice = 'It belongs to something else: choose another table name, or remove the table if nothing needs it'
  throw new TableMismatchError(
    `Table ${tableName} has the key ${found}, expected ${expected} and nothing else. ${advice}`
  )
}

function partsOf({ hash, range }: TableKey): readonly { readonly name: string; readonly type: 'HASH' | 'RANGE' }[] {
  return [{ name: hash, type: 'HASH' }, ...(range === undefined ? [] : [{ name: range, type: 'RANGE' } as const])]
}

type Wait = (status: string) => Promise<void>

/** Waits a little longer each time, and rejects once the table has had its time. */
function waiting(tableName: string, clock: Clock, signal?: AbortSignal): Wait {
  const startMs = clock.monotonicMs()
  let delayMs = FIRST_POLL_MS
  return async status => {
    if (clock.monotonicMs() - startMs >= PREPARE_TIMEOUT_MS) {
      const problem = `Table ${tableName} is still ${status} after ${PREPARE_TIMEOUT_MS / 1_000} s`
      throw new ServiceError('timeout', problem, { retryable: false })
    }
    await clock.sleep(delayMs, signal)
    signal?.throwIfAborted()
    delayMs = Math.min(delayMs * 2, LONGEST_POLL_MS)
  }
}

async function enableRecovery({ calls, logger }: TableContext, wait: Wait, signal?: AbortSignal): Promise<void> {
  const command = new UpdateContinuousBackupsCommand({
    TableName: calls.tableName,
    PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true }
  })
  for (;;) {
    try {
      const name = 'UpdateContinuousBackups'
      await calls.call(name, undefined, options => calls.client.send(command, options), signal)
      return
    } catch (error) {
      if (error instanceof ServiceError && isUnsupported(error.cause)) {
        const { tableName } = calls
        logger.warn({ tableName, err: error }, 'Point-in-time recovery is not supported here and stays off')
        return
      }
      // Backups are switched on in the background just after a table is created.
      if (!(error instanceof ServiceError && error.kind === 'in-use')) throw error
    }
    await wait('without continuous backups')
  }
}
