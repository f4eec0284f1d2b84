// One run of a profile: makes the world, lets the profile tell its story in it, and reports.
import { type SimulateOptions, SimulationError, simulate, type Violation, type World } from '../../src/testing/index.ts'
import { type Gap, Gauges, percentile } from './gauges.ts'

/** What a profile may say beside what is measured anyway. */
export type Figures = Readonly<Record<string, number>>

/** A story: sets a world up and lets things happen in it. What it throws that is no violation is a fault of the story. */
export interface Profile {
  /** What the world is like. */
  readonly world: Pick<SimulateOptions, 'faults' | 'enforceLimits' | 'lagMs'>
  /** `durationMs`: the lease duration that was asked for. */
  readonly tell: (world: World, gauges: Gauges, durationMs: number) => Promise<Figures>
}

/** What one seed came to. */
export interface SeedReport {
  readonly seed: number
  readonly hash: string
  readonly virtualMs: number
  /** Milliseconds of real time. */
  readonly tookMs: number
  /** How often something woke because its time had come. */
  readonly wakes: number
  readonly violations: readonly Violation[]
  readonly deliveries: number
  readonly duplicates: number
  readonly gracefulDuplicates: number
  readonly failoversMs: readonly number[]
  readonly handoversMs: readonly number[]
  readonly moves: number
  readonly figures: Figures
  /** Why the story did not come to its end, if it did not and no invariant broke. */
  readonly problem?: string
}

/** How a seed is run. */
export interface RunOptions {
  /** The command that shows it again. */
  readonly replay: string
  /** Whether the journal goes to standard error. */
  readonly log: boolean
  /** For the profiles that measure: `leases.durationMs` of the workers. */
  readonly durationMs: number
}

/** Runs a profile with one seed. Never rejects. */
export async function runSeed(
  profile: Profile,
  seed: number,
  { replay, log, durationMs }: RunOptions
): Promise<SeedReport> {
  const gauges = new Gauges()
  const startedMs = performance.now()
  const world = simulate({
    seed,
    replay,
    ...profile.world,
    leaseWritten: gauges.written,
    ...(log && { journal: { write: (line: string) => process.stderr.write(`${line}\n`) } })
  })
  gauges.watch(world)
  let figures: Figures = {}
  let problem: string | undefined
  try {
    figures = await profile.tell(world, gauges, durationMs)
  } catch (error) {
    if (!(error instanceof SimulationError))
      problem = error instanceof Error ? (error.stack ?? error.message) : String(error)
  }
  const gaps = gauges.gaps()
  const counts = world.counts()
  return {
    seed,
    hash: world.journal.hash().slice(0, 16),
    virtualMs: world.clock.monotonicMs(),
    tookMs: performance.now() - startedMs,
    wakes: world.clock.wakes,
    violations: world.violations,
    ...counts,
    failoversMs: of(gaps, 'crash'),
    handoversMs: of(gaps, 'release'),
    moves: gauges.moves.length,
    figures,
    ...(problem !== undefined && { problem })
  }
}

/** The figures of a usage report of the tables, for so many leases over so long. */
export function costOf(world: World, since: ReturnType<typeof usageOf>, leases: number, forMs: number): Figures {
  const { byCategory } = usageOf(world, since)
  const leaseHours = (leases * forMs) / 3_600_000
  return {
    writesPerLeaseHour: byCategory.coordination.units / leaseHours,
    readsPerLeaseHour: byCategory.reads.units / leaseHours,
    checkpointsPerLeaseHour: byCategory.checkpoints.units / leaseHours
  }
}

/** What the tables of the only application were asked for, in all or since an earlier report. */
export function usageOf(
  world: World,
  since?: Parameters<World['workers'][0]['application']['tables']['usage']['report']>[0]
) {
  const application = world.workers[0]?.application
  if (application === undefined) throw new Error('There is no worker')
  return application.tables.usage.report(since)
}

function of(gaps: readonly Gap[], why: Gap['why']): number[] {
  return gaps.filter(gap => gap.why === why).map(({ ms }) => ms)
}

export { percentile }
