// A shard as Kinesis lists it.
import type { HashKeyRange } from './hash-key-range.ts'

/** An ordered log of the records whose hash keys fall into its range. */
export interface Shard {
  readonly shardId: string
  /** The shard this one was split from, or the first of the two it was merged from. May have expired already. */
  readonly parentShardId?: string
  /** The second shard this one was merged from. */
  readonly adjacentParentShardId?: string
  /** Absent in streams that are not cut by hash keys, as those of DynamoDB tables are not. */
  readonly hashKeyRange?: HashKeyRange
  readonly startingSequenceNumber: string
  /** Present once the shard is closed by a split or a merge: nothing is written to it any more. */
  readonly endingSequenceNumber?: string
  /** The shard is closed, and nothing continues it: the stream itself has ended. */
  readonly isLast?: boolean
}

/** A shard of a stream that is cut by hash keys. */
export type RangedShard = Shard & Required<Pick<Shard, 'hashKeyRange'>>

/** A child as GetRecords names it at the end of its parent. */
export interface ChildShard {
  readonly shardId: string
  readonly parentShardIds: readonly string[]
  /** Absent in streams that are not cut by hash keys. */
  readonly hashKeyRange?: HashKeyRange
}

/** Whether the shard was split or merged, so that there is a last record in it. */
export function isClosed(shard: Shard): boolean {
  return shard.endingSequenceNumber !== undefined
}

/** Whether no other shard continues this one, or ever will before it is closed: what has to be reached, to read it all. */
export function isTip(shard: Shard): boolean {
  return !isClosed(shard) || shard.isLast === true
}

/** The ids of the shards that this one continues: none, one after a split, two after a merge. */
export function parentsOf(shard: Pick<Shard, 'parentShardId' | 'adjacentParentShardId'>): string[] {
  return [shard.parentShardId, shard.adjacentParentShardId].filter(id => id !== undefined)
}

/** The shards among `shards` that continue `shardId`. */
export function childrenOf(shardId: string, shards: readonly Shard[]): ChildShard[] {
  return shards
    .filter(shard => parentsOf(shard).includes(shardId))
    .map(({ shardId, hashKeyRange, ...shard }) => ({
      shardId,
      parentShardIds: parentsOf(shard),
      ...(hashKeyRange && { hashKeyRange })
    }))
}
