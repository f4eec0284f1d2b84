// Has an application begin again somewhere while it runs: everybody lets go of the shards, the rows are written, one conditional
// write each, and only then are the shards given out again.
import { OperationError } from '../model/errors.ts'
import { isFinished, type Lease, type StreamIdentity } from '../model/lease.ts'
import type { Shard } from '../model/shard.ts'
import { judgeIdentity } from '../shards/identity-rules.ts'
import { wavesOf } from '../shards/plan-shard-sync.ts'
import { listWholeStream } from '../shards/stream-lookup.ts'
import { forEachOf } from '../shards/sync-context.ts'
import { type FleetContext, type OperationOptions, patiently } from './fleet-context.ts'
import { isIn, type LeaseScope, refuseForeigners, whenLetGo } from './letting-go.ts'
import { describeBeginning, hasBegunAt, planReset, type ResetPosition, type RowReset } from './plan-reset.ts'
import { SessionRoll } from './session-roll.ts'
import { listLeases } from './shared-table.ts'
import { type StandingHold, whileHeld } from './standing-orders.ts'
import { findFleetStream, syncContextOf } from './stream-facts.ts'

/** What is to become of rows. Checked already. */
export interface RewriteRequest extends OperationOptions {
  /** What it is for, in words. */
  readonly why: string
  /** The leases that everybody has to let go of. */
  readonly scope: LeaseScope
  readonly timeoutMs: number
  /** What to write, of the table and the listing as they are then. */
  readonly plan: (found: FoundRows) => readonly RowReset[]
}

/** The table and the stream while nobody has any of the leases. */
export interface FoundRows {
  /** Every shard that Kinesis lists, listed after `nowMs`. */
  readonly shards: readonly Shard[]
  readonly leases: readonly Lease[]
  readonly stream: StreamIdentity
  /** By the clock of the service. Epoch milliseconds. */
  readonly nowMs: number
}

/** What became of one shard. */
export interface ShardReset {
  readonly shardId: string
  /** The checkpoint that it had. Absent: it had no lease. */
  readonly from?: string
  /** What it begins with: a word, a time, or a sequence number after which. */
  readonly to: string
}

/** What a reset came to. */
export interface ResetReport {
  /** The shards whose leases were written. Ascending. */
  readonly shards: readonly ShardReset[]
  /** Until everybody had let go. Milliseconds. */
  readonly waitedMs: number
  /** The time that `LATEST` stands for, by the clock of the service. Epoch milliseconds. */
  readonly atMs: number
}

/** How often rows may change under a reset in a row before it is given up. */
const ROUNDS = 10

/**
 * Resets shards of an application that runs, or does not.
 *
 * @throws OperationError `not-let-go`, `foreign-workers`, `no-such-lease`, `mismatch`, `busy`, `interrupted`, or `changed-meanwhile`
 */
export function resetFleet(
  context: FleetContext,
  position: ResetPosition,
  scope: LeaseScope,
  operation: OperationOptions & { readonly timeoutMs: number }
): Promise<ResetReport> {
  const plan = (found: FoundRows): readonly RowReset[] => {
    const rows = planReset({ ...found, position, only: scope })
    refuseUnknown(scope, rows)
    return rows
  }
  return rewriteRows(context, { ...operation, why: 'a reset', scope, plan })
}

/** Writes rows while nobody has their leases. Otherwise like {@link resetFleet}. */
export async function rewriteRows(context: FleetContext, request: RewriteRequest): Promise<ResetReport> {
  const { scope, why, signal } = request
  // Before anything is ordered: where workers of another kind are, there may be nobody to carry out orders.
  refuseForeigners(
    (await listLeases(context, signal)).filter(lease => isIn(scope, lease.leaseKey) && !isFinished(lease))
  )
  const leases = scope === 'all' ? scope : [...scope]
  const done = new Map<string, ShardReset>()
  try {
    return await whileHeld(context, { leases, why, isAlone: true }, request, hold =>
      rewriteHeld(context, request, hold, done)
    )
  } catch (error) {
    if (signal?.aborted !== true) throw error
    throw new OperationError('interrupted', interrupted(why, done), { cause: error })
  }
}

async function rewriteHeld(
  context: FleetContext,
  request: RewriteRequest,
  hold: StandingHold,
  done: Map<string, ShardReset>
): Promise<ResetReport> {
  const { scope, plan, signal, onProgress } = request
  const { clock } = context
  const roll = new SessionRoll(context)
  const beganMs = clock.monotonicMs()
  let lapses = 0
  let waitedMs: number | undefined
  let atMs: number | undefined
  for (let round = 1; round <= ROUNDS; round++) {
    // After a lapse what was written may be overwritten, or read on from: everything once more.
    const before = lapses
    if (round > 1) lapses = await hold.confirm()
    if (lapses > before) done.clear()
    const leases = await whenLetGo(context, scope, roll, request)
    waitedMs ??= Math.round(clock.monotonicMs() - beganMs)
    const { stream, nowMs } = await findFleetStream(context, signal)
    refuseOthers(leases, stream, context)
    // One moment for every shard, before the listing: what is listed later is younger.
    atMs ??= nowMs
    const shards = await listWholeStream(syncContextOf(context), signal)
    const left = plan({ shards, leases, stream, nowMs: atMs }).filter(({ after }) => !done.has(after.leaseKey))
    onProgress?.({ step: 'writing', left: left.map(({ after }) => ({ shardId: after.shardId })) })
    if (await writeRows(context, left, done, signal)) {
      onProgress?.({ step: 'done', left: [] })
      return { shards: [...done.values()].sort((a, b) => (a.shardId < b.shardId ? -1 : 1)), waitedMs, atMs }
    }
  }
  throw new OperationError(
    'changed-meanwhile',
    `The leases of ${context.applicationName} changed hands all the time; ${done.size} of them were written. Try again`
  )
}

/** What is left of it, for whoever has to decide what to do. */
function interrupted(why: string, done: ReadonlyMap<string, ShardReset>): string {
  if (done.size === 0) return `Interrupted ${why} before anything was written: everything goes on as before`
  const shards = [...done.keys()].sort().slice(0, 5).join(', ')
  const more = done.size > 5 ? ` and ${done.size - 5} more` : ''
  return `Interrupted ${why}: ${shards}${more} begin anew, the others go on where they were. Nothing is lost; run it again for all`
}

/** Says whether all rows were written: false if one of them was another than was read. Parents come before their children. */
async function writeRows(
  context: FleetContext,
  rows: readonly RowReset[],
  done: Map<string, ShardReset>,
  signal: AbortSignal | undefined
): Promise<boolean> {
  const byKey = new Map(rows.map(row => [row.after.leaseKey, row]))
  const waves = wavesOf(rows.map(({ after }) => ({ lease: after, why: 'rebuilt' })))
  for (const wave of waves) {
    const outcomes = await forEachOf(wave, async ({ lease }) => {
      const row = byKey.get(lease.leaseKey)
      if (row === undefined || !(await writeRow(context, row, signal))) return false
      const from = row.before && describeBeginning(row.before)
      done.set(lease.leaseKey, {
        shardId: lease.shardId,
        ...(from !== undefined && { from }),
        to: describeBeginning(lease)
      })
      return true
    })
    if (outcomes.includes(false)) return false
  }
  return true
}

async function writeRow({ store, ...context }: FleetContext, row: RowReset, signal?: AbortSignal): Promise<boolean> {
  const { before, after } = row
  const write = () => (before === undefined ? store.create(after) : store.replace(before, after))
  const outcome = await patiently(context, signal, write)
  return outcome.kind === 'written' || hasBegunAt(outcome.current, after)
}

function refuseOthers(leases: readonly Lease[], stream: StreamIdentity, { store }: FleetContext): void {
  const verdict = judgeIdentity(leases, stream)
  if (verdict.kind === 'ours') return
  const whose = verdict.kind === 'recreated' ? `an earlier stream of that name` : verdict.streamArn
  throw new OperationError(
    'mismatch',
    `Lease table ${store.tableName} has leases of ${whose}, not of ${stream.streamArn}`
  )
}

function refuseUnknown(scope: LeaseScope, rows: readonly RowReset[]): void {
  if (scope === 'all') return
  const known = new Set(rows.map(({ after }) => after.shardId))
  const missing = [...scope].filter(shardId => !known.has(shardId))
  if (missing.length === 0) return
  const message = `There is nothing to reset in ${missing.join(', ')}: no such shard, or it is over`
  throw new OperationError('no-such-lease', message)
}
