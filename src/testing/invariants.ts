// What must hold in a simulated world, checked at every write to the lease table and at every delivery, for one
// application. Each check costs a few look-ups: nothing walks through shards or records that the step is not about.
import type { Death, Member } from '../leases/control-store.ts'
import { isFinished, type Lease } from '../model/lease.ts'
import type { ConsumedRecord } from '../model/record.ts'
import { comparePositions, type ExtendedSequenceNumber, formatPosition } from '../model/sequence-number.ts'
import { placeOf } from './fake-stream.ts'
import { isOwnersWrite, type LeaseWrite } from './lease-writes.ts'
import type { ShardLedger } from './shard-ledger.ts'
import type { ViolationKind } from './violation.ts'

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

/** What the checks need to know, and whom they tell. */
export interface InvariantsOptions {
  readonly nowMs: () => number
  /** The books of a shard. */
  readonly ledgerOf: (shardId: string) => ShardLedger
  /** Whether clocks run so differently that a worker cannot know in time that its session is over. */
  readonly isDriftExcessive: () => boolean
  readonly violated: (kind: ViolationKind, message: string, shardId: string) => void
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

interface Claim {
  readonly session: string
  readonly writer: string
}

/** The invariants of one application. */
export class Invariants {
  readonly #options: InvariantsOptions
  readonly #rows = new Map<string, Lease>()
  /** The newest claim of each lease that the table took, kept after its end. */
  readonly #claims = new Map<string, Claim>()
  readonly #heldBy = new Map<string, number>()
  readonly #members = new Map<string, Member>()
  readonly #dead = new Set<string>()
  readonly #calls = new Map<string, Set<DeliveryCall>>()
  /** By key: the newest record that was delivered for the first time. */
  readonly #newest = new Map<string, ExtendedSequenceNumber>()
  readonly #counts = { deliveries: 0, duplicates: 0, gracefulDuplicates: 0 }
  /** Whether workers of another kind share the table, which judge owners by other rules. */
  #isMixed = false
  #beganAtMs = Number.POSITIVE_INFINITY

  constructor(options: InvariantsOptions) {
    this.#options = options
  }

  get counts(): DeliveryCounts {
    return { ...this.#counts }
  }

  /** The earliest time from which a lease says that it is read. Epoch milliseconds; Infinity: none says so. */
  get beganAtMs(): number {
    return this.#beganAtMs
  }

  /** A mailbox said in which mode the fleet is. */
  modeIs(mode: 'solo' | 'mixed'): void {
    this.#isMixed = mode === 'mixed'
  }

  memberChanged(member: Member): void {
    this.#members.set(member.session, member)
  }

  memberDied(session: string, _how: Death): void {
    this.#dead.add(session)
  }

  /** The lease table was deleted: everything begins anew, and what was done may be done again. */
  leasesLost(): void {
    for (const leaseKey of this.#rows.keys()) this.#options.ledgerOf(leaseKey).takenOver(this.#options.nowMs())
    for (const map of [this.#rows, this.#claims, this.#heldBy]) map.clear()
  }

  /** The stream was deleted: its records are out of the books. */
  streamDeleted(): void {
    this.#newest.clear()
    this.#calls.clear()
  }

  /** Checks a write that the lease table took. */
  leaseWritten(write: LeaseWrite): void {
    if (!write.isWritten) return
    const { kind, leaseKey, before, after } = write
    this.#checkFence(write)
    if (before !== undefined && after !== undefined) this.#checkCheckpoint(leaseKey, before, after)
    if (kind === 'create' && after !== undefined) this.#created(after)
    if (kind === 'claim' && after?.owner !== undefined) this.#claimed(write, after.owner)
    if (kind === 'release') this.#released(write)
    if (kind === 'remove') this.#options.ledgerOf(leaseKey).takenOver(this.#options.nowMs())
    this.#ownerChanged(before?.owner, after?.owner)
    if (after === undefined) this.#rows.delete(leaseKey)
    else this.#rows.set(leaseKey, after)
  }

  /** Checks a delivery that begins. To be called right before the code of the user is. */
  begin(worker: Processing, shardId: string, records: readonly ConsumedRecord[], signal: AbortSignal): DeliveryCall {
    const ledger = this.#options.ledgerOf(shardId)
    const known = records.flatMap(record => {
      const entry = ledger.puts.entryOf(record)
      return entry === -1 ? [] : [{ entry, record }]
    })
    const entries = known.map(({ entry }) => entry)
    const call = { worker, shardId, begunAtMs: this.#options.nowMs(), signal, entries }
    this.#checkOwner(call)
    this.#checkParents(shardId)
    this.#checkAgain(call, ledger)
    for (const { entry, record } of known) {
      if (ledger.deliver(entry)) this.#checkOrder(shardId, ledger, entry, record)
    }
    const calls = this.#calls.get(shardId) ?? new Set()
    this.#calls.set(shardId, calls.add(call))
    return call
  }

  /** The code of the user has done all of a call, or says so by a checkpoint. Not if it was told to stop. */
  vouch({ shardId, signal, entries }: DeliveryCall): void {
    if (signal.aborted) return
    const ledger = this.#options.ledgerOf(shardId)
    for (const entry of entries) ledger.vouch(entry)
  }

  /** A processor asks for a checkpoint: it says that what it was given up to there is done. */
  vouchUpTo(shardId: string, position: ExtendedSequenceNumber): void {
    this.#options.ledgerOf(shardId).vouchUpTo(position)
  }

  /** A call is over. `isDone`: it returned, and was not told to stop. */
  end(call: DeliveryCall, isDone: boolean): void {
    this.#calls.get(call.shardId)?.delete(call)
    if (!isDone || call.signal.aborted) return
    this.vouch(call)
    const ledger = this.#options.ledgerOf(call.shardId)
    for (const entry of call.entries) ledger.confirm(entry, call.begunAtMs)
  }

  /** A worker is no more: what it was doing goes on no more. */
  crashed(worker: Processing): void {
    for (const calls of this.#calls.values()) {
      for (const call of calls) if (call.worker === worker) calls.delete(call)
    }
  }

  /** An owner's write counts only if it is made from the row as it is, by whoever claimed it last. */
  #checkFence(write: LeaseWrite): void {
    const { kind, leaseKey, expected, before, writer } = write
    if (expected === undefined || before === undefined) return
    const isOwners = isOwnersWrite(write)
    const claim = this.#claims.get(leaseKey)
    const owner = expected.owner ?? 'nobody'
    if (before.owner !== expected.owner || before.counter !== expected.counter) {
      const found = `${before.owner ?? 'nobody'} at ${before.counter}`
      const message = `${writer} wrote a ${kind} of ${leaseKey} as of ${owner} at ${expected.counter}, over ${found}`
      this.#options.violated(isOwners ? 'zombie-write' : 'unfenced-write', message, leaseKey)
    } else if (isOwners && claim !== undefined && (claim.session !== expected.owner || claim.writer !== writer)) {
      const message = `${writer} wrote a ${kind} of ${leaseKey} as ${owner}; ${claim.session} claimed it last`
      this.#options.violated('zombie-write', message, leaseKey)
    }
  }

  #checkCheckpoint(leaseKey: string, before: Lease, after: Lease): void {
    const { checkpoint } = after
    const step = comparePositions(checkpoint, before.checkpoint)
    if (step === 0) return
    const said = show(checkpoint)
    if (step < 0) {
      const message = `the checkpoint of ${leaseKey} went back from ${show(before.checkpoint)} to ${said}`
      this.#options.violated('checkpoint-back', message, leaseKey)
      return
    }
    const ledger = this.#options.ledgerOf(leaseKey)
    const open = ledger.firstOpen(ledger.puts.entriesUpTo(checkpoint))
    if (open === -1) return
    const missed = placeOf(ledger.puts.sequenceNumberOf(open))
    const message = `the checkpoint of ${leaseKey} went to ${said} although record ${missed} is not processed`
    this.#options.violated('checkpoint-ahead', message, leaseKey)
  }

  #created({ leaseKey, checkpoint, startTimestampMs }: Lease): void {
    const ledger = this.#options.ledgerOf(leaseKey)
    const isPinned = checkpoint.sequenceNumber === 'LATEST' || checkpoint.sequenceNumber === 'AT_TIMESTAMP'
    if (!isPinned) {
      ledger.expectAfter(checkpoint)
      return
    }
    ledger.expectSince(startTimestampMs ?? Number.POSITIVE_INFINITY)
    this.#beganAtMs = Math.min(this.#beganAtMs, startTimestampMs ?? Number.POSITIVE_INFINITY)
  }

  #claimed({ leaseKey, writer, before, after }: LeaseWrite, session: string): void {
    const { violated, nowMs, ledgerOf } = this.#options
    const from = before?.owner
    if (from !== undefined) {
      ledgerOf(leaseKey).takenOver(nowMs())
      const isUnfounded = !this.#isMixed && this.#members.has(from) && !this.#dead.has(from)
      if (isUnfounded) {
        const message = `${session} claimed ${leaseKey} from ${from}, which has no death certificate`
        violated('unfounded-claim', message, leaseKey)
      }
    }
    if (after?.startTimestampMs !== undefined && before?.startTimestampMs === undefined) {
      ledgerOf(leaseKey).expectSince(after.startTimestampMs)
    }
    this.#claims.set(leaseKey, { session, writer })
    const { maxLeases } = this.#members.get(session) ?? {}
    const held = (this.#heldBy.get(session) ?? 0) + 1
    if (maxLeases !== undefined && held > maxLeases) {
      violated('max-leases', `${session} holds ${held} leases, at most ${maxLeases} are allowed`, leaseKey)
    }
  }

  /** A lease whose processor was told to stop and is still at work was not handed over properly. */
  #released({ leaseKey, writer }: LeaseWrite): void {
    for (const { worker, signal } of this.#calls.get(leaseKey) ?? []) {
      if (worker.name === writer && signal.aborted) this.#options.ledgerOf(leaseKey).takenOver(this.#options.nowMs())
    }
  }

  #ownerChanged(before: string | undefined, after: string | undefined): void {
    if (before === after) return
    if (before !== undefined) this.#heldBy.set(before, (this.#heldBy.get(before) ?? 0) - 1)
    if (after !== undefined) this.#heldBy.set(after, (this.#heldBy.get(after) ?? 0) + 1)
  }

  /** One shard, one processor at a time; and only the owner's. */
  #checkOwner({ worker, shardId }: DeliveryCall): void {
    const { violated, isDriftExcessive } = this.#options
    const { owner } = this.#rows.get(shardId) ?? {}
    const claim = this.#claims.get(shardId)
    if (owner !== undefined && claim?.session === owner && claim.writer !== worker.name && !isDriftExcessive()) {
      violated('without-lease', `${worker.name} delivers ${shardId}, which ${owner} has claimed`, shardId)
    }
    for (const other of this.#calls.get(shardId) ?? []) {
      // A process that stands still, or whose code was told to stop, has done what it could.
      const isExcused = other.worker !== worker && (other.worker.isPaused || isDriftExcessive())
      if (!other.worker.isAlive || isExcused || other.signal.aborted) continue
      const message = `${worker.name} delivers ${shardId}, which ${other.worker.name} is processing`
      violated('overlap', message, shardId)
    }
  }

  #checkParents(shardId: string): void {
    for (const parent of this.#rows.get(shardId)?.parentShardIds ?? []) {
      const row = this.#rows.get(parent)
      const ledger = this.#options.ledgerOf(parent)
      const open = ledger.firstOpen()
      if (open === -1 && (row === undefined || isFinished(row))) continue
      const state =
        open === -1
          ? `the checkpoint of ${parent} is ${show(row?.checkpoint)}`
          : `record ${placeOf(ledger.puts.sequenceNumberOf(open))} of ${parent} is not processed`
      this.#options.violated('child-early', `${shardId} is delivered, but ${state}`, shardId)
    }
  }

  #checkAgain({ worker, shardId, entries }: DeliveryCall, ledger: ShardLedger): void {
    this.#counts.deliveries += entries.length
    this.#counts.duplicates += entries.filter(entry => ledger.isDelivered(entry)).length
    const needless = entries.filter(entry => ledger.isNeedlessAgain(entry))
    const [first] = needless
    if (first === undefined) return
    this.#counts.gracefulDuplicates += needless.length
    const message = `${worker.name} delivers ${needless.length} processed records of ${shardId} again, from ${placeOf(ledger.puts.sequenceNumberOf(first))}`
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
    const message = `${show(record)} of key ${key} in ${shardId} is delivered after ${show(newest)}`
    this.#options.violated('order', message, shardId)
  }
}

/** A position in short. */
function show(position: ExtendedSequenceNumber | undefined): string {
  if (position === undefined) return 'nothing'
  const { sequenceNumber, subSequenceNumber } = position
  return formatPosition({ sequenceNumber: placeOf(sequenceNumber), subSequenceNumber })
}
