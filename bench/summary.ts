// The line that sums a run up: the ratios, the latencies, what idle shards cost, and the machine.
import { FULL_CORE } from './parts/throughput.ts'
import type { Results, Run } from './results.ts'
import type { PayloadName } from './source/payloads.ts'
import { median, rounded, type Spread, spread } from './statistics.ts'

/** The names of the ratios that have to do with throughput: who is compared with whom, on what. */
const THROUGHPUT_RATIOS: Readonly<Record<string, readonly [PayloadName, string, string]>> = {
  kplVsBareLoop: ['kpl', 'millrace', 'bare-loop'],
  kplVsRawReader: ['kpl', 'millrace', 'raw-reader'],
  kplCborVsBareLoop: ['kpl', 'millrace-cbor', 'bare-loop'],
  smallVsBareLoop: ['small', 'millrace', 'bare-loop'],
  smallVsRawReader: ['small', 'millrace', 'raw-reader'],
  kilobyteVsBareLoop: ['kilobyte', 'millrace', 'bare-loop'],
  kilobyteVsRawReader: ['kilobyte', 'millrace', 'raw-reader']
}

const DEAGGREGATION_RATIOS = ['deaggregate100Base64', 'deaggregate100Bytes', 'deaggregate1000', 'deaggregate100Batch']

/** One contender against another, round by round. */
export interface Ratio {
  readonly name: string
  /** By wall time, where both had a core to themselves and filled it; otherwise by CPU time. NaN: not measured. */
  readonly ratio: number
  readonly decidedBy: 'wall time' | 'CPU time'
  readonly wall: Spread
  readonly cpu: Spread
}

/** The ratios of throughput that were measured. */
export function throughputRatios({ throughput }: Results): Ratio[] {
  const runsOf = (payload: PayloadName, contender: string): readonly Run[] => {
    const result = throughput.find(one => one.payload === payload && one.contender === contender)
    return result === undefined || (result.contender === 'millrace-cbor' && result.remark) ? [] : result.runs
  }
  return Object.entries(THROUGHPUT_RATIOS).map(([name, [payload, one, other]]) =>
    ratioOf(name, runsOf(payload, one), runsOf(payload, other))
  )
}

function ratioOf(name: string, ours: readonly Run[], theirs: readonly Run[]): Ratio {
  const pairs = ours.slice(0, theirs.length).map((run, i) => [run, theirs[i] as Run] as const)
  const wall = spread(pairs.map(([our, their]) => our.recordsPerSecond / their.recordsPerSecond))
  const cpu = spread(pairs.map(([our, their]) => our.recordsPerCpuSecond / their.recordsPerCpuSecond))
  const isFull = (runs: readonly Run[]): boolean => median(runs.map(run => run.clientCpu)) >= FULL_CORE
  const byWall = isFull(ours) && isFull(theirs)
  return { name, ratio: byWall ? wall.median : cpu.median, decidedBy: byWall ? 'wall time' : 'CPU time', wall, cpu }
}

/** The last line of the JSON. What was not measured is `null`. */
export function summaryOf(results: Results): object {
  const ratios = new Map<string, number | null>()
  for (const { name, ratio } of throughputRatios(results)) ratios.set(name, rounded(ratio))
  for (const name of DEAGGREGATION_RATIOS) {
    ratios.set(name, rounded(results.deaggregation.find(one => one.case === name)?.ratio))
  }
  return {
    ratios: Object.fromEntries(ratios),
    latencyMs: latencies(results),
    idle: Object.fromEntries(results.idle.map(({ shards, ...cost }) => [shards, roundedAll(cost)])),
    machine: results.machine
  }
}

function latencies({ latency }: Results): object {
  const byEmulator: Record<string, Record<string, object>> = {}
  for (const { emulator, subject, p50, p99 } of latency) {
    const ofEmulator = byEmulator[emulator] ?? {}
    byEmulator[emulator] = { ...ofEmulator, [camelCase(subject)]: { p50: rounded(p50), p99: rounded(p99) } }
  }
  return byEmulator
}

/** `millrace fan-out` as `millraceFanOut`, so that everything in the line can be named in a program. */
function camelCase(name: string): string {
  return name.replace(/[ -]([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function roundedAll(numbers: Readonly<Record<string, number>>): object {
  return Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, rounded(value)]))
}
