// What KCL keeps beside its leases, in DynamoDB: the calls. What an item is is the business of kcl-item-rules.ts.
import { DeleteTableCommand, DescribeTableCommand, UpdateTableCommand } from '@aws-sdk/client-dynamodb'
import { DeleteCommand, ScanCommand, type ScanCommandInput } from '@aws-sdk/lib-dynamodb'
import { type DynamoDBClientOption, type SendOptions, type TableCalls, tableCalls } from '../dynamo/dynamo-client.ts'
import { isConditionFailure } from '../dynamo/dynamo-errors.ts'
import { Expression } from '../dynamo/dynamo-expression.ts'
import { BugError, ServiceError } from '../model/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import { KCL_TABLE_KEYS, legacyTableNames, OWNER_INDEX } from './dynamo-kcl-item.ts'
import type { KclEstate, KclIndex, KclItem, KclRemains } from './kcl-estate.ts'
import { type KclTableRole, kclItemOf, leaseTraces } from './kcl-item-rules.ts'

/** Which KCL application, and how its tables are reached. */
export interface DynamoKclEstateOptions {
  /** Its name, after which KCL names its other tables. */
  readonly applicationName: string
  /** Its lease table. */
  readonly tableName: string
  readonly client?: DynamoDBClientOption | undefined
  readonly clock: Clock
  /** How long one call may take, retries of the SDK included. Milliseconds. */
  readonly requestTimeoutMs: number
}

/** The estate in DynamoDB. */
export interface DynamoKclEstate extends KclEstate {
  /** Frees the connections, unless they are those of a client that was given. */
  close(): void
}

type Role = KclTableRole
type Places = Readonly<Record<Role, TableCalls>>
type RawItem = Readonly<Record<string, unknown>>

/** What a KCL application keeps beside its leases, in DynamoDB. Nothing happens before the first call. */
export function dynamoKclEstate(options: DynamoKclEstateOptions): DynamoKclEstate {
  const { applicationName, tableName, ...how } = options
  const leases = tableCalls({ tableName, ...how })
  const beside = (name: string): TableCalls => tableCalls({ ...how, tableName: name, client: leases.client })
  const { metrics, coordinator } = legacyTableNames(applicationName)
  const places: Places = { leases, metrics: beside(metrics), coordinator: beside(coordinator) }
  return {
    look: signal => look(places, signal),

    async removeItem(item, signal) {
      const role = roleOf(places, item.table)
      const expression = new Expression()
      const isNone = expression.absent(KCL_TABLE_KEYS[role])
      // A lease is never deleted here, whatever it was taken for.
      const isNoLease = ['checkpoint', 'leaseCounter'].map(name => expression.absent(name)).join(' AND ')
      const command = new DeleteCommand({
        TableName: item.table,
        Key: { [KCL_TABLE_KEYS[role]]: item.key },
        ...expression.condition(`${isNone} OR (${isNoLease}${unchanged(item, expression)})`)
      })
      const { documents } = places[role]
      const send = (sending: SendOptions): Promise<boolean> => documents.send(command, sending).then(done, refused)
      return places[role].call('DeleteItem', item.key, send, signal)
    },

    async removeIndex(signal) {
      const command = new UpdateTableCommand({
        TableName: leases.tableName,
        GlobalSecondaryIndexUpdates: [{ Delete: { IndexName: OWNER_INDEX } }]
      })
      if ((await indexOf(leases, signal)) === undefined) return
      await leases.call('UpdateTable', undefined, sending => leases.client.send(command, sending), signal)
    },

    async removeTable(name, signal) {
      const role = roleOf(places, name)
      if (role === 'leases') throw new BugError(`Lease table ${name} was to be deleted`)
      const { client, call } = places[role]
      const command = new DeleteTableCommand({ TableName: name })
      await call('DeleteTable', undefined, sending => client.send(command, sending), signal).catch(unlessMissing)
    },

    close: () => leases.close()
  }
}

async function look(places: Places, signal: AbortSignal | undefined): Promise<KclRemains> {
  const raw = await itemsOf(places.leases, signal)
  const found = raw.map(item => [item, kclItemOf(item, places.leases.tableName, 'leases')] as const)
  const items: KclItem[] = found.flatMap(([, item]) => item ?? [])
  const tables: string[] = []
  const closed: string[] = []
  for (const role of ['metrics', 'coordinator'] as const) {
    const { tableName } = places[role]
    const content = await itemsOf(places[role], signal).catch(missingOrClosed)
    if (content === 'missing') continue
    if (content === 'closed') closed.push(tableName)
    else {
      tables.push(tableName)
      items.push(...content.flatMap(item => kclItemOf(item, tableName, role) ?? []))
    }
  }
  const index = await indexOf(places.leases, signal)
  const traces = leaseTraces(found.flatMap(([item, record]) => (record === undefined ? [item] : [])))
  return { items, traces, ...(index && { index }), tables, closed }
}

async function itemsOf({ documents, tableName, call }: TableCalls, signal?: AbortSignal): Promise<RawItem[]> {
  const items: RawItem[] = []
  let from: ScanCommandInput['ExclusiveStartKey']
  do {
    const command = new ScanCommand({ TableName: tableName, ExclusiveStartKey: from, ConsistentRead: true })
    const page = await call('Scan', undefined, sending => documents.send(command, sending), signal)
    items.push(...(page.Items ?? []))
    from = page.LastEvaluatedKey
  } while (from !== undefined)
  return items
}

async function indexOf({ client, tableName, call }: TableCalls, signal?: AbortSignal): Promise<KclIndex | undefined> {
  const command = new DescribeTableCommand({ TableName: tableName })
  const { Table } = await call('DescribeTable', undefined, sending => client.send(command, sending), signal)
  const index = Table?.GlobalSecondaryIndexes?.find(({ IndexName }) => IndexName === OWNER_INDEX)
  return index && { name: OWNER_INDEX, status: index.IndexStatus ?? 'UNKNOWN' }
}

function roleOf(places: Places, tableName: string): Role {
  const role = (Object.keys(places) as Role[]).find(each => places[each].tableName === tableName)
  if (role === undefined) throw new BugError(`${tableName} is no table of this application`)
  return role
}

/** A record that beats is deleted only while it is as it was seen. */
function unchanged({ kind, pulse }: KclItem, expression: Expression): string {
  if (pulse === undefined) return ''
  if (kind === 'leader') return ` AND ${expression.are({ recordVersionNumber: pulse })}`
  return kind === 'worker-metrics' ? ` AND ${expression.are({ lut: Number(pulse) })}` : ''
}

function done(): boolean {
  return true
}

function refused(error: unknown): boolean {
  if (!isConditionFailure(error)) throw error
  return false
}

function unlessMissing(error: unknown): void {
  if (!(error instanceof ServiceError) || error.kind !== 'not-found') throw error
}

function missingOrClosed(error: unknown): 'missing' | 'closed' {
  if (error instanceof ServiceError && error.kind === 'not-found') return 'missing'
  if (error instanceof ServiceError && error.kind === 'access-denied') return 'closed'
  throw error
}
