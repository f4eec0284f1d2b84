// The vectors of kpl-vectors.json: payloads, and what the KCL was observed to make of them.
import { readFileSync } from 'node:fs'
import { type Deaggregated, type DeaggregateOptions, deaggregate } from '../../src/kpl/deaggregate.ts'
import type { ConsumedRecord, KinesisRecord } from '../../src/model/record.ts'

export interface ExpectedRecord {
  readonly partitionKey: string
  readonly explicitHashKey: string | null
  readonly data: string
  readonly subSequenceNumber: number
}

export interface Vector {
  readonly name: string
  readonly data: string
  readonly partitionKey: string
  readonly shardHashRange?: { readonly startingHashKey: string; readonly endingHashKey: string }
  readonly expected: 'passthrough' | { readonly records: readonly ExpectedRecord[] }
  readonly wellFormed?: boolean
  readonly optional?: boolean
}

export const vectors: readonly Vector[] = JSON.parse(
  readFileSync(new URL('./kpl-vectors.json', import.meta.url), 'utf8')
)

export function deaggregateVector(vector: Vector, options: DeaggregateOptions = {}): Deaggregated {
  const range = vector.shardHashRange
  return deaggregate([recordOf(vector)], {
    ...options,
    ...(range && { hashKeyRange: { start: BigInt(range.startingHashKey), end: BigInt(range.endingHashKey) } })
  })
}

/** What was delivered, in the notation of the vectors. */
export function inNotation(vector: Vector, records: readonly ConsumedRecord[]): Vector['expected'] {
  const [first] = records
  if (records.length === 1 && first !== undefined && isWhole(first, recordOf(vector))) return 'passthrough'
  return {
    records: records.map(({ partitionKey, explicitHashKey, data, subSequenceNumber }) => ({
      partitionKey,
      explicitHashKey: explicitHashKey ?? null,
      data: Buffer.from(data).toString('base64'),
      subSequenceNumber
    }))
  }
}

export function recordOf({ data, partitionKey }: Pick<Vector, 'data' | 'partitionKey'>): KinesisRecord {
  return { sequenceNumber: '7', partitionKey, data: Uint8Array.from(Buffer.from(data, 'base64')) }
}

/** Whether `record` is the Kinesis record itself, not taken apart. */
export function isWhole(record: ConsumedRecord, kinesisRecord: KinesisRecord): boolean {
  return (
    !record.aggregated &&
    record.subSequenceNumber === 0 &&
    record.explicitHashKey === undefined &&
    record.partitionKey === kinesisRecord.partitionKey &&
    Buffer.compare(record.data, kinesisRecord.data) === 0
  )
}
