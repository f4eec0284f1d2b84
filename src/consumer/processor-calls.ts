// The user's side of one shard: makes the processor, calls its methods one at a time, and knows how far it has come. What
// the shard is doing meanwhile is known to shard-consumer.ts.
import { ShardProgress } from '../checkpoint/checkpointer.ts'
import { type DeaggregationRoom, Deaggregator, type OutOfRange } from '../kpl/deaggregate.ts'
import type { Tenure } from '../leases/tenure.ts'
import { BugError, LeaseLostError, OptionError, ProcessorError } from '../model/errors.ts'
import type { ConsumedRecord } from '../model/record.ts'
import { comparePositions, type ExtendedSequenceNumber, isRecordPosition } from '../model/sequence-number.ts'
import { afterFailure, type FailurePolicy } from '../processor/failure-rules.ts'
import { asProcessor, type RecordProcessor } from '../processor/record-processor.ts'
import { ThreadProcessor } from '../processor/thread-processor.ts'
import type { RetrievedRecords } from '../retrieval/retriever.ts'
import { withSignal } from '../runtime/abort.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import { planDelivery } from './plan-delivery.ts'
import type { ShardListener } from './shard-listener.ts'
import { type CallOutcome, callUser } from './user-call.ts'

/** Whose code is called for which shard, what becomes of failures, and who is told. */
export interface ProcessorCallsOptions {
  readonly tenure: Tenure
  /** Makes the processor; called before initialize: once, and again after each processor that is gone. */
  readonly processor: () => RecordProcessor
  readonly policy: FailurePolicy
  readonly outOfRange: OutOfRange
  /** For taking aggregated records apart; shared by all shards. */
  readonly room: DeaggregationRoom
  readonly clock: Clock
  readonly random: Random
  readonly listener: Pick<ShardListener, 'batchProcessed' | 'processorFailed' | 'oddRecords'>
}

/** When calls are not to be made, or waited for, any more. */
export interface CallSignals {
  /** Aborts when no new call is to begin. */
  readonly interrupt: AbortSignal
  /** Aborts when a call under way is to be given up too. */
  readonly giveUp: AbortSignal
  /** Aborts when the lease is given back without waiting: checkpoints are refused from then on. */
  readonly abandoned: AbortSignal
}

/** One call of the user's code: how often in a row it has failed before, and when it is to give up. */
type UserWork = (failures: number, signal: AbortSignal, calls: number) => void | Promise<void>

const DRAIN_ATTEMPTS = 3
const DRAIN_BACKOFF = { firstMs: 250, maxMs: 1_000 }
/** Answers of this size or more are decoded and processed in turns of the event loop of their own. Bytes. */
const LARGE_BYTES = 262_144

/** The calls of one processor, for one tenure of one shard. */
export class ProcessorCalls {
  readonly #options: ProcessorCallsOptions
  readonly #signals: CallSignals
  readonly #progress: ShardProgress
  readonly #deaggregator: Deaggregator
  #processor: RecordProcessor | undefined
  /** How many processors in a row have gone without settling a batch. */
  #gone = 0
  /** How long to wait before the next one is made. Milliseconds. */
  #pauseMs = 0

  constructor(options: ProcessorCallsOptions, signals: CallSignals) {
    const { tenure } = options
    this.#options = options
    this.#signals = signals
    const { hashKeyRange } = tenure.lease
    this.#deaggregator = new Deaggregator(
      { outOfRange: options.outOfRange, ...(hashKeyRange && { hashKeyRange }) },
      options.room
    )
    this.#progress = new ShardProgress(tenure.lease.checkpoint, {
      checkpoint: position => this.#unlessAbandoned(() => tenure.checkpoint(position)),
      prepareCheckpoint: pending => this.#unlessAbandoned(() => tenure.prepareCheckpoint(pending))
    })
  }

  /**
   * Makes the processor and calls initialize. Every outcome `gone`, here and below, means that this is to be called again,
   * after a {@link pause}: the next processor begins at the checkpoint, for what the last one was given since went with it.
   */
  initialize(): Promise<CallOutcome> {
    const { tenure, processor } = this.#options
    const { checkpoint, pendingCheckpoint } = tenure.lease
    return this.#callUser('initialize', this.#signals.interrupt, async () => {
      this.#processor ??= asProcessor(processor())
      if (this.#processor instanceof ThreadProcessor) {
        await this.#processor.enter(tenure.shardId, this.#signals.interrupt)
      }
      return this.#processor.initialize({
        shardId: tenure.shardId,
        checkpoint: isRecordPosition(checkpoint) ? checkpoint.sequenceNumber : undefined,
        subSequenceNumber: checkpoint.subSequenceNumber,
        pendingCheckpoint,
        signal: this.#signals.giveUp
      })
    })
  }

  /** Has what was read processed, but for what is checkpointed. `done`: all of it is settled. */
  async deliver(retrieved: RetrievedRecords): Promise<CallOutcome> {
    const { clock, listener, tenure } = this.#options
    const { millisBehindLatest } = retrieved
    // Timers and sockets come before a large answer is taken apart, which has just been decoded. Not after that: records that
    // outlive a turn of the event loop cost the garbage collector more than they cost to make.
    if (retrieved.bytes >= LARGE_BYTES) await clock.sleep(0)
    const read = this.#deaggregator.deaggregate(retrieved.records)
    if (read.outOfRange > 0 || read.corrupt > 0) listener.oddRecords(read)
    const { records, upTo } = planDelivery(read.records, read.last, this.#progress.settled)
    if (records.length === 0) {
      this.#progress.settle(upTo)
      return { kind: 'done' }
    }
    // Before the records are processed: in a thread, their payloads go there.
    const bytes = records.reduce((sum, { byteLength }) => sum + byteLength, 0)
    const threaded = this.#processor instanceof ThreadProcessor ? this.#processor : undefined
    threaded?.takeFrom(retrieved.records)
    const startedMs = clock.monotonicMs()
    const outcome = await this.#callUser('processRecords', this.#signals.interrupt, (failures, signal, calls) => {
      // A processor may have checkpointed some of the batch before it failed, or was interrupted.
      const isLeft = (record: ConsumedRecord): boolean => comparePositions(record, this.#progress.stored) > 0
      // A copy each time: what the processor does to its array must not change what it is given again.
      const rest = calls === 0 ? records.slice() : records.filter(isLeft)
      if (rest.length === 0) return
      this.#progress.deliver(upTo)
      return this.#user().processRecords({
        shardId: tenure.shardId,
        records: rest,
        checkpointer: this.#progress.checkpointer(upTo, this.#lapsing(upTo)),
        millisBehindLatest,
        failures,
        signal
      })
    })
    threaded?.letGo()
    if (outcome.kind !== 'done') return outcome
    this.#gone = 0
    this.#progress.settle(upTo)
    const durationMs = clock.monotonicMs() - startedMs
    listener.batchProcessed({ records: records.length, bytes, millisBehindLatest, durationMs })
    return outcome
  }

  /** Tells the processor that everything in the shard is processed. */
  endShard(): Promise<CallOutcome> {
    return this.#callUser('shardEnded', this.#signals.interrupt, (_, signal) =>
      this.#user().shardEnded(this.#lastWords(signal))
    )
  }

  /** The end of the shard is stored. */
  finish(): void {
    this.#progress.finish()
  }

  /** Asks the processor to flush and to checkpoint. */
  async requestShutdown(): Promise<CallOutcome> {
    // The last one is gone, and left nothing to flush.
    if (this.#processor === undefined) return { kind: 'done' }
    // Somebody is waiting for the shard, and nobody reads it meanwhile: no patience.
    const { policy } = this.#options
    const hurried = { ...policy, attempts: Math.min(policy.attempts, DRAIN_ATTEMPTS), backoff: DRAIN_BACKOFF }
    const shutDown: UserWork = (_, signal) => this.#user().shutdownRequested(this.#lastWords(signal))
    return this.#callUser('shutdownRequested', this.#signals.giveUp, shutDown, hurried)
  }

  /** Tells a processor that has been called before; one call, for there is nothing left to retry it for. */
  async tellLoss(): Promise<void> {
    const { shardId } = this.#options.tenure
    try {
      await this.#processor?.leaseLost({ shardId })
    } catch (cause) {
      this.#options.listener.processorFailed(new ProcessorError(shardId, 'leaseLost', 1, cause), undefined)
    }
  }

  /** Waits as long as the next processor is to wait, or until `signal` aborts. */
  pause(signal: AbortSignal): Promise<void> {
    return this.#options.clock.sleep(this.#pauseMs, signal)
  }

  /** Nothing is called any more. */
  close(): void {
    if (this.#processor instanceof ThreadProcessor) this.#processor.close()
  }

  /** What user code still checkpoints after that may be of records that it left undone because its signal aborted. */
  async #unlessAbandoned(write: () => Promise<void>): Promise<void> {
    const { leaseKey } = this.#options.tenure
    if (this.#signals.abandoned.aborted) throw new LeaseLostError(leaseKey, 'it was given back without waiting')
    await write()
  }

  /** What shardEnded and shutdownRequested are given. */
  #lastWords(signal: AbortSignal) {
    const { shardId } = this.#options.tenure
    return { shardId, checkpointer: this.#progress.checkpointer(this.#progress.settled, this.#lapsing()), signal }
  }

  async #callUser(
    method: string,
    interrupt: AbortSignal,
    work: UserWork,
    policy = this.#options.policy
  ): Promise<CallOutcome> {
    const { tenure, clock, random, listener } = this.#options
    const { giveUp } = this.#signals
    const outcome = await callUser({
      shardId: tenure.shardId,
      method,
      hold: tenure,
      call: (failures, calls) => withSignal([giveUp, tenure.lapse], signal => work(failures, signal, calls)),
      policy,
      isHopeless: cause =>
        cause instanceof OptionError && (this.#processor === undefined || cause.option === 'threads.module'),
      interrupt,
      clock,
      random,
      failed: (error, retryInMs) => listener.processorFailed(error, retryInMs)
    })
    return outcome.kind === 'gone' ? this.#startOver(method, outcome) : outcome
  }

  /** Makes ready for the next processor; or gives up, if too many have gone one after another. */
  async #startOver(method: string, gone: Extract<CallOutcome, { kind: 'gone' }>): Promise<CallOutcome> {
    const { tenure, random, listener, policy } = this.#options
    this.close()
    this.#processor = undefined
    await this.#progress.startOver()
    this.#gone += 1
    const error = new ProcessorError(tenure.shardId, method, this.#gone, gone.cause)
    const verdict = afterFailure(this.#gone, policy, random.next())
    // At a shutdown there is no next one.
    const isLast = method === 'shutdownRequested' || verdict.kind === 'give-up'
    listener.processorFailed(error, isLast ? undefined : verdict.inMs)
    if (verdict.kind === 'give-up') return { kind: 'gave-up', lastResort: verdict.lastResort, error }
    this.#pauseMs = verdict.inMs
    return gone
  }

  /** For a call that begins now: whether the session has lapsed since, so that the call is made again. Not once it is done. */
  #lapsing(upTo?: ExtendedSequenceNumber): () => boolean {
    const { lapse } = this.#options.tenure
    const isDone = (): boolean => upTo !== undefined && comparePositions(this.#progress.settled, upTo) >= 0
    return () => lapse.aborted && !this.#signals.giveUp.aborted && !isDone()
  }

  #user(): RecordProcessor {
    if (this.#processor === undefined) throw new BugError('The processor was not made before it was called')
    return this.#processor
  }
}
