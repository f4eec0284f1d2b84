// Changes a fleet over from KCL to Millrace, or back, while it runs: looks, does what is its own part of the step that is open, and
// waits for the operator where it is theirs. Everything it does can be done again, so that it goes on wherever it was interrupted.
import { withMode } from '../leases/order-rules.ts'
import { OperationError } from '../model/errors.ts'
import { forEachOf } from '../shards/sync-context.ts'
import { exactStart } from './exact-start.ts'
import { type FleetContext, type OperationOptions, patiently } from './fleet-context.ts'
import { isMissingLeftover, removeLeftovers } from './leftovers.ts'
import type { MigrationFacts, MigrationTarget } from './migration-rules.ts'
import { MigrationSight } from './migration-sight.ts'
import { type KclRow, planKclRows, planPins } from './plan-kcl-rows.ts'
import {
  type Leftovers,
  type MigrationPlan,
  type MigrationRow,
  type MigrationStep,
  openStep,
  planMigration
} from './plan-migration.ts'
import { changeOrders, newOrderId } from './standing-orders.ts'
import { findFleetStream } from './stream-facts.ts'

/** How a change is made. */
export interface MigrationOptions extends Omit<OperationOptions, 'onProgress'> {
  /** Whether to delete what is left of the other side once the change is over. Never a lease. Default false. */
  readonly deleteLeftovers?: boolean
  /** Told at each look, about once a second. Must not throw. */
  readonly onProgress?: (progress: MigrationProgress) => void
}

/** How far a change is. */
export interface MigrationProgress {
  /** The step that is open. Absent: everything is done, and leftovers are being deleted. */
  readonly step?: MigrationStep
  readonly plan: MigrationPlan
}

/** What a change came to. */
export interface MigrationReport {
  /** As it is at the end. */
  readonly plan: MigrationPlan
  /** Rows that were written. Ascending by shard. */
  readonly written: readonly MigrationRow[]
  /** The mode that was ordered last. Absent: none had to be. */
  readonly ordered?: 'solo' | 'mixed'
  /** What was deleted. Absent: nothing was to be. */
  readonly deleted?: Leftovers
  /** Milliseconds. */
  readonly tookMs: number
}

const LOOK_MS = 1_000
/** While it is only watched, leases are looked at more often, to see how often they are renewed. Milliseconds. */
const WATCH_LOOK_MS = 500

/** Says what a change would come to. Changes nothing. `watchMs`: for how long it looks who lives. */
export async function foreseeMigration(
  context: FleetContext,
  to: MigrationTarget,
  watchMs: number,
  signal?: AbortSignal
): Promise<MigrationPlan> {
  const { clock } = context
  const sight = new MigrationSight(context)
  const untilMs = clock.monotonicMs() + watchMs
  let facts = await sight.look(false, signal)
  while (clock.monotonicMs() < untilMs) {
    await clock.sleep(WATCH_LOOK_MS, signal)
    signal?.throwIfAborted()
    facts = await sight.look(false, signal)
  }
  return planMigration(to, facts)
}

/**
 * Changes a fleet over. Resolves when it is done.
 *
 * @throws OperationError `blocked` before anything is done; `not-finished` after `timeoutMs`, `interrupted`: what was done stands
 */
export async function migrateFleet(
  context: FleetContext,
  to: MigrationTarget,
  options: MigrationOptions & { readonly timeoutMs: number }
): Promise<MigrationReport> {
  const { clock } = context
  const { timeoutMs, signal, onProgress, deleteLeftovers = false } = options
  const sight = new MigrationSight(context)
  const beganMs = clock.monotonicMs()
  const work = new Work(context)
  for (let looks = 1; ; looks++) {
    const facts = await sight.look(to === 'kcl', signal).catch(told(signal, undefined))
    const plan = planMigration(to, facts)
    if (looks === 1) refuseBlocked(plan)
    const step = openStep(plan)
    onProgress?.({ ...(step && { step }), plan })
    const { leftovers } = plan
    const isWatchedEnough = to === 'kcl' || facts.kclGoneForMs >= facts.quietMs
    if (step === undefined && (!deleteLeftovers || isMissingLeftover(leftovers))) return work.report(plan, beganMs)
    if (step === undefined && isWatchedEnough) {
      const deleted = await removeLeftovers(context, leftovers, facts.remains, signal).catch(told(signal, step))
      return { ...work.report(plan, beganMs), deleted }
    }
    if (clock.monotonicMs() - beganMs >= timeoutMs) throw notFinished(step, timeoutMs)
    if (step?.by === 'command') await work.do(step, facts, signal).catch(told(signal, step))
    await clock.sleep(LOOK_MS, signal)
    if (signal?.aborted) throw interrupted(step, signal.reason)
  }
}

/** What the command does itself. */
class Work {
  readonly #context: FleetContext
  readonly #written = new Map<string, MigrationRow>()
  #ordered: 'solo' | 'mixed' | undefined

  constructor(context: FleetContext) {
    this.#context = context
  }

  report(plan: MigrationPlan, beganMs: number): MigrationReport {
    const ordered = this.#ordered
    const written = [...this.#written.values()].sort((a, b) => (a.shardId < b.shardId ? -1 : 1))
    const tookMs = Math.round(this.#context.clock.monotonicMs() - beganMs)
    return { plan, written, ...(ordered && { ordered }), tookMs }
  }

  async do({ name }: MigrationStep, facts: MigrationFacts, signal: AbortSignal | undefined): Promise<void> {
    if (name === 'share') await this.#order('mixed', signal)
    if (name === 'be-alone') await this.#order('solo', signal)
    if (name === 'pin') await this.#pin(facts, signal)
    if (name === 'write-rows') await this.#writeRows(planKclRows(facts.leases, facts.shards), signal)
  }

  async #order(mode: 'solo' | 'mixed', signal: AbortSignal | undefined): Promise<void> {
    const { by } = this.#context
    await changeOrders(
      this.#context,
      orders => {
        if (orders.mode?.mode === mode) return orders
        this.#ordered = mode
        return withMode(orders, { id: newOrderId(this.#context, 'mode'), mode, by })
      },
      signal
    )
  }

  async #pin({ leases }: MigrationFacts, signal: AbortSignal | undefined): Promise<void> {
    const { nowMs } = await findFleetStream(this.#context, signal)
    const rows = planPins(leases, nowMs).map(row => ({ ...row, why: ['start-time'] as const }))
    await forEachOf(rows, row => this.#write(row, signal))
  }

  async #writeRows(rows: readonly KclRow[], signal: AbortSignal | undefined): Promise<void> {
    await forEachOf(rows, row => this.#writeRow(row, signal))
  }

  async #writeRow(row: KclRow, signal: AbortSignal | undefined): Promise<void> {
    const { startMs, after } = row
    const found =
      startMs === undefined ? {} : { checkpoint: await exactStart(this.#context, after.shardId, startMs, signal) }
    await this.#write({ ...row, after: { ...after, ...found } }, signal)
  }

  /**
   * The counter stays: whoever has the lease keeps it, and does not notice. Refused if the row has changed meanwhile, and then the next
   * look plans it anew.
   */
  async #write({ before, after, why }: Omit<KclRow, 'startMs'>, signal: AbortSignal | undefined): Promise<void> {
    const { store } = this.#context
    const outcome = await patiently(this.#context, signal, () => store.replace(before, after))
    if (outcome.kind === 'written') this.#written.set(before.shardId, { shardId: before.shardId, why })
  }
}

function refuseBlocked({ notes }: MigrationPlan): void {
  const blockers = notes.filter(({ severity }) => severity === 'blocker')
  if (blockers.length === 0) return
  const reasons = blockers.map(({ message, advice }) => `${message}. ${advice}`).join('. ')
  throw new OperationError('blocked', `Nothing was done: ${reasons}`)
}

function notFinished(step: MigrationStep | undefined, timeoutMs: number): OperationError {
  const waits = step?.waitsFor === undefined ? '' : ` It waits for ${step.waitsFor}.`
  const what = step === undefined ? 'to delete what is left over' : step.what
  const message = `After ${Math.round(timeoutMs / 1_000)} s it is still to be done: ${what}.${waits}`
  return new OperationError('not-finished', `${message} What was done so far stands; run it again to go on`)
}

function interrupted(step: MigrationStep | undefined, cause: unknown): OperationError {
  const where = step === undefined ? '' : ` before this was done: ${step.what}`
  return new OperationError('interrupted', `Interrupted${where}. What was done so far stands; run it again to go on`, {
    cause
  })
}

function told(signal: AbortSignal | undefined, step: MigrationStep | undefined): (error: unknown) => never {
  return error => {
    throw signal?.aborted ? interrupted(step, error) : error
  }
}
