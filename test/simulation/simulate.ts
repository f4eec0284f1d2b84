// `npm run simulate -- --seeds N --profile NAME --json`: runs a profile with many seeds, on all cores, and sums up. Exits
// with 1 if an invariant broke or a story did not come to its end.
import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { describeViolation } from '../../src/testing/violation.ts'
import { PROFILES } from './profiles.ts'
import { runSeed, type SeedReport } from './seed-run.ts'
import { summarize } from './summary.ts'

const USAGE = `npm run simulate -- [options]
  --profile NAME   ${Object.keys(PROFILES).join(', ')}; default rough
  --seeds N        how many seeds; default 20
  --seed N         the first seed; default 1. With --seeds 1: just this one
  --lease-duration MS  for calm: how long a worker may go without a heartbeat; default 10000
  --jobs N         how many processes; default one for each core
  --log            write the journal to standard error (one seed only)
  --until-violation  stop at the first seed in which an invariant breaks
  --json           one line of JSON for the summary, as the last line`

interface Arguments {
  readonly profile: string
  readonly first: number
  readonly count: number
  readonly jobs: number
  readonly log: boolean
  readonly json: boolean
  readonly untilViolation: boolean
  readonly durationMs: number
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      profile: { type: 'string', default: 'rough' },
      seeds: { type: 'string', default: '20' },
      seed: { type: 'string', default: '1' },
      'lease-duration': { type: 'string', default: '10000' },
      jobs: { type: 'string', default: String(availableParallelism()) },
      log: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      'until-violation': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false }
    }
  })
  if (values.help) {
    process.stdout.write(`${USAGE}\n`)
    process.exit(0)
  }
  const whole = (name: 'seeds' | 'seed' | 'jobs' | 'lease-duration', least: number): number => {
    const value = Number(values[name])
    if (Number.isSafeInteger(value) && value >= least) return value
    throw new RangeError(`--${name} is ${values[name]}, expected a whole number from ${least}`)
  }
  const { profile } = values
  if (!Object.hasOwn(PROFILES, profile)) {
    throw new RangeError(`--profile is ${profile}, expected one of ${Object.keys(PROFILES).join(', ')}`)
  }
  const [count, first] = [whole('seeds', 1), whole('seed', 0)]
  const jobs = Math.min(whole('jobs', 1), count)
  return {
    profile,
    first,
    count,
    jobs,
    log: values.log,
    json: values.json,
    untilViolation: values['until-violation'],
    durationMs: whole('lease-duration', 1_000)
  }
}

/** Runs one seed in this process. */
async function run({ profile, log, durationMs }: Arguments, seed: number): Promise<SeedReport> {
  const story = PROFILES[profile]
  if (story === undefined) throw new RangeError(`There is no profile ${profile}`)
  const replay = `npm run simulate -- --profile ${profile} --seeds 1 --seed ${seed} --log`
  return runSeed(story, seed, { replay, log, durationMs })
}

/** Runs the seeds in several processes, each taking the next one that is left. */
function runAll(args: Arguments, told: (report: SeedReport) => void): Promise<SeedReport[]> {
  const reports: SeedReport[] = []
  let next = args.first
  let isOver = false
  const process_ = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const child = fork(
        new URL(import.meta.url),
        ['--profile', args.profile, '--lease-duration', String(args.durationMs)],
        {
          env: { ...process.env, SIMULATE_JOB: '1' }
        }
      )
      const feed = (): void => {
        if (isOver || next >= args.first + args.count) child.disconnect()
        else child.send({ seed: next++ })
      }
      child.on('message', report => {
        reports.push(report as SeedReport)
        told(report as SeedReport)
        isOver ||= args.untilViolation && isBad(report as SeedReport)
        feed()
      })
      child.on('error', reject)
      child.on('exit', code => (code === 0 ? resolve() : reject(new Error(`A process ended with ${code}`))))
      feed()
    })
  return Promise.all(Array.from({ length: args.jobs }, process_)).then(() => reports)
}

function isBad({ violations, problem }: SeedReport): boolean {
  return violations.length > 0 || problem !== undefined
}

function describe(
  { seed, tookMs, virtualMs, hash, violations, problem }: SeedReport,
  profile: string
): string | undefined {
  const [violation] = violations
  if (violation === undefined && problem === undefined) return undefined
  const replay = `npm run simulate -- --profile ${profile} --seeds 1 --seed ${seed} --log`
  const what = violation === undefined ? `${problem}\nReplay: ${replay}` : describeViolation(violation, replay)
  return `seed ${seed} (${hash}, ${Math.round(virtualMs / 1000)} s in ${Math.round(tookMs)} ms): ${what}\n`
}

async function main(): Promise<void> {
  const args = readArguments()
  const startedMs = performance.now()
  const told = (report: SeedReport): void => {
    const text = describe(report, args.profile)
    if (text !== undefined) process.stdout.write(text)
  }
  let reports: SeedReport[]
  if (args.jobs === 1) {
    reports = []
    for (let seed = args.first; seed < args.first + args.count; seed++) {
      const report = await run(args, seed)
      reports.push(report)
      told(report)
      if (args.untilViolation && isBad(report)) break
    }
  } else {
    reports = await runAll(args, told)
  }
  const summary = summarize(args.profile, reports, (performance.now() - startedMs) / 1_000)
  if (args.json) process.stdout.write(`${JSON.stringify(summary)}\n`)
  else for (const [name, value] of Object.entries(summary)) process.stdout.write(`${name.padEnd(24)} ${value}\n`)
  if (reports.length === 1) process.stdout.write(args.json ? '' : `${'journal'.padEnd(24)} ${reports[0]?.hash}\n`)
  process.exitCode = summary.violations + summary.problems > 0 ? 1 : 0
}

/** A process of `runAll`: one seed after the other, as they are sent. */
function serve(): void {
  const args = readArguments()
  process.on('message', message => {
    void run(args, (message as { seed: number }).seed).then(report => process.send?.(report))
  })
}

if (process.env.SIMULATE_JOB !== undefined) serve()
else {
  try {
    await main()
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof TypeError)) throw error
    process.stderr.write(`${error.message}\n\n${USAGE}\n`)
    process.exitCode = 2
  }
}
