// Fan-out that is tried while a shard is polled: shows whether it works, and keeps what it has brought until it takes over.
import { ServiceError } from '../model/errors.ts'
import { deferred } from '../runtime/deferred.ts'
import { added, type ReadAmount, without } from './fan-out-rules.ts'
import type { ReadReport, RetrievalListener, Retrieved, Retriever } from './retriever.ts'

/** What is tried, and who is told of it. */
export interface FanOutTrialOptions {
  /** Begins to read by fan-out. */
  readonly open: (listener: Pick<RetrievalListener, 'onRead' | 'onRetry'>) => Retriever
  /** Ends the waiting for what it brings first. */
  readonly signal: AbortSignal
  /** Told of reads once it has taken over, and of failures once it works. */
  readonly listener: Pick<RetrievalListener, 'onRead' | 'onRetry'>
}

/** Fan-out on trial. */
export class FanOutTrial {
  readonly retriever: Retriever
  /** What it brings first. Kept: it would not bring it again. */
  readonly first: Promise<Retrieved>
  readonly #listener: FanOutTrialOptions['listener']
  readonly #proof = deferred()
  /** Everything that it has read. Absent: nothing has come yet. */
  #read: ReadReport | undefined
  /** What is still to come that others have told of. Absent: it has not taken over. */
  #known: ReadAmount | undefined

  constructor({ open, signal, listener }: FanOutTrialOptions) {
    this.#listener = listener
    this.retriever = open({
      onRead: report => this.#note(report),
      onRetry: (error, retryInMs, failures) => {
        if (this.#read !== undefined) listener.onRetry(error, retryInMs, failures)
      }
    })
    this.first = this.retriever.next(signal)
    // What it brings, it brings with an event, but for the end of a shard that it does not find.
    this.first.then(
      () => this.#proof.reject(noShard()),
      (error: unknown) => this.#proof.reject(error)
    )
  }

  /** Resolves once an event has come; rejects with what made fan-out impossible before any did. */
  get proof(): Promise<void> {
    return this.#proof.promise
  }

  /**
   * Tells of what it has read and will read, except for the first `known` of it: those who read beside it have told of that.
   * Before it takes over, nothing of it is told.
   */
  takeOver(known: ReadAmount): void {
    this.#known = known
    if (this.#read !== undefined) this.#tell(this.#read, known)
  }

  /** Lets go of everything. */
  close(): void {
    this.retriever.close()
    release(this.first)
  }

  #note(report: ReadReport): void {
    if (this.#known === undefined) {
      this.#read = this.#read === undefined ? report : { ...report, ...added(this.#read, report) }
      this.#proof.resolve()
    } else this.#tell(report, this.#known)
  }

  #tell(report: ReadReport, known: ReadAmount): void {
    this.#known = without(known, report)
    this.#listener.onRead({ ...report, ...without(report, known) })
  }
}

/** Lets go of what may still come, and nobody fetches any more. */
export function release(asked: Promise<Retrieved> | undefined): void {
  asked?.then(
    retrieved => retrieved.kind === 'records' && retrieved.release(),
    () => {}
  )
}

function noShard(): ServiceError {
  return new ServiceError('not-found', 'Fan-out finds no such shard', { retryable: false })
}
