// What the benchmarks can be told on the command line.
import { parseArgs } from 'node:util'
import type { PayloadName } from './source/payloads.ts'

/** The parts of a run, in order. */
export const PARTS = [
  'kpl',
  'small',
  'kilobyte',
  'event-loop',
  'deaggregation',
  'latency',
  'idle',
  'connections',
  'memory'
] as const

/** A part of a run. */
export type Part = (typeof PARTS)[number]

/** How much is measured, and what becomes of it. */
export interface BenchOptions {
  readonly parts: readonly Part[]
  /** Runs of each contender that is part of a ratio. */
  readonly rounds: number
  /** How long the handler is blocked for the memory part. Minutes. */
  readonly minutes: number
  /** Shards that Millrace reads for the throughput. Absent: as many as leave it room. */
  readonly shards: number | undefined
  /** Folder of the build that is measured, relative to the repository. */
  readonly library: string
  readonly quick: boolean
  /** Whether aws-kcl is compared with, too. */
  readonly kcl: boolean
  /** Folder for results.json and results.svg, relative to the repository. */
  readonly out: string
  /** Whether standard output is for JSON alone. */
  readonly json: boolean
}

/** The command line is not one that can be run. */
export class UsageError extends Error {}

/** What `--help` says. */
export const USAGE = `Usage: npm run bench -- [flags]

  --only PARTS    Comma-separated: ${PARTS.join(', ')}.
                  Default: all but memory, which is measured only with --minutes, or where it is named here.
  --rounds N      Runs of each contender that is part of a ratio, 1 to 100. Default 5, with --quick 1.
  --minutes N     Minutes that the handler is blocked to see what is held in memory, 0.05 to 600. Default 5.
  --shards N      Shards that Millrace reads for the throughput, 1 to 10000. Default 160, for kpl
                  80, for CBOR 320.
  --quick         Short windows and few records: shows that everything works, not how fast it is.
  --kcl           Compare with aws-kcl and its Java daemon too: needs a JVM and Maven, fetches its jars, is slow.
  --library DIR   The build to measure: dist (default), src, or another folder in the repository.
  --out DIR       Folder for results.json and results.svg. Default bench: give another one for a run that is not whole.
  --json          JSON on standard output, and everything else on standard error. The last line sums it up.
  --help          This text.

A whole run takes about 15 minutes, and the minutes of the memory part on top.`

/**
 * Reads the command line.
 *
 * @returns `undefined` where only help is asked for
 * @throws UsageError that names the flag, its value and what was expected
 */
export function readOptions(parameters: readonly string[]): BenchOptions | undefined {
  const { values } = parse(parameters)
  if (values.help === true) return undefined
  const quick = values.quick === true
  const only = values.only?.split(',').map(name => partOf(name.trim()))
  return {
    parts: only ?? PARTS.filter(part => part !== 'memory' || values.minutes !== undefined),
    rounds: numberOf('rounds', values.rounds, { min: 1, max: 100, isWhole: true }, quick ? 1 : 5),
    minutes: numberOf('minutes', values.minutes, { min: 0.05, max: 600, isWhole: false }, quick ? 0.25 : 5),
    shards: numberOf('shards', values.shards, { min: 1, max: 10_000, isWhole: true }, undefined),
    library: values.library ?? 'dist',
    quick,
    kcl: values.kcl === true,
    out: values.out ?? 'bench',
    json: values.json === true
  }
}

/** Kinds of load among the parts. */
export function payloadParts(parts: readonly Part[]): PayloadName[] {
  const loads = ['kpl', 'small', 'kilobyte'] as const
  return loads.filter(load => parts.includes(load))
}

function parse(parameters: readonly string[]) {
  const text = { type: 'string' } as const
  const yes = { type: 'boolean' } as const
  const options = { only: text, rounds: text, minutes: text, shards: text, library: text, out: text } as const
  try {
    return parseArgs({ args: [...parameters], options: { ...options, quick: yes, kcl: yes, json: yes, help: yes } })
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : error} (see --help)`)
  }
}

function partOf(name: string): Part {
  const part = PARTS.find(known => known === name)
  if (part === undefined)
    throw new UsageError(`--only is ${JSON.stringify(name)}, expected one or more of ${PARTS.join(', ')}`)
  return part
}

function numberOf<D extends number | undefined>(
  flag: string,
  given: string | undefined,
  { min, max, isWhole }: { min: number; max: number; isWhole: boolean },
  byDefault: D
): number | D {
  if (given === undefined) return byDefault
  const value = Number(given)
  if (given.trim() !== '' && value >= min && value <= max && (!isWhole || Number.isInteger(value))) return value
  const kind = isWhole ? 'a whole number' : 'a number'
  throw new UsageError(`--${flag} is ${JSON.stringify(given)}, expected ${kind} from ${min} to ${max}`)
}
