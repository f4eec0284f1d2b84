// Shards and leases for tests: say what matters, the rest is plausible.

import { FULL_HASH_KEY_RANGE } from '../../src/model/hash-key-range.ts'
import { type Lease, newLease, type StreamIdentity } from '../../src/model/lease.ts'
import { type ExtendedSequenceNumber, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import type { Shard } from '../../src/model/shard.ts'
import type { StreamNames } from '../../src/model/stream-id.ts'
import type { FailurePolicy } from '../../src/processor/failure-rules.ts'

/** The stream that the leases of {@link aLease} are of. */
export const A_STREAM: StreamIdentity = {
  streamArn: 'arn:aws:kinesis:us-east-1:000000000000:stream/orders',
  creationEpoch: 1_700_000_000
}

/** What calls and events say of that stream. */
export const NAMES: StreamNames = { streamName: 'orders', streamArn: A_STREAM.streamArn }

/** `shardId-000000000007` for 7. */
export function shardId(number: number): string {
  return `shardId-${String(number).padStart(12, '0')}`
}

/** An open shard that covers every hash key. */
export function aShard(with_: Partial<Shard> = {}): Shard {
  return {
    shardId: shardId(0),
    hashKeyRange: FULL_HASH_KEY_RANGE,
    startingSequenceNumber: '49600000000000000000000000000000000000000000000000000000',
    ...with_
  }
}

/** A lease that nobody holds, of the first shard of {@link A_STREAM}, at the beginning of it. Its key is its shard id. */
export function aLease(with_: Partial<Lease> = {}): Lease {
  const { shardId: id = shardId(0), checkpoint = TRIM_HORIZON } = with_
  return { ...newLease({ shardId: id, checkpoint, hashKeyRange: FULL_HASH_KEY_RANGE, stream: A_STREAM }), ...with_ }
}

/** The position of a record. */
export function aPosition(sequenceNumber: number | bigint | string, subSequenceNumber = 0): ExtendedSequenceNumber {
  return { sequenceNumber: String(sequenceNumber), subSequenceNumber }
}

/** Three attempts, then the shard is halted, unless said otherwise. */
export function aFailurePolicy(policy: Partial<FailurePolicy> = {}): FailurePolicy {
  return {
    attempts: 3,
    maxElapsedMs: Number.POSITIVE_INFINITY,
    bisect: false,
    lastResort: 'halt',
    backoff: { firstMs: 200, maxMs: 1_000 },
    maxRecordAgeMs: Number.POSITIVE_INFINITY,
    ...policy
  }
}
