// Shard iterators of the fake Kinesis: where one stands, written into its text. The service keeps none of them in memory,
// and neither does the fake.

/** What an iterator says. */
export interface IteratorPosition {
  readonly streamName: string
  readonly incarnation: number
  readonly shardId: string
  /** The lowest sequence number it will deliver. */
  readonly from: string
  /** When it was made, in monotonic milliseconds of the fake. */
  readonly madeAtMs: number
}

const MARK = 'fake-iterator'

/** An iterator that says all this. */
export function writeIterator({ streamName, incarnation, shardId, from, madeAtMs }: IteratorPosition): string {
  return `${MARK}|${streamName}|${incarnation}|${shardId}|${from}|${madeAtMs}`
}

/** What an iterator says; `undefined` if it is none of the fake's. */
export function readIterator(iterator: string): IteratorPosition | undefined {
  const [mark, streamName, incarnation, shardId, from, madeAtMs] = iterator.split('|')
  if (mark !== MARK || !streamName || !shardId || !from || madeAtMs === undefined) return undefined
  return { streamName, incarnation: Number(incarnation), shardId, from, madeAtMs: Number(madeAtMs) }
}

/** The sequence number that follows another one of the same shard, or the end of a gap that no record is in. */
export function following(sequenceNumber: string): string {
  return String(BigInt(sequenceNumber) + 1n)
}
