// Lives the life of one shard during one tenure: carries out what shard-state.ts says. Never delivers without knowing that
// the lease is still held.
import type { DeaggregationRoom, OutOfRange } from '../kpl/deaggregate.ts'
import { BugError, isRetryable, messageOf, WorkerStoppedError } from '../model/errors.ts'
import type { Lease } from '../model/lease.ts'
import type { ChildShard } from '../model/shard.ts'
import type { RetrievalListener, Retrieved, Retriever } from '../retrieval/retriever.ts'
import { anyOf, firstAborted, forMany } from '../runtime/abort.ts'
import { backoffMs } from '../runtime/backoff.ts'
import type { ShardEndOutcome } from '../shards/shard-syncer.ts'
import { AnswerUnpacker } from './answer-unpacker.ts'
import { BatchCalls, type BatchCallsOptions } from './batch-calls.ts'
import type { BatchSettings, ConcurrencySettings } from './delivery-options.ts'
import { openDelivery } from './open-delivery.ts'
import { PauseGate } from './pause-gate.ts'
import { ProcessorCalls, type ProcessorCallsOptions } from './processor-calls.ts'
import type { ShardDelivery } from './shard-delivery.ts'
import { ShardLag } from './shard-lag.ts'
import type { ShardListener } from './shard-listener.ts'
import { ShardReading } from './shard-reading.ts'
import { nextShardState, type ShardEvent, type ShardState } from './shard-state.ts'
import type { ShardStatus } from './shard-status.ts'
import { ShardTroubles } from './shard-troubles.ts'
import type { CallOutcome } from './user-call.ts'

/** What one shard is consumed with: its lease, the user's code, how to read it and how to end it, and who is told. */
export interface ShardConsumerOptions
  extends ProcessorCallsOptions,
    Pick<BatchCallsOptions, 'breaker' | 'deadLettering' | 'decoding'> {
  /** Reads from the checkpoint of the lease on. */
  readonly openRetriever: (lease: Lease, listener: RetrievalListener) => Retriever
  readonly parentsFinished: (lease: Lease, signal: AbortSignal) => Promise<boolean>
  /** Sees to it that every child has a lease, before the shard is marked as finished. */
  readonly settleShardEnd: (
    lease: Lease,
    children: readonly ChildShard[] | undefined,
    signal: AbortSignal
  ) => Promise<ShardEndOutcome>
  readonly outOfRange: OutOfRange
  /** For taking aggregated records apart; shared by all shards. */
  readonly room: DeaggregationRoom
  readonly concurrency: ConcurrencySettings | undefined
  readonly batch: BatchSettings | undefined
  /** How long the shard may stand still. Milliseconds. */
  readonly stallMs: number
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
  readonly #batches: BatchCalls
  readonly #unpacker: AnswerUnpacker
  readonly #reading: ShardReading
  readonly #lag: ShardLag
  readonly #pauses = new PauseGate()
  #state: ShardState = 'waiting-for-parents'
  #delivery: ShardDelivery | undefined
  #resume = new AbortController()
  #haltedBy: Error | undefined
  #end: Extract<Retrieved, { kind: 'end' }> | undefined
  #falseEnds = 0

  constructor(given: ShardConsumerOptions) {
    const { tenure } = given
    const troubles = new ShardTroubles(given.listener, given.clock)
    const options = { ...given, listener: troubles.listener }
    const { hashKeyRange } = tenure.lease
    this.tenure = tenure
    this.#options = options
    this.#giveUp = anyOf([tenure.signal, this.#abandon.signal])
    this.#interrupt = anyOf([this.#giveUp, this.#drain.signal])
    // User code that does not return must not keep the shard being read.
    this.#giveUp.addEventListener('abort', () => this.#reading.close(), { once: true })
    this.#interrupt.addEventListener('abort', () => this.#reading.stop(), { once: true })
    const giveUp = this.#giveUp
    const signals = { interrupt: this.#interrupt, giveUp, abandoned: forMany(this.#abandon.signal) }
    this.#calls = new ProcessorCalls(options, signals)
    this.#batches = new BatchCalls(this.#calls, {
      ...options,
      giveUp,
      // A shard that is to be given back is not kept for the sake of a pause.
      isPaused: () => !this.#pauses.isOpen && !this.#interrupt.aborted,
      whenResumed: signal => this.#pauses.whenOpen([signal, this.#interrupt])
    })
    const stored = () => this.#calls.progress.stored
    const lag = new ShardLag({ ...options, settled: () => this.#calls.progress.settled })
    this.#lag = lag
    this.#unpacker = new AnswerUnpacker({ ...options, hashKeyRange, stored, lag })
    this.#reading = new ShardReading({
      ...options,
      lag,
      shardId: tenure.shardId,
      lease: () => tenure.lease,
      calledSinceMs: () => this.#batches.calledSinceMs,
      isStoringLetters: () => this.#batches.isStoringLetters,
      unwrittenSinceMs: () => troubles.unwrittenSinceMs ?? this.#calls.writingSinceMs,
      failingSinceMs: () => troubles.failingSinceMs(lag.report().sinceProgressMs)
    })
  }

  get state(): ShardState {
    return this.#state
  }

  /** How the shard is doing. */
  get status(): ShardStatus {
    const { leaseKey } = this.tenure
    const state = this.#state
    const stall = state === 'processing' ? this.#reading.stall : undefined
    const lag = state === 'waiting-for-parents' ? undefined : this.#lag.report()
    const is = { isPaused: !this.#pauses.isOpen, isSuspended: !this.tenure.hasEnded && !this.tenure.isValid() }
    return { ...this.#calls.place, leaseKey, state, ...is, stall, haltedBy: this.#haltedBy, lag }
  }

  /** Has no more records delivered until {@link resume}; calls under way end. The lease is kept. Says whether that is news. */
  pause(): boolean {
    if (!this.#pauses.close()) return false
    this.#options.listener.paused()
    return true
  }

  /** Has records delivered again after a {@link pause}, or after the shard was halted. Says whether that is news. */
  resume(): boolean {
    const wasPaused = this.#pauses.open()
    const isHalted = this.#state === 'halted' && !this.#resume.signal.aborted
    if (isHalted) this.#resume.abort('resumed')
    if (wasPaused || isHalted) this.#options.listener.resumed()
    return wasPaused || isHalted
  }

  /** Looks whether the shard makes progress, and mends what it can. To be called now and then. */
  lookAfter(): void {
    this.#lag.look()
    // What is not processing has limits of its own; and what is paused is not stuck.
    if (this.#state !== 'processing' || !this.#pauses.isOpen) return
    this.#reading.look()
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
      this.#reading.close()
      this.#delivery?.close()
      await this.#calls.close()
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
        return this.#stayHalted()
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
    // Also where nobody has asked for it: what is given back is not kept for a pause.
    if (to === 'draining') this.#drain.abort()
    if (READS_NO_MORE.includes(to)) this.#reading.close()
    if (to === 'initializing') this.#lag.begins()
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
    const outcome = await this.#calls.initialize()
    if (outcome.kind === 'done') this.#delivery = this.#openDelivery()
    return this.#eventOf(outcome, 'initialized')
  }

  #openDelivery(): ShardDelivery {
    const { concurrency, batch, clock, random, listener } = this.#options
    const delivery = openDelivery({
      ...{ concurrency, batch, clock, random, listener },
      calls: this.#calls,
      batches: this.#batches,
      unpacker: this.#unpacker,
      interrupt: this.#interrupt,
      giveUp: this.#giveUp
    })
    if (!this.#interrupt.aborted) this.#reading.renew()
    delivery.trouble.addEventListener('abort', () => this.#reading.stop(), { once: true })
    return delivery
  }

  async #process(): Promise<ShardEvent> {
    const delivery = this.#delivering()
    const reading = await this.#reading.next(delivery.accepted)
    if (this.#interrupt.aborted) {
      if (reading.kind === 'records') reading.release()
      return this.#interruption()
    }
    switch (reading.kind) {
      case 'records':
        this.#falseEnds = 0
        return this.#settled(await delivery.accept(reading), 'batch-settled')
      case 'end':
        this.#end = reading
        return this.#settled(await delivery.flush(), 'end-reached')
      case 'stopped':
        // A call that nobody waited for has failed for good.
        return this.#settled(await delivery.flush(), 'batch-settled')
      case 'restarted':
        return 'read-anew'
      case 'failed':
        this.#options.listener.failed({ during: 'read', error: reading.error, failures: 1 })
        return 'read-failed'
    }
  }

  async #settled(outcome: CallOutcome, event: ShardEvent): Promise<ShardEvent> {
    if (outcome.kind === 'done' && this.tenure.hasEnded) return 'lease-lost'
    return this.#eventOf(outcome, event)
  }

  async #stayHalted(): Promise<ShardEvent> {
    await firstAborted([this.#interrupt, this.#resume.signal])
    if (this.#interrupt.aborted) {
      // What is settled is not to be processed again elsewhere.
      await this.#delivery?.windDown()
      return this.#interruption()
    }
    this.#haltedBy = undefined
    await this.#letGoOfDelivery()
    await this.#calls.startAnew()
    this.#resume = new AbortController()
    return this.#interrupt.aborted ? this.#interruption() : 'resumed'
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
      this.#reading.continueAfterEnd()
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
    await this.#delivery?.windDown()
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
    await this.#delivery?.windDown()
    await this.#calls.tellLoss()
    return 'told'
  }

  /** What was read after the checkpoint is read again, by and by. */
  async #startOver(): Promise<ShardEvent> {
    this.#reading.close()
    this.#end = undefined
    await this.#letGoOfDelivery()
    await this.#calls.pause(this.#interrupt)
    return this.#interrupt.aborted ? this.#interruption() : 'processor-gone'
  }

  async #eventOf(outcome: CallOutcome, done: ShardEvent): Promise<ShardEvent> {
    if (outcome.kind === 'done') return done
    if (outcome.kind === 'interrupted') return this.#interruption()
    if (outcome.kind === 'gone') return this.#startOver()
    this.#haltedBy = outcome.error
    this.#options.listener.gaveUp(outcome.error, outcome.lastResort)
    return 'gave-up'
  }

  /** What comes next is delivered in a new one. What it has settled ahead of others is not processed again, if that is for sure. */
  async #letGoOfDelivery(): Promise<void> {
    const delivery = this.#delivery
    this.#delivery = undefined
    if (delivery === undefined) return
    await delivery.windDown()
    this.#unpacker.leaveOut(delivery.settledAhead())
    delivery.close()
  }

  #delivering(): ShardDelivery {
    if (this.#delivery === undefined) throw new BugError('Records are delivered to a processor that is not initialized')
    return this.#delivery
  }
}
