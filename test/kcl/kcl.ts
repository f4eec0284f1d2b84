// Released Java KCL and Millrace on one lease table: replaced by one another, killed, resharded, every record accounted for. Not
// part of the tests: it needs a JDK and Maven, and takes minutes. What it needs and how to read it: README.md beside this file.
// Run: npm run kcl -- [--kcl 2.7.2|3.5.1|both] [--minutes 3] [--shards 4] [--seed N] [--keep]
//   [--client-version CLIENT_VERSION_CONFIG_…] [--tables dynalite|moto] [--python PROGRAM] [--report FILE]
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { KinesisClient } from '@aws-sdk/client-kinesis'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { SILENT_SDK } from '../../examples/support/emulator-environment.ts'
import type { Emulator } from '../../examples/support/emulators.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { systemClock } from '../../src/runtime/clock.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { startKinesisLocal } from '../support/kinesis-local.ts'
import { createStream } from '../support/streams.ts'
import { CheckpointWatch } from './checkpoint-watch.ts'
import { Fleet } from './fleet.ts'
import { buildJava, type JavaBuild } from './java-build.ts'
import { faultsIn, type KclFigures, reportOf } from './report.ts'
import { Stage } from './stage.ts'
import { play } from './story.ts'
import { checkTables, startTables, type TablesKind, tablesFor } from './tables.ts'
import { judge } from './verdict.ts'

interface Options {
  readonly releases: readonly string[]
  readonly minutes: number
  readonly shards: number
  readonly seed: number
  readonly clientVersion: string | undefined
  /** Absent: dynalite for 2.x, moto for 3.x. */
  readonly tables: TablesKind | undefined
  /** A Python that has moto. */
  readonly python: string
  /** A file for the report. */
  readonly report: string | undefined
  readonly isKept: boolean
}

const RELEASES = ['2.7.2', '3.5.1']
const STREAM = 'kcl-fleet'
const APPLICATION = 'kcl-fleet'
/** The emulator is busy when JVMs start. */
const PUT_WITHIN_MS = 120_000

/** One run of one release, from the emulators to the report. Everything it has started is gone after {@link dispose}. */
class KclRun {
  readonly folder = mkdtempSync(join(tmpdir(), 'millrace-kcl-'))
  readonly #options: Options
  readonly #build: JavaBuild
  readonly #startedMs = systemClock.monotonicMs()
  readonly #emulators: Emulator[] = []
  #fleet: Fleet | undefined

  constructor(options: Options, build: JavaBuild) {
    this.#options = options
    this.#build = build
  }

  async run(): Promise<KclFigures> {
    const { shards, seed, minutes, clientVersion } = this.#options
    const { java, classPath, javaVersion, kclVersion } = this.#build
    const kinesis = await this.#start(startKinesisLocal())
    const tables = this.#options.tables ?? tablesFor(kclVersion)
    const dynamodb = await this.#start(startTables(tables, this.#options.python))
    // Not again what may have landed, or a record would be in the stream twice; so the only attempt has to last.
    const requestHandler = new NodeHttpHandler({ requestTimeout: PUT_WITHIN_MS })
    const client = new KinesisClient({ ...kinesis.clientConfig(), requestHandler, maxAttempts: 1 })
    await createStream(client, shards, STREAM)
    const say = (what: string): void => this.say(what)
    const endpoints = { kinesis: kinesis.endpoint, dynamodb: dynamodb.endpoint }
    const fleet = new Fleet({ endpoints, stream: STREAM, application: APPLICATION, folder: this.folder, say })
    this.#fleet = fleet
    const watch = new CheckpointWatch(dynamodb.endpoint, APPLICATION)
    const stage = new Stage({ client, stream: STREAM, shards, fleet, watch, random: seededRandom(seed), say })
    await play(stage, { java: { java, classPath, clientVersion }, mixedMs: minutes * 60_000 })
    const lineage = await stage.lineage()
    const last = (await stage.openShardIds()).length
    await watch.stop()
    client.destroy()
    const { notes } = fleet.ledgers
    return {
      ...{ kclVersion, clientVersion, javaVersion, seed, hits: fleet.hits },
      millraceVersion: packageJson.version,
      tables: `kinesis-local and ${tables}`,
      seconds: (systemClock.monotonicMs() - this.#startedMs) / 1_000,
      shards: { first: shards, last, ever: lineage.size },
      reshards: stage.reshards,
      produced: stage.producer.produced,
      aggregated: {
        given: notes.flatMap(({ given }) => given ?? []).filter(({ position: [, sub] }) => sub > 0).length,
        checkpoints: notes.filter(({ stored }) => stored !== undefined && stored[1] > 0).length
      },
      checkpointsBack: watch.back,
      looks: watch.looks,
      otherRows: [...watch.others].sort(),
      problems: [...fleet.problems, ...stage.late],
      verdict: judge(notes, fleet.hits, lineage, stage.producer.produced)
    }
  }

  say(what: string): void {
    console.log(`${((systemClock.monotonicMs() - this.#startedMs) / 1_000).toFixed(1).padStart(7)} s  ${what}`)
  }

  /** Ends every process at once. */
  async dispose(): Promise<void> {
    this.#fleet?.killAll()
    await Promise.all(this.#emulators.map(emulator => emulator.close()))
  }

  async #start(emulator: Promise<Emulator>): Promise<Emulator> {
    const started = await emulator
    this.#emulators.push(started)
    return started
  }
}

function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      kcl: { type: 'string', default: 'both' },
      minutes: { type: 'string', default: '3' },
      shards: { type: 'string', default: '4' },
      seed: { type: 'string', default: String(Math.floor(Number(process.hrtime.bigint() % 1_000_000n))) },
      'client-version': { type: 'string' },
      tables: { type: 'string' },
      python: { type: 'string', default: 'python3' },
      report: { type: 'string' },
      keep: { type: 'boolean', default: false }
    }
  })
  if (!/^(both|\d+\.\d+\.\d+)$/.test(values.kcl)) {
    throw new Error(
      `--kcl is ${JSON.stringify(values.kcl)}, expected both, or a version such as ${RELEASES.join(' or ')}`
    )
  }
  return {
    releases: values.kcl === 'both' ? RELEASES : [values.kcl],
    minutes: positive('--minutes', values.minutes),
    shards: positive('--shards', values.shards),
    seed: Number(values.seed),
    clientVersion: values['client-version'],
    tables: oneOf('--tables', values.tables, ['dynalite', 'moto']),
    python: values.python,
    report: values.report,
    isKept: values.keep
  }
}

function oneOf<T extends string>(name: string, value: string | undefined, allowed: readonly T[]): T | undefined {
  const found = allowed.find(one => one === value)
  if (value === undefined || found !== undefined) return found
  throw new Error(`${name} is ${JSON.stringify(value)}, expected ${allowed.join(' or ')}`)
}

/** What is missing is said before the first run, and not after it. @throws Error that says what is missing */
async function prepare({ releases, tables, python }: Options): Promise<JavaBuild[]> {
  const builds: JavaBuild[] = []
  for (const release of releases) {
    await checkTables(tables ?? tablesFor(release), python)
    builds.push(await buildJava(release, what => console.log(what)))
  }
  return builds
}

function giveUp(error: Error): never {
  console.error(error.message)
  process.exit(1)
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (value > 0 && Number.isFinite(value)) return value
  throw new Error(`${name} is ${JSON.stringify(text)}, expected a positive number`)
}

Object.assign(process.env, SILENT_SDK)
const options = (() => {
  try {
    return readOptions(process.argv.slice(2))
  } catch (error) {
    return giveUp(error as Error)
  }
})()
// However this process ends, short of SIGKILL; and then the processes notice by themselves.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))
const reports: string[] = []
let faults = 0
for (const build of await prepare(options).catch(giveUp)) {
  const run = new KclRun(options, build)
  const dispose = (): void => void run.dispose()
  process.once('exit', dispose)
  const figures = await run.run().finally(() => run.dispose())
  process.removeListener('exit', dispose)
  reports.push(reportOf(figures))
  console.log(`\n${reports.at(-1)}`)
  const found = faultsIn(figures).reduce((sum, [, those]) => sum + those.length, 0)
  faults += found
  if (found === 0 && !options.isKept) rmSync(run.folder, { recursive: true, force: true })
  else console.log(`The ledgers and what the processes printed are kept in ${run.folder}`)
}
if (options.report !== undefined) writeFileSync(options.report, ['# What was seen last', '', ...reports].join('\n'))
process.exit(faults === 0 ? 0 : 1)
