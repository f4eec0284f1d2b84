// Makes the streams that a worker's options name, each with its own parts, over what the worker has for all of them.
import type { LeaseStore } from '../leases/lease-store.ts'
import { BugError } from '../model/errors.ts'
import type { StreamNames } from '../model/stream-id.ts'
import type { ByteBudget } from '../retrieval/byte-budget.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import { listedBy, sharingListings } from '../shards/shared-listing.ts'
import { streamEvents, syncEvents } from './event-sources.ts'
import { FormerStreams } from './former-streams.ts'
import { ManyStreams } from './many-streams.ts'
import type { ResolvedOptions } from './options.ts'
import type { OpenPorts } from './ports.ts'
import type { ResolvedStreamList, StreamSettings } from './stream-options.ts'
import { OneStream, type StreamSet } from './stream-set.ts'
import type { WorkerEmitter } from './worker-emitter.ts'
import { WorkerStream } from './worker-stream.ts'

/** What streams are made with. */
export interface OpenStreamsOptions {
  readonly options: ResolvedOptions
  readonly ports: Pick<OpenPorts, 'openStream' | 'store'>
  readonly budget: ByteBudget
  /** See the option of the same name of the shard syncer. */
  readonly guard: () => () => boolean
  /** Whether this worker leads its fleet. */
  readonly isLeading: () => boolean
  readonly emit: WorkerEmitter['emit']
  /** Of several streams: how long whoever holds a lease of one that is forgotten may take to let go of it. Milliseconds. */
  readonly graceMs: number
  /** Of several streams: one was added, and whoever leads should compare its shards with their leases. */
  readonly compareSoon: () => void
  /** Of several streams: leases were created, for one of them. */
  readonly leasesCreated: () => void
  /** Of several streams: something failed that is about none in particular. */
  readonly brokeDown: (during: string, error: unknown) => void
  readonly clock: Clock
  readonly random: Random
}

/** The streams of a worker. Nothing is called before it is asked for something. */
export function openStreams(parts: OpenStreamsOptions): StreamSet {
  const { options, ports } = parts
  const { retrieval, startAt, userCode, concurrency, batch, stream, streams } = options
  const shared = { startAt, consumer: retrieval.consumer, code: userCode && { userCode, concurrency, batch } }
  if (streams !== undefined) return openMany(parts, streams, shared)
  if (stream === undefined) throw new BugError('There is neither a stream nor a list of streams')
  return new OneStream(openStream(parts, { ...shared, stream }, ports.store, false))
}

function openStream(
  { options, ports, budget, guard, emit, clock, random }: OpenStreamsOptions,
  settings: StreamSettings,
  store: LeaseStore,
  isTableShared: boolean
): WorkerStream {
  const { logger, onRecreatedStream } = options
  const opened = ports.openStream(settings.stream)
  const report = syncEvents(emit, opened.kinesis.streamName)
  const syncing = { logger, store, onRecreatedStream, isTableShared, report, guard }
  return new WorkerStream({ settings, ports: opened, options, syncing, budget, clock, random })
}

function openMany(
  parts: OpenStreamsOptions,
  list: ResolvedStreamList,
  unlisted: Omit<StreamSettings, 'stream'>
): StreamSet {
  const { ports, guard, isLeading, emit, clock, graceMs, compareSoon, leasesCreated, brokeDown } = parts
  const former = new FormerStreams({
    ...{ store: ports.store, removed: list.removed, graceMs, clock, guard, isLeading },
    forgotten: (stream, why, leases) => emit('stream:forgotten', { ...stream, why, leases }),
    failed: brokeDown
  })
  const heard = listedBy(ports.store, async asked => {
    const listing = await ports.store.list(asked)
    former.hear(listing)
    return listing
  })
  const store = sharingListings(heard, clock)
  const events = streamEvents(emit)
  const added = (stream: StreamNames): void => {
    events.added(stream)
    compareSoon()
  }
  const listener = { ...events, added, leasesCreated, brokeDown }
  const make = (settings: StreamSettings): WorkerStream => openStream(parts, settings, store, true)
  // Streams that leases were found of, without a word of where to begin: KCL takes LATEST for those, too.
  return new ManyStreams({ list, unlisted: { ...unlisted, startAt: 'LATEST' }, make, former, clock, listener })
}
