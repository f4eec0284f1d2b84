// Has batches settled by the processor of a shard: the calls of processRecords, what they may checkpoint, and what becomes of
// records that are given up.
import type { Checkpointer } from '../checkpoint/checkpointer.ts'
import { CheckpointRefusedError, HandlerTimeoutError, ProcessorGoneError } from '../model/errors.ts'
import type { ConsumedRecord } from '../model/record.ts'
import { comparePositions, type ExtendedSequenceNumber, positionOf } from '../model/sequence-number.ts'
import type { RecordProcessor } from '../processor/record-processor.ts'
import { unlessAborted } from '../runtime/abort.ts'
import { type BatchCall, type BatchMemory, BatchRun, type GivenUp } from './batch-run.ts'
import type { CallScope } from './call-limit.ts'
import { type DeadLettering, type GiveUpOptions, giveUpRecords } from './give-up-records.ts'
import { confirmOwnCheckpoint } from './own-checkpoints.ts'
import { hurried, type ProcessorCalls, type ProcessorCallsOptions } from './processor-calls.ts'
import type { ShardListener } from './shard-listener.ts'
import type { CallGate, CallOutcome, Hold } from './user-call.ts'

/** What batches are settled with, beside the processor. */
export interface BatchCallsOptions extends Pick<ProcessorCallsOptions, 'tenure' | 'policy' | 'clock' | 'random'> {
  /** Keeps calls back for a while when too many fail. Shared by all shards. */
  readonly breaker: CallGate | undefined
  readonly deadLettering: DeadLettering
  readonly listener: Pick<ShardListener, 'gaveUpRecords' | 'deadLetterFailed'>
  /** Aborts when a call under way is to be given up. */
  readonly giveUp: AbortSignal
  /** Whether records are not to be delivered for now. */
  readonly isPaused: () => boolean
  /** Resolves when records may be delivered: the shard is not paused. Or `signal` aborts. */
  readonly whenResumed: (signal: AbortSignal) => Promise<void>
}

/** Records that are to be settled together. */
export interface CalledBatch {
  readonly records: readonly ConsumedRecord[]
  readonly millisBehindLatest: number
  /** What a bare checkpoint() means: at least the last of the records. `undefined`: no more than what is settled. */
  readonly upTo: ExtendedSequenceNumber | undefined
  /** Aborts when no further attempt is wanted. */
  readonly interrupt: AbortSignal
  /** Whether somebody waits for the shard: what fails is not tried for long, and nothing is given up for it. */
  readonly isHurried?: boolean
  /** The user's code is about to be called with some of them. */
  readonly begun?: () => void
  /** These are settled; `open` is the first of the batch that is not. */
  readonly settled: (records: readonly ConsumedRecord[], open: ConsumedRecord | undefined) => void
}

/** Settles the batches of one shard, one after another or, where the processor allows it, several at once. */
export class BatchCalls {
  readonly #calls: ProcessorCalls
  readonly #options: BatchCallsOptions
  readonly #hold: Hold
  /** The calls that are under way; those that were left behind may be among them. */
  readonly #underWay = new Set<{ readonly sinceMs: number; readonly scope: CallScope }>()
  readonly #memory: BatchMemory = { known: undefined }
  #storing = 0

  constructor(calls: ProcessorCalls, options: BatchCallsOptions) {
    const { tenure, isPaused, whenResumed } = options
    this.#calls = calls
    this.#options = options
    this.#hold = {
      get lapse() {
        return tenure.lapse
      },
      get isPaused() {
        return isPaused()
      },
      whenValid: async signal => {
        await whenResumed(signal)
        await tenure.whenValid(signal)
      }
    }
  }

  /** Since when the oldest call that is waited for is under way. Monotonic milliseconds; `undefined`: none is. */
  get calledSinceMs(): number | undefined {
    let oldestMs: number | undefined
    for (const call of this.#underWay) {
      if (call.scope.isOver) this.#underWay.delete(call)
      else oldestMs = Math.min(oldestMs ?? call.sinceMs, call.sinceMs)
    }
    return oldestMs
  }

  /** Whether dead letters are being stored. */
  get isStoringLetters(): boolean {
    return this.#storing > 0
  }

  /** Has records processed until all of them are settled. */
  async settle(batch: CalledBatch): Promise<CallOutcome> {
    const { breaker, policy } = this.#options
    const { records, upTo, interrupt, isHurried = false, settled } = batch
    const { progress } = this.#calls
    const isOurs = upTo !== undefined && this.#calls.keepsNothing
    const outcome = await new BatchRun(records, {
      ...this.#calls.setting(isHurried ? hurried(policy) : policy),
      hold: this.#hold,
      // Who is in a hurry cannot wait until it closes.
      gate: isHurried ? undefined : breaker,
      interrupt,
      isStored: record => comparePositions(record, progress.stored) <= 0,
      call: call => this.#processRecords(batch, call),
      confirm: this.#confirmation(),
      store: isOurs ? () => this.#storeQuietly() : undefined,
      settled: (done, open) => {
        const to = open === undefined ? upTo : before(open, records)
        if (upTo !== undefined && to !== undefined) progress.settle(to)
        settled(done, open)
      },
      giveRecordsUp: given => this.#giveUp(given, batch),
      gone: () => this.#calls.threaded?.gone,
      memory: this.#memory
    }).run()
    if (outcome.kind === 'gone') return this.#calls.startOver('processRecords', outcome)
    if (outcome.kind !== 'done') return outcome
    this.#calls.proved()
    // Where the last records were given up, no call has checkpointed past them.
    if (isOurs) await this.#storeQuietly()
    return outcome
  }

  /** Where the processor keeps positions with its own data, those are asked for before it is called again. */
  #confirmation(): ((calls: number) => Promise<void>) | undefined {
    const { tenure, giveUp } = this.#options
    const { processor, progress } = this.#calls
    if (processor.loadCheckpoint === undefined) return undefined
    return calls => confirmOwnCheckpoint(progress, calls > 0, processor, tenure, giveUp)
  }

  #processRecords(batch: CalledBatch, call: BatchCall): ReturnType<RecordProcessor['processRecords']> {
    const { tenure, clock } = this.#options
    const { scope, failures, settled, beyond } = call
    const upTo = batch.upTo && (beyond === undefined ? batch.upTo : before(beyond, batch.records))
    if (upTo !== undefined) this.#calls.progress.deliver(upTo)
    const underWay = { sinceMs: clock.monotonicMs(), scope }
    const isOver = (): boolean => this.#underWay.delete(underWay)
    this.#underWay.add(underWay)
    batch.begun?.()
    let outcome: ReturnType<RecordProcessor['processRecords']>
    try {
      outcome = this.#calls.processor.processRecords({
        shardId: tenure.shardId,
        // A copy each time: what the processor does to its array must not change what it is given again.
        records: call.records.slice(),
        checkpointer: this.#checkpointer(upTo, scope),
        millisBehindLatest: batch.millisBehindLatest,
        failures,
        fencingToken: tenure.fencingToken,
        settle: record => {
          if (!scope.isOver) settled.settle(record)
        },
        signal: scope.signal
      })
    } catch (error) {
      isOver()
      throw error
    }
    if (outcome instanceof Promise) outcome.then(isOver, isOver)
    else isOver()
    return outcome
  }

  /** A bare checkpoint() means everything up to `upTo`, or, without that, everything that is settled by then. */
  #checkpointer(upTo: ExtendedSequenceNumber | undefined, scope: CallScope): Checkpointer {
    const fixed = upTo && this.#calls.checkpointer(upTo)
    const current = (at?: ExtendedSequenceNumber): Checkpointer => {
      if (scope.isLeftBehind) throw new CheckpointRefusedError('void', 'The call took too long and was left behind')
      // It may have returned early because its signal aborted, with records left undone.
      if (at === undefined && scope.signal.reason instanceof HandlerTimeoutError) {
        throw new CheckpointRefusedError('void', 'The call took too long and has failed: name the record that is done')
      }
      return fixed ?? this.#calls.checkpointer(undefined)
    }
    return {
      checkpoint: async at => current(at).checkpoint(at),
      prepareCheckpoint: async (at, state) => {
        const { position, checkpoint } = await current(at).prepareCheckpoint(at, state)
        return {
          position,
          checkpoint: async () => {
            current(at)
            await checkpoint()
          }
        }
      }
    }
  }

  async #giveUp(given: GivenUp, { interrupt }: CalledBatch): Promise<CallOutcome> {
    const { tenure, deadLettering, giveUp, clock, random, listener } = this.#options
    this.#storing += 1
    const options = { ...deadLettering, shardId: tenure.shardId, interrupt, giveUp, clock, random, listener }
    return this.#withPayloads(given, options).finally(() => {
      this.#storing -= 1
    })
  }

  /** What a thread has is fetched from there first. */
  async #withPayloads(given: GivenUp, options: GiveUpOptions): Promise<CallOutcome> {
    if (given.how === 'skip') return giveUpRecords(given, options)
    let records: readonly ConsumedRecord[]
    try {
      records = await unlessAborted(this.#calls.whole(given.records), options.interrupt)
    } catch (cause) {
      if (options.interrupt.aborted) return { kind: 'interrupted' }
      if (cause instanceof ProcessorGoneError) return { kind: 'gone', cause }
      throw cause
    }
    return giveUpRecords({ ...given, records }, options)
  }

  /** Checkpoints what is settled. What cannot be stored now is stored with the next checkpoint, or done again. */
  async #storeQuietly(): Promise<void> {
    await this.#calls
      .checkpointer(undefined)
      .checkpoint()
      .catch(() => {})
  }
}

/** The position of the record before `record` in its batch; `undefined`: it is the first. */
function before(record: ConsumedRecord, batch: readonly ConsumedRecord[]): ExtendedSequenceNumber | undefined {
  const previous = batch[batch.indexOf(record) - 1]
  return previous && positionOf(previous)
}
