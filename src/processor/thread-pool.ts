// The threads in which processors live: how many, which of them gets the next processor, and what follows when one ends.
import type { ThreadTracing } from '../metrics/tracing.ts'
import { HandlerTimeoutError, messageOf, OptionError, WorkerStoppedError } from '../model/errors.ts'
import { withSignal } from '../runtime/abort.ts'
import { backoffMs } from '../runtime/backoff.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import { threadFile } from '../runtime/thread-file.ts'
import { PoolThread, type ThreadEnd, type ThreadPlace } from './pool-thread.ts'
import type { ShardPlace } from './record-processor.ts'
import { ThreadProcessor } from './thread-processor.ts'

/** The threads that were asked for. */
export interface ResolvedThreads {
  /** The user's module. */
  readonly module: URL
  /** How many threads at most. */
  readonly count: number
  /** What the module is given; can be cloned. */
  readonly data: unknown
  /** How large the heap of each may grow. Megabytes; default: what Node allows. */
  readonly maxHeapMb: number | undefined
}

/** A thread that ended on its own, or was ended because a call in it did not return: why, the shards that were processed there, and how soon another one may start. */
export interface ThreadDeath {
  readonly because: string
  readonly error: unknown
  readonly shardIds: readonly string[]
  /** The same, with the streams that they are of. */
  readonly shards: readonly ShardPlace[]
  readonly retryInMs: number
}

/** What a pool is made from, and who is told of threads that end. */
export interface ThreadPoolOptions {
  readonly threads: ResolvedThreads
  /** How traces go on in the threads. Absent: nobody traces. */
  readonly tracing?: ThreadTracing | undefined
  readonly clock: Clock
  readonly random: Random
  readonly died: (death: ThreadDeath) => void
  /** Where the code of the threads is. Default: beside this file. */
  readonly threadUrl?: URL
}

/** How long a thread may take to start and to load its module before that counts as time of the first call. Milliseconds. */
const LOAD_MS = 60_000
const RESTART = { firstMs: 200, maxMs: 30_000 }
/** A thread that lived for so long did not end because of how it began. Milliseconds. */
const LONG_LIFE_MS = 60_000
/** How many processors one counts as that was there when a thread ended, until it has processed a batch. */
const SUSPECT = 1_000

/** A pool of threads. They start when they are needed, and none is started before {@link processor} was called. */
export class ThreadPool {
  readonly #options: ThreadPoolOptions
  readonly #url: URL
  readonly #threads = new Map<PoolThread, { readonly sinceMs: number }>()
  /** Shards that were being processed in a thread that ended, and have not processed a batch since. */
  readonly #suspects = new Set<string>()
  readonly #over = new AbortController()
  #deaths = 0
  #mayStartAtMs = Number.NEGATIVE_INFINITY

  /** @throws OptionError if there is no code for threads, as in a bundle that was made without it */
  constructor(options: ThreadPoolOptions) {
    this.#options = options
    this.#url = options.threadUrl ?? besideThisModule()
  }

  /** Makes a processor for one shard. It gets its thread in `initialize`. */
  processor(): ThreadProcessor {
    const { tracing } = this.#options
    return new ThreadProcessor({
      ...(tracing && { carrier: () => tracing.carrier() }),
      admit: (shard, signal) => this.#admit(shard, signal),
      proved: shard => void this.#suspects.delete(nameOf(shard)),
      pause: () => this.#options.clock.sleep(0),
      whenLate: signal => this.#options.clock.sleep(LOAD_MS, signal)
    })
  }

  /** Ends the threads, whatever they are at: calls under way reject with ProcessorGoneError. Resolves when they are gone. */
  async close(): Promise<void> {
    this.#over.abort(new WorkerStoppedError('The worker has stopped: there are no threads any more'))
    await Promise.all([...this.#threads.keys()].map(thread => thread.close()))
  }

  async #admit(shard: ShardPlace, signal: AbortSignal): Promise<ThreadPlace> {
    const { clock } = this.#options
    for (;;) {
      signal.throwIfAborted()
      this.#over.signal.throwIfAborted()
      const thread = this.#leastLoaded()
      if (thread !== undefined && this.#loadOf(thread) === 0) return thread.admit(shard)
      const isFull = this.#threads.size >= this.#options.threads.count
      if (!isFull && clock.monotonicMs() >= this.#mayStartAtMs) return this.#start().admit(shard)
      // A suspect rather waits for a thread of its own.
      if (thread !== undefined && (isFull || !this.#suspects.has(nameOf(shard)))) return thread.admit(shard)
      const waitMs = Math.max(1, this.#mayStartAtMs - clock.monotonicMs())
      await withSignal([signal, this.#over.signal], either => clock.sleep(waitMs, either))
    }
  }

  #leastLoaded(): PoolThread | undefined {
    const threads = [...this.#threads.keys()]
    return threads.length === 0
      ? undefined
      : threads.reduce((least, each) => (this.#loadOf(each) < this.#loadOf(least) ? each : least))
  }

  /** Whoever may be the one that ends threads is to be alone, as far as there are threads. */
  #loadOf(thread: PoolThread): number {
    return thread.places.reduce((load, { shard }) => load + (this.#suspects.has(nameOf(shard)) ? SUSPECT : 1), 0)
  }

  #start(): PoolThread {
    const { threads, tracing, clock } = this.#options
    const { module, data, maxHeapMb } = threads
    const ended = (ending: PoolThread, end: ThreadEnd): void => this.#bury(ending, end)
    const thread = new PoolThread({ url: this.#url, module, tracing: tracing?.module, data, maxHeapMb, ended })
    this.#threads.set(thread, { sinceMs: clock.monotonicMs() })
    return thread
  }

  #bury(thread: PoolThread, { because, cause }: ThreadEnd): void {
    const { clock, random, died } = this.#options
    const nowMs = clock.monotonicMs()
    const livedMs = nowMs - (this.#threads.get(thread)?.sinceMs ?? nowMs)
    this.#threads.delete(thread)
    // What took too long to be let go on has taken its time.
    const isEnded = cause instanceof HandlerTimeoutError
    if (!isEnded) this.#deaths = livedMs >= LONG_LIFE_MS ? 1 : this.#deaths + 1
    const retryInMs = isEnded ? 0 : backoffMs(this.#deaths, RESTART, random.next())
    this.#mayStartAtMs = nowMs + retryInMs
    const shards = thread.places.map(({ shard }) => shard)
    for (const shard of shards) this.#suspects.add(nameOf(shard))
    died({ because, error: cause, shardIds: shards.map(({ shardId }) => shardId), shards, retryInMs })
  }
}

function besideThisModule(): URL {
  try {
    return threadFile('processor-thread', import.meta.url)
  } catch (cause) {
    throw new OptionError('threads', `cannot be had here: ${messageOf(cause)}`, { cause })
  }
}

/** What tells a shard from those of other streams. */
function nameOf({ streamArn, shardId }: ShardPlace): string {
  return `${streamArn} ${shardId}`
}
