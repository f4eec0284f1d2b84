// What the shard syncer tells.
import type { PlannedRemoval } from './plan-lease-cleanup.ts'
import type { CreationReason } from './plan-shard-sync.ts'

/** Something that happened to the lease table as a whole, after it happened. Plain data. */
export type SyncReport =
  | {
      readonly kind: 'lease-created'
      readonly leaseKey: string
      readonly shardId: string
      /** `shard-end`: a parent was read to its end. */
      readonly why: CreationReason | 'shard-end'
      /** Where its reading begins, such as `TRIM_HORIZON`. */
      readonly checkpoint: string
    }
  | {
      readonly kind: 'lease-removed'
      readonly leaseKey: string
      readonly shardId: string
      readonly why: PlannedRemoval['why']
    }
  | {
      /** Nobody was reading a part of the stream. Told once per hole, or whenever leases were created against it. */
      readonly kind: 'hole-found'
      /** The hash keys, both ends in decimal: `0..1023`. */
      readonly ranges: readonly string[]
      /** Keys of the leases that were created to close it. */
      readonly repaired: readonly string[]
    }
  | {
      /** A broken row of the lease table, which is left alone. Told once per row and problem. */
      readonly kind: 'row-skipped'
      readonly key: string
      readonly because: 'malformed'
      readonly problem: string
    }
  | {
      /** The stream was deleted and created again, and the leases of the earlier one were removed. */
      readonly kind: 'stream-recreated'
      /** When the present stream was created. Epoch seconds. */
      readonly creationEpoch: number
      readonly removed: readonly string[]
    }
