// Whether the rows of a lease table belong to the stream that is there now: not to another stream, and not to an earlier
// one of the same name, whose shard ids are the same and whose checkpoints mean nothing.
import type { Lease, StreamIdentity } from '../model/lease.ts'
import type { Shard } from '../model/shard.ts'

/** Whose rows a lease table has. */
export type IdentityVerdict =
  | { readonly kind: 'ours' }
  /** The stream was deleted and created again. `leases` are the rows of the earlier one. */
  | { readonly kind: 'recreated'; readonly leases: readonly Lease[] }
  /** Another application, or another stream under this application's name. */
  | { readonly kind: 'another-stream'; readonly streamArn: string }

/**
 * Compares the streams that leases were created for with the one that is there. Rows that KCL created name none and are
 * accepted; but if every row that names a stream names an earlier one, they are of that earlier one, too.
 */
export function judgeIdentity(leases: readonly Lease[], stream: StreamIdentity): IdentityVerdict {
  const another = leases.find(lease => lease.stream !== undefined && lease.stream.streamArn !== stream.streamArn)
  if (another?.stream !== undefined) return { kind: 'another-stream', streamArn: another.stream.streamArn }
  const earlier = leases.filter(lease => lease.stream !== undefined && !isOf(lease, stream))
  if (earlier.length === 0) return { kind: 'ours' }
  return { kind: 'recreated', leases: leases.some(lease => isOf(lease, stream)) ? earlier : leases }
}

/** Whether a lease was created for exactly this stream. */
export function isOf(lease: Lease, stream: StreamIdentity): boolean {
  return lease.stream?.streamArn === stream.streamArn && lease.stream.creationEpoch === stream.creationEpoch
}

/**
 * Whether a table in which no row names a stream can be of the stream with these shards: one of its leases is of a listed
 * shard, or all of them are of shards older than the listed ones, which have expired since.
 */
export function couldBeOf(leases: readonly Lease[], shards: readonly Shard[]): boolean {
  if (leases.length === 0 || shards.length === 0 || leases.some(lease => lease.stream !== undefined)) return true
  const listed = new Set(shards.map(shard => shard.shardId))
  if (leases.some(lease => listed.has(lease.shardId))) return true
  const oldest = Math.min(...shards.map(shard => numberOf(shard.shardId)))
  return leases.every(lease => numberOf(lease.shardId) < oldest)
}

/** The number in a shard id, which Kinesis counts up within a stream, and which is the time in those of DynamoDB tables. NaN, which is lower than nothing, if there is none. */
function numberOf(shardId: string): number {
  return Number(/^shardId-(\d+)(?:-[0-9a-f]+)?$/.exec(shardId)?.[1] ?? Number.NaN)
}
