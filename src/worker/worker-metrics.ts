// Measures a worker: turns its events into metrics as they come, and looks every ten seconds at what stands still as well. Made
// only where somebody wants metrics. What a backend throws is logged and stops nothing.
import type { ShardStatus } from '../consumer/shard-status.ts'
import type { FleetCensus } from '../fleet/fleet-view.ts'
import { dynamoCost, kinesisCost } from '../metrics/cost-rules.ts'
import type { Dimensions, Metrics } from '../metrics/metrics.ts'
import type { RequestCounts, RequestMeter } from '../metrics/request-meter.ts'
import type { RetrievalMode } from '../retrieval/retriever.ts'
import type { Clock } from '../runtime/clock.ts'
import { type EventLoopWatch, watchEventLoop } from '../runtime/event-loop-delay.ts'
import type { Logger } from '../runtime/logger.ts'
import { type Loop, startLoop } from '../runtime/loop.ts'
import { type EventReading, readingsOf } from './event-metric-rules.ts'
import type { EventObserver, ShardEventBase, WorkerEventName, WorkerEvents } from './events.ts'
import { type GaugeReading, gaugesOf, type WorkerFacts } from './gauge-rules.ts'
import type { ResolvedOptions } from './options.ts'
import type { OpenPorts } from './ports.ts'
import type { WorkerEmitter } from './worker-emitter.ts'

/** What is measured, and where that goes. */
export interface WorkerMetricsOptions {
  readonly metrics: Metrics
  /** What every value is of. */
  readonly about: Dimensions
  /** How shards are read, unless an event says otherwise. */
  readonly mode: RetrievalMode
  readonly requests: RequestMeter
  /** How the worker is doing now. */
  readonly facts: () => WorkerFacts
  readonly clock: Clock
  readonly logger: Logger
}

/** How often it is looked, and what was gathered sent. Milliseconds. */
const LOOK_EVERY_MS = 10_000

/** The parts of a worker that are looked at. */
export interface MeasuredParts {
  readonly clock: Clock
  readonly emitter: WorkerEmitter
  readonly consumers: { readonly statuses: readonly ShardStatus[] }
  readonly buffers: { readonly bufferedBytes: number }
  readonly streams: { readonly label: string }
  readonly member: { readonly census: FleetCensus | undefined; held(): readonly { isValid(): boolean }[] }
}

/** Has a worker measured from its first event on, if its options say where metrics go. */
export function measureWorker(
  { metrics, applicationName, workerId, retrieval, logger }: ResolvedOptions,
  { requests }: Pick<OpenPorts, 'requests'>,
  { clock, emitter, consumers, buffers, streams, member }: MeasuredParts
): WorkerMetrics | undefined {
  if (metrics === undefined || requests === undefined) return undefined
  const about = { application: applicationName, stream: streams.label, worker: workerId }
  const facts = (): WorkerFacts => ({
    shards: consumers.statuses,
    leases: member.held().filter(tenure => tenure.isValid()).length,
    bufferedBytes: buffers.bufferedBytes,
    lead: member.census
  })
  const measuring = new WorkerMetrics({ metrics, about, mode: retrieval.mode, requests, facts, clock, logger })
  emitter.observe(measuring.observe)
  return measuring
}

/** The metrics of one worker, from its first event until {@link close}. */
export class WorkerMetrics {
  readonly #options: WorkerMetricsOptions
  readonly #levels: NonNullable<Metrics['levels']>
  /** The dimensions of each shard that there are values of, by the key of its lease. */
  readonly #shards = new Map<string, Dimensions>()
  readonly #calls = new Map<string, Dimensions>()
  /** Of shards that are read in another way than the others, by the keys of their leases. */
  readonly #modes = new Map<string, RetrievalMode>()
  #looking: Loop | undefined
  #eventLoop: EventLoopWatch | undefined
  #isClosed = false
  #lookedAtMs: number
  #isBreakerOpen = false
  #polledBytes = 0
  #fanOutBytes = 0
  /** How often in a row the backend has failed. */
  #failures = 0

  constructor(options: WorkerMetricsOptions) {
    this.#options = options
    this.#levels = options.metrics.levels ?? ['worker']
    this.#lookedAtMs = options.clock.monotonicMs()
  }

  /** Is told of every event. The first one begins the measuring: nothing happens in a worker before it is started. */
  readonly observe: EventObserver = (name, event) => {
    if (this.#isClosed || (this.#looking === undefined && name === 'worker:stopped')) return
    this.#begin()
    this.#takeNote(name, event)
    for (const reading of readingsOf(name, event)) this.#tell(reading, event)
    if (name === 'worker:stopped') void this.close()
  }

  /** Looks for the last time, and sends what there is. Never rejects. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    const wasLooking = this.#looking !== undefined
    await this.#looking?.stop()
    if (wasLooking) await this.#look()
    this.#eventLoop?.stop()
    for (const leaseKey of [...this.#shards.keys()]) this.#forget(leaseKey)
  }

  #begin(): void {
    if (this.#looking !== undefined) return
    const { clock } = this.#options
    this.#lookedAtMs = clock.monotonicMs()
    this.#eventLoop = watchEventLoop(clock)
    this.#looking = startLoop({
      clock,
      run: () => this.#look(),
      delayMs: () => LOOK_EVERY_MS,
      onError: error => this.#failed(error),
      runAtOnce: false
    })
  }

  #takeNote<Name extends WorkerEventName>(name: Name, event: WorkerEvents[Name]): void
  #takeNote(name: WorkerEventName, event: object): void {
    switch (name) {
      case 'breaker:changed':
        this.#isBreakerOpen = (event as WorkerEvents['breaker:changed']).state !== 'closed'
        break
      case 'shard:retrieval-changed': {
        const { leaseKey, mode } = event as WorkerEvents['shard:retrieval-changed']
        this.#modes.set(leaseKey, mode)
        break
      }
      case 'shard:read': {
        const { leaseKey, bytes } = event as WorkerEvents['shard:read']
        if (this.#modeOf(leaseKey) === 'fan-out') this.#fanOutBytes += bytes
        else this.#polledBytes += bytes
        break
      }
      default:
    }
  }

  async #look(): Promise<void> {
    const { clock, facts, requests, metrics } = this.#options
    const nowMs = clock.monotonicMs()
    const sinceMs = nowMs - this.#lookedAtMs
    this.#lookedAtMs = nowMs
    const now = facts()
    const lateness = this.#eventLoop?.read() ?? { p99Ms: 0, maxMs: 0 }
    const known = { ...now, lateness, isBreakerOpen: this.#isBreakerOpen }
    for (const reading of gaugesOf(known, this.#levels)) this.#tellGauge(reading)
    const counts = requests.take()
    for (const each of counts) this.#tellRequests(each)
    this.#tellCost(counts, now, sinceMs)
    const here = new Set(now.shards.map(({ leaseKey }) => leaseKey))
    for (const leaseKey of [...this.#shards.keys()]) if (!here.has(leaseKey)) this.#forget(leaseKey)
    try {
      await metrics.flush?.()
      this.#failures = 0
    } catch (error) {
      this.#failed(error)
    }
  }

  #tell(reading: EventReading, event: object): void {
    const { metrics } = this.#options
    // What is said of a shard is in the event of that shard.
    const shard = reading.shardId === undefined ? undefined : (event as ShardEventBase)
    for (const dimensions of this.#dimensionsOf(shard)) {
      this.#safely(() => {
        if ('value' in reading) metrics.count(reading.name, reading.value, dimensions)
        else metrics.time(reading.name, reading.durationMs, dimensions)
      })
    }
  }

  #tellGauge({ name, value, shardId, leaseKey = '', streamName = '' }: GaugeReading): void {
    const dimensions = shardId === undefined ? this.#options.about : this.#shard({ shardId, leaseKey, streamName })
    this.#safely(() => this.#options.metrics.gauge(name, value, dimensions))
  }

  #tellRequests(counts: RequestCounts): void {
    const { metrics, about } = this.#options
    const { service, operation, requests, failed, throttled, readUnits, writeUnits, durationsMs } = counts
    const call = this.#call({ service, operation })
    const units = this.#call({ operation })
    const isGetRecords = operation === 'GetRecords'
    this.#safely(() => {
      metrics.count('Requests', requests, call)
      if (failed > 0) metrics.count('FailedRequests', failed, call)
      if (throttled > 0) metrics.count('ThrottledRequests', throttled, call)
      if (readUnits > 0) metrics.count('ReadUnits', readUnits, units)
      if (writeUnits > 0) metrics.count('WriteUnits', writeUnits, units)
      if (isGetRecords) for (const ms of durationsMs) metrics.time('KinesisDataFetcher.getRecords.Time', ms, about)
    })
  }

  #tellCost(counts: readonly RequestCounts[], { shards }: WorkerFacts, sinceMs: number): void {
    const { metrics, requests } = this.#options
    const total = (of: (each: RequestCounts) => number): number => counts.reduce((sum, each) => sum + of(each), 0)
    const subscribed = shards.filter(
      ({ leaseKey, state }) => state === 'processing' && this.#modeOf(leaseKey) === 'fan-out'
    )
    const costs = {
      dynamodb: dynamoCost({ reads: total(each => each.readUnits), writes: total(each => each.writeUnits) }),
      kinesis: kinesisCost({
        polledBytes: this.#polledBytes,
        fanOutBytes: this.#fanOutBytes,
        fanOutMs: subscribed.length * sinceMs,
        isOnDemand: requests.isOnDemand
      })
    }
    this.#polledBytes = 0
    this.#fanOutBytes = 0
    for (const service of ['dynamodb', 'kinesis'] as const) {
      this.#safely(() => metrics.count('EstimatedCost', costs[service], this.#call({ service })))
    }
  }

  #forget(leaseKey: string): void {
    const dimensions = this.#shards.get(leaseKey)
    this.#shards.delete(leaseKey)
    this.#modes.delete(leaseKey)
    if (dimensions !== undefined) this.#safely(() => this.#options.metrics.forget?.(dimensions))
  }

  #dimensionsOf(shard: ShardEventBase | undefined): readonly Dimensions[] {
    if (shard === undefined) return [this.#options.about]
    return this.#levels.map(level => (level === 'shard' ? this.#shard(shard) : this.#options.about))
  }

  #shard({ leaseKey, shardId, streamName }: ShardEventBase): Dimensions {
    const known = this.#shards.get(leaseKey)
    if (known !== undefined) return known
    const made = { ...this.#options.about, stream: streamName, shard: shardId }
    this.#shards.set(leaseKey, made)
    return made
  }

  #call(of: Pick<Dimensions, 'service' | 'operation'>): Dimensions {
    const key = `${of.service} ${of.operation}`
    const known = this.#calls.get(key)
    if (known !== undefined) return known
    const made = { ...this.#options.about, ...of }
    this.#calls.set(key, made)
    return made
  }

  #modeOf(leaseKey: string): RetrievalMode {
    return this.#modes.get(leaseKey) ?? this.#options.mode
  }

  #safely(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#failed(error)
    }
  }

  /** Logged the first time, and then ever more seldom: a backend that is out of reach must not fill the log. */
  #failed(error: unknown): void {
    this.#failures += 1
    if (!Number.isInteger(Math.log2(this.#failures))) return
    this.#options.logger.warn({ err: error, failures: this.#failures }, 'metrics could not be reported')
  }
}
