// A fleet, seen and steered from outside through its stream and its two tables. No worker is asked, and none has to be there.
// What each function does is in the file of its name; here options are checked.
import type { Member } from '../leases/control-store.ts'
import { type Hold, NO_ORDERS } from '../leases/order-rules.ts'
import { NOTHING_SEEN, observe, type Sightings } from '../leases/sightings.ts'
import { OptionError, ServiceError } from '../model/errors.ts'
import { isPosition } from '../model/sequence-number.ts'
import { checkGroup, checkInteger, checkText, show } from '../worker/option-checks.ts'
import { type CheckpointExport, parseExport } from './checkpoint-codec.ts'
import { exportCheckpoints, importCheckpoints } from './checkpoints.ts'
import { type CostReport, costOf, DYNAMODB_PRICES, type DynamoPrices } from './cost-rules.ts'
import { examineFleet } from './doctor.ts'
import type { Finding } from './doctor-rules.ts'
import { type FleetContext, isMissing, type OperationOptions, patiently } from './fleet-context.ts'
import { type FleetOptions, type FleetPorts, openContext } from './fleet-options.ts'
import { type LagReport, measureLag } from './lag.ts'
import { forgetApplication } from './leftovers.ts'
import { type LeaseScope, listTable } from './letting-go.ts'
import { foreseeMigration, type MigrationOptions, type MigrationReport, migrateFleet } from './migration.ts'
import type { MigrationTarget } from './migration-rules.ts'
import type { MigrationPlan } from './plan-migration.ts'
import type { AfterRecord, ResetPosition } from './plan-reset.ts'
import { type ResetReport, resetFleet } from './reset.ts'
import { type RollCall, SessionRoll } from './session-roll.ts'
import { leasesOfStream } from './shared-table.ts'
import { readOrders } from './standing-orders.ts'
import { type FleetStatus, type StatusFacts, statusOf } from './status-rules.ts'
import { type GivenBack, moveLease, pauseLeases, releaseLeases, resumeLeases } from './steering.ts'
import { findFleetStream } from './stream-facts.ts'

/** Which shards something is about. */
export interface ShardSelection {
  /** Ids of shards. Default: every shard. */
  readonly shardIds?: readonly string[]
}

/** How a status is made. */
export interface StatusOptions {
  /**
   * For how long to watch before answering, so that workers that are silently gone are told from those that live. Milliseconds,
   * 0 to 600,000; default 0: then only what earlier looks of the same fleet object have seen is known.
   */
  readonly watchMs?: number
  readonly signal?: AbortSignal
}

/** How costs are found out. */
export interface CostOptions {
  readonly watchMs?: number
  readonly prices?: DynamoPrices
  readonly signal?: AbortSignal
}

const DOCTOR_WATCH_MS = 4_000
const COST_WATCH_MS = 10_000
const RESET_TIMEOUT_MS = 180_000
const RELEASE_TIMEOUT_MS = 120_000
const MOVE_TIMEOUT_MS = 120_000
const FORGET_TIMEOUT_MS = 60_000
const MIGRATION_WATCH_MS = 12_000
const MIGRATION_TIMEOUT_MS = 3_600_000
const WATCH_EVERY_MS = 1_000
/** How far a time may be ahead of the service, which tells it in whole seconds. */
const AHEAD_MS = 1_000

/** Opens a fleet. Nothing is called before the first question. @throws OptionError */
export function openFleet(options: FleetOptions, ports: Partial<FleetPorts> = {}): Fleet {
  const { context, close } = openContext(options, ports)
  return new Fleet(context, close)
}

/** One application on one stream. Made by {@link openFleet}. */
export class Fleet {
  readonly #context: FleetContext
  readonly #close: () => void
  readonly #roll: SessionRoll
  #sightings: Sightings = NOTHING_SEEN
  #looks = 0

  constructor(context: FleetContext, close: () => void) {
    this.#context = context
    this.#close = close
    this.#roll = new SessionRoll(context)
  }

  /** Who is there, who reads what, how far, and what of it is not well. */
  async status({ watchMs = 0, signal }: StatusOptions = {}): Promise<FleetStatus> {
    const { clock } = this.#context
    const range = { min: 0, max: 600_000, unit: 'milliseconds' }
    const untilMs = clock.monotonicMs() + checkInteger('watchMs', watchMs, range, 0)
    let status = await this.#look(signal)
    while (clock.monotonicMs() < untilMs) {
      await clock.sleep(Math.min(WATCH_EVERY_MS, untilMs - clock.monotonicMs()), signal)
      signal?.throwIfAborted()
      status = await this.#look(signal)
    }
    return status
  }

  /** How far behind the shards are, measured by a read at the stored checkpoints, whatever the workers say or do. */
  lag(options: ShardSelection & { readonly signal?: AbortSignal } = {}): Promise<LagReport> {
    return measureLag(this.#context, scopeOf(options), options.signal)
  }

  /**
   * Has the application begin again somewhere, also while it runs: everybody lets go, the leases are written, and are then given
   * out again. Nothing that arrived before a time is delivered, and nothing that arrived then or later is left out: shards that are
   * closed are read again, too. Processors may be given records again, and what was passed over is never delivered. Whoever had
   * a shard before can checkpoint nothing any more.
   *
   * @throws OptionError for a position that is none, lies in the future, or is no place in that shard
   * @throws OperationError `not-let-go` if somebody does not let go within `timeoutMs` (default 180,000), and nothing was changed;
   *   `foreign-workers`, `no-such-lease`, `mismatch`, `changed-meanwhile`
   */
  async reset(position: ResetPosition, options: ShardSelection & OperationOptions = {}): Promise<ResetReport> {
    const only = scopeOf(options)
    checkPosition(position, only)
    const { nowMs } = await findFleetStream(this.#context, options.signal)
    if (position instanceof Date && position.getTime() > nowMs + AHEAD_MS) {
      throw new OptionError('position', `is ${show(position)}, expected a time that is not in the future`)
    }
    if (isAfterRecord(position) && only !== 'all') await this.#checkPlace(position, only, options.signal)
    const timeoutMs = timeoutOf(options, RESET_TIMEOUT_MS)
    return resetFleet(this.#context, position, only, { ...options, timeoutMs })
  }

  /**
   * Has leases drained, checkpointed and given back; then they are given out again, to whoever the leader finds. What dead
   * sessions own is taken from them. Resolves with who had them.
   *
   * @throws OperationError `not-let-go` after `timeoutMs` (default 120,000), `no-such-lease`, `foreign-workers`
   */
  release(options: ShardSelection & OperationOptions = {}): Promise<readonly GivenBack[]> {
    const scope = scopeOf(options)
    return releaseLeases(this.#context, scope, { ...options, timeoutMs: timeoutOf(options, RELEASE_TIMEOUT_MS) })
  }

  /**
   * Keeps shards from everybody until {@link resume}: they are drained and checkpointed, and then nobody reads them, whatever
   * becomes of this process. Without `shardIds` that holds for shards to come as well. Resolves when they are let go of.
   *
   * @param options `why` stands in the status for everybody to see: 1 to 200 characters; default `a pause`
   * @throws OperationError `not-let-go` after `timeoutMs` (default 120,000), and then nothing is paused; `no-such-lease`, `foreign-workers`
   */
  pause(options: ShardSelection & OperationOptions & { readonly why?: string } = {}): Promise<Hold> {
    const { why = 'a pause' } = options
    checkText('why', why, /^[^\n]{1,200}$/, '1 to 200 characters')
    const timeoutMs = timeoutOf(options, RELEASE_TIMEOUT_MS)
    return pauseLeases(this.#context, scopeOf(options), { ...options, why, timeoutMs })
  }

  /** Ends pauses, whoever made them. Resolves with the shards that are paused no more, or `all`; the leader gives them out. */
  resume(options: ShardSelection & { readonly signal?: AbortSignal } = {}): Promise<'all' | readonly string[]> {
    return resumeLeases(this.#context, scopeOf(options), options.signal)
  }

  /**
   * Sends a shard to a worker, once: it is balanced like any other afterwards. Resolves when the worker has it.
   *
   * @throws OperationError `no-such-lease`, `no-such-worker`, `cannot-take`, `foreign-workers`; `not-arrived` after `timeoutMs`
   *   (default 120,000)
   */
  move(
    shardId: string,
    workerId: string,
    options: OperationOptions = {}
  ): Promise<{ readonly shardId: string; readonly from?: string; readonly to: string }> {
    checkText('shardId', shardId, /^\S{1,200}$/, 'the id of a shard')
    checkText('workerId', workerId, /^\S{1,200}$/, 'the id of a worker')
    return moveLease(this.#context, shardId, workerId, { ...options, timeoutMs: timeoutOf(options, MOVE_TIMEOUT_MS) })
  }

  /** The checkpoints of every shard, as plain data to be kept: for {@link importCheckpoints}. */
  exportCheckpoints(options: { readonly signal?: AbortSignal } = {}): Promise<CheckpointExport> {
    return exportCheckpoints(this.#context, options.signal)
  }

  /**
   * Brings back checkpoints that were exported, also while the application runs, as {@link reset} does it. Shards that came to be
   * since begin at their beginning once their parents are done again.
   *
   * @param data what `exportCheckpoints()` resolved with, or what became of it in a file
   * @throws OptionError naming what is wrong in it
   * @throws OperationError `mismatch` if it is of another stream; otherwise as a reset
   */
  async importCheckpoints(data: unknown, options: OperationOptions = {}): Promise<ResetReport> {
    const exported = parseExport(data)
    return importCheckpoints(this.#context, exported, { ...options, timeoutMs: timeoutOf(options, RESET_TIMEOUT_MS) })
  }

  /**
   * What it comes to if this application changes from KCL to Millrace on its lease table, or back: what the table is, what is in
   * the way, which steps are done and which are to come. Changes nothing. `watchMs`: for how long to look who lives and how often
   * KCL renews; milliseconds, 0 to 600,000; default 12,000.
   */
  foreseeMigration(to: MigrationTarget, { watchMs, signal }: StatusOptions = {}): Promise<MigrationPlan> {
    checkTarget(to)
    const range = { min: 0, max: 600_000, unit: 'milliseconds' }
    return foreseeMigration(this.#context, to, checkInteger('watchMs', watchMs, range, MIGRATION_WATCH_MS), signal)
  }

  /**
   * Changes this application over from KCL to Millrace, or back, while records flow. Does what can be done from here, and waits for
   * whoever starts and stops the workers. Interrupted, or run twice, it goes on where the fleet is.
   *
   * @throws OperationError `blocked` before anything is done; `not-finished` after `timeoutMs` (default 3,600,000); `interrupted`
   */
  async migrate(to: MigrationTarget, options: MigrationOptions = {}): Promise<MigrationReport> {
    checkTarget(to)
    return migrateFleet(this.#context, to, { ...options, timeoutMs: timeoutOf(options, MIGRATION_TIMEOUT_MS) })
  }

  /**
   * Deletes everything of this application in the control table, which is for one that is gone for good: its leases and checkpoints
   * stay, and a worker that starts makes it anew.
   *
   * @throws OperationError `busy` if a worker still lives after `timeoutMs` (default 60,000), `no-such-table`
   */
  async forget(options: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {}): Promise<void> {
    await forgetApplication(this.#context, { ...options, timeoutMs: timeoutOf(options, FORGET_TIMEOUT_MS) })
  }

  /** What is wrong with this fleet, its tables and its stream, and what to do; the most severe first. Takes a few seconds. */
  async doctor({ watchMs = DOCTOR_WATCH_MS, signal }: StatusOptions = {}): Promise<readonly Finding[]> {
    return examineFleet(this.#context, () => this.status({ watchMs, ...(signal && { signal }) }), signal)
  }

  /**
   * What this fleet pays DynamoDB in a month: checkpoints and mailboxes as measured while it is watched, the rest as it follows from settings
   * and sizes. `watchMs`: milliseconds, 1,000 to 600,000; default 10,000. `prices`: default those on demand in us-east-1.
   */
  async cost(options: CostOptions = {}): Promise<CostReport> {
    const { clock, control, durationMs } = this.#context
    const { watchMs, signal, prices = DYNAMODB_PRICES } = options
    const forMs = checkInteger('watchMs', watchMs, { min: 1_000, max: 600_000, unit: 'milliseconds' }, COST_WATCH_MS)
    const members = (): Promise<Member[]> => patiently(this.#context, signal, () => control.members(signal))
    const before = await listTable(this.#context, signal)
    const membersBefore = await members()
    const fromMs = clock.monotonicMs()
    await clock.sleep(forMs, signal)
    signal?.throwIfAborted()
    const leases = await listTable(this.#context, signal)
    const watchedMs = Math.round(clock.monotonicMs() - fromMs)
    const now = await members()
    const mailboxes = await patiently(this.#context, signal, () => control.mailboxes(signal))
    return costOf({ ...{ before, leases, membersBefore, members: now, mailboxes }, watchedMs, durationMs, prices })
  }

  /** Frees the connections that were made for it. Nothing may be asked after it. */
  close(): void {
    this.#close()
  }

  async #look(signal?: AbortSignal): Promise<FleetStatus> {
    const { applicationName, kinesis, store, control, clock } = this.#context
    const { leases, streams } = await leasesOfStream(this.#context, signal)
    const owners = leases.flatMap(({ owner }) => owner ?? [])
    const { members, gone, silentMs, orders, lock } = await this.#lookAtMembers(owners, signal)
    const shards = await patiently(this.#context, signal, () => kinesis.listShards({ signal }))
    this.#sightings = observe(this.#sightings, leases, clock.monotonicMs(), Number.POSITIVE_INFINITY)
    this.#looks += 1
    const unchanged = [...this.#sightings.byKey].map(([key, { unchangedMs }]) => [key, unchangedMs] as const)
    return statusOf({
      ...{
        applicationName,
        streamName: kinesis.streamName,
        leaseTable: store.tableName,
        controlTable: control.tableName
      },
      ...{ atMs: clock.epochMs(), members, gone, silentMs, hasWatched: this.#looks > 1 },
      ...{ lock, leases, shards, orders, unchangedMs: new Map(unchanged) },
      ...(streams && { streams })
    })
  }

  /** Who is there. Where no worker of ours has run there is no control table, and nobody: the leases are those of KCL. */
  async #lookAtMembers(
    owners: readonly string[],
    signal?: AbortSignal
  ): Promise<RollCall & Pick<StatusFacts, 'orders' | 'lock'>> {
    const { control } = this.#context
    try {
      const call = await this.#roll.look(owners, signal)
      const orders = await readOrders(this.#context, signal)
      const asking = { consistent: true, ...(signal && { signal }) }
      const lock = await patiently(this.#context, signal, () => control.leader(asking))
      return { ...call, orders, lock }
    } catch (error) {
      if (!isMissing(error)) throw error
      return { members: [], gone: new Set(), silentMs: new Map(), orders: NO_ORDERS, lock: undefined }
    }
  }

  /** Whether Kinesis knows the place. */
  async #checkPlace({ sequenceNumber }: AfterRecord, only: ReadonlySet<string>, signal?: AbortSignal): Promise<void> {
    const { kinesis } = this.#context
    const [shardId = ''] = only
    const start = { type: 'AT_SEQUENCE_NUMBER', sequenceNumber } as const
    try {
      await patiently(this.#context, signal, () => kinesis.getShardIterator(shardId, start, { signal }))
    } catch (error) {
      if (!(error instanceof ServiceError) || !['invalid-argument', 'not-found'].includes(error.kind)) throw error
      const problem = `is ${show(sequenceNumber)}, expected a sequence number of ${shardId}`
      throw new OptionError('position.sequenceNumber', problem, { cause: error })
    }
  }
}

function scopeOf({ shardIds }: ShardSelection): LeaseScope {
  if (shardIds === undefined) return 'all'
  if (!Array.isArray(shardIds))
    throw new OptionError('shardIds', `is ${show(shardIds)}, expected an array of shard ids`)
  if (shardIds.length === 0)
    throw new OptionError('shardIds', 'is empty, expected at least one; all shards are meant without it')
  for (const shardId of shardIds) checkText('shardIds', shardId, /^\S{1,200}$/, 'ids of shards')
  return new Set(shardIds)
}

function timeoutOf({ timeoutMs }: Pick<OperationOptions, 'timeoutMs'>, byDefault: number): number {
  return checkInteger('timeoutMs', timeoutMs, { min: 1, max: 86_400_000, unit: 'milliseconds' }, byDefault)
}

function checkTarget(to: unknown): void {
  if (to !== 'millrace' && to !== 'kcl') throw new OptionError('to', `is ${show(to)}, expected 'millrace' or 'kcl'`)
}

function isAfterRecord(position: ResetPosition): position is AfterRecord {
  return typeof position === 'object' && !(position instanceof Date)
}

function checkPosition(position: unknown, only: LeaseScope): void {
  if (position === 'TRIM_HORIZON' || position === 'LATEST') return
  const expected = "expected 'TRIM_HORIZON', 'LATEST', a Date, or a sequence number"
  if (position instanceof Date && !Number.isNaN(position.getTime())) return
  if (typeof position !== 'object' || position === null || position instanceof Date) {
    throw new OptionError('position', `is ${show(position)}, ${expected}`)
  }
  const known = checkGroup<AfterRecord>('position', position as AfterRecord, ['sequenceNumber', 'subSequenceNumber'])
  const sequenceNumber = checkText('position.sequenceNumber', known.sequenceNumber, /^\d{1,200}$/, 'decimal digits')
  const { subSequenceNumber = 0 } = known
  if (!isPosition({ sequenceNumber, subSequenceNumber })) {
    throw new OptionError('position.subSequenceNumber', `is ${show(subSequenceNumber)}, expected a whole number from 0`)
  }
  if (only !== 'all' && only.size === 1) return
  throw new OptionError(
    'shardIds',
    'expected exactly one shard beside a sequence number, which is a place in that shard alone'
  )
}
