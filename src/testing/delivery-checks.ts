// What must hold of the calls of the user's code in a simulated world, for one application: nothing overlaps that must not, records
// of a key come and are settled in order, and nothing settled comes again without a reason.
//
// A record is settled when a call has returned without naming it as failed, or has settled it on its own, and was not told to stop
// before; or when it was given up: its dead letter is stored, or it was skipped by name. It may be delivered again after that only
// - if its worker was killed, or its session died, so that the lease was claimed from it;
// - if the lease was given back without the processor: the grace of a stop, or the time of a drain, was over;
// - if it lies behind a record that the worker could not settle in the end: it halted the shard at that one, or has called for it in
//   vain since it was asked to let go; or if the worker had halted the shard at that one, went on later and let go before it was
//   past both;
// - if the call that settled it was told to stop before the worker had taken notice: its session was suspended;
// - if the shard is begun anew by a record processor, after it was halted: what that had not checkpointed comes again.
// A call that took too long has failed. It may still be running when its records are called for again, and settles nothing.
import { LEAVE_BEHIND_MS } from '../consumer/call-limit.ts'
import { HandlerTimeoutError } from '../model/errors.ts'
import type { ConsumedRecord } from '../model/record.ts'
import { comparePositions, type ExtendedSequenceNumber, TRIM_HORIZON } from '../model/sequence-number.ts'
import type { FailureBooks } from './failure-books.ts'
import { placeOf } from './fake-stream.ts'
import type { LettingGo } from './hand-overs.ts'
import { type ShardLedger, showPosition } from './shard-ledger.ts'
import type { ViolationKind } from './violation.ts'
import type { CallEnd } from './watched-processor.ts'

/** What matters of a worker. */
export interface Processing {
  /** Its name in the journal. */
  readonly name: string
  /** Whether it has not crashed. */
  readonly isAlive: boolean
  /** Whether it stands still. */
  readonly isPaused: boolean
}

/** One call of a processor that is under way. */
export interface DeliveryCall {
  /** Whose processor it is. */
  readonly worker: Processing
  /** Of which shard the records are. */
  readonly shardId: string
  /** Virtual milliseconds since the world began. */
  readonly begunAtMs: number
  /** What the processor was given: aborts when it is to stop. */
  readonly signal: AbortSignal
  /** The user records, by number: how many were put into the shard before each. */
  readonly entries: readonly number[]
}

/** How much was delivered. Counts are of user records. */
export interface DeliveryCounts {
  /** All of them. */
  readonly deliveries: number
  /** Deliveries beyond the first of each record, those after a failure of the processor among them. */
  readonly duplicates: number
  /** Of those, the ones that nothing but graceful changes of hands led to. */
  readonly gracefulDuplicates: number
}

/** A call that begins. */
export interface BeginningCall {
  readonly worker: Processing
  readonly shardId: string
  readonly records: readonly ConsumedRecord[]
  readonly signal: AbortSignal
  /** How many calls the worker may have under way for one shard. Default 1. */
  readonly atOnce?: number
}

/** What the checks need to know, and whom they tell. */
export interface DeliveryChecksOptions {
  readonly nowMs: () => number
  /** The books of a shard. */
  readonly ledgerOf: (shardId: string) => ShardLedger
  /** Whether records of a key keep their order. */
  readonly keepsOrder: () => boolean
  /** Whether clocks run so differently that a worker cannot know in time that its session is over. */
  readonly isDriftExcessive: () => boolean
  readonly violated: (kind: ViolationKind, message: string, shardId: string) => void
}

/** The checks of deliveries of one application. */
export class DeliveryChecks {
  readonly #options: DeliveryChecksOptions
  readonly #calls = new Map<string, Set<DeliveryCall>>()
  /** By call: what of it is settled one by one. */
  readonly #settled = new WeakMap<DeliveryCall, Set<number>>()
  /** By call: up to where it has checkpointed, or tried to. */
  readonly #said = new WeakMap<DeliveryCall, ExtendedSequenceNumber>()
  /** By key: the newest record that was delivered for the first time. */
  readonly #newest = new Map<string, ExtendedSequenceNumber>()
  readonly #books: FailureBooks
  readonly #counts = { deliveries: 0, duplicates: 0, gracefulDuplicates: 0 }

  constructor(options: DeliveryChecksOptions, books: FailureBooks) {
    this.#options = options
    this.#books = books
  }

  get counts(): DeliveryCounts {
    return { ...this.#counts }
  }

  /** The stream was deleted: its records are out of the books. */
  streamDeleted(): void {
    this.#newest.clear()
    this.#calls.clear()
  }

  /** Checks a call that begins. To be called right before the code of the user is. */
  begin({ worker, shardId, records, signal, atOnce = 1 }: BeginningCall): DeliveryCall {
    const ledger = this.#options.ledgerOf(shardId)
    const known = records.flatMap(record => {
      const entry = ledger.puts.entryOf(record)
      return entry === -1 ? [] : [{ entry, record }]
    })
    const entries = known.map(({ entry }) => entry)
    const call = { worker, shardId, begunAtMs: this.#options.nowMs(), signal, entries }
    this.#checkOverlap(call, ledger, atOnce)
    this.#checkAgain(call, ledger)
    for (const { entry, record } of known) {
      if (ledger.deliver(entry) && this.#options.keepsOrder()) this.#checkOrder(shardId, ledger, entry, record)
    }
    const calls = this.#calls.get(shardId) ?? new Set()
    this.#calls.set(shardId, calls.add(call))
    signal.addEventListener('abort', () => this.#toldToStop(call), { once: true })
    return call
  }

  /** The code of the user has settled one record of a call. Whether the worker takes notice is not known if it was told to stop. */
  settle(call: DeliveryCall, position: ExtendedSequenceNumber): void {
    const { shardId, begunAtMs, signal } = call
    const ledger = this.#options.ledgerOf(shardId)
    const entry = ledger.puts.entryOf(position)
    if (!call.entries.includes(entry) || !ledger.isOfNow(begunAtMs)) return
    if (signal.aborted) {
      ledger.vouch(entry)
      if (!isTooLong(signal)) return
      this.#settledOf(call).add(entry)
      this.#books.settled(call.worker.name, shardId, entry)
      return
    }
    this.#settledOf(call).add(entry)
    this.#settle(call, [entry])
    ledger.confirm(entry, begunAtMs)
  }

  /** A processor asks for a checkpoint: it says that what it was given up to there is done. */
  vouchUpTo(shardId: string, position: ExtendedSequenceNumber, call?: DeliveryCall): void {
    if (call !== undefined) this.#said.set(call, position)
    this.#options.ledgerOf(shardId).vouchUpTo(position)
  }

  /** A call is over. What it has not failed with is settled, unless it was told to stop before. */
  end(call: DeliveryCall, how: CallEnd): void {
    const { worker, shardId, signal, begunAtMs } = call
    this.#calls.get(shardId)?.delete(call)
    if (!this.#options.ledgerOf(shardId).isOfNow(begunAtMs)) return
    const open = this.#openOf(call)
    if (signal.aborted) {
      if (isTooLong(signal)) this.#books.left(worker.name, shardId, this.#notSaid(call, open), this.#options.nowMs())
      return
    }
    const ledger = this.#options.ledgerOf(shardId)
    const named = new Set(how.kind === 'failed' ? open : how.failed.map(position => ledger.puts.entryOf(position)))
    const failed = this.#notSaid(call, open).filter(entry => named.has(entry))
    const done = open.filter(entry => !named.has(entry))
    this.#settle(call, done)
    for (const entry of done) ledger.confirm(entry, begunAtMs)
    if (failed.length > 0) {
      this.#books.failed(worker.name, shardId, failed, how.kind === 'returned', this.#options.nowMs())
    }
    // It may be told to stop while what it has returned is on its way to the worker.
    const undo = (): void => {
      for (const entry of done) ledger.unconfirm(entry)
    }
    if (done.length > 0) signal.addEventListener('abort', undo, { once: true })
  }

  /** A worker has a lease anew. */
  taken(worker: string, shardId: string): void {
    this.#books.forget(worker, shardId)
  }

  /** A shard is begun anew somewhere else: the calls that are still under way are not about that any more. */
  begunElsewhere(shardId: string): void {
    this.#calls.delete(shardId)
  }

  /** A halted shard is begun anew by a record processor. */
  begunAnew(shardId: string): void {
    this.#options.ledgerOf(shardId).takenOver(this.#options.nowMs())
  }

  /** A lease was given back at `checkpoint`: what may be done again because of how that was. */
  released(worker: string, shardId: string, checkpoint: ExtendedSequenceNumber, how: LettingGo): void {
    const { isAbandoned, askedAtMs = Number.POSITIVE_INFINITY, isHalted, resumedAtMs } = how
    const ledger = this.#options.ledgerOf(shardId)
    const isAtWork = [...(this.#calls.get(shardId) ?? [])].some(
      call => call.worker.name === worker && call.signal.aborted && !isTooLong(call.signal)
    )
    if (isAbandoned || isAtWork) {
      ledger.takenOver(this.#options.nowMs())
      return
    }
    const from = ledger.puts.entriesUpTo(checkpoint)
    const first = ledger.firstUnconfirmed(from)
    if (resumedAtMs !== undefined) ledger.forgiveOlder(from, resumedAtMs)
    const { lastAtMs = Number.NEGATIVE_INFINITY } = this.#books.of(worker, shardId, first) ?? {}
    // One that does not return although it was told to stop has failed only when nobody waits for it any more.
    const calls = [...(this.#calls.get(shardId) ?? [])]
    const isHanging = calls.some(call => call.worker.name === worker && call.entries.includes(first))
    const failedAtMs = isHanging ? lastAtMs + LEAVE_BEHIND_MS : lastAtMs
    if (isHalted || failedAtMs >= askedAtMs) ledger.forgiveBehind(first)
  }

  /** A worker is no more: what it was doing goes on no more. */
  crashed(worker: Processing): void {
    for (const calls of this.#calls.values()) {
      for (const call of calls) if (call.worker === worker) calls.delete(call)
    }
  }

  /** One shard, one call at a time, or one for each of its keys. */
  #checkOverlap(call: DeliveryCall, ledger: ShardLedger, atOnce: number): void {
    const { violated, isDriftExcessive } = this.#options
    const { worker, shardId } = call
    let together = 1
    for (const other of this.#calls.get(shardId) ?? []) {
      // A process that stands still, or whose code was told to stop, has done what it could.
      const isExcused = other.worker !== worker && (other.worker.isPaused || isDriftExcessive())
      if (!other.worker.isAlive || isExcused || other.signal.aborted) continue
      together += 1
      const isBeside = other.worker === worker && together <= atOnce && !this.#shareKeys(call, other, ledger)
      if (isBeside) continue
      const message = `${worker.name} delivers ${shardId}, which ${other.worker.name} is processing`
      violated('overlap', message, shardId)
    }
  }

  /** Whether two calls of a shard have a record, or records of a key, in common. */
  #shareKeys({ entries }: DeliveryCall, other: DeliveryCall, { puts }: ShardLedger): boolean {
    const idOf = (entry: number): number | string => (this.#options.keepsOrder() ? puts.orderKeyOf(entry) : entry)
    const ids = new Set(entries.map(idOf))
    return other.entries.some(entry => ids.has(idOf(entry)))
  }

  #checkAgain({ worker, shardId, entries }: DeliveryCall, ledger: ShardLedger): void {
    this.#counts.deliveries += entries.length
    this.#counts.duplicates += entries.filter(entry => ledger.isDelivered(entry)).length
    const needless = entries.filter(entry => ledger.isNeedlessAgain(entry))
    const [first] = needless
    if (first === undefined) return
    this.#counts.gracefulDuplicates += needless.length
    const message = `${worker.name} delivers ${needless.length} settled records of ${shardId} again, from ${placeOf(ledger.puts.sequenceNumberOf(first))}`
    this.#options.violated('graceful-duplicate', message, shardId)
  }

  #checkOrder(shardId: string, ledger: ShardLedger, entry: number, record: ConsumedRecord): void {
    const key = ledger.puts.orderKeyOf(entry)
    const newest = this.#newest.get(key)
    if (newest === undefined || comparePositions(record, newest) > 0) {
      const { sequenceNumber, subSequenceNumber } = record
      this.#newest.set(key, { sequenceNumber, subSequenceNumber })
      return
    }
    const message = `${showPosition(record)} of key ${key} in ${shardId} is delivered after ${showPosition(newest)}`
    this.#options.violated('order', message, shardId)
  }

  /** Which records of one call are settled first is for the user to say; those of others have to wait. */
  #settle({ worker, shardId, entries }: DeliveryCall, done: readonly number[]): void {
    const ledger = this.#options.ledgerOf(shardId)
    for (const entry of done) {
      ledger.vouch(entry)
      this.#books.settled(worker.name, shardId, entry)
    }
    if (!this.#options.keepsOrder()) return
    const together = new Set(entries)
    for (const entry of done) {
      const before = ledger.openBefore(entry, together)
      if (before === -1) continue
      const [early, late] = [entry, before].map(each => showPosition(ledger.puts.positionOf(each)))
      const message = `${worker.name} settles ${early} of key ${ledger.puts.orderKeyOf(entry)} in ${shardId} before ${late}`
      this.#options.violated('settled-early', message, shardId)
    }
  }

  #toldToStop(call: DeliveryCall): void {
    const { worker, shardId, signal } = call
    if (!isTooLong(signal) || !this.#calls.get(shardId)?.has(call)) return
    const open = this.#notSaid(call, this.#openOf(call))
    this.#books.failed(worker.name, shardId, open, false, this.#options.nowMs())
  }

  #openOf(call: DeliveryCall): number[] {
    const settled = this.#settled.get(call)
    return call.entries.filter(entry => settled?.has(entry) !== true)
  }

  /** What a call has checkpointed before it failed has not failed with the rest. */
  #notSaid(call: DeliveryCall, entries: readonly number[]): number[] {
    const { puts } = this.#options.ledgerOf(call.shardId)
    const said = puts.entriesUpTo(this.#said.get(call) ?? TRIM_HORIZON)
    return entries.filter(entry => entry >= said)
  }

  #settledOf(call: DeliveryCall): Set<number> {
    const known = this.#settled.get(call) ?? new Set()
    this.#settled.set(call, known)
    return known
  }
}

function isTooLong({ reason }: AbortSignal): boolean {
  return reason instanceof HandlerTimeoutError
}
