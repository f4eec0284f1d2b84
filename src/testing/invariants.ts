// What must hold in a simulated world, checked at every write to the lease table and at every delivery, for one
// application: here what leases are about, in delivery-checks.ts the calls of the user's code. Each check costs a few look-ups:
// nothing walks through shards or records that the step is not about.
import type { Death, Member } from '../leases/control-store.ts'
import { isFinished, type Lease } from '../model/lease.ts'
import { comparePositions } from '../model/sequence-number.ts'
import {
  type BeginningCall,
  type DeliveryCall,
  DeliveryChecks,
  type DeliveryChecksOptions,
  type DeliveryCounts,
  type Processing
} from './delivery-checks.ts'
import { FailureBooks } from './failure-books.ts'
import { placeOf } from './fake-stream.ts'
import { GivenUpChecks } from './given-up-checks.ts'
import type { LettingGo } from './hand-overs.ts'
import { isOwnersWrite, type LeaseWrite } from './lease-writes.ts'
import { showPosition as show } from './shard-ledger.ts'

export type { DeliveryCall, DeliveryCounts, Processing } from './delivery-checks.ts'

/** What the checks need to know, and whom they tell. */
export interface InvariantsOptions extends DeliveryChecksOptions {
  /** How a worker lets go of a shard. */
  readonly lettingGo: (worker: string, shardId: string) => LettingGo
}

interface Claim {
  readonly session: string
  readonly writer: string
}

/** The invariants of one application. */
export class Invariants {
  /** Of the calls of the user's code. */
  readonly deliveries: DeliveryChecks
  /** Of what is given up. */
  readonly givenUp: GivenUpChecks
  readonly #options: InvariantsOptions
  readonly #rows = new Map<string, Lease>()
  /** The newest claim of each lease that the table took, kept after its end. */
  readonly #claims = new Map<string, Claim>()
  readonly #heldBy = new Map<string, number>()
  readonly #members = new Map<string, Member>()
  readonly #dead = new Set<string>()
  /** Whether workers of another kind share the table, which judge owners by other rules. */
  #isMixed = false
  #beganAtMs = Number.POSITIVE_INFINITY

  constructor(options: InvariantsOptions) {
    this.#options = options
    const books = new FailureBooks()
    this.deliveries = new DeliveryChecks(options, books)
    this.givenUp = new GivenUpChecks(options, books)
  }

  get counts(): DeliveryCounts {
    return this.deliveries.counts
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
    this.deliveries.streamDeleted()
  }

  /** Checks a write that the lease table took. */
  leaseWritten(write: LeaseWrite): void {
    if (!write.isWritten) return
    const { kind, leaseKey, before, after } = write
    this.#checkFence(write)
    if (kind === 'reset' && after !== undefined) this.#reset(before, after)
    else if (before !== undefined && after !== undefined) this.#checkCheckpoint(leaseKey, before, after)
    if (kind === 'create' && after !== undefined) this.#created(after)
    if (kind === 'claim' && after?.owner !== undefined) this.#claimed(write, after.owner)
    if (kind === 'release' && after !== undefined) {
      const { writer } = write
      this.deliveries.released(writer, leaseKey, after.checkpoint, this.#options.lettingGo(writer, leaseKey))
    }
    if (kind === 'remove') this.#options.ledgerOf(leaseKey).takenOver(this.#options.nowMs())
    this.#ownerChanged(before?.owner, after?.owner)
    if (after === undefined) this.#rows.delete(leaseKey)
    else this.#rows.set(leaseKey, after)
  }

  /** Checks a delivery that begins. To be called right before the code of the user is. */
  begin(beginning: BeginningCall): DeliveryCall {
    const { worker, shardId } = beginning
    this.#checkOwner(worker, shardId)
    this.#checkParents(shardId)
    return this.deliveries.begin(beginning)
  }

  /** A worker is no more: what it was doing goes on no more. */
  crashed(worker: Processing): void {
    this.deliveries.crashed(worker)
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

  /** An operator has said where the application begins anew. Not even he takes a lease from a session that lives. */
  #reset(before: Lease | undefined, after: Lease): void {
    const { owner } = before ?? {}
    const { leaseKey, checkpoint, startTimestampMs } = after
    if (owner !== undefined && this.#members.has(owner) && !this.#dead.has(owner)) {
      const message = `${leaseKey} was reset under ${owner}, which has no death certificate`
      this.#options.violated('unfounded-claim', message, leaseKey)
    }
    const ledger = this.#options.ledgerOf(leaseKey)
    ledger.takenOver(this.#options.nowMs())
    const isElsewhere = before === undefined || comparePositions(before.checkpoint, checkpoint) !== 0
    if (!isElsewhere && before.startTimestampMs === startTimestampMs) return
    this.deliveries.begunElsewhere(leaseKey)
    ledger.beginAnew(checkpoint, startTimestampMs ?? Number.NEGATIVE_INFINITY, this.#options.nowMs())
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
    this.deliveries.taken(writer, leaseKey)
    const { maxLeases } = this.#members.get(session) ?? {}
    const held = (this.#heldBy.get(session) ?? 0) + 1
    if (maxLeases !== undefined && held > maxLeases) {
      violated('max-leases', `${session} holds ${held} leases, at most ${maxLeases} are allowed`, leaseKey)
    }
  }

  #ownerChanged(before: string | undefined, after: string | undefined): void {
    if (before === after) return
    if (before !== undefined) this.#heldBy.set(before, (this.#heldBy.get(before) ?? 0) - 1)
    if (after !== undefined) this.#heldBy.set(after, (this.#heldBy.get(after) ?? 0) + 1)
  }

  /** Only the processor of the owner is given anything. */
  #checkOwner(worker: Processing, shardId: string): void {
    const { violated, isDriftExcessive } = this.#options
    const { owner } = this.#rows.get(shardId) ?? {}
    const claim = this.#claims.get(shardId)
    if (owner !== undefined && claim?.session === owner && claim.writer !== worker.name && !isDriftExcessive()) {
      violated('without-lease', `${worker.name} delivers ${shardId}, which ${owner} has claimed`, shardId)
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
}
