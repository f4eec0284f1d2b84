// Has one batch settled: calls the user's code with it, again after failures, in halves while the bad record is looked for, and
// gives records up where the policy says so. What is called next is decided in batch-state.ts, what a failure means in
// failure-rules.ts.
import { HandlerTimeoutError, ProcessorError, type ProcessorGoneError, RecordTooOldError } from '../model/errors.ts'
import type { ConsumedRecord } from '../model/record.ts'
import { afterFailure, type FailureVerdict, type GivingUp } from '../processor/failure-rules.ts'
import type { ProcessRecordsOutcome } from '../processor/record-processor.ts'
import { type BatchCase, caseOf, isFresh, reopened, type Sentence } from './batch-case.ts'
import type { BatchDecoding } from './batch-decoding.ts'
import {
  afterFailedCall,
  afterGivingUp,
  afterSuccess,
  type BatchState,
  beginBatch,
  bisected,
  cutBefore,
  firstBeyond
} from './batch-state.ts'
import type { CallScope } from './call-limit.ts'
import { type CallJudgement, SettledRecords } from './settled-records.ts'
import { attemptCall, type CallOutcome, type CallSetting } from './user-call.ts'

/** One call with records of a batch. */
export interface BatchCall {
  /** Those of the call that are not settled yet, as the user's code is given them: decoded, if they are to be. */
  readonly records: readonly ConsumedRecord[]
  readonly settled: SettledRecords
  /** How many calls in a row have failed with these records. */
  readonly failures: number
  /** How many calls were made with records of this batch before, whatever came of them. */
  readonly calls: number
  /** The first record after these that is not settled; `undefined`: the batch ends with them. */
  readonly beyond: ConsumedRecord | undefined
  readonly scope: CallScope
  /** How many records of the batch could not be decoded. */
  readonly undecodable: number
}

/** Records that are given up, and why. */
export interface GivenUp {
  /** In order, never empty. */
  readonly records: readonly ConsumedRecord[]
  readonly how: GivingUp
  /** What the last call with them threw, or that they are too old. */
  readonly cause: unknown
  /** Where they have no reason in common: that of each. Absent: `cause` is that of all. */
  readonly causeOf?: (record: ConsumedRecord) => unknown
  /** How many calls with them have failed. */
  readonly attempts: number
}

/** What outlives a run whose processor is gone, until its records have been read again. */
export interface BatchMemory {
  known: BatchCase | undefined
}

/** How a batch is settled, and who is told. */
export interface BatchRunOptions {
  readonly setting: CallSetting
  /** Aborts when no further call is wanted. One under way is waited for. */
  readonly interrupt: AbortSignal
  call(call: BatchCall): ProcessRecordsOutcome | Promise<ProcessRecordsOutcome>
  /** Finds out, before a call, what is checkpointed by now; `calls` as in {@link BatchCall}. Absent: that is known. */
  readonly confirm?: ((calls: number) => Promise<void>) | undefined
  /** Whether a record is checkpointed by now, so that it is settled, whatever the call says. */
  isStored(record: ConsumedRecord): boolean
  /** Stores dead letters, or notes what is skipped. Another outcome than `done` ends the run. */
  giveRecordsUp(given: GivenUp): Promise<CallOutcome>
  /**
   * Stores what is settled, however long that takes. Absent: that is up to the user's code. Another outcome than `done` ends
   * the run.
   */
  readonly store?: (() => Promise<CallOutcome>) | undefined
  /** These records are settled; `open` is the first of the batch that is not. */
  settled(records: readonly ConsumedRecord[], open: ConsumedRecord | undefined): void
  /** Why the processor is not there any more, and whose call that is the doing of. `undefined`: it is there. */
  gone(): { readonly error: ProcessorGoneError; readonly blame: 'own' | 'another' | 'nobody' } | undefined
  readonly memory: BatchMemory
  /** Decodes the records before they are called with. Absent: they are given as they are. */
  readonly decoding?: BatchDecoding | undefined
}

const METHOD = 'processRecords'
const DONE: CallOutcome = { kind: 'done' }

/** Settles one batch. Made once, {@link run} once. */
export class BatchRun {
  readonly #options: BatchRunOptions
  #state: BatchState | undefined
  #calls = 0
  /** Of those since the records at hand were last taken up anew. */
  #failedCalls = 0

  constructor(batch: readonly ConsumedRecord[], options: BatchRunOptions) {
    this.#options = options
    this.#state = beginBatch(batch)
  }

  /** Resolves once the batch is settled. With any other outcome than `done` the rest of it is left as it is. */
  async run(): Promise<CallOutcome> {
    while (this.#state !== undefined) {
      const outcome = (await this.#beforeCall(this.#state)) ?? (await this.#callOnce(this.#state))
      if (outcome.kind !== 'done') return outcome
    }
    return DONE
  }

  /** What is to be done before anything is called; `undefined`: nothing. */
  #beforeCall(state: BatchState): Promise<CallOutcome | undefined> | undefined {
    const { memory, setting, decoding } = this.#options
    const isOften = memory.known === undefined && setting.policy.maxRecordAgeMs === Number.POSITIVE_INFINITY
    if (isOften) return decoding && this.#decode(state, decoding)
    const ready = this.#reopen(state).then(known => known ?? this.#giveUpOld(this.#state ?? state))
    return decoding ? ready.then(known => known ?? this.#decode(this.#state ?? state, decoding)) : ready
  }

  /** Decodes what is called next. `undefined`: the call can be made. */
  async #decode(state: BatchState, decoding: BatchDecoding): Promise<CallOutcome | undefined> {
    const { setting, interrupt } = this.#options
    if (interrupt.aborted) return { kind: 'interrupted' }
    const attempt = await decoding.decode(state.call, setting, interrupt)
    if (attempt.kind !== 'done') {
      // What takes too long may be the fault of a record; what the decoder itself has failed with is not.
      const isBlameless = attempt.kind === 'failed' && !(attempt.cause instanceof HandlerTimeoutError)
      return this.#judged(state, new SettledRecords(state.call, this.#options).judge(attempt), isBlameless)
    }
    const refused = decoding.refusedIn(state.call)
    if (refused.size === 0) return undefined
    await setting.hold.whenValid(interrupt)
    if (interrupt.aborted) return { kind: 'interrupted' }
    const { onError } = decoding
    const bad = state.call.filter(record => refused.has(record))
    if (onError === 'fail') return this.#failUndecoded(state, bad[0] as ConsumedRecord, decoding)
    const good = state.call.filter(record => !refused.has(record))
    const causeOf = (record: ConsumedRecord): unknown => refused.get(record)
    const given = { records: bad, how: onError, cause: causeOf(bad[0] as ConsumedRecord), causeOf, attempts: 0 }
    const next = good.length > 0 ? { ...state, call: good } : afterGivingUp(state)
    return this.#giveUp(given, good[0] ?? firstBeyond(state), next)
  }

  /** A record that cannot be decoded fails as one that the user's code fails with alone; what comes before it is called first. */
  #failUndecoded(
    state: BatchState,
    bad: ConsumedRecord,
    decoding: BatchDecoding
  ): Promise<CallOutcome | undefined> | undefined {
    const { call } = state
    const at = call.indexOf(bad)
    if (at > 0) {
      this.#state = cutBefore(state, at)
      return undefined
    }
    const cause = decoding.refusedIn(call).get(bad)
    // The next attempt is to decode it once more.
    decoding.forget(bad)
    const alone = call.length === 1 ? state : cutBefore(state, 1)
    return this.#failed(alone, { kind: 'failed', cause, done: [], failed: [bad], isNamed: true })
  }

  /** Goes on where a run has left off whose processor is gone. `undefined`: what is called next is known. */
  async #reopen(before: BatchState): Promise<CallOutcome | undefined> {
    const { memory } = this.#options
    const { known } = memory
    if (known === undefined || !isFresh(before)) return undefined
    const { state, left, isMet } = reopened(before, known)
    this.#state = state
    if (isMet) this.#failedCalls = known.failedCalls
    if (isMet && known.sentence !== undefined) {
      const given = { records: state.call, ...known.sentence }
      const outcome = await this.#giveUp(given, firstBeyond(state), afterGivingUp(state))
      if (outcome.kind !== 'done') return outcome
    }
    memory.known = left
    return isMet && known.sentence !== undefined ? DONE : undefined
  }

  /** Gives up what is too old to be tried, or tried again. `undefined`: nothing is. */
  async #giveUpOld(state: BatchState): Promise<CallOutcome | undefined> {
    const { maxRecordAgeMs, lastResort } = this.#options.setting.policy
    if (maxRecordAgeMs === Number.POSITIVE_INFINITY) return undefined
    const { setting, interrupt } = this.#options
    // As old as they are when they could be called with.
    await setting.hold.whenValid(interrupt)
    if (interrupt.aborted) return undefined
    const isOld = this.#ageLimit()
    const old = state.call.filter(isOld)
    if (old.length === 0) return undefined
    const young = state.call.filter(record => !isOld(record))
    const how = lastResort === 'skip' ? 'skip' : 'dead-letter'
    const given = {
      records: old,
      how,
      cause: new RecordTooOldError(maxRecordAgeMs),
      attempts: this.#failedCalls
    } as const
    const next = young.length > 0 ? { ...state, call: young } : afterGivingUp(state)
    return this.#giveUp(given, young[0] ?? firstBeyond(state), next)
  }

  /** Whether a record is too old to be called with now. */
  #ageLimit(): (record: ConsumedRecord) => boolean {
    const { clock, policy } = this.#options.setting
    const oldestMs = clock.epochMs() - policy.maxRecordAgeMs
    return ({ arrivedAtMs }) => arrivedAtMs !== undefined && arrivedAtMs <= oldestMs
  }

  async #callOnce(state: BatchState): Promise<CallOutcome> {
    const { setting, interrupt, confirm, decoding } = this.#options
    const { failures } = state
    const isAgeless = setting.policy.maxRecordAgeMs === Number.POSITIVE_INFINITY
    const beyond = firstBeyond(state)
    const records = new SettledRecords(state.call, this.#options)
    const begin = (scope: CallScope): ProcessRecordsOutcome | Promise<ProcessRecordsOutcome> => {
      // What was never called with is not stored; nor is it asked for.
      const open = this.#calls === 0 && confirm === undefined ? state.call : records.open()
      return open.length === 0
        ? undefined
        : this.#options.call({
            records: decoding === undefined ? open : decoding.given(open),
            settled: records,
            failures,
            calls: this.#calls++,
            beyond,
            scope,
            undecodable: decoding?.undecodable ?? 0
          })
    }
    const attempt = await attemptCall(
      setting,
      interrupt,
      confirm === undefined ? begin : scope => confirm(this.#calls).then(() => begin(scope)),
      {
        failureIn: setting.gate && (outcome => records.failureIn(outcome)),
        isOutdated: isAgeless ? undefined : () => state.call.some(this.#ageLimit())
      }
    )
    // It has waited for so long, for the breaker perhaps, that some are too old by now.
    if (attempt.kind === 'outdated') return DONE
    return this.#judged(state, records.judge(attempt))
  }

  /** What follows a call, or decoding for one. `isBlameless`: a failure says nothing of the records. */
  #judged(state: BatchState, judgement: CallJudgement, isBlameless = false): CallOutcome | Promise<CallOutcome> {
    this.#options.settled(judgement.done, judgement.failed[0] ?? firstBeyond(state))
    switch (judgement.kind) {
      case 'done':
        this.#state = afterSuccess(state)
        // While the bad one is looked for, what has failed before is still about those that are left.
        if (this.#state?.isHalf !== true) this.#failedCalls = 0
        return this.#store()
      case 'gone':
        if (this.#options.gone()?.blame === 'own') return this.#failed(state, { ...judgement, kind: 'failed' })
        this.#options.memory.known = caseOf(state, this.#failedCalls) ?? this.#options.memory.known
        return { kind: 'gone', cause: judgement.cause }
      case 'interrupted':
        if (judgement.cause !== undefined) this.#tellFailure(state.failures + 1, judgement.cause, undefined, 'retry')
        return { kind: 'interrupted' }
      case 'failed':
        return this.#failed(state, judgement, isBlameless)
    }
  }

  async #failed(
    before: BatchState,
    judgement: Extract<CallJudgement, { kind: 'failed' }>,
    isBlameless = false
  ): Promise<CallOutcome> {
    const { setting, interrupt } = this.#options
    const { clock } = setting
    const { cause, failed, isNamed } = judgement
    this.#failedCalls += 1
    this.#options.memory.known = undefined
    const stored = judgement.done.length > 0 ? await this.#store() : DONE
    if (stored.kind !== 'done') return stored
    const state = afterFailedCall(before, failed, { nowMs: clock.monotonicMs(), isNamed })
    const verdict = this.#judge(state, cause, isBlameless)
    if (verdict.kind === 'again') {
      this.#tellFailure(state.failures, cause, verdict.inMs, 'retry')
      this.#state = state
      const gone = this.#restart(state, verdict.inMs)
      if (gone === undefined) await clock.sleep(verdict.inMs, interrupt)
      return gone ?? DONE
    }
    if (verdict.kind === 'bisect') {
      this.#tellFailure(state.failures, cause, 0, 'bisect')
      this.#state = bisected(state)
      return this.#restart(this.#state, 0) ?? DONE
    }
    const { lastResort } = verdict
    const error = this.#tellFailure(state.failures, cause, undefined, lastResort)
    if (lastResort === 'halt' || lastResort === 'stop') return { kind: 'gave-up', lastResort, error }
    const sentence: Sentence = { how: lastResort, cause, attempts: this.#failedCalls }
    const gone = this.#restart(state, 0, sentence)
    return gone ?? this.#giveUp({ records: failed, ...sentence }, firstBeyond(state), afterGivingUp(state))
  }

  /** Where the processor is gone, the next one goes on with this once it has been read again. `undefined`: it is there. */
  #restart(state: BatchState, restartInMs: number, sentence?: Sentence): CallOutcome | undefined {
    const gone = this.#options.gone()
    if (gone === undefined) return undefined
    this.#options.memory.known = caseOf(state, this.#failedCalls, sentence)
    return { kind: 'gone', cause: gone.error, restartInMs }
  }

  #judge(state: BatchState, cause: unknown, isBlameless: boolean): FailureVerdict {
    const { place, clock, policy, random } = this.#options.setting
    const { call, failures, failedAtMs } = state
    const givesUp = policy.lastResort === 'dead-letter' || policy.lastResort === 'skip'
    const arrivals = call.flatMap(({ arrivedAtMs }) => arrivedAtMs ?? [])
    const failure = {
      error: cause,
      shardId: place.shardId,
      streamName: place.streamName,
      method: METHOD,
      records: call.length,
      attempt: failures,
      elapsedMs: clock.monotonicMs() - (failedAtMs ?? clock.monotonicMs()),
      ageMs: arrivals.length > 0 ? clock.epochMs() - arrivals.reduce((a, b) => Math.min(a, b)) : undefined
    }
    if (!isBlameless || !givesUp) return afterFailure(failure, policy, random.next(), state)
    // Unless the user decides otherwise, records that nothing is wrong with wait for as long as it takes.
    const patient = { ...policy, attempts: Number.POSITIVE_INFINITY, maxElapsedMs: Number.POSITIVE_INFINITY }
    return afterFailure(failure, patient, random.next())
  }

  async #giveUp(given: GivenUp, open: ConsumedRecord | undefined, next: BatchState | undefined): Promise<CallOutcome> {
    const outcome = await this.#options.giveRecordsUp(given)
    // What cannot be decoded is found again.
    if (outcome.kind === 'gone' && given.causeOf === undefined) {
      // Their payloads are gone with it: their letters are made once they have been read again.
      const { records, ...sentence } = given
      this.#options.memory.known ??= caseOf(beginBatch(records) as BatchState, given.attempts, sentence)
    }
    if (outcome.kind !== 'done') return outcome
    this.#options.settled(given.records, open)
    this.#state = next
    this.#failedCalls = 0
    return this.#store()
  }

  #store(): CallOutcome | Promise<CallOutcome> {
    return this.#options.store?.() ?? DONE
  }

  #tellFailure(
    attempt: number,
    cause: unknown,
    retryInMs: number | undefined,
    action: Parameters<CallSetting['failed']>[2]
  ): ProcessorError {
    const { place, failed } = this.#options.setting
    const error = new ProcessorError(place.shardId, METHOD, attempt, cause)
    failed(error, retryInMs, action)
    return error
  }
}
