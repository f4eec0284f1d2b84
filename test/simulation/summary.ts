// What many seeds of one profile come to.
import { percentile } from './gauges.ts'
import type { SeedReport } from './seed-run.ts'

/** The last line of `npm run simulate -- --json`. */
export interface Summary {
  readonly profile: string
  readonly seeds: number
  readonly virtualHours: number
  /** Wake-ups of the simulation for each second of one process. */
  readonly eventsPerSecond: number
  /** Of any kind. */
  readonly violations: number
  /** Seeds in which a record was put and never processed. */
  readonly lost: number
  /** Writes that the lease table took from somebody who was not the owner any more. */
  readonly zombieCheckpoints: number
  readonly gracefulDuplicates: number
  /** Stories that did not come to their end although no invariant broke. */
  readonly problems: number
  readonly deliveries: number
  readonly duplicates: number
  readonly failovers: number
  readonly failoverP50Ms: number
  readonly failoverP99Ms: number
  readonly handovers: number
  readonly handoverP50Ms: number
  readonly handoverP99Ms: number
  readonly [figure: string]: number | string
  /** Real time. */
  readonly seconds: number
}

const HOURS_A_MONTH = 730
const USD_PER_MILLION = { writes: 0.625, reads: 0.125 }
const ZOMBIES: readonly string[] = ['zombie-write', 'unfenced-write']

/** Sums up. Figures of the profile are averages over its seeds. */
export function summarize(profile: string, reports: readonly SeedReport[], seconds: number): Summary {
  const sum = (of: (report: SeedReport) => number): number => reports.reduce((total, report) => total + of(report), 0)
  const kinds = reports.flatMap(({ violations }) => violations.map(({ kind }) => kind))
  const failovers = reports.flatMap(({ failoversMs }) => failoversMs)
  const handovers = reports.flatMap(({ handoversMs }) => handoversMs)
  return {
    profile,
    seeds: reports.length,
    virtualHours: rounded(sum(({ virtualMs }) => virtualMs) / 3_600_000),
    eventsPerSecond: Math.round((sum(({ wakes }) => wakes) / sum(({ tookMs }) => tookMs)) * 1_000),
    violations: kinds.length,
    lost: reports.filter(({ violations }) => violations.some(({ kind }) => kind === 'lost')).length,
    zombieCheckpoints: kinds.filter(kind => ZOMBIES.includes(kind)).length,
    gracefulDuplicates: sum(({ gracefulDuplicates }) => gracefulDuplicates),
    problems: reports.filter(({ problem }) => problem !== undefined).length,
    deliveries: sum(({ deliveries }) => deliveries),
    duplicates: sum(({ duplicates }) => duplicates),
    failovers: failovers.length,
    failoverP50Ms: Math.round(percentile(failovers, 0.5)),
    failoverP99Ms: Math.round(percentile(failovers, 0.99)),
    handovers: handovers.length,
    handoverP50Ms: Math.round(percentile(handovers, 0.5)),
    handoverP99Ms: Math.round(percentile(handovers, 0.99)),
    ...figuresOf(reports),
    seconds: rounded(seconds)
  }
}

function figuresOf(reports: readonly SeedReport[]): Record<string, number> {
  const names = new Set(reports.flatMap(({ figures }) => Object.keys(figures)))
  const means = Object.fromEntries(
    [...names].map(name => {
      const values = reports.flatMap(({ figures }) => figures[name] ?? [])
      return [name, rounded(values.reduce((a, b) => a + b, 0) / values.length)]
    })
  )
  const { writesPerLeaseHour, readsPerLeaseHour } = means
  if (writesPerLeaseHour === undefined || readsPerLeaseHour === undefined) return means
  const usd = (writesPerLeaseHour * USD_PER_MILLION.writes + readsPerLeaseHour * USD_PER_MILLION.reads) / 1e6
  return { ...means, usdPer1000LeasesMonth: rounded(usd * 1_000 * HOURS_A_MONTH) }
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100
}
