// The port of tracing: what spans are made of. A backend carries it out; without one, nothing is traced.
import type { ConsumedRecord } from '../model/record.ts'

/** What every span is about. */
export interface SpanFacts {
  /** Name of the application. */
  readonly application: string
  /** Name of the stream. */
  readonly stream: string
  /** Name of the worker. */
  readonly worker: string
  /** The shard. */
  readonly shardId: string
}

/** A read of a shard: a request for records, or the beginning of a subscription. */
export interface FetchFacts extends SpanFacts {
  /** The call to Kinesis. */
  readonly operation: 'GetRecords' | 'SubscribeToShard'
}

/** What came of a read. */
export interface FetchResult {
  /** How many Kinesis records. Absent: that is not known yet. */
  readonly records?: number
  /** Their payloads. Bytes. */
  readonly bytes?: number
  /** How far behind the tip of the shard they are. Milliseconds. */
  readonly millisBehindLatest?: number
}

/** One call of the user's code with records. */
export interface ProcessFacts extends SpanFacts {
  /** In order, never empty. Made when asked for. */
  readonly records: readonly ConsumedRecord[]
  /** How many calls in a row have failed with them. */
  readonly failures: number
  /** How many records of the batch are not among them because they could not be decoded. Absent: none. */
  readonly undecodable?: number
}

/** A checkpoint that is written. */
export interface CheckpointFacts extends SpanFacts {
  /** The position, with the place inside an aggregated record after a `#`. */
  readonly position: string
}

/** What a span is known by elsewhere, by name, such as `traceparent`. */
export type TraceCarrier = Readonly<Record<string, string>>

/** How spans go on in other threads, where code of the user may live. */
export interface ThreadTracing {
  /** What the span that is active now is known by. `undefined`: none is. */
  carrier(): TraceCarrier | undefined
  /** A module that is loaded there: it exports `within`, a `WithinTrace`. */
  readonly module: URL
}

/** Does `work` inside of the span that is known by `carrier`, and returns what it does. */
export type WithinTrace = <T>(carrier: TraceCarrier, work: () => T) => T

/** Where spans go. Each method makes one, does `work` inside of it, and has it end when that is done, or has failed. */
export interface Tracing {
  /** How the spans of code that lives in threads come to be inside of those made here. Absent: they do not. */
  readonly threads?: ThreadTracing
  /** A read. `resultOf` says what to note of what came back. */
  fetch<T>(facts: FetchFacts, work: () => Promise<T>, resultOf: (value: T) => FetchResult): Promise<T>
  /** A call of the user's code, whose own spans are inside of this one. What it returns or throws is passed on as it is. */
  process<T>(facts: ProcessFacts, work: () => T): T
  /** A checkpoint. */
  checkpoint(facts: CheckpointFacts, work: () => Promise<void>): Promise<void>
}
