// Delivers records of one shard in several calls at once, or in batches of a size of their own: takes in what was read, has
// each lane's records settled in order, and has stored how far all of them are. Which records may be called together is decided
// in key-lanes.ts; what is settled is known to watermark.ts.
import { type Place, Watermark } from '../checkpoint/watermark.ts'
import { asConsumerError, type OptionError } from '../model/errors.ts'
import type { ConsumedRecord } from '../model/record.ts'
import { type ExtendedSequenceNumber, positionOf } from '../model/sequence-number.ts'
import type { RetrievedRecords } from '../retrieval/retriever.ts'
import { forMany, unlessAborted } from '../runtime/abort.ts'
import type { Clock } from '../runtime/clock.ts'
import { type Deferred, deferred } from '../runtime/deferred.ts'
import { KeyLanes, type LaneBatch, type LaneLimits, type Weighed } from './key-lanes.ts'
import { type LaneBy, laneKeyOf } from './lane-key.ts'
import type { Delivery } from './plan-delivery.ts'
import type { Mark, ProgressWriter } from './progress-writer.ts'
import type { ShardDelivery } from './shard-delivery.ts'
import type { BatchReport } from './shard-listener.ts'
import type { CallOutcome } from './user-call.ts'

/** A batch that is to be settled. */
export interface LaneCall {
  readonly records: readonly ConsumedRecord[]
  readonly millisBehindLatest: number
  /** What a bare checkpoint() in the call means; `undefined`: no more than what is settled. */
  readonly upTo: ExtendedSequenceNumber | undefined
  /** Whether somebody waits for the shard, so that there is no patience with failures. */
  readonly isHurried: boolean
  /** Aborts when no further attempt is wanted. */
  readonly interrupt: AbortSignal
  /** To be told before the user's code is called. */
  readonly begun: () => void
  /** To be told of the records that are settled. */
  readonly settled: (records: readonly ConsumedRecord[]) => void
}

/** How a shard is delivered in lanes, and with what. */
export interface LaneDeliveryOptions {
  /** How many calls may be under way. */
  readonly perShard: number
  readonly by: LaneBy
  /** How many records may be begun, or queued, past what is stored, or, without a writer, past what is settled. */
  readonly maxInFlight: number
  readonly limits: LaneLimits
  /** Everything up to here is settled. */
  readonly from: ExtendedSequenceNumber
  /** Makes what writes the watermark. Absent: checkpoints are the user's code's to make. */
  readonly makeWriter: ((mark: () => Mark, stored: () => void) => ProgressWriter) | undefined
  /** Whether the user's code keeps nothing in memory of what it has returned from. */
  readonly keepsNothing: boolean
  /** Takes an answer apart: what of it is to be delivered, and up to where it goes. */
  readonly unpack: (retrieved: RetrievedRecords, accepted: ExtendedSequenceNumber) => Delivery
  /** To be waited for before that. */
  readonly beforehand: (retrieved: RetrievedRecords) => Promise<void>
  readonly settleBatch: (call: LaneCall) => Promise<CallOutcome>
  /** Everything up to here is settled now. */
  readonly progressed: (position: ExtendedSequenceNumber) => void
  /** All of an answer is settled. `durationMs`: since it was taken in. */
  readonly answerSettled: (report: BatchReport) => void
  /** Aborts when nothing new is to begin. */
  readonly interrupt: AbortSignal
  /** Aborts when what is under way is to be given up too. */
  readonly giveUp: AbortSignal
  readonly clock: Clock
}

/** A record on its way. */
interface Ticket extends Place, Weighed {
  readonly record: ConsumedRecord
  /** How many came before it. */
  readonly number: number
  readonly millisBehindLatest: number
  /** Where everything up to it ends: at the record, or, with the last of an answer, where that does. */
  readonly upTo: ExtendedSequenceNumber
}

const DONE: CallOutcome = { kind: 'done' }
const INTERRUPTED: CallOutcome = { kind: 'interrupted' }

/** Delivers one shard in lanes. */
export class LaneDelivery implements ShardDelivery {
  readonly #options: LaneDeliveryOptions
  readonly #lanes: KeyLanes<Ticket>
  readonly #watermark: Watermark
  readonly #writer: ProgressWriter | undefined
  readonly #trouble = new AbortController()
  /** Aborts when calls that fail are not to be made again: on trouble, and at a shutdown until winding down. */
  #noRetry = new AbortController()
  /** Memory that is given back once what is in it is settled. */
  readonly #held = new Set<RetrievedRecords>()
  #accepted: ExtendedSequenceNumber
  #failure: CallOutcome | undefined
  /** How many calls are under way. */
  #calls = 0
  /** How many records were queued, ever. */
  #queued = 0
  /** The highest number of a record that the user's code was called with. */
  #begun = -1
  /** Whether nothing is begun any more but for what winding down needs. */
  #isStopping = false
  #isWindingDown = false
  #isClosed = false
  /** Somebody waits for a change. */
  #changed: Deferred | undefined
  /** Wakes when a lane has waited long enough. */
  #timer: { readonly atMs: number; readonly stop: AbortController } | undefined
  #isToldOfProgress = true
  readonly #unlisten: (() => void)[] = []

  constructor(options: LaneDeliveryOptions) {
    const { from, limits, interrupt, giveUp, makeWriter } = options
    this.#options = options
    this.#lanes = new KeyLanes(limits)
    this.#watermark = new Watermark(from)
    this.#accepted = from
    this.#writer = makeWriter?.(
      () => ({ position: this.#watermark.position, passed: this.#watermark.passed }),
      () => this.#pump()
    )
    forMany(this.#noRetry.signal)
    this.#listen(interrupt, () => this.#stop())
    this.#listen(giveUp, () => {
      this.#stop()
      // Nothing can be stored any more.
      this.#writer?.close()
    })
  }

  get accepted(): ExtendedSequenceNumber {
    return this.#accepted
  }

  get trouble(): AbortSignal {
    return this.#trouble.signal
  }

  settledAhead(): readonly ExtendedSequenceNumber[] {
    return this.#options.keepsNothing ? this.#watermark.beyond() : []
  }

  async accept(retrieved: RetrievedRecords): Promise<CallOutcome> {
    this.#held.add(retrieved)
    await this.#options.beforehand(retrieved)
    return this.#takeIn(retrieved)
  }

  async #takeIn(retrieved: RetrievedRecords): Promise<CallOutcome> {
    const { clock, by, unpack } = this.#options
    const { millisBehindLatest } = retrieved
    const { records, upTo } = unpack(retrieved, this.#accepted)
    const startedMs = clock.monotonicMs()
    const count = records.length
    let total = 0
    const stretch = this.#watermark.add(records, upTo, () => {
      this.#release(retrieved)
      const durationMs = clock.monotonicMs() - startedMs
      if (count > 0) this.#options.answerSettled({ records: count, bytes: total, millisBehindLatest, durationMs })
    })
    this.#accepted = upTo
    this.#noteProgress()
    for (let index = 0; index < count; ) {
      if (!this.#isGoingOn()) return this.#whenQuiet()
      const nowMs = this.#lanesMs()
      for (; index < count && this.#hasRoom(); index++) {
        const record = records[index] as ConsumedRecord
        const bytes = record.byteLength
        const to = index === count - 1 ? upTo : record
        total += bytes
        const key = laneKeyOf(record, by)
        if (key instanceof Error) return this.#refuse(key)
        const number = this.#queued++
        this.#lanes.add(key, { record, bytes, stretch, index, number, millisBehindLatest, upTo: to }, nowMs)
      }
      this.#pump()
      if (index === count) break
      // Nothing more fits: there is nothing left to wait for.
      if (this.#calls === 0) this.#deliverNow()
      await this.#change()
    }
    return this.#isGoingOn() ? DONE : this.#whenQuiet()
  }

  async flush(): Promise<CallOutcome> {
    this.#lanes.flush()
    this.#pump()
    while (this.#isGoingOn() && (this.#lanes.queued > 0 || this.#calls > 0)) await this.#change()
    this.#lanes.linger()
    if (!this.#isGoingOn()) return this.#whenQuiet()
    await this.#stored(this.#options.interrupt)
    return this.#isGoingOn() ? DONE : this.#whenQuiet()
  }

  async windDown(): Promise<void> {
    // Also where nobody has asked for an end: reading may have failed.
    this.#isStopping = true
    this.#noRetry.abort('over')
    await this.#whenQuiet()
    const { giveUp } = this.#options
    if (!giveUp.aborted && this.#failure === undefined) {
      // What is settled ahead of others is not to be processed again elsewhere: the others are settled too.
      this.#isWindingDown = true
      this.#noRetry = new AbortController()
      forMany(this.#noRetry.signal)
      this.#lanes.keep(({ number }) => number <= this.#begun)
      this.#lanes.flush()
      this.#pump()
      while (!giveUp.aborted && (this.#lanes.queued > 0 || this.#calls > 0)) await this.#change()
      await this.#whenQuiet()
    }
    this.#letGo()
    await this.#stored(giveUp)
  }

  close(): void {
    this.#isClosed = true
    for (const unlisten of this.#unlisten) unlisten()
    this.#timer?.stop.abort('closed')
    this.#writer?.close()
    this.#letGo()
    this.#tell()
  }

  /** Resolves when what is settled is stored, or nobody waits for that any more. */
  async #stored(signal: AbortSignal): Promise<void> {
    this.#noteProgress()
    if (this.#writer !== undefined) await unlessAborted(this.#writer.flush(), signal).catch(() => {})
  }

  /** Nothing of what was taken in is to be processed any more: neither it nor what it is in is kept. */
  #letGo(): void {
    this.#lanes.keep(() => false)
    this.#watermark.letGo()
    for (const retrieved of [...this.#held]) this.#release(retrieved)
  }

  /** Whether what is queued is to be processed. */
  #isGoingOn(): boolean {
    const { interrupt, giveUp } = this.#options
    if (this.#isClosed || giveUp.aborted || this.#trouble.signal.aborted) return false
    return this.#isWindingDown || !(interrupt.aborted || this.#isStopping)
  }

  /** Nobody is told of an end before the user's code has come to one. */
  async #whenQuiet(): Promise<CallOutcome> {
    while (this.#calls > 0) await this.#change()
    this.#noteProgress()
    if (this.#failure === undefined) return INTERRUPTED
    this.#letGo()
    // It may be long until somebody goes on here, or elsewhere: that is to begin after what is settled.
    await this.#stored(this.#options.giveUp)
    return this.#failure
  }

  #deliverNow(): void {
    this.#lanes.flush()
    this.#pump()
    this.#lanes.linger()
  }

  #hasRoom(): boolean {
    const passed = this.#writer?.storedPassed ?? this.#watermark.passed
    return this.#queued - passed < this.#options.maxInFlight
  }

  /** Without a key nobody knows which records must wait for each other: the shard ends before this one. */
  async #refuse(error: OptionError): Promise<CallOutcome> {
    const outcome = await this.flush()
    if (outcome.kind !== 'done') return outcome
    this.#fail({ kind: 'gave-up', lastResort: 'halt', error })
    return this.#whenQuiet()
  }

  /** Begins as many calls as may be under way; and again when records are due, unless the end of a call is to be waited for. */
  #pump(): void {
    const { perShard } = this.#options
    const nowMs = this.#lanesMs()
    while (this.#calls < perShard && this.#isGoingOn()) {
      const batch = this.#lanes.take(nowMs)
      if (batch === undefined) break
      void this.#call(batch)
    }
    const dueMs = this.#calls < perShard ? this.#lanes.dueMs() : undefined
    if (dueMs !== undefined && dueMs < (this.#timer?.atMs ?? Number.POSITIVE_INFINITY) && this.#isGoingOn()) {
      void this.#pumpAt(dueMs, nowMs)
    }
    this.#tell()
  }

  /** What time it is to the lanes. Where none of them waits for more, that is no matter. */
  #lanesMs(): number {
    return this.#options.limits.windowMs > 0 ? this.#options.clock.monotonicMs() : 0
  }

  async #pumpAt(atMs: number, nowMs: number): Promise<void> {
    this.#timer?.stop.abort('sooner')
    const stop = new AbortController()
    this.#timer = { atMs, stop }
    await this.#options.clock.sleep(Math.max(0, atMs - nowMs), stop.signal)
    if (stop.signal.aborted) return
    this.#timer = undefined
    this.#pump()
  }

  async #call(batch: LaneBatch<Ticket>): Promise<void> {
    const last = batch.items.at(-1) as Ticket
    let left = batch.items
    this.#calls += 1
    const call: LaneCall = {
      records: batch.items.map(({ record }) => record),
      millisBehindLatest: last.millisBehindLatest,
      upTo: this.#options.by === 'one' ? positionOf(last.upTo) : undefined,
      isHurried: this.#isWindingDown,
      interrupt: this.#noRetry.signal,
      begun: () => {
        this.#begun = Math.max(this.#begun, last.number)
      },
      settled: records => {
        if (records.length > 0) this.#begun = Math.max(this.#begun, last.number) // Given up without a call, perhaps.
        left = this.#settled(left, records)
      }
    }
    const outcome = await this.#outcomeOf(call)
    this.#calls -= 1
    const isOver = outcome.kind === 'gave-up' || outcome.kind === 'gone'
    if (isOver && !this.#isWindingDown) this.#fail(outcome)
    // In a hurry, what fails is left to whoever has the shard next, and so is what must not overtake it.
    if (this.#isWindingDown && left.length > 0) this.#lanes.abandon(batch)
    else this.#lanes.finish(batch, left)
    this.#pump()
  }

  /** What ought not to happen halts the shard: nobody waits for the call. */
  async #outcomeOf(call: LaneCall): Promise<CallOutcome> {
    try {
      return await this.#options.settleBatch(call)
    } catch (thrown) {
      return { kind: 'gave-up', lastResort: 'halt', error: asConsumerError(thrown) }
    }
  }

  /** Notes which of a call are settled. Those that are not. */
  #settled(tickets: readonly Ticket[], records: readonly ConsumedRecord[]): readonly Ticket[] {
    if (records.length === 0) return tickets
    const isAll = records.length === tickets.length && records.every((record, i) => record === tickets[i]?.record)
    const settled = isAll ? undefined : new Set(records)
    const left: Ticket[] = []
    for (const ticket of tickets) {
      if (settled?.has(ticket.record) === false) left.push(ticket)
      else this.#watermark.settle(ticket)
    }
    // Once for all those that are settled in the same moment.
    if (this.#isToldOfProgress) void Promise.resolve().then(() => this.#noteProgress())
    this.#isToldOfProgress = false
    return left
  }

  #stop(): void {
    // Winding down may have begun before somebody asks for it: it ends only when the shard is given up.
    if (!this.#isWindingDown || this.#options.giveUp.aborted) this.#noRetry.abort('over')
    this.#tell()
  }

  #fail(outcome: CallOutcome): void {
    this.#failure ??= outcome
    this.#noRetry.abort('over')
    this.#trouble.abort('failed')
  }

  #noteProgress(): void {
    this.#isToldOfProgress = true
    // The next processor begins at the checkpoint, whatever one that is gone has settled.
    if (this.#isClosed || this.#failure?.kind === 'gone') return
    const { position, passed } = this.#watermark
    this.#options.progressed(position)
    // Well before there is no room: records are to go on being begun while a write is under way.
    const unstored = passed - (this.#writer?.storedPassed ?? 0)
    this.#writer?.moved(unstored * 4 >= this.#options.maxInFlight)
  }

  #release(retrieved: RetrievedRecords): void {
    if (this.#held.delete(retrieved)) retrieved.release()
  }

  #listen(signal: AbortSignal, told: () => void): void {
    if (signal.aborted) told()
    else signal.addEventListener('abort', told, { once: true })
    this.#unlisten.push(() => signal.removeEventListener('abort', told))
  }

  /** Resolves with the next change. */
  #change(): Promise<void> {
    this.#changed ??= deferred()
    return this.#changed.promise
  }

  #tell(): void {
    const changed = this.#changed
    this.#changed = undefined
    changed?.resolve()
  }
}
