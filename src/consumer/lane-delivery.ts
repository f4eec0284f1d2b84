// Delivers records of one shard in several calls at once, or in batches of a size of their own: takes in what was read, has
// each lane's records settled in order, and has stored how far all of them are. Which records may be called together is decided
// in key-lanes.ts; what is settled is known to watermark.ts.
import { type Place, Watermark } from '../checkpoint/watermark.ts'
import { asConsumerError, messageOf, OptionError } from '../model/errors.ts'
import type { ConsumedRecord } from '../model/record.ts'
import { type ExtendedSequenceNumber, formatPosition, positionOf } from '../model/sequence-number.ts'
import type { RetrievedRecords } from '../retrieval/retriever.ts'
import { forMany } from '../runtime/abort.ts'
import type { Clock } from '../runtime/clock.ts'
import { type Deferred, deferred } from '../runtime/deferred.ts'
import type { LaneKey } from './delivery-options.ts'
import { KeyLanes, type LaneBatch, type LaneLimits } from './key-lanes.ts'
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
  /** `one`: a single lane, so that batches follow each other. */
  readonly by: LaneKey | 'one'
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
interface Ticket {
  readonly record: ConsumedRecord
  readonly place: Place
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
  #isWindingDown = false
  #isClosed = false
  #changed: Deferred = deferred()
  #timer: AbortController | undefined

  constructor(options: LaneDeliveryOptions) {
    const { from, limits, interrupt, giveUp, makeWriter } = options
    this.#options = options
    this.#lanes = new KeyLanes(limits)
    this.#watermark = new Watermark(from)
    this.#accepted = from
    this.#writer = makeWriter?.(
      () => ({ position: positionOf(this.#watermark.position), passed: this.#watermark.passed }),
      () => this.#pump()
    )
    const stop = (): void => {
      this.#noRetry.abort('over')
      this.#tell()
    }
    forMany(this.#noRetry.signal)
    for (const signal of [interrupt, giveUp]) {
      if (signal.aborted) stop()
      else signal.addEventListener('abort', stop, { once: true })
    }
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
    const { clock, unpack } = this.#options
    const { millisBehindLatest } = retrieved
    const { records, upTo } = unpack(retrieved, this.#accepted)
    const startedMs = clock.monotonicMs()
    const count = records.length
    let bytes = 0
    const stretch = this.#watermark.add(records, upTo, () => {
      this.#release(retrieved)
      const durationMs = clock.monotonicMs() - startedMs
      if (count > 0) this.#options.answerSettled({ records: count, bytes, millisBehindLatest, durationMs })
    })
    this.#accepted = upTo
    this.#noteProgress()
    for (let index = 0; index < records.length; ) {
      if (!this.#isGoingOn()) return this.#whenQuiet()
      for (; index < records.length && this.#hasRoom(); index++) {
        const record = records[index] as ConsumedRecord
        const isLast = index === records.length - 1
        const place = { stretch, index }
        const ticket = { record, place, number: this.#queued++, millisBehindLatest, upTo: isLast ? upTo : record }
        bytes += record.byteLength
        const key = this.#keyOf(record)
        if (key instanceof Error) return this.#refuse(key)
        this.#lanes.add(key, ticket, record.byteLength, startedMs)
      }
      this.#pump()
      if (index < records.length) await this.#changed.promise
    }
    return this.#isGoingOn() ? DONE : this.#whenQuiet()
  }

  async flush(): Promise<CallOutcome> {
    this.#lanes.flush()
    this.#pump()
    while (this.#isGoingOn() && (this.#lanes.queued > 0 || this.#calls > 0)) await this.#changed.promise
    this.#lanes.linger()
    if (!this.#isGoingOn()) return this.#whenQuiet()
    await this.#writer?.flush()
    return this.#isGoingOn() ? DONE : this.#whenQuiet()
  }

  async windDown(): Promise<void> {
    await this.#whenQuiet()
    const { giveUp } = this.#options
    if (!giveUp.aborted && this.#failure === undefined) {
      // What is settled ahead of others is not to be processed again elsewhere: the others are settled too.
      this.#isWindingDown = true
      this.#noRetry = new AbortController()
      forMany(this.#noRetry.signal)
      giveUp.addEventListener('abort', () => this.#noRetry.abort('over'), { once: true })
      const last = this.#begun
      this.#lanes.keep(({ number }) => number <= last)
      this.#lanes.flush()
      this.#pump()
      while (!giveUp.aborted && (this.#lanes.queued > 0 || this.#calls > 0)) await this.#changed.promise
      await this.#whenQuiet()
    }
    if (!giveUp.aborted) await this.#writer?.flush()
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.abort('closed')
    this.#writer?.close()
    for (const retrieved of [...this.#held]) this.#release(retrieved)
    this.#tell()
  }

  /** Whether what is queued is to be processed. */
  #isGoingOn(): boolean {
    const { interrupt, giveUp } = this.#options
    if (this.#isClosed || giveUp.aborted || this.#trouble.signal.aborted) return false
    return this.#isWindingDown || !interrupt.aborted
  }

  /** Nobody is told of an end before the user's code has come to one. */
  async #whenQuiet(): Promise<CallOutcome> {
    while (this.#calls > 0) await this.#changed.promise
    return this.#failure ?? INTERRUPTED
  }

  #hasRoom(): boolean {
    const passed = this.#writer?.storedPassed ?? this.#watermark.passed
    return this.#queued - passed < this.#options.maxInFlight
  }

  /** The key of the lane of a record; `undefined`: it needs none. An error where the user's code does not say. */
  #keyOf(record: ConsumedRecord): string | undefined | OptionError {
    const { by } = this.#options
    if (by === 'none') return undefined
    if (by === 'one') return ''
    if (by === 'key') return record.partitionKey
    try {
      const key: unknown = by(record)
      if (typeof key === 'string') return key
      return new OptionError(
        'concurrency.by',
        `returned a ${typeof key} for ${formatPosition(record)}, expected a text`
      )
    } catch (cause) {
      return new OptionError('concurrency.by', `threw for ${formatPosition(record)}: ${messageOf(cause)}`, { cause })
    }
  }

  /** Without a key nobody knows which records must wait for each other: the shard ends before this one. */
  async #refuse(error: OptionError): Promise<CallOutcome> {
    const outcome = await this.flush()
    if (outcome.kind !== 'done') return outcome
    this.#fail({ kind: 'gave-up', lastResort: 'halt', error })
    return this.#whenQuiet()
  }

  /** Begins as many calls as may be under way. */
  #pump(): void {
    const { clock, perShard } = this.#options
    const nowMs = clock.monotonicMs()
    while (this.#isGoingOn() && this.#calls < perShard) {
      const batch = this.#lanes.take(nowMs)
      if (batch === undefined) break
      void this.#call(batch)
    }
    const dueMs = this.#lanes.dueMs()
    if (dueMs !== undefined && this.#timer === undefined && this.#isGoingOn()) void this.#pumpAt(dueMs - nowMs)
    this.#tell()
  }

  async #pumpAt(inMs: number): Promise<void> {
    const timer = new AbortController()
    this.#timer = timer
    await this.#options.clock.sleep(Math.max(0, inMs), timer.signal)
    this.#timer = undefined
    if (!timer.signal.aborted) this.#pump()
  }

  async #call(batch: LaneBatch<Ticket>): Promise<void> {
    const tickets = new Map(batch.items.map(({ item }) => [item.record, item]))
    const last = batch.items.at(-1)?.item as Ticket
    this.#calls += 1
    const call: LaneCall = {
      records: batch.items.map(({ item }) => item.record),
      millisBehindLatest: last.millisBehindLatest,
      upTo: this.#options.by === 'one' ? positionOf(last.upTo) : undefined,
      isHurried: this.#isWindingDown,
      interrupt: this.#noRetry.signal,
      begun: () => {
        this.#begun = Math.max(this.#begun, last.number)
      },
      settled: records => {
        for (const record of records) {
          const ticket = tickets.get(record)
          if (ticket === undefined) continue
          this.#watermark.settle(ticket.place)
          tickets.delete(record)
        }
        this.#noteProgress()
      }
    }
    const outcome = await this.#options.settleBatch(call).catch(asOutcome)
    this.#calls -= 1
    const isOver = outcome.kind === 'gave-up' || outcome.kind === 'gone'
    if (isOver && !this.#isWindingDown) this.#fail(outcome)
    const left = batch.items.filter(({ item }) => tickets.has(item.record))
    // In a hurry, what fails is left to whoever has the shard next, and so is what must not overtake it.
    if (this.#isWindingDown && left.length > 0) this.#lanes.abandon(batch)
    else this.#lanes.finish(batch, left)
    this.#pump()
  }

  #fail(outcome: CallOutcome): void {
    this.#failure ??= outcome
    this.#noRetry.abort('over')
    this.#trouble.abort('failed')
  }

  #noteProgress(): void {
    this.#options.progressed(positionOf(this.#watermark.position))
    // Well before there is no room: records are to go on being begun while a write is under way.
    const unstored = this.#watermark.passed - (this.#writer?.storedPassed ?? 0)
    this.#writer?.moved(unstored * 4 >= this.#options.maxInFlight)
  }

  #release(retrieved: RetrievedRecords): void {
    if (this.#held.delete(retrieved)) retrieved.release()
  }

  #tell(): void {
    const changed = this.#changed
    this.#changed = deferred()
    changed.resolve()
  }
}

/** What ought not to happen halts the shard: nobody waits for the call. */
function asOutcome(thrown: unknown): CallOutcome {
  return { kind: 'gave-up', lastResort: 'halt', error: asConsumerError(thrown) }
}
