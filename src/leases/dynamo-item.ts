// A lease as an item of DynamoDB, in KCL's schema, and the expressions that change one. The attribute names live here
// and nowhere else. Attributes that are not named here are never written, so whatever others put into an item survives.
import { BugError } from '../model/errors.ts'
import type { HashKeyRange } from '../model/hash-key-range.ts'
import type { Lease, PendingCheckpoint, StreamIdentity } from '../model/lease.ts'
import type { ExtendedSequenceNumber } from '../model/sequence-number.ts'
import {
  type AttributeType,
  type AttributeValue,
  BYTES,
  COUNT,
  HASH_KEY,
  ID_SET,
  idSet,
  NUMBER,
  POSITION,
  shown,
  TEXT
} from './dynamo-attribute.ts'
import { asIdSet, fieldsToWrite, LEASE_FIELDS, type LeaseField } from './lease-fields.ts'
import type { SkippedRow } from './lease-store.ts'

/** The partition key of the lease table, a string. There is no sort key. */
export const KEY_ATTRIBUTE = 'leaseKey'

/** An item, as the document client takes it. */
export type Item = Record<string, AttributeValue>

/** A condition and what it refers to, as PutItem, UpdateItem and DeleteItem take them. */
export interface Condition {
  readonly ConditionExpression: string
  readonly ExpressionAttributeNames: Record<string, string>
  readonly ExpressionAttributeValues?: Item
}

/** What parsing an item comes to. */
export type ParsedItem =
  | { readonly kind: 'lease'; readonly lease: Lease }
  | { readonly kind: 'skipped'; readonly row: SkippedRow }

type Attributes = Readonly<Record<string, AttributeValue | undefined>>

/** The attributes of each field. `undefined` is an attribute that is not there: DynamoDB knows no empty ones. */
const ATTRIBUTES_OF: Readonly<Record<LeaseField, (lease: Lease) => Attributes>> = {
  owner: ({ owner }) => ({ leaseOwner: owner }),
  counter: ({ counter }) => ({ leaseCounter: counter }),
  checkpoint: ({ checkpoint }) => ({
    checkpoint: checkpoint.sequenceNumber,
    checkpointSubSequenceNumber: checkpoint.subSequenceNumber
  }),
  pendingCheckpoint: ({ pendingCheckpoint: pending }) => ({
    pendingCheckpoint: pending?.position.sequenceNumber,
    pendingCheckpointSubSequenceNumber: pending?.position.subSequenceNumber,
    pendingCheckpointState: pending?.state
  }),
  ownerSwitchesSinceCheckpoint: ({ ownerSwitchesSinceCheckpoint }) => ({ ownerSwitchesSinceCheckpoint }),
  // A set in spite of its name; merged shards have two parents.
  parentShardIds: ({ parentShardIds }) => ({ parentShardId: idSet(parentShardIds) }),
  childShardIds: ({ childShardIds }) => ({ childShardIds: idSet(childShardIds) }),
  hashKeyRange: ({ hashKeyRange: range }) => {
    // Decimal strings, as KCL keeps them. It cannot read an item whose range is a single key; one without a range is fine.
    const kept = range !== undefined && range.start < range.end ? range : undefined
    return { startingHashKey: kept?.start.toString(), endingHashKey: kept?.end.toString() }
  },
  checkpointOwner: ({ checkpointOwner }) => ({ checkpointOwner }),
  wantedBy: ({ wantedBy }) => ({ millraceWantedBy: wantedBy }),
  stream: ({ stream }) => ({ millraceStreamArn: stream?.streamArn, millraceStreamEpoch: stream?.creationEpoch }),
  startTimestampMs: ({ startTimestampMs }) => ({ millraceStartTimestamp: startTimestampMs }),
  beganAtMs: ({ beganAtMs }) => ({ millraceBeganAt: beganAtMs })
}

/** The key of a lease's item. */
export function keyOf(leaseKey: string): Item {
  return { [KEY_ATTRIBUTE]: leaseKey }
}

/** The whole item of a lease, as it is when it is created. */
export function toItem(lease: Lease): Item {
  const attributes = LEASE_FIELDS.flatMap(field => Object.entries(ATTRIBUTES_OF[field](lease)))
  return { ...keyOf(lease.leaseKey), entityType: 'LEASE', ...present(attributes) }
}

/** A PutItem that is refused if the key is taken. */
export function creationOf(lease: Lease): Condition & { readonly Item: Item } {
  return {
    Item: toItem(lease),
    ConditionExpression: 'attribute_not_exists(#leaseKey)',
    ExpressionAttributeNames: { '#leaseKey': KEY_ATTRIBUTE }
  }
}

/** An UpdateItem of what differs, which is refused unless owner, counter and checkpoint owner are those of `before`. */
export function replacementOf(
  before: Lease,
  after: Lease
): Condition & { readonly Key: Item; readonly UpdateExpression?: string } {
  if (after.leaseKey !== before.leaseKey) {
    throw new BugError(`Lease ${before.leaseKey} was to be replaced by ${after.leaseKey}; the key cannot change`)
  }
  const expression = new Expression()
  const changes = fieldsToWrite(before, after).flatMap(field => Object.entries(ATTRIBUTES_OF[field](after)))
  const update = expression.update(changes)
  return {
    Key: keyOf(before.leaseKey),
    ...(update !== '' && { UpdateExpression: update }),
    ...expression.condition(
      [
        expression.exists(KEY_ATTRIBUTE),
        ...(['owner', 'counter', 'checkpointOwner'] as const).map(field => expression.unchanged(before, field))
      ].join(' AND ')
    )
  }
}

/** An UpdateItem that notes a request, which is refused unless the owner is the same and nobody else has asked. */
export function requestOf(
  lease: Lease,
  session: string
): Condition & { readonly Key: Item; readonly UpdateExpression: string } {
  const expression = new Expression()
  const [attribute, value] = ['millraceWantedBy', session] as const
  return {
    Key: keyOf(lease.leaseKey),
    UpdateExpression: expression.update([[attribute, value]]),
    ...expression.condition(
      [
        expression.exists(KEY_ATTRIBUTE),
        expression.unchanged(lease, 'owner'),
        `(${expression.equals(attribute, undefined)} OR ${expression.equals(attribute, value)})`
      ].join(' AND ')
    )
  }
}

/** A DeleteItem that is refused if there is an item whose owner or counter is not that of `lease`. */
export function deletionOf(lease: Lease): Condition & { readonly Key: Item } {
  const expression = new Expression()
  const same = [expression.unchanged(lease, 'owner'), expression.unchanged(lease, 'counter')].join(' AND ')
  return {
    Key: keyOf(lease.leaseKey),
    ...expression.condition(`${expression.equals(KEY_ATTRIBUTE, undefined)} OR (${same})`)
  }
}

/** Collects the names and values that an expression refers to. No name is used bare, so none can be a reserved word. */
class Expression {
  readonly #names: Record<string, string> = {}
  readonly #values: Item = {}

  update(changes: readonly (readonly [string, AttributeValue | undefined])[]): string {
    const sets: string[] = []
    const removes: string[] = []
    for (const [attribute, value] of changes) {
      const name = this.#name(attribute)
      if (value === undefined) removes.push(name)
      else sets.push(`${name} = ${this.#value(`:${attribute}`, value)}`)
    }
    const clauses = [sets.length > 0 && `SET ${sets.join(', ')}`, removes.length > 0 && `REMOVE ${removes.join(', ')}`]
    return clauses.filter(clause => clause !== false).join(' ')
  }

  exists(attribute: string): string {
    return `attribute_exists(${this.#name(attribute)})`
  }

  equals(attribute: string, value: AttributeValue | undefined): string {
    const name = this.#name(attribute)
    return value === undefined
      ? `attribute_not_exists(${name})`
      : `${name} = ${this.#value(`:was_${attribute}`, value)}`
  }

  unchanged(lease: Lease, field: LeaseField): string {
    const attributes = Object.entries(ATTRIBUTES_OF[field](lease))
    return attributes.map(([attribute, value]) => this.equals(attribute, value)).join(' AND ')
  }

  condition(expression: string): Condition {
    return {
      ConditionExpression: expression,
      ExpressionAttributeNames: this.#names,
      ...(Object.keys(this.#values).length > 0 && { ExpressionAttributeValues: this.#values })
    }
  }

  #name(attribute: string): string {
    this.#names[`#${attribute}`] = attribute
    return `#${attribute}`
  }

  #value(placeholder: string, value: AttributeValue): string {
    this.#values[placeholder] = value
    return placeholder
  }
}

/**
 * Reads an item of the lease table, in which KCL keeps more than leases. Attributes that a lease can do without may be
 * missing, and unknown ones are ignored. Never throws: an item that is no lease comes back as a row to skip.
 */
export function parseItem(item: Readonly<Record<string, unknown>>): ParsedItem {
  const reader = new ItemReader(item)
  const leaseKey = reader.read(KEY_ATTRIBUTE, TEXT)
  const skip = (because: SkippedRow['because'], problem: string): ParsedItem => ({
    kind: 'skipped',
    row: { key: leaseKey ?? '?', because, problem }
  })
  const otherKind = reader.otherKind(leaseKey)
  if (otherKind !== undefined) return skip('another-kind', otherKind)

  const counter = reader.require('leaseCounter', COUNT)
  const sequenceNumber = reader.require('checkpoint', POSITION)
  const subSequenceNumber = reader.read('checkpointSubSequenceNumber', COUNT) ?? 0
  const optional = readOptional(reader)
  if (leaseKey === undefined) reader.require(KEY_ATTRIBUTE, TEXT)
  if (leaseKey === undefined || counter === undefined || sequenceNumber === undefined || reader.problems.length > 0) {
    return skip('malformed', reader.problems.join('; '))
  }
  const checkpoint = { sequenceNumber, subSequenceNumber }
  return { kind: 'lease', lease: { leaseKey, shardId: leaseKey, counter, checkpoint, ...optional } }
}

function readOptional(reader: ItemReader): Omit<Lease, 'leaseKey' | 'shardId' | 'counter' | 'checkpoint'> {
  const owner = reader.read('leaseOwner', TEXT)
  const checkpointOwner = reader.read('checkpointOwner', TEXT)
  const wantedBy = reader.read('millraceWantedBy', TEXT)
  const startTimestampMs = reader.read('millraceStartTimestamp', NUMBER)
  const beganAtMs = reader.read('millraceBeganAt', NUMBER)
  const pendingCheckpoint = readPendingCheckpoint(reader)
  const hashKeyRange = readHashKeyRange(reader)
  const stream = readStream(reader)
  return {
    ownerSwitchesSinceCheckpoint: reader.read('ownerSwitchesSinceCheckpoint', COUNT) ?? 0,
    parentShardIds: asIdSet(reader.read('parentShardId', ID_SET) ?? []),
    childShardIds: asIdSet(reader.read('childShardIds', ID_SET) ?? []),
    ...(owner !== undefined && { owner }),
    ...(checkpointOwner !== undefined && { checkpointOwner }),
    ...(wantedBy !== undefined && { wantedBy }),
    ...(startTimestampMs !== undefined && { startTimestampMs }),
    ...(beganAtMs !== undefined && { beganAtMs }),
    ...(pendingCheckpoint !== undefined && { pendingCheckpoint }),
    ...(hashKeyRange !== undefined && { hashKeyRange }),
    ...(stream !== undefined && { stream })
  }
}

function readPendingCheckpoint(reader: ItemReader): PendingCheckpoint | undefined {
  const sequenceNumber = reader.read('pendingCheckpoint', POSITION)
  const subSequenceNumber = reader.read('pendingCheckpointSubSequenceNumber', COUNT) ?? 0
  const state = reader.read('pendingCheckpointState', BYTES)
  if (sequenceNumber === undefined) return undefined
  const position: ExtendedSequenceNumber = { sequenceNumber, subSequenceNumber }
  return { position, ...(state !== undefined && { state }) }
}

function readHashKeyRange(reader: ItemReader): HashKeyRange | undefined {
  const start = reader.read('startingHashKey', HASH_KEY)
  const end = reader.read('endingHashKey', HASH_KEY)
  if (start === undefined || end === undefined) return undefined
  if (start >= end) reader.problems.push(`startingHashKey is ${start}, expected less than endingHashKey, ${end}`)
  return { start, end }
}

function readStream(reader: ItemReader): StreamIdentity | undefined {
  const streamArn = reader.read('millraceStreamArn', TEXT)
  if (streamArn === undefined) return undefined
  const creationEpoch = reader.require('millraceStreamEpoch', NUMBER)
  return creationEpoch === undefined ? undefined : { streamArn, creationEpoch }
}

/** Keys of KCL's own records from before every item said what it is. */
const COORDINATOR_KEYS: readonly string[] = ['Leader', 'Migration3.0', 'TableMigration3.5']

/** Reads attributes one by one and keeps what is wrong with them. Only own properties count: names come from outside. */
class ItemReader {
  readonly problems: string[] = []
  readonly #item: Readonly<Record<string, unknown>>

  constructor(item: Readonly<Record<string, unknown>>) {
    this.#item = item
  }

  /** An attribute that may be missing. */
  read<T>(name: string, type: AttributeType<T>): T | undefined {
    if (!this.#has(name)) return undefined
    const value = type.parse(this.#item[name])
    if (value === undefined) this.problems.push(`${name} is ${shown(this.#item[name])}, expected ${type.expected}`)
    return value
  }

  /** An attribute without which there is no lease. */
  require<T>(name: string, type: AttributeType<T>): T | undefined {
    if (!this.#has(name)) this.problems.push(`${name} is missing, expected ${type.expected}`)
    return this.read(name, type)
  }

  /** What the item is, if it is not a lease of this application and does not pretend to be one. */
  otherKind(leaseKey: string | undefined): string | undefined {
    const entityType = this.read('entityType', TEXT)
    if (entityType !== undefined && entityType !== 'LEASE') return `entityType is ${entityType}, not LEASE`
    if (leaseKey !== undefined && COORDINATOR_KEYS.includes(leaseKey))
      return `${leaseKey} is a coordination record of KCL`
    if (this.#has('streamName')) {
      return `a lease of a KCL application that reads several streams, of ${shown(this.#item.streamName)}`
    }
    if (entityType === undefined && !this.#has('leaseCounter') && !this.#has('checkpoint')) {
      return 'it has neither leaseCounter nor checkpoint'
    }
    return undefined
  }

  #has(name: string): boolean {
    return Object.hasOwn(this.#item, name)
  }
}

function present(attributes: readonly (readonly [string, AttributeValue | undefined])[]): Item {
  return Object.fromEntries(attributes.filter((entry): entry is [string, AttributeValue] => entry[1] !== undefined))
}
