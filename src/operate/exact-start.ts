// Finds the checkpoint that means "everything before this time is done, and nothing else": the last record that arrived before it.
// KCL keeps no time beside LATEST, and takes that of AT_TIMESTAMP from its configuration.

import type { IteratorStart } from '../kinesis/kinesis-port.ts'
import { Deaggregator } from '../kpl/deaggregate.ts'
import { ServiceError } from '../model/errors.ts'
import type { KinesisRecord } from '../model/record.ts'
import { type ExtendedSequenceNumber, TRIM_HORIZON } from '../model/sequence-number.ts'
import { type FleetContext, patiently } from './fleet-context.ts'

/** How far before the time is looked for a record, one after another; after that, in everything that there is. Milliseconds. */
const LOOK_BACK_MS = [10_000, 600_000]
const MAX_RECORDS = 1_000

/**
 * The checkpoint with which everything that arrives in the shard from `startMs` on is read, and what arrived before is not. Where
 * nothing did, the beginning of the shard is that.
 */
export async function exactStart(
  context: FleetContext,
  shardId: string,
  startMs: number,
  signal?: AbortSignal
): Promise<ExtendedSequenceNumber> {
  const times = LOOK_BACK_MS.map(ms => startMs - ms).filter(timestampMs => timestampMs > 0)
  const starts: IteratorStart[] = [
    ...times.map(timestampMs => ({ type: 'AT_TIMESTAMP', timestampMs }) as const),
    { type: 'TRIM_HORIZON' }
  ]
  for (const start of starts) {
    const last = await lastBefore(context, shardId, { start, startMs }, signal)
    // The whole of an aggregate: what is in it arrived together.
    if (last !== undefined) return new Deaggregator().deaggregate([last]).last ?? TRIM_HORIZON
  }
  return TRIM_HORIZON
}

/** The last record before the first that arrived at `startMs` or later. A record without a time counts as later: rather twice than never. */
async function lastBefore(
  context: FleetContext,
  shardId: string,
  { start, startMs }: { readonly start: IteratorStart; readonly startMs: number },
  signal?: AbortSignal
): Promise<KinesisRecord | undefined> {
  const { kinesis } = context
  let last: KinesisRecord | undefined
  let iterator: string | undefined = await patiently(context, signal, () =>
    kinesis.getShardIterator(shardId, start, { signal })
  ).catch(unlessExpired)
  while (iterator !== undefined) {
    const from: string = iterator
    const answer = await patiently(context, signal, () => kinesis.getRecords(from, { limit: MAX_RECORDS, signal }))
    for (const record of answer.records) {
      if ((record.arrivedAtMs ?? Number.POSITIVE_INFINITY) >= startMs) return last
      last = record
    }
    iterator = answer.millisBehindLatest > 0 ? answer.nextIterator : undefined
  }
  return last
}

/** A shard that Kinesis has forgotten has nothing left to read. */
function unlessExpired(error: unknown): undefined {
  if (!(error instanceof ServiceError) || error.kind !== 'not-found') throw error
  return undefined
}
