// The coordination of a Java fleet in DynamoDB: in the lease table itself, and in the tables of KCL 3.0 to 3.4 where there are
// such. Creates no table, and writes nothing but metrics of our own sessions. Decides nothing and repeats nothing.
import { DeleteCommand, GetCommand, PutCommand, QueryCommand, ScanCommand } from '@aws-sdk/lib-dynamodb'
import { clientOf, type DynamoDBClientOption, type TableCalls, tableCalls } from '../dynamo/dynamo-client.ts'
import { isMistake } from '../dynamo/dynamo-errors.ts'
import type { CallListener } from '../metrics/request-meter.ts'
import { ServiceError } from '../model/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import {
  KCL_KEYS,
  KCL_TABLE_KEYS,
  type KclItem,
  legacyTableNames,
  METRICS_TYPE,
  metricsItem,
  OWNER_INDEX,
  parseLock,
  parseTableMigration,
  parseVersion,
  publishedAtS
} from './dynamo-kcl-item.ts'
import type { KclCoordination, KclLock, KclPlace } from './kcl-coordination.ts'
import { isSession } from './session-id.ts'

/** The tables of a Java fleet and how to reach them. */
export interface DynamoKclCoordinationOptions {
  /** The lease table. */
  readonly tableName: string
  /** Name of the application of KCL, by which the tables of 3.0 to 3.4 are called. Usually that of the lease table. */
  readonly applicationName: string
  /** Default a client of our own with the SDK's defaults for region and credentials, over HTTP/1.1. */
  readonly client?: DynamoDBClientOption | undefined
  readonly clock: Clock
  /** How long one call may take, retries of the SDK included. Milliseconds; default 5,000. */
  readonly requestTimeoutMs?: number
  /** Is told of each request. Default: nothing is counted. */
  readonly called?: CallListener | undefined
}

/** The coordination of a Java fleet in DynamoDB. */
export interface DynamoKclCoordination extends KclCoordination {
  /** Frees the connections, unless they are those of a client that was given. */
  close(): void
}

/** A worker whose newest metrics are older counts as gone. Seconds. */
const GONE_AFTER_S = 60

/** The coordination of the Java fleet on a lease table. Nothing happens before the first call. */
export function dynamoKclCoordination(options: DynamoKclCoordinationOptions): DynamoKclCoordination {
  const { tableName, applicationName, client: given, clock, requestTimeoutMs = 5_000, called } = options
  const client = clientOf(given)
  const callsTo = (name: string): TableCalls => tableCalls({ tableName: name, client, clock, requestTimeoutMs, called })
  const legacy = legacyTableNames(applicationName)
  const tables: Tables = {
    leases: callsTo(tableName),
    coordinator: callsTo(legacy.coordinator),
    metrics: callsTo(legacy.metrics)
  }
  return {
    read: (nowS, signal) => readSighting(tables, nowS, signal),

    async publish(session, place, nowS, isFull) {
      const { calls } = placeIn(tables, place)
      const command = new PutCommand({ TableName: calls.tableName, Item: metricsItem(session, place, nowS, isFull) })
      // Where the table is not there yet, Java workers are about to create it.
      await unlessMissing(calls.call('PutItem', session, sending => calls.documents.send(command, sending)))
    },

    async withdraw(session, place) {
      const { calls, key } = placeIn(tables, place)
      const command = new DeleteCommand({ TableName: calls.tableName, Key: { [key]: session } })
      await unlessMissing(calls.call('DeleteItem', session, sending => calls.documents.send(command, sending)))
    },

    assigned: (session, signal) => queryOwner(tables.leases, session, signal),

    close() {
      // A client that was given does not become ours by this; see tableCalls.
      if (client !== given) client.destroy()
    }
  }
}

interface Tables {
  readonly leases: TableCalls
  readonly coordinator: TableCalls
  readonly metrics: TableCalls
}

function placeIn(tables: Tables, place: KclPlace): { readonly calls: TableCalls; readonly key: string } {
  return place === 'lease-table'
    ? { calls: tables.leases, key: KCL_TABLE_KEYS.leases }
    : { calls: tables.metrics, key: KCL_TABLE_KEYS.metrics }
}

async function readSighting(tables: Tables, nowS: number, signal?: AbortSignal) {
  const [legacyItems, ...ownItems] = await Promise.all([
    scanCoordinator(tables.coordinator, signal),
    ...Object.values(KCL_KEYS).map(key => readItem(tables.leases, KCL_TABLE_KEYS.leases, key, signal))
  ])
  const [ownLock, ownVersion, ownMigration] = ownItems
  const inLegacy = (key: string): KclItem | undefined =>
    legacyItems?.find(item => item[KCL_TABLE_KEYS.coordinator] === key)
  const tableMigration = parseTableMigration(inLegacy(KCL_KEYS.tableMigration) ?? ownMigration)
  // Until the migration is complete the old table is the one that counts, and the only one with a lock.
  const usesLegacy = legacyItems !== undefined && tableMigration !== 'COMPLETE'
  const version = parseVersion((usesLegacy ? inLegacy(KCL_KEYS.version) : undefined) ?? ownVersion)
  const held = parseLock(usesLegacy ? inLegacy(KCL_KEYS.lock) : ownLock)
  const lock = held && (await withLastSign(tables, held, legacyItems !== undefined, signal))
  const isMoving = usesLegacy && tableMigration === 'DEPLOYED'
  return {
    hasLegacyTables: legacyItems !== undefined,
    ...(version && { version }),
    ...(tableMigration && { tableMigration }),
    ...(lock && { lock }),
    ...(isMoving && { isLeaseTableInUse: await isPublishedIn(tables.leases, nowS, signal) })
  }
}

async function withLastSign(
  { leases, metrics }: Tables,
  lock: KclLock,
  hasLegacyTables: boolean,
  signal?: AbortSignal
): Promise<KclLock> {
  const found = await Promise.all([
    readItem(leases, KCL_TABLE_KEYS.leases, lock.owner, signal),
    hasLegacyTables ? readItem(metrics, KCL_TABLE_KEYS.metrics, lock.owner, signal) : undefined
  ])
  const times = found.flatMap(item => publishedAtS(item) ?? [])
  return times.length === 0 ? lock : { ...lock, ownerSeenAtS: Math.max(...times) }
}

/** Every item of the old coordinator table, of which there are a few. `undefined`: there is no such table. */
async function scanCoordinator(calls: TableCalls, signal?: AbortSignal): Promise<KclItem[] | undefined> {
  return unlessMissing(scanAll(calls, { ConsistentRead: true }, signal))
}

/** Whether Java workers have published their metrics in the lease table lately. Ours do not count: they go with those. */
async function isPublishedIn(calls: TableCalls, nowS: number, signal?: AbortSignal): Promise<boolean> {
  const items = await scanAll(
    calls,
    {
      FilterExpression: '#type = :type',
      ExpressionAttributeNames: { '#type': 'entityType' },
      ExpressionAttributeValues: { ':type': METRICS_TYPE }
    },
    signal
  )
  return items.some(item => {
    const worker = item[KCL_TABLE_KEYS.leases]
    const isFresh = nowS - (publishedAtS(item) ?? Number.NEGATIVE_INFINITY) <= GONE_AFTER_S
    return typeof worker === 'string' && !isSession(worker) && isFresh
  })
}

async function scanAll(calls: TableCalls, how: object, signal?: AbortSignal): Promise<KclItem[]> {
  const items: KclItem[] = []
  let from: Record<string, unknown> | undefined
  do {
    const command = new ScanCommand({ TableName: calls.tableName, ...how, ExclusiveStartKey: from })
    const page = await calls.call('Scan', undefined, sending => calls.documents.send(command, sending), signal)
    items.push(...(page.Items ?? []))
    from = page.LastEvaluatedKey
  } while (from !== undefined)
  return items
}

async function readItem(
  calls: TableCalls,
  key: string,
  value: string,
  signal?: AbortSignal
): Promise<KclItem | undefined> {
  const command = new GetCommand({ TableName: calls.tableName, Key: { [key]: value }, ConsistentRead: true })
  const answer = await unlessMissing(
    calls.call('GetItem', value, sending => calls.documents.send(command, sending), signal)
  )
  return answer?.Item
}

async function queryOwner(calls: TableCalls, session: string, signal?: AbortSignal): Promise<string[] | undefined> {
  const leaseKeys: string[] = []
  let from: Record<string, unknown> | undefined
  do {
    const command = new QueryCommand({
      TableName: calls.tableName,
      IndexName: OWNER_INDEX,
      KeyConditionExpression: '#owner = :owner',
      ExpressionAttributeNames: { '#owner': 'leaseOwner' },
      ExpressionAttributeValues: { ':owner': session },
      ExclusiveStartKey: from
    })
    const asking = calls.call('Query', session, sending => calls.documents.send(command, sending), signal)
    const page = await unlessNoIndex(asking)
    if (page === undefined) return undefined
    leaseKeys.push(...(page.Items ?? []).flatMap(({ leaseKey }) => (typeof leaseKey === 'string' ? leaseKey : [])))
    from = page.LastEvaluatedKey
  } while (from !== undefined)
  return leaseKeys
}

async function unlessMissing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call
  } catch (error) {
    if (error instanceof ServiceError && error.kind === 'not-found') return undefined
    throw error
  }
}

async function unlessNoIndex<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await unlessMissing(call)
  } catch (error) {
    if (error instanceof ServiceError && isMistake(error.cause)) return undefined
    throw error
  }
}
