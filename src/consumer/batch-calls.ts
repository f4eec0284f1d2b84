// Has batches settled by the processor of a shard: the calls of processRecords, what they may checkpoint, and what becomes of
// records that are given up.
import type { Checkpointer } from '../checkpoint/checkpointer.ts'
import { asConsumerError, CheckpointRefusedError, isRetryable, ProcessorGoneError } from '../model/errors.ts'
import type { ConsumedRecord } from '../model/record.ts'
import { comparePositions, type ExtendedSequenceNumber, positionOf } from '../model/sequence-number.ts'
import type { HostedProcessor } from '../processor/hosted-processor.ts'
import { LaneProcessor } from '../processor/lane-processor.ts'
import type { ProcessRecordsInput, RecordProcessor, ShardPlace } from '../processor/record-processor.ts'
import { ThreadProcessor } from '../processor/thread-processor.ts'
import { unlessAborted } from '../runtime/abort.ts'
import { backoffMs } from '../runtime/backoff.ts'
import { BatchDecoding, type DecodingOptions, LocalDecoder, ThreadDecoder } from './batch-decoding.ts'
import { type BatchCall, type BatchMemory, BatchRun, type GivenUp } from './batch-run.ts'
import type { CallScope } from './call-limit.ts'
import { type DeadLettering, type GiveUpOptions, giveUpRecords } from './give-up-records.ts'
import { confirmOwnCheckpoint } from './own-checkpoints.ts'
import { hurried, type ProcessorCalls, type ProcessorCallsOptions } from './processor-calls.ts'
import type { ShardListener } from './shard-listener.ts'
import type { CallGate, CallOutcome, CallSetting, Hold } from './user-call.ts'

/** What batches are settled with, beside the processor. */
export interface BatchCallsOptions
  extends Pick<ProcessorCallsOptions, 'tenure' | 'policy' | 'clock' | 'random' | 'tracing'> {
  /** Keeps calls back for a while when too many fail. Shared by all shards. */
  readonly breaker: CallGate | undefined
  readonly deadLettering: DeadLettering
  /** Absent: nothing is decoded. */
  readonly decoding?: DecodingOptions | undefined
  readonly listener: Pick<ShardListener, 'gaveUpRecords' | 'deadLetterFailed' | 'failed' | 'undecodable'>
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

const STORE_BACKOFF = { firstMs: 100, maxMs: 5_000 }
/** So often a checkpoint is tried that should not come out better the next time. */
const STORE_ATTEMPTS = 10

/** Settles the batches of one shard, one after another or, where the processor allows it, several at once. */
export class BatchCalls {
  readonly #calls: ProcessorCalls
  readonly #options: BatchCallsOptions
  readonly #setting: CallSetting
  readonly #hurriedSetting: CallSetting
  /** The last call of each batch. */
  readonly #underWay = new Set<CallScope>()
  readonly #memory: BatchMemory = { known: undefined }
  #storing = 0

  constructor(calls: ProcessorCalls, options: BatchCallsOptions) {
    const { tenure, policy, breaker, isPaused, whenResumed } = options
    this.#calls = calls
    this.#options = options
    const hold: Hold = {
      get lapse() {
        return tenure.lapse
      },
      get isPaused() {
        return isPaused()
      },
      whenValid: signal => {
        if (!isPaused() && tenure.isValid()) return undefined
        return whenResumed(signal).then(() => tenure.whenValid(signal))
      }
    }
    this.#setting = { ...calls.setting(policy), hold, gate: breaker }
    // Who is in a hurry cannot wait until the breaker closes.
    this.#hurriedSetting = { ...calls.setting(hurried(policy)), hold }
  }

  /** Since when the oldest call that is waited for is under way. Monotonic milliseconds; `undefined`: none is. */
  get calledSinceMs(): number | undefined {
    let oldestMs: number | undefined
    for (const { isOver, sinceMs } of this.#underWay) {
      if (!isOver && sinceMs !== undefined) oldestMs = Math.min(oldestMs ?? sinceMs, sinceMs)
    }
    return oldestMs
  }

  /** Whether dead letters are being stored. */
  get isStoringLetters(): boolean {
    return this.#storing > 0
  }

  /** Has records processed until all of them are settled. */
  async settle(batch: CalledBatch): Promise<CallOutcome> {
    const { records, upTo, interrupt } = batch
    const isOurs = upTo !== undefined && this.#calls.keepsNothing
    let current: CallScope | undefined
    const isUnderWay = (scope?: CallScope): void => {
      if (current !== undefined) this.#underWay.delete(current)
      if (scope !== undefined) this.#underWay.add(scope)
      current = scope
    }
    const outcome = await new BatchRun(records, {
      setting: batch.isHurried ? this.#hurriedSetting : this.#setting,
      interrupt,
      isStored: this.#isStored,
      call: call => {
        isUnderWay(call.scope)
        return this.#processRecords(batch, call)
      },
      confirm: this.#confirmation(),
      store: isOurs ? () => this.#store(interrupt) : undefined,
      settled: upTo === undefined ? batch.settled : (done, open) => this.#settled(batch, done, open),
      giveRecordsUp: given => this.#giveUp(given, batch),
      gone: this.#gone,
      memory: this.#memory,
      decoding: this.#decodingOf(batch, isUnderWay)
    }).run()
    isUnderWay()
    if (outcome.kind === 'gone') return this.#calls.startOver('processRecords', outcome)
    if (outcome.kind !== 'done') return outcome
    this.#calls.proved()
    return outcome
  }

  #decodingOf({ isHurried }: CalledBatch, underWay: (scope: CallScope) => void): BatchDecoding | undefined {
    const { decoding, tenure, clock, listener } = this.#options
    if (decoding === undefined) return undefined
    const { hosted } = this.#calls
    const decoder =
      decoding.decode !== undefined
        ? new LocalDecoder(decoding.decode, clock)
        : hosted instanceof ThreadProcessor && hosted.decodes
          ? new ThreadDecoder(hosted, tenure.shardId)
          : undefined
    // Who is in a hurry gives nothing up: whoever has the shard next does.
    const onError = isHurried ? 'fail' : decoding.onError
    return decoder && new BatchDecoding({ decoder, onError, underWay, listener })
  }

  readonly #isStored = (record: ConsumedRecord): boolean => comparePositions(record, this.#calls.progress.stored) <= 0

  readonly #gone = (): HostedProcessor['gone'] => this.#calls.hosted?.gone

  #settled({ records, upTo, settled }: CalledBatch, done: readonly ConsumedRecord[], open: ConsumedRecord | undefined) {
    const to = open === undefined ? upTo : before(open, records)
    if (to !== undefined) this.#calls.progress.settle(to)
    settled(done, open)
  }

  /** Where the processor keeps positions with its own data, those are asked for before it is called again. */
  #confirmation(): ((calls: number) => Promise<void>) | undefined {
    const { tenure, giveUp } = this.#options
    const { processor, progress, place } = this.#calls
    if (processor.loadCheckpoint === undefined) return undefined
    return calls => confirmOwnCheckpoint(progress, calls > 0, processor, { place, tenure }, giveUp)
  }

  #processRecords(batch: CalledBatch, call: BatchCall): ReturnType<RecordProcessor['processRecords']> {
    const { processor, progress, place } = this.#calls
    const { beyond, scope } = call
    const upTo = batch.upTo && (beyond === undefined ? batch.upTo : before(beyond, batch.records))
    if (upTo !== undefined) progress.deliver(upTo)
    batch.begun?.()
    const { fencingToken } = this.#options.tenure
    const given = new CallInput(place, fencingToken, batch.millisBehindLatest, call, () =>
      this.#checkpointer(upTo, scope)
    )
    const input = processor instanceof LaneProcessor ? given : given.whole()
    const { tracing } = this.#options
    if (tracing === undefined) return processor.processRecords(input)
    const { records, failures, undecodable } = call
    const facts = { ...tracing.facts, records, failures, ...(undecodable > 0 && { undecodable }) }
    return tracing.to.process(facts, () => processor.processRecords(input))
  }

  /** A bare checkpoint() means everything up to `upTo`, or, without that, everything that is settled by then. */
  #checkpointer(upTo: ExtendedSequenceNumber | undefined, scope: CallScope): Checkpointer {
    const fixed = upTo && this.#calls.checkpointer(upTo)
    const current = (at?: ExtendedSequenceNumber): Checkpointer => {
      if (scope.isLeftBehind) throw new CheckpointRefusedError('void', 'The call took too long and was left behind')
      // It may have returned early because its signal aborted, with records left undone.
      if (at === undefined && scope.isTooLong) {
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
    const whenValid = (signal: AbortSignal): Promise<void> => tenure.whenValid(signal)
    const options = { ...deadLettering, shardId: tenure.shardId, interrupt, giveUp, whenValid, clock, random, listener }
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

  /**
   * Checkpoints what is settled, for user code that does not: again and again, as long as that may help. It is no failure of the
   * user's code, and nothing more is delivered until it is stored: it would all come again.
   */
  async #store(interrupt: AbortSignal): Promise<CallOutcome> {
    const { tenure, clock, random, listener } = this.#options
    const { progress } = this.#calls
    for (let failures = 0; comparePositions(progress.settled, progress.stored) > 0; ) {
      await tenure.whenValid(interrupt)
      if (interrupt.aborted || tenure.hasEnded) return { kind: 'interrupted' }
      try {
        await this.#calls.checkpointer(undefined).checkpoint()
      } catch (error) {
        if (tenure.hasEnded) return { kind: 'interrupted' }
        // The session lapsed meanwhile.
        if (error instanceof CheckpointRefusedError) continue
        failures += 1
        const isHopeless = !isRetryable(error) && failures >= STORE_ATTEMPTS
        const retryInMs = isHopeless ? undefined : backoffMs(failures, STORE_BACKOFF, random.next())
        listener.failed({ during: 'checkpoint', error, failures, ...(retryInMs !== undefined && { retryInMs }) })
        if (retryInMs === undefined) return { kind: 'gave-up', lastResort: 'halt', error: asConsumerError(error) }
        await clock.sleep(retryInMs, interrupt)
      }
    }
    return { kind: 'done' }
  }
}

/** What a call is given, made as far as it is asked for. */
class CallInput implements ProcessRecordsInput {
  readonly fencingToken: number
  readonly millisBehindLatest: number
  readonly #place: ShardPlace
  readonly #call: BatchCall
  readonly #makeCheckpointer: () => Checkpointer

  constructor(
    place: ShardPlace,
    fencingToken: number,
    millisBehindLatest: number,
    call: BatchCall,
    makeCheckpointer: () => Checkpointer
  ) {
    this.#place = place
    this.fencingToken = fencingToken
    this.millisBehindLatest = millisBehindLatest
    this.#call = call
    this.#makeCheckpointer = makeCheckpointer
  }

  get shardId(): string {
    return this.#place.shardId
  }

  get streamName(): string {
    return this.#place.streamName
  }

  get streamArn(): string {
    return this.#place.streamArn
  }

  get failures(): number {
    return this.#call.failures
  }

  /** A copy each time: what the processor does to its array must not change what it is given again. */
  get records(): readonly ConsumedRecord[] {
    return this.#call.records.slice()
  }

  get checkpointer(): Checkpointer {
    return this.#makeCheckpointer()
  }

  get settle(): ProcessRecordsInput['settle'] {
    const { scope, settled } = this.#call
    return record => {
      if (!scope.isOver) settled.settle(record)
    }
  }

  get signal(): AbortSignal {
    return this.#call.scope.signal
  }

  /** All of it, as plain data. */
  whole(): ProcessRecordsInput {
    const { shardId, streamName, streamArn } = this.#place
    const { records, checkpointer, millisBehindLatest, failures, fencingToken, settle, signal } = this
    const place = { shardId, streamName, streamArn }
    return { ...place, records, checkpointer, millisBehindLatest, failures, fencingToken, settle, signal }
  }
}

/** The position of the record before `record` in its batch; `undefined`: it is the first. */
function before(record: ConsumedRecord, batch: readonly ConsumedRecord[]): ExtendedSequenceNumber | undefined {
  const previous = batch[batch.indexOf(record) - 1]
  return previous && positionOf(previous)
}
