// What becomes of a record that is given up: a dead letter, and the port of the places that keep them.

/** A record that was given up, with all that is needed to find it, to judge it and to process it again. */
export interface DeadLetter {
  /** Name or ARN of the stream, as the worker was given it. */
  readonly stream: string
  /** Name of the application that gave the record up. */
  readonly applicationName: string
  /** The shard that the record was read from. */
  readonly shardId: string
  /** Sequence number of the Kinesis record. Decimal digits. */
  readonly sequenceNumber: string
  /** Place inside an aggregated Kinesis record, from 0; 0 for a plain one. */
  readonly subSequenceNumber: number
  /** Partition key the producer gave to the user record. */
  readonly partitionKey: string
  /** Only where the producer gave one, in an aggregated record. Decimal digits. */
  readonly explicitHashKey?: string
  /** The payload: a view on memory that is only valid until {@link DeadLetterDestination.store} has settled. */
  readonly data: Uint8Array
  /** When Kinesis received the record. Epoch milliseconds; absent where the service does not say. */
  readonly arrivedAtMs?: number
  /** When the record was given up. Epoch milliseconds. */
  readonly givenUpAtMs: number
  /** How many calls of the user's code with this record have failed; 0 if it was too old to be tried, or could not be decoded. */
  readonly attempts: number
  /** What the last of them threw, or why there was none. */
  readonly error: { readonly name: string; readonly message: string }
}

/** How a store is called. */
export interface StoreOptions {
  /** Aborts when the shard is given up: whoever has it next stores these letters again. */
  readonly signal: AbortSignal
}

/**
 * Where dead letters go. The checkpoint passes a record only once `store` has resolved for it, so a letter may be stored more
 * than once, and is never lost.
 */
export interface DeadLetterDestination {
  /** What it is called in events and logs, such as `sqs https://…`. */
  readonly name: string
  /** Stores all of the letters, or rejects; then all of them are stored again. At least one; those of one call are of one shard. */
  store(letters: readonly DeadLetter[], options: StoreOptions): Promise<void>
  /** Lets go of what it holds. Called by who made it; a worker never does. */
  close?(): Promise<void>
}

/** A destination that is just a function. */
export type DeadLetterCallback = (letters: readonly DeadLetter[], options: StoreOptions) => void | Promise<void>
