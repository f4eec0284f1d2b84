// What an item in a table of KCL is, and what a lease in it says about the KCL that wrote it. Attribute names are KCL's.
import { AttributeReader, TEXT } from '../dynamo/dynamo-attribute.ts'
import { KCL_KEYS, KCL_TABLE_KEYS, METRICS_TYPE } from './dynamo-kcl-item.ts'
import type { KclItem, KclItemKind, KclLeaseTraces } from './kcl-estate.ts'

/** Of which of the tables an item is. */
export type KclTableRole = keyof typeof KCL_TABLE_KEYS

type RawItem = Readonly<Record<string, unknown>>

const KIND_OF_ENTITY: Readonly<Record<string, KclItemKind>> = {
  LEADER: 'leader',
  CLIENT_VERSION_MIGRATION: 'client-version',
  TABLE_MIGRATION: 'table-migration',
  [METRICS_TYPE]: 'worker-metrics',
  STREAM: 'stream'
}

/** Keys of records from before every item said what it is. */
const KIND_OF_KEY: Readonly<Record<string, KclItemKind>> = {
  [KCL_KEYS.lock]: 'leader',
  [KCL_KEYS.version]: 'client-version',
  [KCL_KEYS.tableMigration]: 'table-migration'
}

/** The record that an item is. `undefined`: it is none that is known, and perhaps a lease. */
export function kclItemOf(item: RawItem, table: string, role: KclTableRole): KclItem | undefined {
  const reader = new AttributeReader(item)
  const key = reader.read(KCL_TABLE_KEYS[role], TEXT)
  if (key === undefined) return undefined
  const entity = reader.read('entityType', TEXT)
  // Whatever stands under one of these keys in the lease table, with a checkpoint it is a lease.
  const byKey = reader.has('checkpoint') || !Object.hasOwn(KIND_OF_KEY, key) ? undefined : KIND_OF_KEY[key]
  const named = entity !== undefined && Object.hasOwn(KIND_OF_ENTITY, entity) ? KIND_OF_ENTITY[entity] : undefined
  const kind = role === 'metrics' ? 'worker-metrics' : (named ?? byKey)
  return kind && { table, key, kind, ...contentOf(reader, kind, key) }
}

function contentOf(reader: AttributeReader, kind: KclItemKind, key: string): Partial<KclItem> {
  const text = (name: string): string | undefined => reader.read(name, TEXT)
  const present = (fields: Readonly<Record<string, string | undefined>>): Partial<KclItem> =>
    Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
  switch (kind) {
    case 'leader':
      return present({
        worker: text('ownerName'),
        pulse: text('isReleased') === '1' ? undefined : text('recordVersionNumber')
      })
    case 'worker-metrics': {
      const lut = reader.value('lut')
      return present({ worker: key, pulse: lut === undefined ? undefined : String(lut) })
    }
    case 'client-version':
      return present({ state: text('cv') })
    case 'table-migration':
      return present({ state: text('tm') })
    case 'stream':
      return {}
  }
}

/** What the items of a lease table that are no records of KCL say. */
export function leaseTraces(items: readonly RawItem[]): KclLeaseTraces {
  const multiStream: string[] = []
  const incomplete: string[] = []
  const strange: string[] = []
  for (const item of items) {
    const reader = new AttributeReader(item)
    const key = reader.read(KCL_TABLE_KEYS.leases, TEXT) ?? '?'
    const isLease = reader.has('checkpoint') || reader.has('leaseCounter')
    if (!isLease) strange.push(key)
    else if (['leaseCounter', 'ownerSwitchesSinceCheckpoint', 'checkpoint'].some(name => !reader.has(name)))
      incomplete.push(key)
    if (isLease && reader.has('streamName')) multiStream.push(key)
  }
  return { multiStream: multiStream.sort(), incomplete: incomplete.sort(), strange: strange.sort() }
}
