// The user's side of one shard: makes the processor, calls its methods other than processRecords, and knows how far it has
// come. What the shard is doing meanwhile is known to shard-consumer.ts; records are delivered by batch-calls.ts.
import { type Checkpointer, ShardProgress } from '../checkpoint/checkpointer.ts'
import type { ShardTracing } from '../kinesis/traced-ports.ts'
import type { Tenure } from '../leases/tenure.ts'
import { BugError, LeaseLostError, OptionError, ProcessorError } from '../model/errors.ts'
import type { ConsumedRecord } from '../model/record.ts'
import {
  comparePositions,
  type ExtendedSequenceNumber,
  formatPosition,
  isRecordPosition
} from '../model/sequence-number.ts'
import type { StreamNames } from '../model/stream-id.ts'
import { afterFailure, type FailurePolicy } from '../processor/failure-rules.ts'
import { keepsNothing } from '../processor/handler-processor.ts'
import { HostedProcessor } from '../processor/hosted-processor.ts'
import { LaneProcessor } from '../processor/lane-processor.ts'
import { asProcessor, type RecordProcessor, type ShardPlace } from '../processor/record-processor.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import { type CallScope, withinLimit } from './call-limit.ts'
import { CallTimers } from './call-timers.ts'
import { confirmOwnCheckpoint, type Holder, loadOwnCheckpoint, saveOwnCheckpoint } from './own-checkpoints.ts'
import type { ShardListener } from './shard-listener.ts'
import { type CallOutcome, type CallSetting, callUser } from './user-call.ts'

/** Whose code is called for which shard, what becomes of failures, and who is told. */
export interface ProcessorCallsOptions {
  readonly tenure: Tenure
  /** The stream that the shard is of. */
  readonly stream: StreamNames
  /** Makes the processor; called before initialize: once, and again after each processor that is gone. */
  readonly processor: () => RecordProcessor
  readonly policy: FailurePolicy
  /** How long a call may take. Milliseconds. */
  readonly handlerTimeoutMs: number
  readonly clock: Clock
  readonly random: Random
  readonly listener: Pick<ShardListener, 'processorFailed' | 'checkpointed'>
  /** Where spans go. Absent: nothing is traced. */
  readonly tracing?: ShardTracing | undefined
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

/** What is wrong with these stays wrong for every processor to come. */
const HOPELESS: readonly string[] = ['threads.module', 'executableName']
const DRAIN_ATTEMPTS = 3
const DRAIN_BACKOFF = { firstMs: 250, maxMs: 1_000 }

/** The calls of one processor, for one tenure of one shard. */
export class ProcessorCalls {
  readonly progress: ShardProgress
  /** What every call is told of the shard. */
  readonly place: ShardPlace
  readonly #options: ProcessorCallsOptions
  readonly #signals: CallSignals
  readonly #timers: CallTimers
  /** How many checkpoints are being written, and since when the first of them is. */
  #writes = 0
  #writingSinceMs: number | undefined
  #processor: RecordProcessor | undefined
  #keepsNothing = false
  /** How many processors in a row have gone without settling a batch. */
  #gone = 0
  /** How many have gone at the end of the shard, whatever they have settled before. */
  #goneAtEnd = 0
  /** How long to wait before the next one is made. Milliseconds. */
  #pauseMs = 0

  constructor(options: ProcessorCallsOptions, signals: CallSignals) {
    const { tenure, stream, clock } = options
    const { streamName, streamArn } = stream
    this.place = { shardId: tenure.shardId, streamName, streamArn }
    this.#options = options
    this.#signals = signals
    this.#timers = new CallTimers({ clock, abandoned: signals.abandoned, lingers: true })
    this.progress = new ShardProgress(tenure.lease.checkpoint, {
      checkpoint: position => this.#unlessAbandoned(() => this.#writeCheckpoint(position)),
      prepareCheckpoint: pending => this.#unlessAbandoned(() => tenure.prepareCheckpoint(pending)),
      save: (position, previous) =>
        this.#unlessAbandoned(() =>
          saveOwnCheckpoint(this.processor, this.#holder, { position, previous }, signals.giveUp)
        )
    })
  }

  /** The processor that there is. */
  get processor(): RecordProcessor {
    if (this.#processor === undefined) throw new BugError('The processor was not made before it was called')
    return this.#processor
  }

  /** Whether what the processor has returned from is done: it is a function, and has nothing to lose. */
  get keepsNothing(): boolean {
    // What has gone has told, and the next one is as it was.
    return this.#keepsNothing || (this.#processor !== undefined && keepsNothing(this.#processor))
  }

  /** How many records a call is given at most, where nothing else is said. */
  get recordsPerCall(): number {
    return this.#processor instanceof LaneProcessor ? this.#processor.recordsPerCall : Number.POSITIVE_INFINITY
  }

  /** Lives in a thread, or in another process; `undefined`: it does not. */
  get hosted(): HostedProcessor | undefined {
    return this.#processor instanceof HostedProcessor ? this.#processor : undefined
  }

  /**
   * Makes the processor and calls initialize. Every outcome `gone`, here and below, means that this is to be called again,
   * after a {@link pause}: the next processor begins at the checkpoint, for what the last one was given since went with it.
   */
  initialize(): Promise<CallOutcome> {
    const { tenure, processor } = this.#options
    const { interrupt, giveUp } = this.#signals
    return this.#callUser('initialize', interrupt, async () => {
      this.#processor ??= asProcessor(processor())
      await this.hosted?.enter({ ...this.place, checkpoint: tenure.lease.checkpoint }, interrupt)
      this.#keepsNothing = this.hosted?.keepsNothing ?? false
      this.progress.begin(await loadOwnCheckpoint(this.#processor, this.#holder, giveUp))
      const { settled } = this.progress
      return this.#processor.initialize({
        ...this.place,
        checkpoint: isRecordPosition(settled) ? settled.sequenceNumber : undefined,
        subSequenceNumber: settled.subSequenceNumber,
        pendingCheckpoint: tenure.lease.pendingCheckpoint,
        fencingToken: tenure.fencingToken,
        signal: giveUp
      })
    })
  }

  /** Tells the processor that everything in the shard is processed. */
  endShard(): Promise<CallOutcome> {
    return this.#callUser('shardEnded', this.#signals.interrupt, async ({ signal }) => {
      await this.#confirm()
      return this.processor.shardEnded(this.#lastWords(signal))
    })
  }

  /** The end of the shard is stored. */
  finish(): void {
    this.progress.finish()
  }

  /** Asks the processor to flush and to checkpoint. */
  async requestShutdown(): Promise<CallOutcome> {
    // The last one is gone, and left nothing to flush.
    if (this.#processor === undefined) return { kind: 'done' }
    const shutDown = async ({ signal }: CallScope): Promise<void> => {
      await this.#confirm()
      return this.processor.shutdownRequested(this.#lastWords(signal))
    }
    return this.#callUser('shutdownRequested', this.#signals.giveUp, shutDown, hurried(this.#options.policy))
  }

  /** Tells a processor that has been called before; one call, for there is nothing left to retry it for. */
  async tellLoss(): Promise<void> {
    const { listener, clock, handlerTimeoutMs: limitMs } = this.#options
    const { abandoned } = this.#signals
    try {
      // Nobody is called after this, so nothing is lost with a processor that does not return.
      await withinLimit({ limitMs, clock, abandoned }, [], () => this.#processor?.leaseLost({ ...this.place }))
    } catch (cause) {
      listener.processorFailed(new ProcessorError(this.place.shardId, 'leaseLost', 1, cause), undefined, 'retry')
    }
  }

  /** Waits as long as the next processor is to wait, or until `signal` aborts. */
  pause(signal: AbortSignal): Promise<void> {
    return this.#options.clock.sleep(this.#pauseMs, signal)
  }

  /** Lets the processor go, which is told so: the next one begins at the checkpoint. */
  async startAnew(): Promise<void> {
    await this.tellLoss()
    await this.#forget()
    this.#gone = 0
    this.#pauseMs = 0
  }

  /** Makes ready for the next processor, the last being gone; or gives up, if too many have gone one after another. */
  async startOver(method: string, gone: Extract<CallOutcome, { kind: 'gone' }>): Promise<CallOutcome> {
    const { random, listener, policy } = this.#options
    const { shardId, streamName } = this.place
    const isInnocent = this.hosted?.gone?.blame === 'another'
    await this.#forget()
    if (gone.restartInMs !== undefined) {
      this.#pauseMs = gone.restartInMs
      return gone
    }
    // Where it is another shard that ends threads, that one is given up some day, and not this one.
    const attempt = isInnocent ? 1 : method === 'shardEnded' ? ++this.#goneAtEnd : ++this.#gone
    const error = new ProcessorError(shardId, method, attempt, gone.cause)
    const failure = { error: gone.cause, shardId, streamName, method, records: 0, attempt }
    const verdict = isInnocent
      ? ({ kind: 'again', inMs: 0 } as const)
      : afterFailure({ ...failure, elapsedMs: 0, ageMs: undefined }, policy, random.next())
    if (verdict.kind !== 'again') {
      const lastResort = verdict.kind === 'give-up' ? verdict.lastResort : 'halt'
      listener.processorFailed(error, undefined, lastResort)
      return { kind: 'gave-up', lastResort, error }
    }
    // At a shutdown there is no next one.
    listener.processorFailed(error, method === 'shutdownRequested' ? undefined : verdict.inMs, 'retry')
    this.#pauseMs = verdict.inMs
    return gone
  }

  /** Since when a checkpoint is being written, which is tried again as long as that may help. Monotonic milliseconds; `undefined`: none is. */
  get writingSinceMs(): number | undefined {
    return this.#writes > 0 ? this.#writingSinceMs : undefined
  }

  /** A batch was settled: the processor that there is works. */
  proved(): void {
    this.#gone = 0
  }

  /** Records with all that they have, also where it was handed to a thread. Rejects with ProcessorGoneError if it is lost. */
  async whole(records: readonly ConsumedRecord[]): Promise<readonly ConsumedRecord[]> {
    return this.hosted?.recover(records) ?? records
  }

  /** Nothing is called any more. Resolves once nothing of the processor runs any more. */
  async close(): Promise<void> {
    this.#timers.clear()
    await this.hosted?.close()
  }

  /** What every call is made with. */
  setting(policy: FailurePolicy): CallSetting {
    const { tenure, clock, random, listener, handlerTimeoutMs } = this.#options
    return {
      place: this.place,
      hold: tenure,
      policy,
      limitMs: handlerTimeoutMs,
      giveUp: this.#signals.giveUp,
      timers: this.#timers,
      clock,
      random,
      turn: () => this.hosted,
      leftBehind: error => this.hosted?.endPlace(error) ?? error,
      failed: (error, retryInMs, action) => listener.processorFailed(error, retryInMs, action)
    }
  }

  /**
   * For a call that begins now: a bare checkpoint() means everything up to `upTo`, or, without that, everything that is settled by
   * now. Refuses it if the session has lapsed since, so that the call is made again; but not once it is done.
   */
  checkpointer(upTo: ExtendedSequenceNumber | undefined): Checkpointer {
    const { progress } = this
    const { lapse } = this.#options.tenure
    const isDone = (): boolean => upTo !== undefined && comparePositions(progress.settled, upTo) >= 0
    const isVoid = (): boolean => lapse.aborted && !this.#signals.giveUp.aborted && !isDone()
    return progress.checkpointer(upTo ?? progress.settled, isVoid)
  }

  get #holder(): Holder {
    return { place: this.place, tenure: this.#options.tenure }
  }

  async #forget(): Promise<void> {
    await this.close()
    this.#processor = undefined
    await this.progress.startOver()
  }

  /** What user code still checkpoints after that may be of records that it left undone because its signal aborted. */
  async #unlessAbandoned(write: () => Promise<void>): Promise<void> {
    const { leaseKey } = this.#options.tenure
    if (this.#signals.abandoned.aborted) throw new LeaseLostError(leaseKey, 'it was given back without waiting')
    await write()
  }

  async #writeCheckpoint(position: ExtendedSequenceNumber): Promise<void> {
    const { tenure, clock, listener, tracing } = this.#options
    const startedMs = clock.monotonicMs()
    const write = (): Promise<void> => tenure.checkpoint(position)
    if (this.#writes++ === 0) this.#writingSinceMs = startedMs
    try {
      if (tracing === undefined) await write()
      else await tracing.to.checkpoint({ ...tracing.facts, position: formatPosition(position) }, write)
    } finally {
      this.#writes -= 1
    }
    listener.checkpointed(position, clock.monotonicMs() - startedMs)
  }

  /** After a save that failed, what is saved is asked for. */
  #confirm(): Promise<void> {
    return confirmOwnCheckpoint(this.progress, false, this.processor, this.#holder, this.#signals.giveUp)
  }

  /** What shardEnded and shutdownRequested are given. */
  #lastWords(signal: AbortSignal) {
    return { ...this.place, checkpointer: this.checkpointer(undefined), signal }
  }

  async #callUser(
    method: string,
    interrupt: AbortSignal,
    call: (scope: CallScope) => void | Promise<void>,
    policy = this.#options.policy
  ): Promise<CallOutcome> {
    const outcome = await callUser({
      ...this.setting(policy),
      method,
      call,
      isHopeless: cause =>
        cause instanceof OptionError && (this.#processor === undefined || HOPELESS.includes(cause.option)),
      interrupt
    })
    return outcome.kind === 'gone' ? this.startOver(method, outcome) : outcome
  }
}

/** Somebody is waiting for the shard: a few attempts, one soon after another, and nothing is given up because of that. */
export function hurried({ attempts, backoff: _, decide: __, ...policy }: FailurePolicy): FailurePolicy {
  const patience = { attempts: Math.min(attempts, DRAIN_ATTEMPTS), backoff: DRAIN_BACKOFF }
  return { ...policy, ...patience, bisect: false, lastResort: 'halt', maxRecordAgeMs: Number.POSITIVE_INFINITY }
}
