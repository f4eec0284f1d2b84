// The items of KCL's coordination, as DynamoDB has them: how each is read, and the one that we write. The attribute names
// live here and nowhere else. Reading never throws: an item that cannot be read says nothing.
import { AttributeReader, NUMBER, TEXT } from '../dynamo/dynamo-attribute.ts'
import type { Item } from '../dynamo/dynamo-expression.ts'
import type { KclPlace, KclTableMigration, KclVersion } from './kcl-coordination.ts'

/** The index over the owners of leases, which KCL 3.x makes. */
export const OWNER_INDEX = 'LeaseOwnerToLeaseKeyIndex'

/** The keys of the items that a Java fleet has once. */
export const KCL_KEYS = { lock: 'Leader', version: 'Migration3.0', tableMigration: 'TableMigration3.5' } as const

/** What `entityType` says of the metrics of a worker. */
export const METRICS_TYPE = 'WORKER_METRIC_STATS'

/** The names of the partition keys in the two tables of KCL 3.0 to 3.4, and in the lease table. */
export const KCL_TABLE_KEYS = { coordinator: 'key', metrics: 'wid', leases: 'leaseKey' } as const

/** The highest of KCL's changes that break older workers which we can live with: that all items are in the lease table. */
const SUPPORT_CODE = 1

const VERSION_PREFIX = 'CLIENT_VERSION_'
const MIGRATION_PREFIX = 'TABLE_MIGRATION_STATUS_'

/** An item as it was read. */
export type KclItem = Readonly<Record<string, unknown>>

/** The names of the tables of KCL 3.0 to 3.4. */
export function legacyTableNames(applicationName: string): { readonly coordinator: string; readonly metrics: string } {
  return { coordinator: `${applicationName}-CoordinatorState`, metrics: `${applicationName}-WorkerMetricStats` }
}

/** The version that the item says. One that came after those we know counts as the newest: it will not have gone back to takers. */
export function parseVersion(item: KclItem | undefined): KclVersion | undefined {
  const text = textOf(item, 'cv')
  if (text === undefined) return undefined
  const known: readonly KclVersion[] = ['INIT', 'UPGRADE_FROM_2X', '2X', '3X_WITH_ROLLBACK', '3X']
  return known.find(version => text === `${VERSION_PREFIX}${version}`) ?? '3X'
}

/** How far the item says that the migration is. */
export function parseTableMigration(item: KclItem | undefined): KclTableMigration | undefined {
  const text = textOf(item, 'tm')
  if (text === undefined) return undefined
  const known: readonly KclTableMigration[] = ['UNKNOWN', 'INIT', 'DEPLOYED', 'PENDING', 'COMPLETE']
  return known.find(status => text === `${MIGRATION_PREFIX}${status}`) ?? 'UNKNOWN'
}

/** The lock that the item says is held. `undefined`: there is none, or it was released. */
export function parseLock(item: KclItem | undefined): { readonly owner: string; readonly version: string } | undefined {
  const owner = textOf(item, 'ownerName')
  const version = textOf(item, 'recordVersionNumber')
  if (owner === undefined || version === undefined || textOf(item, 'isReleased') === '1') return undefined
  return { owner, version }
}

/** When the metrics in the item were published, in epoch seconds. `undefined`: they say no time. */
export function publishedAtS(item: KclItem | undefined): number | undefined {
  return item && new AttributeReader(item).read('lut', NUMBER)
}

/**
 * The metrics of a session: those of a worker that has no metric of its own, which is given leases by what they carry. All
 * maps have to be there, and the time at which it said what it supports. One that is full says that it could not measure its
 * CPU: a Java leader gives such a worker nothing, and counts on it in everything else.
 */
export function metricsItem(session: string, place: KclPlace, nowS: number, isFull = false): Item {
  const key = place === 'lease-table' ? KCL_TABLE_KEYS.leases : KCL_TABLE_KEYS.metrics
  const atS = Math.floor(nowS)
  const maps = { ...(isFull ? { sts: { C: [-1] }, opr: { C: [100] } } : { sts: {}, opr: {} }), properties: {} }
  return { [key]: session, entityType: METRICS_TYPE, lut: atS, ...maps, sup: SUPPORT_CODE, slu: atS }
}

function textOf(item: KclItem | undefined, name: string): string | undefined {
  return item && new AttributeReader(item).read(name, TEXT)
}
