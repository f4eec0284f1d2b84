// Looks at a table that KCL and Millrace share, again and again, and remembers what only time tells: whose counters move, which
// records of KCL beat, and for how long there has been no sign of it.
import type { LeaderLock, Mailbox } from '../leases/control-store.ts'
import type { KclItem, KclRemains } from '../leases/kcl-estate.ts'
import { NO_ORDERS, type Orders } from '../leases/order-rules.ts'
import { isSession } from '../leases/session-id.ts'
import { isFinished, type Lease } from '../model/lease.ts'
import type { Shard } from '../model/shard.ts'
import { explained, type FleetContext, isMissing, patiently } from './fleet-context.ts'
import { type ActingModes, isOfKcl, longestDurationMs, type MigrationFacts, seeModes } from './migration-rules.ts'
import { NO_OWNERS_SEEN, type OwnerWatch, ownersSeen, watchOwners } from './owner-rules.ts'
import { type RollCall, SessionRoll } from './session-roll.ts'
import { type FleetStream, findFleetStream } from './stream-facts.ts'

/** Between two looks at what changes slowly: the stream, its shards, and what KCL keeps beside its leases. Milliseconds. */
const SLOW_LOOK_MS = 10_000
/** KCL 3.x tells its load, and beats its lock, every 30 s. So long there must be no beat for it to count as gone. Milliseconds. */
const LEAST_QUIET_MS = 45_000
/** A worker of KCL 2.x without leases looks for some every two lease durations: it takes one within two such looks. */
const QUIET_DURATIONS = 5

/** What changes slowly. */
interface SlowFacts {
  readonly stream: FleetStream
  readonly shards: readonly Shard[]
  readonly remains?: KclRemains
}

/** What the control table says. */
type ControlFacts = Omit<RollCall, 'silentMs'> & {
  readonly mailboxes: readonly Mailbox[]
  readonly lock: LeaderLock | undefined
  readonly orders: Orders
}

const NO_CONTROL_TABLE: ControlFacts = {
  members: [],
  gone: new Set(),
  mailboxes: [],
  lock: undefined,
  orders: NO_ORDERS
}

/** The sight of one operator, for as long as an operation takes. */
export class MigrationSight {
  readonly #context: FleetContext
  readonly #roll: SessionRoll
  readonly #sinceMs: number
  #watch: OwnerWatch = NO_OWNERS_SEEN
  #acting: ActingModes = new Map()
  #slow: (SlowFacts & { readonly atMs: number }) | undefined
  /** Pulses of the records of KCL, and when they were seen to beat. */
  readonly #pulses = new Map<string, { readonly pulse: string; readonly beatAtMs?: number }>()
  #signAtMs = Number.NEGATIVE_INFINITY

  constructor(context: FleetContext) {
    this.#context = context
    this.#roll = new SessionRoll(context)
    this.#sinceMs = context.clock.monotonicMs()
  }

  /**
   * Looks once. `mayCertify`: sessions that are found dead get a certificate where nobody else is there to write it.
   *
   * @throws OperationError `no-such-table` if there is no lease table
   */
  async look(mayCertify: boolean, signal?: AbortSignal): Promise<MigrationFacts> {
    const { applicationName, kinesis, store, control, clock, durationMs } = this.#context
    const slow = await this.#lookSlowly(signal)
    const listing = await patiently(this.#context, signal, () => store.list({ consistent: true, signal })).catch(
      error => Promise.reject(explained(error, store.tableName, this.#context))
    )
    const { members, gone, ...controlled } = await this.#lookAtControl(listing.leases, mayCertify, signal)
    const nowMs = clock.monotonicMs()
    this.#watch = watchOwners(this.#watch, listing.leases, nowMs)
    if (listing.leases.some(lease => isOfKcl(lease) && !isFinished(lease))) this.#signAtMs = nowMs
    const living = members.filter(({ session, dead }) => dead === undefined && !gone.has(session))
    const longestMs = longestDurationMs({ members: living, durationMs })
    const quietMs = Math.max(LEAST_QUIET_MS, QUIET_DURATIONS * longestMs)
    const { orders, lock, mailboxes } = controlled
    this.#acting = seeModes(this.#acting, mailboxes, living)
    return {
      ...{
        applicationName,
        streamName: kinesis.streamName,
        leaseTable: store.tableName,
        controlTable: control.tableName
      },
      ...{ stream: slow.stream.stream, shards: slow.shards, ...(slow.remains && { remains: slow.remains }) },
      ...{ ...listing, members: living, mailboxes, lock, orders, durationMs, quietMs },
      hasControlItems: members.length > 0 || lock !== undefined || orders.ver > 0,
      ...{ acting: this.#acting, watch: this.#watch, owners: ownersSeen(this.#watch, longestMs) },
      kclGoneForMs: nowMs - Math.max(this.#sinceMs, this.#signAtMs),
      beating: [...this.#pulses].flatMap(([key, { beatAtMs = Number.NEGATIVE_INFINITY }]) =>
        nowMs - beatAtMs < quietMs ? key : []
      )
    }
  }

  async #lookSlowly(signal: AbortSignal | undefined): Promise<SlowFacts> {
    const { clock, kinesis, kcl } = this.#context
    if (this.#slow !== undefined && clock.monotonicMs() - this.#slow.atMs < SLOW_LOOK_MS) return this.#slow
    const stream = await findFleetStream(this.#context, signal)
    const shards = await patiently(this.#context, signal, () => kinesis.listShards({ signal }))
    const remains = kcl && (await patiently(this.#context, signal, () => kcl.look(signal)).catch(unlessMissing))
    const atMs = clock.monotonicMs()
    for (const { table, key, pulse } of (remains?.items ?? []).filter(isKcls))
      this.#feel(`${table}/${key}`, pulse, atMs)
    this.#slow = { stream, shards, ...(remains && { remains }), atMs }
    return this.#slow
  }

  #feel(key: string, pulse: string | undefined, nowMs: number): void {
    const last = this.#pulses.get(key)
    if (pulse === undefined) this.#pulses.delete(key)
    else if (last === undefined) this.#pulses.set(key, { pulse })
    else if (last.pulse !== pulse) {
      this.#pulses.set(key, { pulse, beatAtMs: nowMs })
      this.#signAtMs = nowMs
    }
  }

  async #lookAtControl(
    leases: readonly Lease[],
    mayCertify: boolean,
    signal: AbortSignal | undefined
  ): Promise<ControlFacts> {
    const { control } = this.#context
    const call = <T>(work: () => Promise<T>): Promise<T> => patiently(this.#context, signal, work)
    const reading = { consistent: true, ...(signal && { signal }) }
    const owners = leases.flatMap(({ owner }) => (owner !== undefined && isSession(owner) ? owner : []))
    try {
      // Mailboxes first: what a session says of its mailbox is then of that which was read, or of a later one.
      const mailboxes = await call(() => control.mailboxes(signal))
      const roll = await this.#roll.look(owners, signal)
      const everybody = new Set(roll.members.map(({ session }) => session))
      if (mayCertify) await this.#roll.certify(everybody, roll, signal)
      const lock = await call(() => control.leader(reading))
      const orders = await call(() => control.orders(reading))
      return { ...roll, mailboxes, lock, orders }
    } catch (error) {
      if (!isMissing(error)) throw error
      return NO_CONTROL_TABLE
    }
  }
}

/** Sessions of Millrace publish metrics in a fleet of KCL 3.x, too. */
function isKcls({ kind, worker }: KclItem): boolean {
  return kind !== 'worker-metrics' || !isSession(worker ?? '')
}

function unlessMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error
  return undefined
}
