// A lease as an item of DynamoDB, in KCL's schema, and the writes that change one. The attribute names live here and
// nowhere else. Attributes that are not named here are never written, so whatever others put into an item survives.

import {
  AttributeReader,
  BYTES,
  COUNT,
  HASH_KEY,
  ID_SET,
  idSet,
  NUMBER,
  POSITION,
  shown,
  TEXT
} from '../dynamo/dynamo-attribute.ts'
import { type Attributes, type Condition, Expression, type Item, present } from '../dynamo/dynamo-expression.ts'
import type { TableKey } from '../dynamo/dynamo-table.ts'
import { BugError } from '../model/errors.ts'
import type { HashKeyRange } from '../model/hash-key-range.ts'
import type { Lease, PendingCheckpoint, StreamIdentity } from '../model/lease.ts'
import type { ExtendedSequenceNumber } from '../model/sequence-number.ts'
import { leaseKeyOf, parseStreamId } from '../model/stream-id.ts'
import { asIdSet, changedFields, LEASE_FIELDS, type LeaseField } from './lease-fields.ts'
import type { SkippedRow } from './lease-store.ts'

const KEY_ATTRIBUTE = 'leaseKey'

/** The key of the lease table. */
export const LEASE_TABLE_KEY: TableKey = { hash: KEY_ATTRIBUTE }

/** What parsing an item comes to. */
export type ParsedItem =
  | { readonly kind: 'lease'; readonly lease: Lease }
  | { readonly kind: 'skipped'; readonly row: SkippedRow }

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
  throughputKBps: ({ throughputKBps }) => ({ throughputKBps }),
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
  const attributes = LEASE_FIELDS.map(field => present(ATTRIBUTES_OF[field](lease)))
  const { leaseKey, streamId, shardId } = lease
  // KCL keeps the id of the stream under this name, not its name. The reader of a shared table needs both in every row.
  const inSharedTable = streamId === undefined ? {} : { streamName: streamId, shardId }
  return Object.assign({ ...keyOf(leaseKey), entityType: 'LEASE', ...inSharedTable }, ...attributes)
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
  const update = expression.update(...changedFields(before, after).map(field => ATTRIBUTES_OF[field](after)))
  return {
    Key: keyOf(before.leaseKey),
    ...(update !== '' && { UpdateExpression: update }),
    ...expression.condition(
      expression.exists(KEY_ATTRIBUTE),
      ...(['owner', 'counter', 'checkpointOwner'] as const).map(field => expression.are(ATTRIBUTES_OF[field](before)))
    )
  }
}

/** A DeleteItem that is refused if there is an item whose owner or counter is not that of `lease`. */
export function deletionOf(lease: Lease): Condition & { readonly Key: Item } {
  const expression = new Expression()
  const same = (['owner', 'counter'] as const).map(field => expression.are(ATTRIBUTES_OF[field](lease)))
  return {
    Key: keyOf(lease.leaseKey),
    ...expression.condition(`${expression.absent(KEY_ATTRIBUTE)} OR (${same.join(' AND ')})`)
  }
}

/**
 * Reads an item of the lease table, in which KCL keeps more than leases. Attributes that a lease can do without may be
 * missing, and unknown ones are ignored. Never throws: an item that is no lease comes back as a row to skip.
 */
export function parseItem(item: Readonly<Record<string, unknown>>): ParsedItem {
  const reader = new AttributeReader(item)
  const leaseKey = reader.read(KEY_ATTRIBUTE, TEXT)
  const skip = (because: SkippedRow['because'], problem: string): ParsedItem => ({
    kind: 'skipped',
    row: { key: leaseKey ?? '?', because, problem }
  })
  const otherKind = otherKindOf(reader, leaseKey)
  if (otherKind !== undefined) return skip('another-kind', otherKind)

  const counter = reader.require('leaseCounter', COUNT)
  const sequenceNumber = reader.require('checkpoint', POSITION)
  const subSequenceNumber = reader.read('checkpointSubSequenceNumber', COUNT) ?? 0
  const optional = readOptional(reader)
  const place = readPlace(reader, leaseKey)
  if (leaseKey === undefined) reader.require(KEY_ATTRIBUTE, TEXT)
  if (leaseKey === undefined || counter === undefined || sequenceNumber === undefined || reader.problems.length > 0) {
    return skip('malformed', reader.problems.join('; '))
  }
  const checkpoint = { sequenceNumber, subSequenceNumber }
  return { kind: 'lease', lease: { leaseKey, ...place, counter, checkpoint, ...optional } }
}

/** Which shard the lease is of, and of which stream where several share the table. What says that must agree with the key. */
function readPlace(reader: AttributeReader, leaseKey = '?'): Pick<Lease, 'shardId' | 'streamId'> {
  const streamId = reader.read('streamName', TEXT)
  if (streamId === undefined) return { shardId: leaseKey }
  const shardId = reader.require('shardId', TEXT) ?? '?'
  if (parseStreamId(streamId) === undefined) {
    reader.problems.push(`streamName is ${shown(streamId)}, expected account:name:creationEpoch`)
  } else if (shardId !== '?' && leaseKey !== leaseKeyOf(streamId, shardId)) {
    reader.problems.push(`leaseKey is ${shown(leaseKey)}, expected ${leaseKeyOf(streamId, shardId)}`)
  }
  return { shardId, streamId }
}

function readOptional(
  reader: AttributeReader
): Omit<Lease, 'leaseKey' | 'shardId' | 'streamId' | 'counter' | 'checkpoint'> {
  const owner = reader.read('leaseOwner', TEXT)
  const checkpointOwner = reader.read('checkpointOwner', TEXT)
  // What others have measured must not make a lease unreadable.
  const throughputKBps = NUMBER.parse(reader.value('throughputKBps'))
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
    ...(throughputKBps !== undefined && { throughputKBps }),
    ...(startTimestampMs !== undefined && { startTimestampMs }),
    ...(beganAtMs !== undefined && { beganAtMs }),
    ...(pendingCheckpoint !== undefined && { pendingCheckpoint }),
    ...(hashKeyRange !== undefined && { hashKeyRange }),
    ...(stream !== undefined && { stream })
  }
}

function readPendingCheckpoint(reader: AttributeReader): PendingCheckpoint | undefined {
  const sequenceNumber = reader.read('pendingCheckpoint', POSITION)
  const subSequenceNumber = reader.read('pendingCheckpointSubSequenceNumber', COUNT) ?? 0
  const state = reader.read('pendingCheckpointState', BYTES)
  if (sequenceNumber === undefined) return undefined
  const position: ExtendedSequenceNumber = { sequenceNumber, subSequenceNumber }
  return { position, ...(state !== undefined && { state }) }
}

function readHashKeyRange(reader: AttributeReader): HashKeyRange | undefined {
  const start = reader.read('startingHashKey', HASH_KEY)
  const end = reader.read('endingHashKey', HASH_KEY)
  if (start === undefined || end === undefined) return undefined
  if (start >= end) reader.problems.push(`startingHashKey is ${start}, expected less than endingHashKey, ${end}`)
  return { start, end }
}

function readStream(reader: AttributeReader): StreamIdentity | undefined {
  const streamArn = reader.read('millraceStreamArn', TEXT)
  if (streamArn === undefined) return undefined
  const creationEpoch = reader.require('millraceStreamEpoch', NUMBER)
  return creationEpoch === undefined ? undefined : { streamArn, creationEpoch }
}

/** Keys of KCL's own records from before every item said what it is. */
const COORDINATOR_KEYS: readonly string[] = ['Leader', 'Migration3.0', 'TableMigration3.5']

/** What the item is, if it is not a lease of this application and does not pretend to be one. */
function otherKindOf(reader: AttributeReader, leaseKey: string | undefined): string | undefined {
  const entityType = reader.read('entityType', TEXT)
  if (entityType !== undefined && entityType !== 'LEASE') return `entityType is ${entityType}, not LEASE`
  if (leaseKey !== undefined && COORDINATOR_KEYS.includes(leaseKey)) {
    return `${leaseKey} is a coordination record of KCL`
  }
  if (entityType === undefined && !reader.has('leaseCounter') && !reader.has('checkpoint')) {
    return 'it has neither leaseCounter nor checkpoint'
  }
  return undefined
}
