// Makes the streams that a worker's options name, each with its own parts, over what the worker has for all of them.
import type { ByteBudget } from '../retrieval/byte-budget.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import { syncEvents } from './event-sources.ts'
import type { ResolvedOptions } from './options.ts'
import type { OpenPorts } from './ports.ts'
import { OneStream, type StreamSet } from './stream-set.ts'
import type { WorkerEmitter } from './worker-emitter.ts'
import { type StreamSettings, WorkerStream } from './worker-stream.ts'

/** What streams are made with. */
export interface OpenStreamsOptions {
  readonly options: ResolvedOptions
  readonly ports: Pick<OpenPorts, 'openStream' | 'store'>
  readonly budget: ByteBudget
  /** See the option of the same name of the shard syncer. */
  readonly guard: () => () => boolean
  readonly emit: WorkerEmitter['emit']
  readonly clock: Clock
  readonly random: Random
}

/** The streams of a worker. Nothing is called before it is asked for something. */
export function openStreams({ options, ports, budget, guard, emit, clock, random }: OpenStreamsOptions): StreamSet {
  const { logger, onRecreatedStream, retrieval, startAt, userCode, concurrency, batch } = options
  const code = userCode && { userCode, concurrency, batch }
  const settings: StreamSettings = { stream: options.stream, startAt, consumer: retrieval.consumer, code }
  const opened = ports.openStream(options.stream)
  const report = syncEvents(emit, opened.kinesis.streamName)
  const syncing = { logger, store: ports.store, onRecreatedStream, report, guard }
  return new OneStream(new WorkerStream({ settings, ports: opened, options, syncing, budget, clock, random }))
}
