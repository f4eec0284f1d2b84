// What a stream is called in a lease table that several streams share, as KCL writes it: `account:name:creationEpoch`. The
// epoch tells a stream from an earlier one of the same name; the keys of leases are that and the id of the shard.

/** Which stream a lease is of: its ARN, and when it was created in epoch seconds (KCL's "creation epoch"). */
export interface StreamIdentity {
  /** ARN of the stream: region, account and name. */
  readonly streamArn: string
  /** When it was created, in epoch seconds. Tells it from an earlier stream with the same ARN. */
  readonly creationEpoch: number
}

/** The parts of a stream id. */
export interface StreamIdParts {
  /** The account that the stream is in: digits. */
  readonly accountId: string
  readonly streamName: string
  /** When the stream was created. Epoch seconds, more than 0. */
  readonly creationEpoch: number
}

const STREAM_ID = /^(\d+):([^:]+):(\d+)$/
const STREAM_ARN = /^arn:(aws[^:]*):kinesis:([-a-z0-9]+):(\d{12}):stream\/([^/:]+)$/

/**
 * What KCL calls the stream.
 *
 * @throws RangeError if the ARN is not that of a stream, or the epoch is no whole number of seconds above 0: KCL reads no other
 */
export function streamIdOf({ streamArn, creationEpoch }: StreamIdentity): string {
  const [, , , accountId, streamName] = STREAM_ARN.exec(streamArn) ?? []
  if (accountId === undefined || !Number.isSafeInteger(creationEpoch) || creationEpoch <= 0) {
    throw new RangeError(
      `${streamArn}, created at ${creationEpoch} s, cannot be one of several streams of a lease table`
    )
  }
  return `${accountId}:${streamName}:${creationEpoch}`
}

/** A stream id, taken apart; `undefined`: it is none. */
export function parseStreamId(streamId: string): StreamIdParts | undefined {
  const [, accountId, streamName, epoch] = STREAM_ID.exec(streamId) ?? []
  const creationEpoch = Number(epoch)
  if (accountId === undefined || streamName === undefined || !Number.isSafeInteger(creationEpoch)) return undefined
  return creationEpoch > 0 ? { accountId, streamName, creationEpoch } : undefined
}

/** The key of the lease of a shard. Without a stream id, in the table of one stream, it is the shard id. */
export function leaseKeyOf(streamId: string | undefined, shardId: string): string {
  return streamId === undefined ? shardId : `${streamId}:${shardId}`
}

/**
 * The ARN of a stream, which a stream id does not say: of its region and partition, which are those of the ARN of another
 * stream that the same application reads.
 */
export function arnLike(another: string, { accountId, streamName }: StreamIdParts): string {
  const [, partition = 'aws', region = 'us-east-1'] = STREAM_ARN.exec(another) ?? []
  return `arn:${partition}:kinesis:${region}:${accountId}:stream/${streamName}`
}

/** A stream, as user code is told of it. */
export interface StreamNames {
  /** Name of the stream. */
  readonly streamName: string
  /** ARN of the stream: tells it from one of the same name in another account. */
  readonly streamArn: string
}
