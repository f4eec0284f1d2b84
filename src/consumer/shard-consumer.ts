// Lives the life of one shard during one tenure: carries out what shard-state.ts says. Never delivers without knowing that
// the lease is still held.
import { BugError, isRetryable, messageOf, WorkerStoppedError } from '../model/errors.ts'
import type { Lease } from '../model/lease.ts'
import type { ChildShard } from '../model/shard.ts'
import type { RetrievalListener, Retrieved, RetrievedRecords, Retriever } from '../retrieval/retriever.ts'
import { whenAborted } from '../runtime/abort.ts'
import { backoffMs } from '../runtime/backoff.ts'
import type { ShardEndOutcome } from '../shards/shard-syncer.ts'
import { ProcessorCalls, type ProcessorCallsOptions } from './processor-calls.ts'
import type { ShardListener } from './shard-listener.ts'
import { nextShardState, type ShardEvent, type ShardState } from './shard-state.ts'
import type { CallOutcome } from './user-call.ts'

/** What one shard is consumed with: its lease, the user's code, how to read it and how to end it, and who is told. */
export interface ShardConsumerOptions extends ProcessorCallsOptions {
  readonly openRetriever: (lease: Lease, listener: RetrievalListener) => Retriever
  readonly parentsFinished: (lease: Lease, signal: AbortSignal) => Promise<boolean>
  /** Sees to it that every child has a lease, before the shard is marked as finished. */
  readonly settleShardEnd: (
    lease: Lease,
    children: readonly ChildShard[] | undefined,
    signal: AbortSignal
  ) => Promise<ShardEndOutcome>
  readonly listener: ShardListener
}

/** What follows these is another processor, or none: it begins at the checkpoint. */
const READS_NO_MORE: readonly ShardState[] = ['draining', 'halted', 'releasing', 'losing']
const PARENT_POLL_MS = 1_000
const END_RETRY = { firstMs: 500, maxMs: 15_000 }

/** One shard in one worker, for as long as one tenure of its lease lasts. Made once, {@link run} once. */
export class ShardConsumer {
  readonly tenure: ShardConsumerOptions['tenure']
  readonly #options: ShardConsumerOptions
  readonly #drain = new AbortController()
  readonly #abandon = new AbortController()
  /** Aborts when no new work is to begin. */
  readonly #interrupt: AbortSignal
  /** Aborts when work under way is to be given up too. */
  readonly #giveUp: AbortSignal
  readonly #calls: ProcessorCalls
  #state: ShardState = 'waiting-for-parents'
  #retriever: Retriever | undefined
  #end: Extract<Retrieved, { kind: 'end' }> | undefined
  #falseEnds = 0

  constructor(options: ShardConsumerOptions) {
    const { tenure } = options
    this.tenure = tenure
    this.#options = options
    this.#giveUp = AbortSignal.any([tenure.signal, this.#abandon.signal])
    this.#interrupt = AbortSignal.any([this.#giveUp, this.#drain.signal])
    // User code that does not return must not keep the shard being read.
    this.#giveUp.addEventListener('abort', () => this.#closeRetriever(), { once: true })
    this.#calls = new ProcessorCalls(options, {
      interrupt: this.#interrupt,
      giveUp: this.#giveUp,
      abandoned: this.#abandon.signal
    })
  }

  get state(): ShardState {
    return this.#state
  }

  /** Asks the consumer to finish what it is at, to call shutdownRequested and to release the lease. */
  drain(): void {
    this.#drain.abort()
  }

  /** Gives up on user code that does not return: releases the lease without it. Its checkpoints are refused from here on. */
  async abandon(): Promise<void> {
    this.#abandon.abort(new WorkerStoppedError('The worker has stopped waiting for the processor'))
    await this.#release()
  }

  /** Resolves when the shard is done with here, and no user code is running any more. Rejects only if there is a bug. */
  async run(): Promise<void> {
    try {
      while (this.#state !== 'stopped') this.#move(await this.#work())
    } finally {
      this.#closeRetriever()
      this.#calls.close()
    }
  }

  #work(): Promise<ShardEvent> {
    switch (this.#state) {
      case 'waiting-for-parents':
        return this.#waitForParents()
      case 'initializing':
        return this.#initialize()
      case 'processing':
        return this.#process()
      case 'ending':
        return this.#endShard()
      case 'draining':
        return this.#drainShard()
      case 'halted':
        return whenAborted(this.#interrupt).then(() => this.#interruption())
      case 'releasing':
        return this.#release().then(() => 'released')
      case 'losing':
        return this.#tellLoss()
      case 'stopped':
        throw new BugError('A stopped consumer has no work')
    }
  }

  #move(event: ShardEvent): void {
    const from = this.#state
    const to = nextShardState(from, event)
    if (to === undefined) throw new BugError(`Event ${event} cannot happen in state ${from}`)
    this.#state = to
    if (READS_NO_MORE.includes(to)) this.#closeRetriever()
    if (from !== to) this.#options.listener.moved(from, to)
  }

  /** Which event an interruption is. The lease comes first: without it nothing else may be done. */
  #interruption(): ShardEvent {
    return this.tenure.hasEnded || this.#abandon.signal.aborted ? 'lease-lost' : 'drain-requested'
  }

  async #waitForParents(): Promise<ShardEvent> {
    const { clock, parentsFinished, listener } = this.#options
    for (let failures = 0; !this.#interrupt.aborted; ) {
      try {
        if (await parentsFinished(this.tenure.lease, this.#interrupt)) return 'parents-finished'
        failures = 0
      } catch (error) {
        if (this.#interrupt.aborted) break
        failures += 1
        const passes = isRetryable(error)
        listener.failed({ during: 'parents', error, failures, ...(passes && { retryInMs: PARENT_POLL_MS }) })
        if (!passes) return 'read-failed'
      }
      await clock.sleep(PARENT_POLL_MS, this.#interrupt)
    }
    return this.#interruption()
  }

  async #initialize(): Promise<ShardEvent> {
    return this.#eventOf(await this.#calls.initialize(), 'initialized')
  }

  async #process(): Promise<ShardEvent> {
    const { listener } = this.#options
    const retriever = this.#openRetriever()
    let retrieved: Retrieved
    try {
      retrieved = await retriever.next(this.#interrupt)
    } catch (error) {
      if (this.#interrupt.aborted) return this.#interruption()
      listener.failed({ during: 'read', error, failures: 1 })
      return 'read-failed'
    }
    if (retrieved.kind === 'records') {
      try {
        if (this.#interrupt.aborted) return this.#interruption()
        this.#falseEnds = 0
        return await this.#deliver(retrieved)
      } finally {
        retrieved.release()
      }
    }
    if (this.#interrupt.aborted) return this.#interruption()
    this.#end = retrieved
    return 'end-reached'
  }

  async #deliver(retrieved: RetrievedRecords): Promise<ShardEvent> {
    const outcome = await this.#calls.deliver(retrieved)
    if (outcome.kind === 'done' && this.tenure.hasEnded) return 'lease-lost'
    return this.#eventOf(outcome, 'batch-settled')
  }

  async #endShard(): Promise<ShardEvent> {
    const { settleShardEnd, listener, clock, random } = this.#options
    let outcome: ShardEndOutcome
    try {
      outcome = await settleShardEnd(this.tenure.lease, this.#end?.childShards, this.#interrupt)
    } catch (error) {
      if (this.#interrupt.aborted) return this.#interruption()
      if (!isRetryable(error)) {
        listener.failed({ during: 'end', error, failures: 1 })
        return 'read-failed'
      }
      outcome = { kind: 'not-ended', because: messageOf(error) }
    }
    if (outcome.kind === 'not-ended') {
      this.#falseEnds += 1
      const retryInMs = backoffMs(this.#falseEnds, END_RETRY, random.next())
      const error = new Error(`The end of the shard is in doubt: ${outcome.because}`)
      listener.failed({ during: 'end', error, failures: this.#falseEnds, retryInMs })
      await clock.sleep(retryInMs, this.#interrupt)
      if (this.#interrupt.aborted) return this.#interruption()
      this.#retriever?.continueAfterEnd()
      return 'end-retracted'
    }
    const { childShardIds } = outcome
    const told = await this.#calls.endShard()
    if (told.kind !== 'done') return this.#eventOf(told, 'end-settled')
    return this.#finish(childShardIds)
  }

  async #finish(childShardIds: readonly string[]): Promise<ShardEvent> {
    try {
      await this.tenure.finish(childShardIds)
    } catch (error) {
      if (this.tenure.hasEnded) return 'lease-lost'
      this.#options.listener.failed({ during: 'end', error, failures: 1 })
      return 'end-refused'
    }
    this.#calls.finish()
    this.#options.listener.ended(childShardIds)
    return 'end-settled'
  }

  async #drainShard(): Promise<ShardEvent> {
    const outcome = await this.#calls.requestShutdown()
    if (outcome.kind !== 'done') return outcome.kind === 'interrupted' ? 'lease-lost' : 'gave-up'
    await this.#release()
    return 'drained'
  }

  /** Gives the lease back, or, where the table does not let us, at least stops counting on it: it will expire. */
  async #release(): Promise<void> {
    try {
      await this.tenure.release()
    } catch (error) {
      if (!this.tenure.hasEnded) {
        this.#options.listener.failed({ during: 'release', error, failures: 1 })
        this.tenure.abandon('it could not be released')
      }
    }
  }

  async #tellLoss(): Promise<ShardEvent> {
    await this.#calls.tellLoss()
    return 'told'
  }

  /** What was read after the checkpoint is read again, by and by. */
  async #startOver(): Promise<ShardEvent> {
    this.#closeRetriever()
    this.#end = undefined
    await this.#calls.pause(this.#interrupt)
    return this.#interrupt.aborted ? this.#interruption() : 'processor-gone'
  }

  /** Gives back, too, what was read ahead for nobody. */
  #closeRetriever(): void {
    this.#retriever?.close()
    this.#retriever = undefined
  }

  async #eventOf(outcome: CallOutcome, done: ShardEvent): Promise<ShardEvent> {
    if (outcome.kind === 'done') return done
    if (outcome.kind === 'interrupted') return this.#interruption()
    if (outcome.kind === 'gone') return this.#startOver()
    this.#options.listener.gaveUp(outcome.error, outcome.lastResort)
    return 'gave-up'
  }

  #openRetriever(): Retriever {
    const { openRetriever, listener } = this.#options
    this.#retriever ??= openRetriever(this.tenure.lease, {
      onRead: report => listener.read(report),
      onRetry: (error, retryInMs, failures) => listener.failed({ during: 'read', error, retryInMs, failures }),
      onModeChange: change => listener.modeChanged(change)
    })
    return this.#retriever
  }
}
