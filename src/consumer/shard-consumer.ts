// Lives the life of one shard during one tenure: carries out what shard-state.ts says. Calls the user's code, one call at
// a time, and never delivers without knowing that the lease is still held.
import { ShardProgress } from '../checkpoint/checkpointer.ts'
import { deaggregate, type OutOfRange } from '../kpl/deaggregate.ts'
import type { Tenure } from '../leases/tenure.ts'
import {
  BugError,
  isRetryable,
  LeaseLostError,
  messageOf,
  OptionError,
  ProcessorError,
  WorkerStoppedError
} from '../model/errors.ts'
import type { Lease } from '../model/lease.ts'
import type { ConsumedRecord } from '../model/record.ts'
import { comparePositions, isRecordPosition } from '../model/sequence-number.ts'
import type { ChildShard } from '../model/shard.ts'
import type { FailurePolicy } from '../processor/failure-rules.ts'
import { asProcessor, type RecordProcessor } from '../processor/record-processor.ts'
import type { ReadReport, Retrieved, Retriever } from '../retrieval/retriever.ts'
import { whenAborted, withSignal } from '../runtime/abort.ts'
import { backoffMs } from '../runtime/backoff.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { ShardEndOutcome } from '../shards/shard-syncer.ts'
import { planDelivery } from './plan-delivery.ts'
import type { ShardListener } from './shard-listener.ts'
import { nextShardState, type ShardEvent, type ShardState } from './shard-state.ts'
import { type CallOutcome, callUser } from './user-call.ts'

/** What one shard is consumed with: its lease, the user's code, how to read it and how to end it, and who is told. */
export interface ShardConsumerOptions {
  readonly tenure: Tenure
  /** Makes the processor; called once, before initialize. */
  readonly processor: () => RecordProcessor
  readonly openRetriever: (
    lease: Lease,
    onRead: (report: ReadReport) => void,
    onRetry: (error: unknown, retryInMs: number, failures: number) => void
  ) => Retriever
  readonly parentsFinished: (lease: Lease, signal: AbortSignal) => Promise<boolean>
  /** Sees to it that every child has a lease, before the shard is marked as finished. */
  readonly settleShardEnd: (
    lease: Lease,
    children: readonly ChildShard[] | undefined,
    signal: AbortSignal
  ) => Promise<ShardEndOutcome>
  readonly policy: FailurePolicy
  readonly outOfRange: OutOfRange
  readonly clock: Clock
  readonly random: Random
  readonly listener: ShardListener
}

/** One call of the user's code: how often in a row it has failed before, and when it is to give up. */
type UserWork = (failures: number, signal: AbortSignal, calls: number) => void | Promise<void>

const PARENT_POLL_MS = 1_000
const DRAIN_ATTEMPTS = 3
const DRAIN_BACKOFF = { firstMs: 250, maxMs: 1_000 }
const END_RETRY = { firstMs: 500, maxMs: 15_000 }

/** One shard in one worker, for as long as one tenure of its lease lasts. Made once, {@link run} once. */
export class ShardConsumer {
  readonly tenure: Tenure
  readonly #options: ShardConsumerOptions
  readonly #drain = new AbortController()
  readonly #abandon = new AbortController()
  /** Aborts when no new work is to begin. */
  readonly #interrupt: AbortSignal
  /** Aborts when work under way is to be given up too. */
  readonly #giveUp: AbortSignal
  readonly #progress: ShardProgress
  #state: ShardState = 'waiting-for-parents'
  #processor: RecordProcessor | undefined
  #retriever: Retriever | undefined
  #end: Extract<Retrieved, { kind: 'end' }> | undefined
  #falseEnds = 0

  constructor(options: ShardConsumerOptions) {
    const { tenure } = options
    this.tenure = tenure
    this.#options = options
    this.#giveUp = AbortSignal.any([tenure.signal, this.#abandon.signal])
    this.#interrupt = AbortSignal.any([this.#giveUp, this.#drain.signal])
    this.#progress = new ShardProgress(tenure.lease.checkpoint, {
      checkpoint: position => this.#unlessAbandoned(() => tenure.checkpoint(position)),
      prepareCheckpoint: pending => this.#unlessAbandoned(() => tenure.prepareCheckpoint(pending))
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

  /** What user code still checkpoints after that may be of records that it left undone because its signal aborted. */
  async #unlessAbandoned(write: () => Promise<void>): Promise<void> {
    if (this.#abandon.signal.aborted)
      throw new LeaseLostError(this.tenure.leaseKey, 'it was given back without waiting')
    await write()
  }

  /** Resolves when the shard is done with here, and no user code is running any more. Never rejects. */
  async run(): Promise<void> {
    try {
      while (this.#state !== 'stopped') this.#move(await this.#work())
    } finally {
      this.#retriever?.close()
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
    const { checkpoint, pendingCheckpoint } = this.tenure.lease
    const outcome = await this.#callUser('initialize', this.#interrupt, () => {
      this.#processor ??= asProcessor(this.#options.processor())
      return this.#processor.initialize({
        shardId: this.tenure.shardId,
        checkpoint: isRecordPosition(checkpoint) ? checkpoint.sequenceNumber : undefined,
        subSequenceNumber: checkpoint.subSequenceNumber,
        pendingCheckpoint,
        signal: this.#giveUp
      })
    })
    return this.#eventOf(outcome, 'initialized')
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
    if (this.#interrupt.aborted) return this.#interruption()
    if (retrieved.kind === 'records') {
      this.#falseEnds = 0
      return this.#deliver(retrieved)
    }
    this.#end = retrieved
    return 'end-reached'
  }

  async #deliver(retrieved: Extract<Retrieved, { kind: 'records' }>): Promise<ShardEvent> {
    const { clock, listener, outOfRange } = this.#options
    const { millisBehindLatest } = retrieved
    const { hashKeyRange } = this.tenure.lease
    const read = deaggregate(retrieved.records, { outOfRange, ...(hashKeyRange && { hashKeyRange }) })
    if (read.outOfRange > 0 || read.corrupt > 0) listener.oddRecords(read)
    const { records, upTo } = planDelivery(read.records, read.last, this.#progress.settled)
    if (records.length === 0) {
      this.#progress.settle(upTo)
      return 'batch-settled'
    }
    const isDone = (): boolean => comparePositions(this.#progress.settled, upTo) >= 0
    const startedMs = clock.monotonicMs()
    const outcome = await this.#callUser('processRecords', this.#interrupt, (failures, signal, calls) => {
      // A processor may have checkpointed some of the batch before it failed, or was interrupted.
      const isLeft = (record: ConsumedRecord): boolean => comparePositions(record, this.#progress.stored) > 0
      // A copy each time: what the processor does to its array must not change what it is given again.
      const rest = calls === 0 ? records.slice() : records.filter(isLeft)
      if (rest.length === 0) return
      this.#progress.deliver(upTo)
      return this.#user().processRecords({
        shardId: this.tenure.shardId,
        records: rest,
        checkpointer: this.#progress.checkpointer(upTo, this.#lapsing(isDone)),
        millisBehindLatest,
        failures,
        signal
      })
    })
    if (outcome.kind !== 'done') return this.#eventOf(outcome, 'batch-settled')
    this.#progress.settle(upTo)
    const bytes = records.reduce((sum, record) => sum + record.data.length, 0)
    const durationMs = clock.monotonicMs() - startedMs
    listener.batchProcessed({ records: records.length, bytes, millisBehindLatest, durationMs })
    return this.tenure.hasEnded ? 'lease-lost' : 'batch-settled'
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
    const told = await this.#callUser('shardEnded', this.#interrupt, (_, signal) =>
      this.#user().shardEnded({
        shardId: this.tenure.shardId,
        checkpointer: this.#progress.checkpointer(this.#progress.settled, this.#lapsing()),
        signal
      })
    )
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
    this.#progress.finish()
    this.#options.listener.ended(childShardIds)
    return 'end-settled'
  }

  async #drainShard(): Promise<ShardEvent> {
    const shutDown: UserWork = (_, signal) =>
      this.#user().shutdownRequested({
        shardId: this.tenure.shardId,
        checkpointer: this.#progress.checkpointer(this.#progress.settled, this.#lapsing()),
        signal
      })
    // Somebody is waiting for the shard, and nobody reads it meanwhile: no patience.
    const { policy } = this.#options
    const hurried = { ...policy, attempts: Math.min(policy.attempts, DRAIN_ATTEMPTS), backoff: DRAIN_BACKOFF }
    const outcome = await this.#callUser('shutdownRequested', this.#giveUp, shutDown, hurried)
    if (outcome.kind !== 'done') return outcome.kind === 'gave-up' ? 'gave-up' : 'lease-lost'
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

  /** Tells a processor that has been called before; one call, for there is nothing left to retry it for. */
  async #tellLoss(): Promise<ShardEvent> {
    const { shardId } = this.tenure
    try {
      await this.#processor?.leaseLost({ shardId })
    } catch (cause) {
      this.#options.listener.processorFailed(new ProcessorError(shardId, 'leaseLost', 1, cause), undefined)
    }
    return 'told'
  }

  #callUser(
    method: string,
    interrupt: AbortSignal,
    work: UserWork,
    policy = this.#options.policy
  ): Promise<CallOutcome> {
    const { clock, random, listener } = this.#options
    return callUser({
      shardId: this.tenure.shardId,
      method,
      hold: this.tenure,
      call: (failures, calls) => withSignal([this.#giveUp, this.tenure.lapse], signal => work(failures, signal, calls)),
      policy,
      isHopeless: cause => cause instanceof OptionError && this.#processor === undefined,
      interrupt,
      clock,
      random,
      failed: (error, retryInMs) => listener.processorFailed(error, retryInMs)
    })
  }

  /** For a call that begins now: whether the session has lapsed since, so that the call is made again. Not once it is done. */
  #lapsing(isDone = (): boolean => false): () => boolean {
    const { lapse } = this.tenure
    return () => lapse.aborted && !this.#giveUp.aborted && !isDone()
  }

  #eventOf(outcome: CallOutcome, done: ShardEvent): ShardEvent {
    if (outcome.kind === 'done') return done
    if (outcome.kind === 'interrupted') return this.#interruption()
    this.#options.listener.gaveUp(outcome.error, outcome.lastResort)
    return 'gave-up'
  }

  #user(): RecordProcessor {
    if (this.#processor === undefined) throw new BugError('The processor was not made before it was called')
    return this.#processor
  }

  /** Closed as soon as it reads for nobody: user code that does not return must not keep it reading. */
  #openRetriever(): Retriever {
    if (this.#retriever !== undefined) return this.#retriever
    const { openRetriever, listener } = this.#options
    const retriever = openRetriever(
      this.tenure.lease,
      report => listener.read(report),
      (error, retryInMs, failures) => listener.failed({ during: 'read', error, retryInMs, failures })
    )
    this.#giveUp.addEventListener('abort', () => retriever.close(), { once: true })
    this.#retriever = retriever
    return retriever
  }
}
