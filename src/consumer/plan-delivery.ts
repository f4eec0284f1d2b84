// What of a read is delivered: everything after the checkpoint.
import { ConsumedRecord, type KinesisRecord } from '../model/record.ts'
import { comparePositions, type ExtendedSequenceNumber, positionOf } from '../model/sequence-number.ts'

/** What of one read the processor is given. */
export interface Delivery {
  /** In the order of the shard; empty if everything was processed before. */
  readonly records: readonly ConsumedRecord[]
  /** Position of the last record of the read, whether delivered or not. */
  readonly upTo: ExtendedSequenceNumber
  /** How many records of the read are not delivered, because they were settled before. */
  readonly settled: number
}

/** What aggregates begin with, and hardly anything else. */
const FIRST_OF_AGGREGATE = 0xf3

/**
 * What was read, if it is what the user is to be given, since nothing in it can be an aggregate; `undefined` if it has to be
 * taken apart. Without this look, each record would be made once more for nothing.
 */
export function undivided(read: readonly KinesisRecord[]): readonly ConsumedRecord[] | undefined {
  const isUndivided = read.every(record => record instanceof ConsumedRecord && record.byteAt(0) !== FIRST_OF_AGGREGATE)
  return isUndivided ? (read as readonly ConsumedRecord[]) : undefined
}

/**
 * Plans the delivery of one read. Reading begins at the checkpointed Kinesis record, so the first read may bring records,
 * or parts of an aggregated record, that are done already.
 *
 * @param last position of the last user record of the read, delivered or dropped, if it brought any
 */
export function planDelivery(
  records: readonly ConsumedRecord[],
  last: ExtendedSequenceNumber | undefined,
  settled: ExtendedSequenceNumber
): Delivery {
  const first = records.findIndex(record => comparePositions(record, settled) > 0)
  const rest = first === 0 ? records : first === -1 ? [] : records.slice(first)
  const newest = records.at(-1)
  const ends = [settled, last, newest && positionOf(newest)].filter(position => position !== undefined)
  const upTo = ends.reduce((a, b) => (comparePositions(b, a) > 0 ? b : a))
  return { records: rest, upTo, settled: records.length - rest.length }
}
