// The two tables of one application in a simulated world: those in memory, with the semantics of DynamoDB around them.
// Eventually consistent reads are old, each row by itself; requests are counted and paid for; writes are told on.
import type { ControlStore, Death, LeaderLock, Mailbox, Member } from '../leases/control-store.ts'
import { itemBytes, leaseBytes, readUnits, writeUnits } from '../leases/item-size.ts'
import type { LeaseStore, WriteOutcome } from '../leases/lease-store.ts'
import { memoryControlStore } from '../leases/memory-control-store.ts'
import { memoryLeaseStore } from '../leases/memory-lease-store.ts'
import type { Orders } from '../leases/order-rules.ts'
import { ServiceError } from '../model/errors.ts'
import type { Lease } from '../model/lease.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import { type LeaseWrite, leaseWriteKind } from './lease-writes.ts'
import { RowHistory } from './row-history.ts'
import { type LeaseWriteKind, type RequestKind, TableUsage } from './table-usage.ts'

/** Is told of what happens in the tables, in the order in which it happens. */
export interface TableObserver {
  /** A write to the lease table was carried out or refused. */
  leaseWritten(write: LeaseWrite): void
  /** A session joined, or a heartbeat or the leader changed its item. */
  memberChanged(member: Member, before: Member | undefined, writer: string): void
  /** A session is dead from now on; `writer` found out, or is the one that left. */
  memberDied(session: string, how: Death, writer: string): void
  leaderChanged(lock: LeaderLock, writer: string): void
  mailboxPosted(mailbox: Mailbox, writer: string): void
  /** The orders to the leader are others now. */
  ordersChanged(orders: Orders, writer: string): void
  /** A table was deleted with all that was in it. */
  tableLost(which: TableRole): void
}

/** Which of the two tables. */
export type TableRole = 'leases' | 'control'

/** What the tables of an application are made of. */
export interface SimulatedTablesOptions {
  readonly tableName: string
  readonly controlTableName: string
  readonly clock: Clock
  readonly random: Random
  /** How old an eventually consistent read may be. Milliseconds. Asked at each. */
  readonly lagMs: () => number
  readonly observer: TableObserver
  /** Puts other tables in the place of those in memory. Default: nothing is changed. */
  readonly sabotage?: (tables: TablePair) => TablePair
}

/** The two tables of an application. */
export interface TablePair {
  /** The lease table. */
  readonly store: LeaseStore
  /** The control items. */
  readonly control: ControlStore
}

type WriteAbout = Pick<LeaseWrite, 'kind' | 'leaseKey' | 'writer' | 'expected'>

interface ChangeAbout {
  readonly kind: RequestKind
  readonly units: number
  readonly session: string
  readonly writer: string
}

/** The tables of one application, as a service: no latency and no faults, which are the line's business. */
export class SimulatedTables {
  /** What was asked for so far. */
  readonly usage = new TableUsage()
  readonly #options: SimulatedTablesOptions
  #store: LeaseStore
  #control: ControlStore
  /** The tables that were deleted and not created again. */
  readonly #gone = new Set<TableRole>()
  readonly #rows = new Map<string, Lease>()
  readonly #pastRows = new RowHistory<Lease>()
  readonly #pastMembers = new RowHistory<Member>()
  readonly #pastLocks = new RowHistory<LeaderLock>()
  readonly #pastOrders = new RowHistory<Orders>()
  /** The write that is under way, and those that wait for it. */
  #turn: Promise<unknown> = Promise.resolve()
  readonly #sizes = new WeakMap<Lease, number>()

  constructor(options: SimulatedTablesOptions) {
    this.#options = options
    const { store, control } = this.#newTables()
    this.#store = store
    this.#control = control
  }

  /** Every row of the lease table as it is now, by key. */
  get leases(): ReadonlyMap<string, Lease> {
    return this.#rows
  }

  /** Every session that has an item. */
  members(): Promise<Member[]> {
    return this.#control.members()
  }

  /** Who leads. */
  leader(): Promise<LeaderLock | undefined> {
    return this.#control.leader({ consistent: true })
  }

  /** Deletes a table with all that is in it. Calls fail with `not-found` until a worker that starts creates it again. */
  lose(which: TableRole): void {
    this.#gone.add(which)
    if (which === 'control') this.#control = this.#newTables().control
    else {
      this.#store = this.#newTables().store
      this.#rows.clear()
    }
    this.#options.observer.tableLost(which)
  }

  /** The lease table as one worker reaches it; or as an operator does, whose writes are all of the kind `reset`. */
  leaseStoreFor(writer: string, role: 'worker' | 'operator' = 'worker'): LeaseStore {
    const kindOr = (kind: LeaseWriteKind): LeaseWriteKind => (role === 'operator' ? 'reset' : kind)
    const { tableName } = this.#options
    return {
      tableName,
      prepare: signal => this.#prepare('leases', () => this.#store.prepare(signal)),
      list: options => this.#list(options),
      get: async (leaseKey, signal) => {
        const row = await this.#leases().get(leaseKey, signal)
        this.usage.count('read-lease', readUnits(this.#sizeOf(row), true))
        return row
      },
      create: lease => {
        const about = { kind: kindOr('create'), leaseKey: lease.leaseKey, writer }
        return this.#write(about, () => this.#leases().create(lease))
      },
      replace: (before, after) => {
        const kind = kindOr(leaseWriteKind(before, after))
        const about = { kind, leaseKey: before.leaseKey, writer, expected: before }
        return this.#write(about, () => this.#leases().replace(before, after))
      },
      remove: lease => {
        const about = { kind: 'remove', leaseKey: lease.leaseKey, writer, expected: lease } as const
        return this.#write(about, () => this.#leases().remove(lease))
      }
    }
  }

  /** The control items as one worker reaches them. */
  controlStoreFor(writer: string): ControlStore {
    return {
      tableName: this.#options.controlTableName,
      prepare: signal => this.#prepare('control', () => this.#control.prepare(signal)),
      ...this.#lifeFor(writer),
      ...this.#leadershipFor(writer),
      ...this.#ordersFor(writer),
      members: async signal => {
        const members = await this.#items().members(signal)
        const bytes = members.reduce((sum, member) => sum + itemBytes({ ...member }), 0)
        this.usage.count('read-members', readUnits(bytes, true))
        return members
      },
      member: async (session, signal) => {
        const now = await this.#items().member(session, signal)
        const member = this.#pastMembers.at(session, now, this.#someTimeAgo())
        this.usage.count('read-member', readUnits(member ? itemBytes({ ...member }) : 0, false))
        return member
      },
      reportLoads: async (session, loads) => {
        await this.#items().reportLoads(session, loads)
        this.usage.count('loads', writeUnits(itemBytes(loads)))
      },
      loads: async signal => {
        const loads = await this.#items().loads(signal)
        this.usage.count('read-loads', readUnits(itemBytes(loads), false))
        return loads
      },
      forget: async session => {
        const isForgotten = await this.#items().forget(session)
        // A read, and a deletion for each of member, mailbox and loads.
        this.usage.count('forget', 3)
        return isForgotten
      },
      clear: async () => {
        const members = await this.#items().members()
        const isCleared = await this.#items().clear()
        // Each session as above, and what there is one of.
        this.usage.count('forget', isCleared ? 3 * members.length + 3 : 1)
        return isCleared
      }
    }
  }

  #lifeFor(writer: string): Pick<ControlStore, 'join' | 'beat' | 'leave' | 'certify'> {
    const about = (kind: RequestKind, session: string, item: object = {}): ChangeAbout => {
      return { kind, units: writeUnits(itemBytes({ ...item })), session, writer }
    }
    return {
      join: report => this.#change(about('join', report.session, report), () => this.#items().join(report)),
      beat: (report, hb) =>
        this.#change(about('heartbeat', report.session, report), () => this.#items().beat(report, hb)),
      leave: report => this.#change(about('leave', report.session, report), () => this.#items().leave(report)),
      certify: (session, hb, how) =>
        this.#change(about('certificate', session), () => this.#items().certify(session, hb, how))
    }
  }

  #leadershipFor(writer: string): Pick<ControlStore, 'leader' | 'replaceLeader' | 'mailbox' | 'mailboxes' | 'post'> {
    return {
      leader: async (options = {}) => {
        const lock = await this.#items().leader(options)
        this.usage.count('read-leader', readUnits(0, options.consistent === true))
        return options.consistent ? lock : this.#pastLocks.at('', lock, this.#someTimeAgo())
      },
      replaceLeader: (before, after) =>
        this.#inTurn(async () => {
          const was = await this.#items().leader()
          const isReplaced = await this.#items().replaceLeader(before, after)
          this.usage.count('leader', 1)
          if (isReplaced && (was?.term !== after.term || was.who !== after.who)) {
            this.#note(this.#pastLocks, '', was)
            this.#options.observer.leaderChanged(after, writer)
          }
          return isReplaced
        }),
      mailbox: async (session, signal) => {
        const mailbox = await this.#items().mailbox(session, signal)
        this.usage.count('read-mailbox', readUnits(mailbox ? itemBytes({ ...mailbox }) : 0, true))
        return mailbox
      },
      mailboxes: async signal => {
        const mailboxes = await this.#items().mailboxes(signal)
        const bytes = mailboxes.reduce((sum, mailbox) => sum + itemBytes({ ...mailbox }), 0)
        this.usage.count('read-mailboxes', readUnits(bytes, true))
        return mailboxes
      },
      post: async mailbox => {
        const units = writeUnits(itemBytes({ ...mailbox }))
        const about = { kind: 'mailbox', units, session: mailbox.session, writer } as const
        const isPosted = await this.#change(about, () => this.#items().post(mailbox))
        // The session is told by a second write.
        if (isPosted) {
          this.usage.count('mailbox', 1)
          this.#options.observer.mailboxPosted(mailbox, writer)
        }
        return isPosted
      }
    }
  }

  #ordersFor(writer: string): Pick<ControlStore, 'orders' | 'replaceOrders'> {
    return {
      orders: async (options = {}) => {
        const now = await this.#items().orders(options)
        this.usage.count('read-orders', readUnits(itemBytes({ ...now }), options.consistent === true))
        return options.consistent ? now : (this.#pastOrders.at('', now, this.#someTimeAgo()) ?? now)
      },
      replaceOrders: (before, after) =>
        this.#inTurn(async () => {
          const was = await this.#items().orders()
          const isReplaced = await this.#items().replaceOrders(before, after)
          this.usage.count('orders', writeUnits(itemBytes({ ...after })))
          if (isReplaced && was.ver !== after.ver) {
            this.#note(this.#pastOrders, '', was)
            this.#options.observer.ordersChanged(after, writer)
          }
          return isReplaced
        })
    }
  }

  #newTables(): TablePair {
    const { tableName, controlTableName, sabotage = (tables: TablePair) => tables } = this.#options
    return sabotage({
      store: memoryLeaseStore({ tableName }),
      control: memoryControlStore({ tableName: controlTableName })
    })
  }

  async #prepare(which: TableRole, prepare: () => Promise<void>): Promise<void> {
    this.usage.count('prepare', 0)
    await prepare()
    this.#gone.delete(which)
  }

  #leases(): LeaseStore {
    return this.#existing('leases', this.#store)
  }

  #items(): ControlStore {
    return this.#existing('control', this.#control)
  }

  #existing<T extends { readonly tableName: string }>(which: TableRole, table: T): T {
    if (!this.#gone.has(which)) return table
    throw new ServiceError('not-found', `Table ${table.tableName} does not exist`, { retryable: false })
  }

  /** Writes come one after another, so that what is read before and after one belongs to it. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work)
    this.#turn = turn.catch(() => {})
    return turn
  }

  #write(about: WriteAbout, work: () => Promise<WriteOutcome>): Promise<WriteOutcome> {
    return this.#inTurn(() => this.#writeLease(about, work))
  }

  async #writeLease(about: WriteAbout, work: () => Promise<WriteOutcome>): Promise<WriteOutcome> {
    const { kind, leaseKey } = about
    const before = await this.#leases().get(leaseKey)
    const outcome = await work()
    const after = await this.#leases().get(leaseKey)
    this.usage.count(kind, writeUnits(Math.max(this.#sizeOf(before), this.#sizeOf(after))))
    const isWritten = outcome.kind === 'written'
    if (isWritten) {
      this.#note(this.#pastRows, leaseKey, before)
      if (after === undefined) this.#rows.delete(leaseKey)
      else this.#rows.set(leaseKey, after)
    }
    this.#options.observer.leaseWritten({ ...about, ...(before && { before }), ...(after && { after }), isWritten })
    return outcome
  }

  #change<T>(about: ChangeAbout, work: () => Promise<T>): Promise<T> {
    return this.#inTurn(() => this.#changeMember(about, work))
  }

  /** A write to the item of a session. */
  async #changeMember<T>({ kind, units, session, writer }: ChangeAbout, work: () => Promise<T>): Promise<T> {
    const before = await this.#items().member(session)
    const outcome = await work()
    const after = await this.#items().member(session)
    this.usage.count(kind, units)
    if (before === after || after === undefined) return outcome
    this.#note(this.#pastMembers, session, before)
    const { observer } = this.#options
    if (after.dead !== undefined && before?.dead === undefined) observer.memberDied(session, after.dead, writer)
    else observer.memberChanged(after, before, writer)
    return outcome
  }

  async #list(options: Parameters<LeaseStore['list']>[0] = {}): ReturnType<LeaseStore['list']> {
    const { leases, skipped } = await this.#leases().list(options)
    const bytes = leases.reduce((sum, lease) => sum + this.#sizeOf(lease), 0)
    this.usage.count('scan', readUnits(bytes, options.consistent === true))
    const changed = options.consistent ? [] : this.#pastRows.changedSince(this.#nowMs() - this.#options.lagMs())
    if (changed.length === 0) return { leases, skipped }
    const rows = new Map(leases.map(lease => [lease.leaseKey, lease]))
    for (const leaseKey of changed) {
      const row = this.#pastRows.at(leaseKey, rows.get(leaseKey), this.#someTimeAgo())
      if (row === undefined) rows.delete(leaseKey)
      else rows.set(leaseKey, row)
    }
    return { leases: [...rows.values()], skipped }
  }

  #note<T>(past: RowHistory<T>, key: string, before: T | undefined): void {
    const lagMs = this.#options.lagMs()
    if (lagMs > 0) past.changed(key, before, this.#nowMs(), lagMs)
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs()
  }

  /** The moment that an eventually consistent read sees. */
  #someTimeAgo(): number {
    const { lagMs, random } = this.#options
    return lagMs() > 0 ? this.#nowMs() - random.next() * lagMs() : this.#nowMs()
  }

  #sizeOf(row: Lease | undefined): number {
    if (row === undefined) return 0
    const known = this.#sizes.get(row)
    if (known !== undefined) return known
    const bytes = leaseBytes(row)
    this.#sizes.set(row, bytes)
    return bytes
  }
}
