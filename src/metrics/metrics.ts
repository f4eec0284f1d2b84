// The port of metrics: where what a worker measures goes. Backends carry it out; without one, nothing is measured.
import type { MetricLevel, MetricNameOf } from './metric-table.ts'

/** What a value is of. The same object each time for the same thing, so that a backend can keep what it makes of it. */
export interface Dimensions {
  /** Name of the application. */
  readonly application: string
  /** Name of the stream; `*` of a worker that reads several, where it is about none of them. */
  readonly stream: string
  /** Name of the worker. */
  readonly worker: string
  /** The shard. Absent: the value is of the whole worker. */
  readonly shard?: string
  /** The service that was called. */
  readonly service?: 'kinesis' | 'dynamodb'
  /** The call, such as `GetRecords`. */
  readonly operation?: string
}

/**
 * Where metrics go. What a method throws, or rejects with, is logged and stops nothing. Milliseconds and bytes, as the table in
 * docs/metrics.md says.
 */
export interface Metrics {
  /**
   * Of what values are wanted: of the `worker`, of each `shard`, or of both. A metric that there is for each shard is summed up for
   * the worker; one that there is for the worker only comes in any case. Default of the worker.
   */
  readonly levels?: readonly MetricLevel[]
  /** Counts `value` up. */
  count(name: MetricNameOf<'counter'>, value: number, dimensions: Dimensions): void
  /** Says what a gauge stands at, every ten seconds. */
  gauge(name: MetricNameOf<'gauge'>, value: number, dimensions: Dimensions): void
  /** Notes how long something took. */
  time(name: MetricNameOf<'timer'>, durationMs: number, dimensions: Dimensions): void
  /** The shard is not in this worker any more: its gauges are to go away, or to stand at 0. */
  forget?(dimensions: Dimensions): void
  /** Sends what was gathered. Called every ten seconds, and when the worker has stopped. */
  flush?(): Promise<void>
}
