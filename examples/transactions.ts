// npm run transactions: effectively once, with a database transaction. Workers add payments up in a SQL database and are killed
// at random; at the end every payment is counted exactly once. What matters is in transactions/account-totals.ts and
// transactions/account-store.ts; see docs/transactions.md.
//
//   npm run transactions -- --kills 20
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Children } from './demo/children.ts'
import { Stream } from './demo/stream.ts'
import { until } from './demo/until.ts'
import { emulatorEnvironment, SILENT_SDK } from './support/emulator-environment.ts'
import type { Endpoints } from './support/emulator-process.ts'
import { AccountStore } from './transactions/account-store.ts'
import { Chance } from './transactions/chance.ts'
import { Fleet } from './transactions/fleet.ts'
import { EXIT, HELP, parseOptions, type TransactionsOptions } from './transactions/options.ts'
import { isExact, type Proof, prove } from './transactions/proof.ts'
import { Traffic } from './transactions/traffic.ts'

/** As short as it may be, so that the shards of a killed worker do not wait long. */
const LEASE_DURATION_MS = 1_000
/** Between two kills. */
const LEAST_BETWEEN_MS = 300
const MOST_BETWEEN_MS = 1_500
/** With nothing counted for so long, nothing more is to be expected. */
const STALLED_MS = 30_000

/** Everything that a run consists of. */
interface Cast {
  readonly options: TransactionsOptions
  readonly stream: Stream
  readonly fleet: Fleet
  readonly traffic: Traffic
  readonly store: AccountStore
}

async function main(): Promise<number> {
  const options = readOptions()
  if (typeof options === 'number') return options
  Object.assign(process.env, SILENT_SDK)
  const { promise: ending, end } = endings()
  const children = new Children(end)
  const directory = mkdtempSync(join(tmpdir(), 'millrace-transactions-'))
  const databaseFile = join(directory, 'accounts.db')
  const store = new AccountStore(databaseFile)
  const run = async (): Promise<number> => {
    const { stream, env } = await startStream(children, options)
    const fleet = new Fleet(children, env, {
      ...{ streamName: stream.name, applicationName: 'account-totals', databaseFile },
      ...{ leaseDurationMs: LEASE_DURATION_MS, naive: options.naive }
    })
    const traffic = new Traffic(stream, options.rate, new Chance(options.seed))
    await play({ options, stream, fleet, traffic, store })
    const proof = prove(traffic.payments, store.timesCounted(), store.totals())
    report(proof, { options, fleet })
    return isExact(proof) ? EXIT.good : EXIT.bad
  }
  try {
    return await Promise.race([run(), ending])
  } catch (error) {
    console.error(error instanceof Interruption ? error.message : error)
    return error instanceof Interruption ? EXIT.interrupted : EXIT.bad
  } finally {
    await children.killAll()
    store.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Kills and restarts while payments come in, and waits until nothing more is to be counted. */
async function play({ options, stream, fleet, traffic, store }: Cast): Promise<void> {
  const chance = new Chance(options.seed + 1)
  for (let i = 0; i < options.workers; i++) fleet.start()
  const flowing = traffic.run()
  await until(() => fleet.started > 0)
  for (let kill = 0; kill < options.kills; kill++) {
    await sleep(LEAST_BETWEEN_MS + chance.below(MOST_BETWEEN_MS - LEAST_BETWEEN_MS))
    if (kill === Math.floor(options.kills / 2)) await splitOne(stream)
    await until(() => fleet.started > 0)
    // Half of them at any moment, half at the one that hurts most.
    await fleet.replaceOne(chance, kill % 2 === 0)
  }
  await sleep(MOST_BETWEEN_MS)
  traffic.end()
  await flowing
  let seen = store.countedIds()
  for (let sinceMs = performance.now(); seen < traffic.payments.length; ) {
    await sleep(100)
    const now = store.countedIds()
    if (now !== seen) sinceMs = performance.now()
    else if (performance.now() - sinceMs > STALLED_MS) break
    seen = now
  }
  await fleet.stopAll()
}

async function splitOne(stream: Stream): Promise<void> {
  const [first] = (await stream.shards()).filter(({ isOpen }) => isOpen)
  if (first !== undefined) await stream.split(first)
}

async function startStream(
  children: Children,
  { shards }: TransactionsOptions
): Promise<{ stream: Stream; env: NodeJS.ProcessEnv }> {
  const module = new URL('support/emulator-process.ts', import.meta.url)
  const emulators = children.fork(module, [], emulatorEnvironment({ kinesis: '', dynamodb: '' }))
  const [endpoints] = (await once(emulators, 'message')) as [Endpoints]
  const stream = new Stream('payments', endpoints.kinesis)
  await stream.create(shards)
  return { stream, env: emulatorEnvironment(endpoints) }
}

function report(proof: Proof, { options, fleet }: Pick<Cast, 'options' | 'fleet'>): void {
  const { kills, naive, seed } = options
  const seconds = Math.round(performance.now() / 1_000)
  const { begunAhead, problems } = fleet
  if (options.json) {
    console.log(
      JSON.stringify({ ...proof, exact: isExact(proof), kills, begunAhead, problems: problems.length, seconds, seed })
    )
    return
  }
  console.log(`${kills} workers killed in ${seconds} s, ${proof.put} payments put${naive ? ', no transactions' : ''} (seed ${seed})
  missing                          ${proof.missing}
  counted more than once           ${proof.repeated}
  accounts with a wrong total      ${proof.wrongTotals}
  positions only the database had  ${begunAhead}   commits whose checkpoint a kill cut off: these would count twice
  ${isExact(proof) ? 'Every payment is counted exactly once.' : 'The totals are WRONG.'}`)
  if (!isExact(proof)) for (const problem of problems.slice(-20)) console.log(`  ${problem}`)
}

/** The options, or the exit code if there is nothing to run. */
function readOptions(): TransactionsOptions | number {
  try {
    const options = parseOptions(process.argv.slice(2))
    if (!options.help) return options
    console.log(HELP)
    return EXIT.good
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`)
    return EXIT.misused
  }
}

/** It was told to end before it was done. */
class Interruption extends Error {}

/** A promise that rejects when the run has to end before its time: by a signal, or by what `end` is told. */
function endings(): { promise: Promise<never>; end: (error: Error) => void } {
  let end: (error: Error) => void = () => {}
  const promise = new Promise<never>((_, reject) => {
    end = reject
  })
  promise.catch(() => {})
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => end(new Interruption('Interrupted.')))
  }
  process.stdout.on('error', () => end(new Interruption('Standard output was closed.')))
  process.stderr.on('error', () => {})
  return { promise, end }
}

process.exit(await main())
