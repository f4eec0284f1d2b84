// The control items of DynamoDB: sessions, mailboxes, loads and the leader's lock, and the writes that change one. The
// attribute names live here and nowhere else. The partition key is the application; what is said here is said within one.

import {
  AttributeReader,
  COUNT,
  ID_SET,
  idSet,
  NUMBER,
  NUMBER_MAP,
  oneOf,
  shown,
  TEXT,
  TEXT_MAP
} from '../dynamo/dynamo-attribute.ts'
import { type Attributes, type Condition, Expression, type Item, present } from '../dynamo/dynamo-expression.ts'
import type { TableKey } from '../dynamo/dynamo-table.ts'
import type {
  Death,
  LeaderLock,
  LeaseLoads,
  Mailbox,
  Member,
  MemberReport,
  SessionState,
  Troubles
} from './control-store.ts'
import { asIdSet } from './lease-fields.ts'

const SORT_KEY = 'sk'

/** The key of the control table: the application, and what the item is. */
export const CONTROL_TABLE_KEY: TableKey = { hash: 'pk', range: SORT_KEY }

/** What the sort keys of each kind of item begin with; the session follows. */
export const PREFIX = { member: 'W#', mailbox: 'A#', mailboxPart: 'P#', loads: 'T#' } as const

/** The sort key of the leader's lock. */
export const LEADER_KEY = 'L'

/** A PutItem, all but the partition key. Without a condition it replaces what is there. */
export interface ItemPut {
  readonly sk: string
  readonly attributes: Item
  readonly condition?: Condition
}

/** An UpdateItem, all but the partition key. */
export interface ItemUpdate {
  readonly sk: string
  readonly update: string
  readonly condition: Condition
}

/** A DeleteItem, all but the partition key. */
export interface ItemRemoval {
  readonly sk: string
  readonly condition?: Condition
}

/** An item as it was read. */
export type StoredItem = Readonly<Record<string, unknown>>

/** What parsing an item comes to. Somebody else may have written into the table, or another version of this library. */
export type Parsed<T> =
  | { readonly kind: 'read'; readonly value: T }
  | { readonly kind: 'unreadable'; readonly sk: string; readonly problem: string }

/** The item of a session that joins; refused if there is one. */
export function joiningOf(report: MemberReport): ItemPut {
  const expression = new Expression()
  return {
    sk: memberKey(report.session),
    attributes: present({ ...attributesOf(report), hb: 1, asgVer: 0 }),
    condition: expression.condition(expression.absent(SORT_KEY))
  }
}

/** A heartbeat; refused if the session is dead or has no item, or a later heartbeat has landed. */
export function beatOf(report: MemberReport, hb: number): ItemUpdate {
  const expression = new Expression()
  return {
    sk: memberKey(report.session),
    update: expression.update({ ...attributesOf(report), hb }),
    condition: expression.condition(...isAlive(expression), expression.isBelow('hb', hb))
  }
}

/** The last word of a session, with a certificate of its own; refused if it is dead or has no item. */
export function leavingOf(report: MemberReport): ItemUpdate {
  const expression = new Expression()
  return {
    sk: memberKey(report.session),
    update: expression.update({ ...attributesOf(report), dead: 'left' satisfies Death }),
    condition: expression.condition(...isAlive(expression))
  }
}

/** A death certificate; refused if the session is dead or has no item, or its heartbeat is another than the one watched. */
export function certificateOf(session: string, hb: number, how: Death): ItemUpdate {
  const expression = new Expression()
  return {
    sk: memberKey(session),
    update: expression.update({ dead: how }),
    condition: expression.condition(...isAlive(expression), expression.are({ hb }))
  }
}

/** Tells a session of its mailbox; refused if it is dead or has no item, or knows of a version that is no older. */
export function tellingOf({ session, ver }: Pick<Mailbox, 'session' | 'ver'>): ItemUpdate {
  const expression = new Expression()
  return {
    sk: memberKey(session),
    update: expression.update({ asgVer: ver }),
    condition: expression.condition(...isAlive(expression), expression.isBelow('asgVer', ver))
  }
}

/** Deletes the item of a session; refused if it is alive. */
export function removalOf(session: string): ItemRemoval {
  const expression = new Expression()
  const condition = `${expression.absent(SORT_KEY)} OR ${expression.exists('dead')}`
  return { sk: memberKey(session), condition: expression.condition(condition) }
}

/** The lock; refused if it is not `before` any more. */
export function lockOf(before: LeaderLock | undefined, { who, term }: LeaderLock): ItemPut {
  const expression = new Expression()
  const unchanged = before && expression.are({ who: before.who, term: before.term })
  return {
    sk: LEADER_KEY,
    attributes: present({ who, term }),
    condition: expression.condition(unchanged ?? expression.absent(SORT_KEY))
  }
}

/** What a session measured. To three decimals: the size of the item is what a write costs. */
export function loadsOf(session: string, loads: LeaseLoads): ItemPut {
  const rounded = Object.entries(loads).map(([key, load]) => [key, Math.round(load * 1_000) / 1_000] as const)
  return {
    sk: `${PREFIX.loads}${session}`,
    attributes: { loads: Object.fromEntries(rounded.filter(([, load]) => Number.isFinite(load))) }
  }
}

/** The head of a mailbox, which has everything in it, or the number of the parts in which the lists are. */
export interface MailboxHead {
  readonly mailbox: Mailbox
  /** How many parts there are. 0: `mailbox` is complete. Otherwise its lists are empty. */
  readonly parts: number
}

/** The writes of a mailbox: first all parts, then the head. */
export interface MailboxWrites {
  readonly parts: readonly ItemPut[]
  /** Refused if there is a mailbox of a later term, or of the same version or a later one. */
  readonly head: ItemPut
}

/** The lists of a mailbox, which are what can be long. */
type MailboxLists = Pick<Mailbox, 'leases' | 'wait' | 'dead' | 'steal'>

const LISTS: readonly (keyof MailboxLists)[] = ['leases', 'wait', 'dead', 'steal']
const NO_LISTS: MailboxLists = { leases: [], wait: [], dead: [], steal: [] }

/** The writes of a mailbox, in parts if its lists are longer than `maxBytes` together. No item may exceed 400 kB. */
export function mailboxWritesOf(mailbox: Mailbox, maxBytes: number): MailboxWrites {
  const chunks = chunksOf(mailbox, maxBytes)
  const isSplit = chunks.length > 1
  const { session, ver, term, mode, assigner, evt } = mailbox
  const lists = isSplit ? { parts: chunks.length } : setsOf(mailbox)
  const expression = new Expression()
  const isNewer = `(${expression.isAtMost('term', term)} AND ${expression.isBelow('ver', ver)})`
  return {
    parts: isSplit
      ? chunks.map((chunk, index) => ({ sk: partKey(mailbox, index), attributes: present(setsOf(chunk)) }))
      : [],
    head: {
      sk: mailboxKey(session),
      attributes: present({ ver, term, mode, asg: assigner, evt, ...lists }),
      condition: expression.condition(`${expression.absent(SORT_KEY)} OR ${isNewer}`)
    }
  }
}

/** Whether a mailbox may replace the one that is there: the condition of its head. */
export function supersedes({ term, ver }: Mailbox, current: Mailbox): boolean {
  return current.term <= term && current.ver < ver
}

/** The sort key of a session's item. */
export function memberKey(session: string): string {
  return `${PREFIX.member}${session}`
}

/** The sort key of the head of a session's mailbox. */
export function mailboxKey(session: string): string {
  return `${PREFIX.mailbox}${session}`
}

/**
 * The sort key of a part of a mailbox. Term and version are in it, so that what another leader writes never lands in a
 * mailbox that is in force. Parts have a prefix of their own: with that of the heads, the head of a session whose name has a
 * `#` in it could be taken for a part of another one.
 */
export function partKey({ session, term, ver }: Pick<Mailbox, 'session' | 'term' | 'ver'>, index: number): string {
  return `${PREFIX.mailboxPart}${session}#${term}.${ver}.${index}`
}

/** The sort keys of all parts of a mailbox. */
export function partKeysOf({ mailbox, parts }: MailboxHead): string[] {
  return Array.from({ length: parts }, (_, index) => partKey(mailbox, index))
}

/** Whether an item that begins like a part of a mailbox of `session` is one, and not of a session with a longer name. */
export function isPartOf(session: string, sk: string): boolean {
  const beginning = `${PREFIX.mailboxPart}${session}#`
  return sk.startsWith(beginning) && /^\d+\.\d+\.\d+$/.test(sk.slice(beginning.length))
}

/** The sort key of an item. */
export function sortKeyOf(item: StoredItem): string {
  return String(new AttributeReader(item).value(SORT_KEY))
}

/** Whether the item of a session says that it is dead, in whatever words. */
export function isDead(item: StoredItem): boolean {
  return new AttributeReader(item).has('dead')
}

/** Reads the item of a session. */
export function parseMember(item: StoredItem): Parsed<Member> {
  const reader = new AttributeReader(item)
  const session = sessionIn(reader, PREFIX.member)
  const workerId = reader.require('workerId', TEXT)
  const state = reader.require('state', STATE)
  const hb = reader.require('hb', COUNT)
  const maxLeases = reader.read('maxLeases', COUNT)
  const seen = reader.read('seen', COUNT)
  const orders = reader.read('ord', COUNT)
  const rest = {
    ack: reader.read('ack', COUNT) ?? 0,
    applied: reader.read('applied', COUNT) ?? 0,
    evt: reader.read('evt', COUNT) ?? 0,
    led: reader.read('led', COUNT) ?? 0,
    ...(seen !== undefined && { seen }),
    ...(orders !== undefined && { orders }),
    generation: reader.read('gen', NUMBER) ?? 0,
    capacity: reader.read('capacity', NUMBER) ?? 1,
    ...(maxLeases !== undefined && { maxLeases }),
    avoid: asIdSet(reader.read('avoid', ID_SET) ?? []),
    ...(reader.has('dur') && { durationMs: reader.read('dur', COUNT) ?? 0 }),
    ...troublesIn(reader),
    asgVer: reader.read('asgVer', COUNT) ?? 0,
    // Dead is whoever has the attribute, as in the conditions, even if later versions have other words for it.
    ...(reader.has('dead') && { dead: DEATH.parse(reader.value('dead')) ?? 'silent' })
  }
  if (session === undefined || workerId === undefined || state === undefined || hb === undefined)
    return unreadable(reader)
  return parsed(reader, { session, workerId, state, hb, ...rest })
}

/** Reads the head of a mailbox. */
export function parseMailbox(item: StoredItem): Parsed<MailboxHead> {
  const reader = new AttributeReader(item)
  const session = sessionIn(reader, PREFIX.mailbox)
  const ver = reader.require('ver', COUNT)
  const term = reader.require('term', COUNT)
  const mode = reader.require('mode', MODE)
  const assigner = reader.read('asg', ASSIGNER)
  const evt = reader.read('evt', COUNT) ?? 0
  const parts = reader.read('parts', COUNT) ?? 0
  const lists = listsIn(reader)
  if (session === undefined || ver === undefined || term === undefined || mode === undefined) return unreadable(reader)
  return parsed(reader, { mailbox: { session, ver, term, mode, ...(assigner && { assigner }), ...lists, evt }, parts })
}

/** The mailbox of a head and its parts. */
export function assembled({ mailbox }: MailboxHead, parts: readonly StoredItem[]): Parsed<Mailbox> {
  const lists = { ...NO_LISTS }
  for (const part of parts) {
    const reader = new AttributeReader(part)
    const found = listsIn(reader)
    if (reader.problems.length > 0) return unreadable(reader)
    for (const list of LISTS) lists[list] = [...lists[list], ...found[list]]
  }
  return { kind: 'read', value: { ...mailbox, ...sorted(lists) } }
}

/** Reads the lock. */
export function parseLock(item: StoredItem): Parsed<LeaderLock> {
  const reader = new AttributeReader(item)
  const who = reader.read('who', TEXT)
  const term = reader.require('term', COUNT)
  return term === undefined ? unreadable(reader) : parsed(reader, { ...(who !== undefined && { who }), term })
}

/** Reads what a session measured. */
export function parseLoads(item: StoredItem): Parsed<LeaseLoads> {
  const reader = new AttributeReader(item)
  const loads = reader.require('loads', NUMBER_MAP)
  return loads === undefined ? unreadable(reader) : parsed(reader, loads)
}

const STATE = oneOf<SessionState>(['ACTIVE', 'DRAINING', 'RESTARTING'])
const DEATH = oneOf<Death>(['left', 'silent', 'deaf', 'gone'])
const MODE = oneOf<Mailbox['mode']>(['solo', 'mixed'])
const ASSIGNER = oneOf<'kcl'>(['kcl'])

// The names are those of the port, but for `gen`, `dur`, `ord`, `red` and `why`. With ids of usual length the item stays well below
// 1 kB, so that a heartbeat costs one write unit, unless many shards are not well.
function attributesOf(report: MemberReport): Attributes {
  const { workerId, state, ack, applied, seen, evt, led, generation, capacity, maxLeases, avoid, durationMs } = report
  const { orders, troubles } = report
  return {
    ...{ workerId, state, ack, applied, seen, evt, led, gen: generation, capacity, maxLeases, avoid: idSet(avoid) },
    ...{ dur: durationMs, ord: orders, red: troubles?.count, why: troubles?.reasons }
  }
}

function troublesIn(reader: AttributeReader): { readonly troubles?: Troubles } {
  const count = reader.read('red', COUNT)
  const reasons = reader.read('why', TEXT_MAP) ?? {}
  return count === undefined ? {} : { troubles: { count, reasons } }
}

function isAlive(expression: Expression): string[] {
  return [expression.exists(SORT_KEY), expression.absent('dead')]
}

function sessionIn(reader: AttributeReader, prefix: string): string | undefined {
  const sk = reader.require(SORT_KEY, TEXT)
  if (sk?.startsWith(prefix) && sk.length > prefix.length) return sk.slice(prefix.length)
  if (sk !== undefined) reader.problems.push(`${SORT_KEY} is ${shown(sk)}, expected ${prefix} and a session`)
  return undefined
}

function setsOf({ leases, wait, dead, steal }: MailboxLists): Attributes {
  return { leases: idSet(leases), wait: idSet(wait), dead: idSet(dead), steal: idSet(steal) }
}

function listsIn(reader: AttributeReader): MailboxLists {
  const lists = LISTS.map(list => [list, reader.read(list, ID_SET) ?? []] as const)
  return sorted({ ...NO_LISTS, ...Object.fromEntries(lists) })
}

function sorted({ leases, wait, dead, steal }: MailboxLists): MailboxLists {
  return { leases: asIdSet(leases), wait: asIdSet(wait), dead: asIdSet(dead), steal: asIdSet(steal) }
}

/** The lists of a mailbox in as many pieces as it takes for each to have no more than `maxBytes` bytes. At least one. */
function chunksOf(mailbox: Mailbox, maxBytes: number): MailboxLists[] {
  const chunks: Record<keyof MailboxLists, string[]>[] = [{ leases: [], wait: [], dead: [], steal: [] }]
  let bytes = 0
  for (const list of LISTS) {
    for (const id of mailbox[list]) {
      const size = Buffer.byteLength(id)
      if (bytes > 0 && bytes + size > maxBytes) {
        chunks.push({ leases: [], wait: [], dead: [], steal: [] })
        bytes = 0
      }
      chunks.at(-1)?.[list].push(id)
      bytes += size
    }
  }
  return chunks
}

function parsed<T>(reader: AttributeReader, value: T): Parsed<T> {
  return reader.problems.length > 0 ? unreadable(reader) : { kind: 'read', value }
}

function unreadable(reader: AttributeReader): Parsed<never> {
  return { kind: 'unreadable', sk: String(reader.value(SORT_KEY)), problem: reader.problems.join('; ') }
}
