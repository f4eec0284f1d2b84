// A stream that is none of Kinesis, and is read as if it were: how it is reached, and what is different about it.
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { KinesisPort } from './kinesis-port.ts'

/** A stream of another service, as the option `source` of a worker takes it. Made by functions such as `dynamodbStream()`. */
export interface StreamSource {
  /** What the stream is called in messages, events and dead letters. */
  readonly streamName: string
  /** What is different about reading it. */
  readonly traits: SourceTraits
  /** The stream as the worker reads it. Nothing is called yet. Each call makes a port of its own, to be closed. */
  open(context: SourceContext): KinesisPort
}

/** What is different about reading a stream, from what Kinesis would have. */
export interface SourceTraits {
  /** How many records a read can bring. */
  readonly maxRecords: number
  /** Wait between reads at the tip of a shard, unless the user says another. Milliseconds. */
  readonly idleMs: number
  /** How much may be read of a shard. Bytes a second; may be Infinity. */
  readonly bytesPerSecond: number
  /**
   * Whether a shard that continues others is to be opened at the time at which the application began, too, because what was found
   * at that time may lie before it. It then skips what is older.
   */
  readonly beginsByTime: boolean
}

/** What a source is opened with. */
export interface SourceContext {
  readonly clock: Clock
  readonly random: Random
  /** How long one call may take. Milliseconds. */
  readonly requestTimeoutMs: number
  /** Told of records that the service does not have any more although they were not read. Must not throw. */
  readonly lost: (loss: RecordLoss) => void
}

/** Records that were not read in time, and are gone. */
export interface RecordLoss {
  readonly shardId: string
  /** `trimmed`: they were older than the service keeps them; `shard-expired`: so was the whole shard. */
  readonly because: 'trimmed' | 'shard-expired'
  /** The last record that is known to have been read. Absent: none is. */
  readonly after?: string
}
