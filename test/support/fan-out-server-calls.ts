// The calls of Kinesis that are answered at once, as JSON, by the fake: enough for a whole worker, and for a test that puts
// records through the SDK.
import type { FanOutConsumer } from '../../src/kinesis/fan-out-port.ts'
import type { IteratorStart, ShardFilter } from '../../src/kinesis/kinesis-port.ts'
import { ServiceError, ThrottledError } from '../../src/model/errors.ts'
import type { Shard } from '../../src/model/shard.ts'
import type { FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import { childrenInJson, recordInJson } from './fan-out-server-frames.ts'

/** What a call is given, or says. */
export type Json = Readonly<Record<string, unknown>>

/** Carries out one call, such as `ListShards`. Rejects as the fake does. */
export async function answerCall(kinesis: FakeKinesis, name: string, input: Json): Promise<Json> {
  const streamName = nameIn(input)
  const port = kinesis.port(streamName)
  const fanOut = kinesis.fanOut(streamName)
  switch (name) {
    case 'DescribeStreamSummary': {
      const { streamArn, status, creationEpoch } = await port.describeStream()
      const names = { StreamName: streamName, StreamARN: streamArn, StreamStatus: status }
      return { StreamDescriptionSummary: { ...names, StreamCreationTimestamp: creationEpoch, OpenShardCount: 1 } }
    }
    case 'ListShards':
      return listShards(kinesis, input)
    case 'GetShardIterator':
      return { ShardIterator: await port.getShardIterator(String(input.ShardId), startIn(input)) }
    case 'GetRecords': {
      const answer = await port.getRecords(String(input.ShardIterator), { limit: Number(input.Limit ?? 10_000) })
      return {
        Records: answer.records.map(recordInJson),
        NextShardIterator: answer.nextIterator ?? null,
        MillisBehindLatest: answer.millisBehindLatest,
        ...(answer.childShards && { ChildShards: childrenInJson(answer.childShards) })
      }
    }
    case 'RegisterStreamConsumer':
      return { Consumer: consumerInJson(await fanOut.registerConsumer(String(input.ConsumerName))) }
    case 'DescribeStreamConsumer': {
      const which =
        input.ConsumerARN === undefined
          ? { consumerName: String(input.ConsumerName) }
          : { consumerArn: String(input.ConsumerARN) }
      return { ConsumerDescription: consumerInJson(await fanOut.describeConsumer(which)) }
    }
    case 'DeregisterStreamConsumer':
      await fanOut.deregisterConsumer(String(input.ConsumerARN))
      return {}
    default:
      throw new ServiceError('invalid-argument', `${name} is not known here`, { retryable: false })
  }
}

/** What the service calls an error of the fake, and the status it has. */
export function refusalOf(error: unknown): {
  readonly status: number
  readonly type: string
  readonly message: string
} {
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof ThrottledError) return { status: 400, type: 'LimitExceededException', message }
  const type = error instanceof ServiceError ? TYPES[error.kind] : undefined
  return type === undefined ? { status: 500, type: 'InternalFailure', message } : { status: 400, type, message }
}

const TYPES: Readonly<Record<string, string>> = {
  'not-found': 'ResourceNotFoundException',
  'invalid-argument': 'InvalidArgumentException',
  'in-use': 'ResourceInUseException',
  'expired-iterator': 'ExpiredIteratorException',
  'access-denied': 'AccessDeniedException'
}

/** Where a subscription or an iterator is to begin. */
export function startIn(input: Json): IteratorStart {
  const type = input.ShardIteratorType ?? input.Type
  return {
    type,
    sequenceNumber: input.StartingSequenceNumber ?? input.SequenceNumber,
    timestampMs: Number(input.Timestamp) * 1000
  } as IteratorStart
}

/** The stream that a call is about. */
export function nameIn({ StreamName, StreamARN, ConsumerARN }: Json): string {
  const [, ofConsumer] = /:stream\/([^/]+)\/consumer\//.exec(String(ConsumerARN ?? '')) ?? []
  return (
    ofConsumer ??
    String(
      StreamName ??
        String(StreamARN ?? '')
          .split('/')
          .at(-1)
    )
  )
}

async function listShards(kinesis: FakeKinesis, input: Json): Promise<Json> {
  const { Type, Timestamp } = Object(input.ShardFilter) as Json
  const filter: ShardFilter | undefined =
    Type === 'AT_TIMESTAMP' ? { type: Type, timestampMs: Number(Timestamp) * 1000 } : undefined
  const shards = await kinesis.port(nameIn(input)).listShards(filter ? { filter } : {})
  return { Shards: shards.map(shardInJson) }
}

function shardInJson(shard: Shard): Json {
  const { shardId, parentShardId, adjacentParentShardId, hashKeyRange, startingSequenceNumber } = shard
  return {
    ShardId: shardId,
    ParentShardId: parentShardId,
    AdjacentParentShardId: adjacentParentShardId,
    HashKeyRange: { StartingHashKey: String(hashKeyRange?.start), EndingHashKey: String(hashKeyRange?.end) },
    SequenceNumberRange: {
      StartingSequenceNumber: startingSequenceNumber,
      EndingSequenceNumber: shard.endingSequenceNumber
    }
  }
}

function consumerInJson({ consumerName, consumerArn, status, createdAtMs }: FanOutConsumer): Json {
  return {
    ConsumerName: consumerName,
    ConsumerARN: consumerArn,
    ConsumerStatus: status,
    ConsumerCreationTimestamp: createdAtMs / 1000
  }
}
