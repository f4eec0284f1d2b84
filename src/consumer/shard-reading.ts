// Reads one shard for as long as it is processed: owns the retriever, watches that it is answered, and begins anew, or gives
// up, where it is not.
import { StalledError, ThrottledError } from '../model/errors.ts'
import type { Lease } from '../model/lease.ts'
import type { ExtendedSequenceNumber } from '../model/sequence-number.ts'
import type { RetrievalListener, Retrieved, Retriever } from '../retrieval/retriever.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Stall } from './progress-rules.ts'
import type { ShardLag } from './shard-lag.ts'
import type { ShardListener } from './shard-listener.ts'
import { ShardWatch } from './shard-watch.ts'

/** What is read, how, and who is told. */
export interface ShardReadingOptions {
  readonly shardId: string
  /** Reads from the checkpoint of the lease on. */
  readonly openRetriever: (lease: Lease, listener: RetrievalListener) => Retriever
  readonly lease: () => Lease
  /** How long the shard may stand still. Milliseconds. */
  readonly stallMs: number
  /** Since when the oldest call of the user's code is under way. Monotonic milliseconds; `undefined`: none is. */
  readonly calledSinceMs: () => number | undefined
  readonly isStoringLetters: () => boolean
  /** Since when checkpoints cannot be written, and since when calls fail. Monotonic milliseconds; `undefined`: it is not so. */
  readonly unwrittenSinceMs?: () => number | undefined
  readonly failingSinceMs?: () => number | undefined
  readonly clock: Clock
  /** Is told of every answer. */
  readonly lag: Pick<ShardLag, 'told'>
  readonly listener: Pick<ShardListener, 'read' | 'failed' | 'modeChanged' | 'stalled' | 'progressed'>
}

/** What came of reading. `stopped`: it was asked to, by {@link ShardReading.stop}. */
export type Reading =
  | Retrieved
  | { readonly kind: 'stopped' }
  /** Nothing came for a while: the next read begins anew. */
  | { readonly kind: 'restarted' }
  | { readonly kind: 'failed'; readonly error: unknown }

/** The reading of one shard during one tenure. */
export class ShardReading {
  readonly #options: ShardReadingOptions
  readonly #watch: ShardWatch
  #retriever: Retriever | undefined
  /** Aborts the wait for the next records. */
  #wait = new AbortController()
  /** What is to be done about a read that is not answered. */
  #remedy: 'restart' | 'release' | undefined

  constructor(options: ShardReadingOptions) {
    this.#options = options
    const lacksRoom = (): boolean => this.#retriever?.lacksRoom === true
    this.#watch = new ShardWatch({ ...options, lacksRoom })
  }

  /** What the shard stands still for; `undefined`: it does not, as far as was told. */
  get stall(): Stall | undefined {
    return this.#watch.stall
  }

  /** The next records, or the end. `from` is where reading begins, if it has not yet. Never rejects. */
  async next(from: ExtendedSequenceNumber): Promise<Reading> {
    if (this.#wait.signal.aborted) return { kind: 'stopped' }
    this.#watch.reads()
    try {
      const retrieved = await this.#open(from).next(this.#wait.signal)
      this.#watch.hasRead()
      // They came in the moment in which nobody believed in it any more: the next read is not to be given up for that.
      if (this.#remedy !== undefined) this.renew()
      return retrieved
    } catch (error) {
      if (!this.#wait.signal.aborted) return { kind: 'failed', error }
      const remedy = this.#remedy
      if (remedy === undefined) {
        // It may be long until somebody reads on, and that is no answer that does not come.
        this.#watch.hasRead()
        return { kind: 'stopped' }
      }
      const { forMs = 0 } = this.#watch.stall ?? {}
      this.close()
      this.renew()
      if (remedy === 'restart') return { kind: 'restarted' }
      this.#watch.hasRead()
      return { kind: 'failed', error: new StalledError(this.#options.shardId, 'an answer of Kinesis', forMs) }
    }
  }

  /** Looks whether there is progress, and does something about it if there is none. */
  look(): void {
    const action = this.#watch.look()
    if ((action !== 'restart' && action !== 'release') || this.#wait.signal.aborted) return
    this.#remedy = action
    this.#wait.abort(action)
  }

  /** Waits for no records until {@link renew} is called. What was read ahead is kept. */
  stop(): void {
    this.#remedy = undefined
    this.#wait.abort('stopped')
  }

  /** Reads again after {@link stop}. */
  renew(): void {
    this.#remedy = undefined
    this.#wait = new AbortController()
  }

  /** The end that was reported was none. */
  continueAfterEnd(): void {
    this.#retriever?.continueAfterEnd()
  }

  /** Gives back, too, what was read ahead for nobody. */
  close(): void {
    this.#retriever?.close()
    this.#retriever = undefined
  }

  #open(from: ExtendedSequenceNumber): Retriever {
    const { openRetriever, lease, lag, listener } = this.#options
    this.#retriever ??= openRetriever(
      { ...lease(), checkpoint: from },
      {
        onRead: report => {
          this.#watch.answered()
          lag.told(report.millisBehindLatest)
          listener.read(report)
        },
        onRetry: (error, retryInMs, failures) => {
          if (error instanceof ThrottledError) this.#watch.throttled()
          listener.failed({ during: 'read', error, retryInMs, failures })
        },
        onModeChange: change => listener.modeChanged(change)
      }
    )
    return this.#retriever
  }
}
