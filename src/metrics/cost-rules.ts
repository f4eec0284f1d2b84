// About what Kinesis and DynamoDB take for what a worker does: list prices of us-east-1, without free tiers and discounts.

/** What a worker has read of a stream. */
export interface KinesisUsage {
  /** Bytes that were read by polling. */
  readonly polledBytes: number
  /** Bytes that came by enhanced fan-out. */
  readonly fanOutBytes: number
  /** How long shards were read by enhanced fan-out, added up. Milliseconds. */
  readonly fanOutMs: number
  /** Whether the stream is paid for on demand. Absent: it is not known, and taken for provisioned. */
  readonly isOnDemand: boolean | undefined
}

const GIGABYTE = 1_073_741_824
const HOUR_MS = 3_600_000

/** A million units of a table that is paid for on demand. Dollars. */
const DYNAMO_MILLION = { reads: 0.125, writes: 0.625 }
/** By mode of the stream. Dollars for a gigabyte that is read, and for a shard that is subscribed to for an hour. */
const KINESIS = {
  provisioned: { polled: 0, fanOut: 0.013, fanOutHour: 0.015 },
  onDemand: { polled: 0.04, fanOut: 0.05, fanOutHour: 0 }
}

/** What DynamoDB takes for these units. Dollars. */
export function dynamoCost(units: { readonly reads: number; readonly writes: number }): number {
  return (units.reads * DYNAMO_MILLION.reads + units.writes * DYNAMO_MILLION.writes) / 1_000_000
}

/**
 * What Kinesis takes for reading. Dollars. Polling a provisioned stream costs nothing beside its shards, which are there
 * whoever reads them.
 */
export function kinesisCost({ polledBytes, fanOutBytes, fanOutMs, isOnDemand = false }: KinesisUsage): number {
  const prices = isOnDemand ? KINESIS.onDemand : KINESIS.provisioned
  const bytes = polledBytes * prices.polled + fanOutBytes * prices.fanOut
  return bytes / GIGABYTE + (fanOutMs / HOUR_MS) * prices.fanOutHour
}
