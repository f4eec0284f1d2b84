// The steps of one shard in the model of the leases. Every decision is asked of src; what is here is the order in which a
// worker asks, the network, which loses and delays, and what must never happen.
import type { Mailbox } from '../../../src/leases/control-store.ts'
import { checkpointed, claimed, finished, isFinished, type Lease, released } from '../../../src/model/lease.ts'
import {
  comparePositions,
  type ExtendedSequenceNumber,
  isRecordPosition,
  isShardEnd,
  TRIM_HORIZON
} from '../../../src/model/sequence-number.ts'
import type { ChildShard } from '../../../src/model/shard.ts'
import type { Rules } from './rules.ts'
import {
  type Change,
  type Contents,
  type Held,
  type Hold,
  type ShardWorld,
  type Write,
  withHold
} from './shard-world.ts'

/** A shard and its row at the beginning. */
export interface ShardSpec {
  readonly lease: Lease
  /** Whether the row is there from the beginning. */
  readonly isCreated: boolean
  /** How many records there are to read. Their positions are 1, 2 and so on. */
  readonly records: number
  /** What continues it. None: the shard stays open. */
  readonly children: readonly ChildShard[]
}

/**
 * What a leader may do. `wrong`: certificates come at any moment, and mailboxes list anything and name as dead who has a
 * certificate, or not. `liar`: mailboxes name living sessions as dead, too, and have their leases stolen.
 */
export type LeaderKind = 'wrong' | 'liar'

/** By what the steps of a shard are made. */
export interface ShardOptions {
  readonly rules: Rules
  readonly leader: LeaderKind
  /** How many writes may be on their way although nobody waits for them any more. */
  readonly maxLate: number
}

/** What the shard has to know of the sessions. */
export interface Fleet {
  /** The session of each worker; absent: it is down. */
  readonly sessions: readonly (string | undefined)[]
  /** Tells one such list from another. From 0. */
  readonly upId: number
  /** Sessions with a death certificate. */
  readonly dead: readonly string[]
}

/** The rows of the shard's relatives. */
export interface Relatives {
  /** Tells one such set from another. From 0. */
  readonly id: number
  readonly rows: ReadonlyMap<string, Lease>
}

/** A step of the shard alone. */
export interface ShardStep {
  readonly to: ShardWorld
  /** The row of a child that is created by it. */
  readonly creates?: Lease
  readonly label: string
  readonly violation?: string
}

/** A state of a shard, and all that its next steps depend on. */
export interface ShardFacts {
  readonly spec: ShardSpec
  readonly options: ShardOptions
  readonly world: ShardWorld
  readonly fleet: Fleet
  readonly relatives: Relatives
  /** The state with these contents. */
  readonly worldOf: (contents: Contents) => ShardWorld
}

/** What can happen next to one shard, whatever happens to others. */
export function stepsOfShard(facts: ShardFacts): readonly ShardStep[] {
  return new StepsOfShard(facts).all()
}

class StepsOfShard {
  readonly #facts: ShardFacts
  readonly #rules: Rules
  readonly #world: ShardWorld
  readonly #steps = new Map<number, ShardStep>()
  readonly #creations: ShardStep[] = []

  constructor(facts: ShardFacts) {
    this.#facts = facts
    this.#rules = facts.options.rules
    this.#world = facts.world
  }

  all(): readonly ShardStep[] {
    const { holds, late } = this.#world
    for (let worker = 0; worker < holds.length; worker++) {
      const session = this.#facts.fleet.sessions[worker]
      const hold = holds[worker]
      if (session === undefined) continue
      if (hold === undefined) this.#looks(worker, session)
      else if (hold.kind === 'claiming') this.#claims(worker, hold.write)
      else this.#holds(worker, hold)
    }
    for (const write of late) this.#landsLate(write)
    return [...this.#steps.values(), ...this.#creations]
  }

  /** A worker that does not hold the lease reads its mailbox, then the row, and sends a claim if it may. */
  #looks(worker: number, session: string): void {
    const { row } = this.#world
    for (const mailbox of this.#mailboxes(session)) {
      for (const owned of [NONE, new Set([this.#key])]) {
        const plan = this.#rules.planCarryOut({ mailbox, held: [], owned, avoid: NONE })
        if (![...plan.claim, ...plan.wait].includes(this.#key)) continue
        const verdict = this.#rules.judgeClaim(row, session, mailbox)
        if (verdict.kind !== 'claim' || row === undefined) continue
        const label = `${session} reads the row of ${this.#key}, and sends a claim (${verdict.why})`
        this.#take(withHold(this.#world, worker, claiming(session, row)), label)
      }
    }
  }

  /** A claim was sent. */
  #claims(worker: number, write: Write): void {
    const { by, before, after } = write
    const what = `the claim of ${this.#key} by ${by}`
    const idle = withHold(this.#world, worker, undefined)
    const { to, violation } = this.#land(write)
    if (to === undefined) {
      const verdict = this.#rules.judgeRefusal(before, by, this.#world.row)
      const again = verdict.kind === 'ours' ? claiming(by, verdict.lease) : undefined
      this.#take(withHold(this.#world, worker, again), `${what} is refused: ${verdict.kind}`)
    } else {
      const isReading = after.parentShardIds.length === 0
      const at = this.#numberOf(after.checkpoint)
      const skips = at > this.#world.done ? `${by} begins after record ${at}, which nobody has settled` : undefined
      const hold: Hold = { kind: 'held', by, lease: after, isReading, delivered: at, settled: at, isLatest: true }
      this.#take(withHold(to, worker, hold), `${what} lands`, violation ?? skips)
      this.#take(withHold(to, worker, undefined), `${what} lands, and its answer is lost`, violation)
    }
    this.#take(idle, `${what} is lost`)
    this.#delay(idle, write, `${what} is given up, and may land later`)
  }

  /** A tenure reads, writes, or ends without a write. */
  #holds(worker: number, hold: Held): void {
    this.#take(withHold(this.#world, worker, undefined), `${hold.by} gives up ${this.#key} without a write`)
    this.#reads(worker, hold)
    for (const change of hold.retry ? [hold.retry] : this.#changes(hold)) this.#writes(worker, hold, change)
  }

  #reads(worker: number, hold: Held): void {
    const { settled, delivered, isReading, by } = hold
    if (!isReading) {
      const parents = new Map(hold.lease.parentShardIds.flatMap(id => this.#rowsOf(id)))
      if (this.#rules.judgeParents(hold.lease, parents).kind !== 'finished') return
      const early = [...parents.values()].find(parent => !isFinished(parent))
      const violation = early && `${by} begins with ${this.#key} before ${early.leaseKey} is finished`
      const to = withHold(this.#world, worker, { ...hold, isReading: true })
      this.#take(to, `${by} finds the parents of ${this.#key} finished`, violation)
    } else if (delivered > settled) {
      const to = withHold(this.#world, worker, { ...hold, settled: delivered })
      const done = Math.max(this.#world.done, delivered)
      this.#take({ ...to, done }, `${by} has settled record ${delivered} of ${this.#key}`)
    } else if (delivered < this.#facts.spec.records) {
      const to = withHold(this.#world, worker, { ...hold, delivered: delivered + 1 })
      this.#take(to, `${by} is given record ${delivered + 1} of ${this.#key}`)
    }
  }

  /** What the tenure may be asked to write now. */
  #changes(hold: Held): Change[] {
    const { by, lease, settled, delivered } = hold
    const window = { stored: lease.checkpoint, delivered: positionOf(delivered) }
    const changes: Change[] = []
    // The user's code names any record, also one that it was not given. Naming one under way is saying that it is settled.
    for (let number = 0; number <= this.#facts.spec.records; number++) {
      if (number > settled && number <= delivered) continue
      const wish = number === 0 ? undefined : positionOf(number)
      const verdict = this.#rules.judgeCheckpoint(window, positionOf(settled), wish)
      if (verdict.kind !== 'write') continue
      changes.push({ kind: 'checkpoint', position: this.#numberOf(verdict.position) })
    }
    const held = [{ leaseKey: this.#key, isRevoked: false }]
    const isRevoked = this.#mailboxes(by).some(
      mailbox => this.#rules.planCarryOut({ mailbox, held, owned: NONE, avoid: NONE }).revoke.length > 0
    )
    if (isRevoked) changes.push({ kind: 'release' })
    if (this.#mayFinish(hold)) changes.push({ kind: 'finish' })
    return changes
  }

  /** Whether everything is settled and every child has a lease. Creates one that is missing. */
  #mayFinish({ by, lease, isReading, settled }: Held): boolean {
    const { spec, relatives } = this.#facts
    const { children, records } = spec
    const { stream } = spec.lease
    if (children.length === 0 || !isReading || settled < records || stream === undefined) return false
    const plan = this.#rules.planShardEnd({ lease, children, leases: relatives.rows, stream })
    if (plan.kind !== 'end') return false
    for (const creates of plan.create) {
      this.#creations.push({ to: this.#world, creates, label: `${by} creates the lease of ${creates.leaseKey}` })
    }
    return plan.create.length === 0
  }

  /** As `Tenure` writes: again until there is an answer, each time from the lease as it then knows it. */
  #writes(worker: number, { retry: _, ...hold }: Held, change: Change): void {
    const { by, lease, isLatest, settled } = hold
    const what = `the ${change.kind} of ${this.#key} by ${by}`
    const isEnd = change.kind !== 'checkpoint'
    const after = this.#changed(lease, change)
    if (after === undefined) {
      this.#take(withHold(this.#world, worker, isEnd ? undefined : hold), `${what} has landed before`)
      return
    }
    const write: Write = { kind: change.kind, by, before: lease, after, isLatest }
    const isBeyond = change.kind === 'checkpoint' && change.position > settled
    const beyond = isBeyond ? `${by} checkpoints record ${change.position}, and has settled ${settled}` : undefined
    const { to, violation = beyond } = this.#land(write)
    if (to === undefined) {
      const verdict = this.#rules.judgeRefusal(lease, by, this.#world.row)
      const next = verdict.kind === 'ours' ? { ...hold, lease: verdict.lease, retry: change } : undefined
      this.#take(withHold(this.#world, worker, next), `${what} is refused: ${verdict.kind}`, violation)
    } else {
      this.#take(withHold(to, worker, isEnd ? undefined : { ...hold, lease: after }), `${what} lands`, violation)
      const unsure = { ...hold, retry: change, isLatest: isLatest && !isEnd }
      this.#take(withHold(to, worker, unsure), `${what} lands, and its answer is lost`, violation)
    }
    const retrying = withHold(this.#world, worker, { ...hold, retry: change })
    this.#delay(retrying, write, `${what} is tried again, and its first attempt may land later`)
  }

  #changed(lease: Lease, change: Change): Lease | undefined {
    switch (change.kind) {
      case 'checkpoint': {
        const position = positionOf(change.position)
        return comparePositions(position, lease.checkpoint) > 0 ? checkpointed(lease, position) : undefined
      }
      case 'release':
        return lease.owner === undefined ? undefined : released(lease)
      case 'finish': {
        const children = this.#facts.spec.children.map(({ shardId }) => shardId)
        return isFinished(lease) ? undefined : finished(lease, children)
      }
    }
  }

  #delay(to: Contents, write: Write, label: string): void {
    if (to.late.length < this.#facts.options.maxLate) this.#take({ ...to, late: [...to.late, write] }, label)
  }

  /** A write that nobody waits for arrives all the same. */
  #landsLate(write: Write): void {
    const late = this.#world.late.filter(other => other !== write)
    const { to, violation } = this.#land(write, late)
    const label = `a late ${write.kind} of ${this.#key} by ${write.by}`
    if (to === undefined) this.#take({ ...this.#world, late }, `${label} is refused`)
    else this.#take(to, `${label} lands`, violation)
  }

  /** What the table makes of a write, and what is wrong with that. `to` absent: refused. */
  #land(write: Write, late = this.#world.late): { readonly to?: Contents; readonly violation?: string } {
    const { row, holds, done } = this.#world
    const next = this.#rules.replaceRow(row, write.before, write.after)
    if (next === undefined || row === undefined) return {}
    const violation = this.#wrongWith(write, row, next)
    const isTurn = write.kind !== 'checkpoint'
    const to: Contents = isTurn
      ? { row: next, holds: holds.map(asFormerHold), late: late.map(asFormerWrite), done }
      : { row: next, holds, late, done }
    return violation === undefined ? { to } : { to, violation }
  }

  #wrongWith({ kind, by, isLatest }: Write, row: Lease, next: Lease): string | undefined {
    const what = `the ${kind} of ${this.#key} by ${by} was accepted`
    const { owner = 'nobody' } = row
    if (isFinished(row)) return `${what}, and the shard is finished`
    if (next.counter !== row.counter + 1) return `${what}, and its counter went from ${row.counter} to ${next.counter}`
    if (comparePositions(next.checkpoint, row.checkpoint) < 0) return `${what}, and the checkpoint moved back`
    const at = this.#numberOf(next.checkpoint)
    if (at > this.#world.done) return `${what} at record ${at}, and only ${this.#world.done} is settled`
    if (kind === 'claim') {
      const mayClaim = row.owner === undefined || row.owner === by || this.#facts.fleet.dead.includes(owner)
      const isHonest = this.#facts.options.leader === 'wrong'
      return isHonest && !mayClaim ? `${what}, and ${owner} has it and no death certificate` : undefined
    }
    if (!isLatest) return `${what} although it was claimed or given back since; now ${owner} has it`
    const orphan = this.#facts.spec.children.find(({ shardId }) => this.#rowsOf(shardId).length === 0)
    return kind === 'finish' && orphan ? `${what} before ${orphan.shardId} had a lease` : undefined
  }

  /**
   * What a worker may find in its mailbox. The leader may write anything at any moment, so that no mailbox need be kept: the
   * next look may find any. Of the sessions that it may name as dead, all or none are named.
   */
  #mailboxes(session: string): Mailbox[] {
    const isLiar = this.#facts.options.leader === 'liar'
    const owner = this.#world.row?.owner
    const dead = owner !== undefined && (isLiar || this.#facts.fleet.dead.includes(owner)) ? [owner] : []
    const leases = [this.#key]
    const nothing: Mailbox = { ...EMPTY_MAILBOX, session }
    const listing = { ...nothing, leases }
    const mailboxes = [nothing, listing, { ...listing, dead }, { ...listing, dead, wait: leases }]
    return isLiar ? [...mailboxes, { ...listing, steal: leases }] : mailboxes
  }

  get #key(): string {
    return this.#facts.spec.lease.leaseKey
  }

  #rowsOf(shardId: string): [string, Lease][] {
    const row = this.#facts.relatives.rows.get(shardId)
    return row === undefined ? [] : [[shardId, row]]
  }

  #numberOf(position: ExtendedSequenceNumber): number {
    if (isShardEnd(position)) return this.#facts.spec.records
    return isRecordPosition(position) ? Number(position.sequenceNumber) : 0
  }

  #take(contents: Contents, label: string, violation?: string): void {
    const to = this.#facts.worldOf(contents)
    if (violation !== undefined) this.#steps.set(to.id, { to, label, violation })
    else if (to !== this.#world && !this.#steps.has(to.id)) this.#steps.set(to.id, { to, label })
  }
}

const NONE: ReadonlySet<string> = new Set()

const EMPTY_MAILBOX: Omit<Mailbox, 'session'> = {
  ver: 1,
  term: 1,
  mode: 'solo',
  leases: [],
  wait: [],
  dead: [],
  steal: [],
  evt: 0
}

function positionOf(number: number): ExtendedSequenceNumber {
  return number === 0 ? TRIM_HORIZON : { sequenceNumber: String(number), subSequenceNumber: 0 }
}

function claiming(by: string, before: Lease): Hold {
  return { kind: 'claiming', write: { kind: 'claim', by, before, after: claimed(before, by), isLatest: true } }
}

/** A tenure once somebody has claimed the lease, or it was given back. A claim under way may still be the next. */
function asFormerHold(hold: Hold | undefined): Hold | undefined {
  return hold?.kind === 'held' && hold.isLatest ? { ...hold, isLatest: false } : hold
}

function asFormerWrite(write: Write): Write {
  return write.kind === 'claim' ? write : { ...write, isLatest: false }
}
