// The options that have to do with leases: where they are, how long their owners live, and how they are shared.

import type { BalanceStrategy } from '../fleet/fleet-settings.ts'
import type { ControlStore, FleetMode } from '../leases/control-store.ts'
import type { TableBilling } from '../leases/dynamo-lease-store.ts'
import type { LeaseStore } from '../leases/lease-store.ts'
import { OptionError } from '../model/errors.ts'
import {
  checkBoolean,
  checkCount,
  checkGroup,
  checkInteger,
  checkMethods,
  checkOneOf,
  checkText,
  show
} from './option-checks.ts'

/** Where the leases are, how long their owners live, and what the tables are like if they have to be created. */
export interface LeaseOptions {
  /** Name of the lease table. Default: the application name. */
  readonly tableName?: string
  /** Name of the control table, which many applications can share: heartbeats, and what the leader wants. Default `millrace-control`. */
  readonly controlTableName?: string
  /**
   * How long a worker may go without a heartbeat before its leases go to others. Milliseconds, 1,000 to 600,000; default 10,000.
   * Every other duration follows from it. Shorter fails over sooner and costs more writes: 10,000 fails over in 10 to 14 s for
   * about $13 per 1,000 leases and month with 20 workers, 2,000 within 3 s for about five times that.
   */
  readonly durationMs?: number
  /** How many leases this worker holds at most. From 1; default: no limit. */
  readonly maxLeases?: number
  /** How much of the leases this worker should have, in relation to the others: with 2 twice as many as with 1. 0.01 to 1,000; default 1. */
  readonly capacity?: number
  /** What is balanced: the number of leases (`count`, default), or what they carry as measured (`weight`). The leader's counts. */
  readonly balance?: BalanceStrategy
  /**
   * Number of the deployment that this worker belongs to. Leases go to higher ones first, and none move for balance while two
   * are alive (five minutes at most). 0 to 2^53 - 1; default 0.
   */
  readonly generation?: number
  /**
   * Who shares the lease table: only workers of Millrace (`solo`, default), or those of Java KCL too (`mixed`), with
   * `failoverTimeMillis` = `durationMs`. A leader that meets Java workers changes the whole fleet to `mixed`. An order
   * of `millrace migrate` outranks it.
   */
  readonly mode?: FleetMode
  /**
   * Where the heartbeat lives: in a `thread` of its own (default), so that a handler that blocks the event loop for less than
   * three times `durationMs` costs nothing, or in the `main` thread. A `store` of your own is reached from the main thread.
   */
  readonly heartbeat?: 'thread' | 'main'
  /** How the lease table is paid for if it has to be created. Default `{ mode: 'on-demand' }`. The control table is always on demand. */
  readonly billing?: TableBilling
  /** Tags of the tables if they have to be created. Default: none. */
  readonly tags?: Readonly<Record<string, string>>
  /** Whether a lease table that has to be created is protected from deletion. Default false. */
  readonly deletionProtection?: boolean
  /** Whether point-in-time recovery of the lease table is switched on. Default false: it is left as it is. */
  readonly pointInTimeRecovery?: boolean
  /** Another place for the leases than DynamoDB, such as `memoryLeaseStore()`. The options of the table do not apply to it. */
  readonly store?: LeaseStore
  /** Another place for the control items than DynamoDB. Default: that of `store`, if it brings one, as `memoryLeaseStore()` does. */
  readonly controlStore?: ControlStore
}

/** The options with every default filled in. */
export type ResolvedLeaseOptions = Omit<LeaseOptions, DefaultedName> & Required<Pick<LeaseOptions, DefaultedName>>

type DefaultedName =
  | 'tableName'
  | 'controlTableName'
  | 'durationMs'
  | 'maxLeases'
  | 'capacity'
  | 'balance'
  | 'generation'
  | 'mode'
  | 'heartbeat'

const TABLE_NAME = /^[a-zA-Z0-9_.-]{3,255}$/
const TABLE_NAME_WORDS = '3 to 255 letters, digits, _, - or .'
const STORE_METHODS = ['prepare', 'list', 'get', 'create', 'replace', 'remove']
const CONTROL_METHODS = [
  ...['prepare', 'join', 'beat', 'leave', 'certify', 'members', 'member', 'leader', 'replaceLeader'],
  ...['mailbox', 'mailboxes', 'post', 'reportLoads', 'loads', 'forget', 'clear', 'orders', 'replaceOrders']
]

/** Every name of an option about leases. */
const NAMES = [
  ...['tableName', 'controlTableName', 'durationMs', 'maxLeases', 'capacity', 'balance', 'generation', 'mode'],
  ...['heartbeat', 'billing', 'tags', 'deletionProtection', 'pointInTimeRecovery', 'store', 'controlStore']
]

/** Checks the options and fills in the defaults. @throws OptionError */
export function resolveLeases(given: LeaseOptions | undefined, applicationName: string): ResolvedLeaseOptions {
  const leases = checkGroup('leases', given, NAMES)
  const { tableName = applicationName, controlTableName = 'millrace-control', billing, tags } = leases
  const durations = { min: 1_000, max: 600_000, unit: 'milliseconds' }
  const generations = { min: 0, max: Number.MAX_SAFE_INTEGER }
  return {
    tableName: checkText('leases.tableName', tableName, TABLE_NAME, TABLE_NAME_WORDS),
    controlTableName: checkControlTableName(controlTableName, tableName),
    durationMs: checkInteger('leases.durationMs', leases.durationMs, durations, 10_000),
    maxLeases: checkCount('leases.maxLeases', leases.maxLeases, { min: 1, max: 1_000_000 }, Number.POSITIVE_INFINITY),
    capacity: checkCapacity(leases.capacity),
    balance: checkOneOf('leases.balance', leases.balance, ['count', 'weight'], 'count'),
    generation: checkInteger('leases.generation', leases.generation, generations, 0),
    mode: checkOneOf('leases.mode', leases.mode, ['solo', 'mixed'], 'solo'),
    heartbeat: checkOneOf('leases.heartbeat', leases.heartbeat, ['thread', 'main'], 'thread'),
    deletionProtection: checkBoolean('leases.deletionProtection', leases.deletionProtection, false),
    pointInTimeRecovery: checkBoolean('leases.pointInTimeRecovery', leases.pointInTimeRecovery, false),
    ...(billing !== undefined && { billing: checkBilling(billing) }),
    ...(tags !== undefined && { tags: checkTags(tags) }),
    ...resolveStores(leases)
  }
}

function resolveStores(leases: LeaseOptions): Pick<LeaseOptions, 'store' | 'controlStore'> {
  const store = checkMethods('leases.store', leases.store, STORE_METHODS, 'a lease store')
  const given = checkMethods('leases.controlStore', leases.controlStore, CONTROL_METHODS, 'a control store')
  const controlStore = given ?? store?.control
  if (store !== undefined && controlStore === undefined) {
    throw new OptionError('leases.controlStore', 'is missing, expected one beside a store that brings none of its own')
  }
  return { ...(store !== undefined && { store }), ...(controlStore !== undefined && { controlStore }) }
}

function checkControlTableName(name: string, tableName: string): string {
  checkText('leases.controlTableName', name, TABLE_NAME, TABLE_NAME_WORDS)
  if (name !== tableName) return name
  throw new OptionError(
    'leases.controlTableName',
    `is ${show(name)}, expected another name than that of the lease table`
  )
}

function checkCapacity(value: unknown): number {
  if (value === undefined) return 1
  if (typeof value === 'number' && value >= 0.01 && value <= 1_000) return value
  throw new OptionError('leases.capacity', `is ${show(value)}, expected a number from 0.01 to 1,000`)
}

function checkBilling(billing: TableBilling): TableBilling {
  checkGroup('leases.billing', billing, ['mode', 'readCapacity', 'writeCapacity'])
  checkOneOf('leases.billing.mode', billing.mode, ['on-demand', 'provisioned'], 'on-demand')
  if (billing.mode !== 'provisioned') {
    const capacity = (['readCapacity', 'writeCapacity'] as const).find(name => Reflect.get(billing, name) !== undefined)
    if (capacity === undefined) return { mode: 'on-demand' }
    throw new OptionError(`leases.billing.${capacity}`, "is for mode 'provisioned', expected that mode, or no capacity")
  }
  const units = { min: 1, max: 40_000, unit: 'units' }
  return {
    mode: 'provisioned',
    readCapacity: checkInteger('leases.billing.readCapacity', billing.readCapacity, units, 10),
    writeCapacity: checkInteger('leases.billing.writeCapacity', billing.writeCapacity, units, 10)
  }
}

function checkTags(tags: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  if (typeof tags !== 'object' || tags === null || Array.isArray(tags)) {
    throw new OptionError('leases.tags', `is ${show(tags)}, expected an object of strings`)
  }
  for (const [name, value] of Object.entries(tags)) {
    if (name === '') throw new OptionError('leases.tags', 'has a tag without a name, expected 1 to 128 characters')
    if (typeof value !== 'string') throw new OptionError(`leases.tags.${name}`, `is ${show(value)}, expected a string`)
  }
  return tags
}
