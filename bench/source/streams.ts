// The streams that the load source has: as many as anybody asks for, because the name says it all, such as kpl-256 for 256
// shards of KPL aggregates. Answers the calls that have no records in them.
import { versionIn } from './answers.ts'
import type { CborValue } from './cbor.ts'
import { PAYLOAD_NAMES, type PayloadName } from './payloads.ts'

/** What the name of a stream says. */
export interface StreamShape {
  readonly payload: PayloadName
  readonly shards: number
}

/** Where a shard is read from: in a stream, after the records of a version. */
export interface Position {
  readonly streamName: string
  readonly shard: number
  readonly after: number
}

/** What a shard iterator is padded to; real ones have about as many characters. */
const ITERATOR_LENGTH = 224
const ITERATOR = /^([a-z]+-\d+)\.(\d+)\.(\d+)\.A*$/
const HASH_SPACE = 2n ** 128n
const ACCOUNT = '000000000000'

/** The name of a stream. */
export function streamNameOf(payload: PayloadName, shards: number): string {
  return `${payload}-${shards}`
}

/** What the name of a stream says; `undefined` if there is no such stream. */
export function streamShape(streamName: string): StreamShape | undefined {
  const [payload, shards] = streamName.split('-')
  if (!PAYLOAD_NAMES.includes(payload as PayloadName) || !/^[1-9]\d{0,4}$/.test(shards ?? '')) return undefined
  return { payload: payload as PayloadName, shards: Number(shards) }
}

/** A shard iterator that stands for a position. */
export function iteratorAt({ streamName, shard, after }: Position): string {
  return `${streamName}.${shard}.${after}.`.padEnd(ITERATOR_LENGTH, 'A')
}

/** The position that a shard iterator stands for; `undefined` for one that is none of ours. */
export function positionIn(iterator: unknown): Position | undefined {
  const [, streamName, shard, after] = ITERATOR.exec(String(iterator)) ?? []
  return streamName === undefined ? undefined : { streamName, shard: Number(shard), after: Number(after) }
}

/** Answers DescribeStreamSummary, ListShards and GetShardIterator. `undefined`: no such call, or no such stream. */
export function controlAnswer(
  operation: string,
  input: Readonly<Record<string, unknown>>,
  timeOf: (seconds: number) => CborValue
): CborValue | undefined {
  const streamName = String(input.StreamName ?? String(input.StreamARN ?? '').split('/')[1])
  const shape = streamShape(streamName)
  if (shape === undefined) return undefined
  switch (operation) {
    case 'DescribeStreamSummary':
      return { StreamDescriptionSummary: summaryOf(streamName, shape.shards, timeOf(1_700_000_000)) }
    case 'ListShards':
      return { Shards: Array.from({ length: shape.shards }, (_, shard) => shardAt(shard, shape.shards)) }
    case 'GetShardIterator':
      return { ShardIterator: iteratorAt({ streamName, ...startIn(input) }) }
    default:
      return undefined
  }
}

function startIn(input: Readonly<Record<string, unknown>>): { shard: number; after: number } {
  const version = versionIn(String(input.StartingSequenceNumber ?? ''))
  const isAt = input.ShardIteratorType === 'AT_SEQUENCE_NUMBER'
  return { shard: Number(String(input.ShardId).split('-')[1]), after: Math.max(0, isAt ? version - 1 : version) }
}

function summaryOf(streamName: string, shards: number, created: CborValue): CborValue {
  return {
    ConsumerCount: 0,
    EncryptionType: 'NONE',
    EnhancedMonitoring: [{ ShardLevelMetrics: [] }],
    OpenShardCount: shards,
    RetentionPeriodHours: 24,
    StreamARN: `arn:aws:kinesis:us-east-1:${ACCOUNT}:stream/${streamName}`,
    StreamCreationTimestamp: created,
    StreamModeDetails: { StreamMode: 'PROVISIONED' },
    StreamName: streamName,
    StreamStatus: 'ACTIVE'
  }
}

/**
 * The shards share the hash keys evenly. As all of them are served the same records, most records are not those of the shard:
 * a consumer that checks that, as Millrace does, has the same work with them, and delivers them all the same.
 */
function shardAt(shard: number, shards: number): CborValue {
  const edge = (i: number): bigint => (HASH_SPACE * BigInt(i)) / BigInt(shards)
  return {
    HashKeyRange: { EndingHashKey: String(edge(shard + 1) - 1n), StartingHashKey: String(edge(shard)) },
    SequenceNumberRange: { StartingSequenceNumber: '49660480300977375429262104984239760470000000000000000000' },
    ShardId: `shardId-${String(shard).padStart(12, '0')}`
  }
}
