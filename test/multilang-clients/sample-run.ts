// One sample of a client, from an empty table to a stop in order, through splits and merges: what it has seen, and what is stored.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { seededRandom } from '../../src/runtime/random.ts'
import { reshard } from '../simulation/wire-chaos-traffic.ts'
import { pollUntil } from '../support/poll.ts'
import { Daemon } from './daemons.ts'
import type { Sample } from './install.ts'
import type { Stage } from './stage.ts'
import { Traffic } from './traffic.ts'

/** What a part of the run came to. */
export interface Verdict {
  readonly isGood: boolean
  readonly report: readonly string[]
}

/** Where a sample can have left what it has seen. */
export interface SampleRun {
  readonly folder: string
  readonly daemons: readonly Daemon[]
}

/** Lines that are added: the emulator has no enhanced fan-out, which is what KCL does where nothing is said. */
export const OVERLAY = ['retrievalMode = POLLING', 'metricsLevel = NONE', 'idleTimeBetweenReadsInMillis = 250']

const FIRST = 70
const SEEN_MS = 60_000

/** What Node's sample has seen, which it writes to a log file, payloads and all. */
export function nodeSeen({ folder }: SampleRun): ReadonlySet<string> {
  const file = join(folder, 'application.log')
  if (!existsSync(file)) return new Set()
  return new Set([...readFileSync(file, 'utf8').matchAll(/Record: (n-\d+\.)/g)].map(([, id = '']) => id))
}

/** What Python's sample has seen, which it writes to standard error, from where it gets into the log of the daemon. */
export function pythonSeen({ daemons }: SampleRun): ReadonlySet<string> {
  const said = daemons.flatMap(daemon => daemon.said)
  return new Set(said.flatMap(text => [...text.matchAll(/Partition Key: (n-\d+\.),/g)].map(([, id = '']) => id)))
}

/** What a sample says in its properties, and what has to be added to them for an emulator. */
export interface SampleFacts {
  readonly stream: string
  readonly application: string
  readonly added?: readonly string[]
}

export async function runSample(
  stage: Stage,
  sample: Sample,
  { stream, application, added = [] }: SampleFacts,
  seenIn: (run: SampleRun) => ReadonlySet<string>
): Promise<Verdict> {
  const { say, client } = stage
  await stage.createStream(stream, 2)
  const traffic = new Traffic(client, stream)
  await traffic.put(FIRST - 50)
  await traffic.putAggregates(10)
  const folder = stage.newFolder(sample.name)
  const overlay = [...OVERLAY, ...added]
  const daemon = new Daemon({ sample, overlay, env: stage.env, folder })
  const run = { folder, daemons: [daemon] }
  const untilSeen = async (): Promise<void> => {
    const isSeen = (): boolean => daemon.isOver || traffic.missing(seenIn(run)).length === 0
    await pollUntil(`${sample.name} to see ${traffic.count} records`, isSeen, SEEN_MS).catch(() => {})
    const missing = traffic.missing(seenIn(run)).length
    if (missing > 0) throw new Error(`${sample.name} has not seen ${missing} records:\n${daemon.output.slice(-4_000)}`)
  }
  await untilSeen()
  const firstMs = performance.now() - daemon.startedMs
  const random = seededRandom(5)
  for (let turn = 0; turn < 3; turn++) {
    say(await reshard(client, stream, turn, random))
    await traffic.put(20)
    await traffic.putAggregates(20)
    await untilSeen()
  }
  // The last of each shard is an aggregate, so that what is stored at the stop is a place in one.
  await traffic.putAggregates(30)
  await untilSeen()
  const memoryMb = daemon.memoryMb()
  const exitCode = await daemon.stop()
  const rows = await stage.rows(application)
  const [missing, seen] = [traffic.missing(seenIn(run)), seenIn(run)]
  const ended = rows.filter(({ checkpoint }) => checkpoint === 'SHARD_END')
  const inside = rows.filter(({ subSequenceNumber }) => subSequenceNumber > 0)
  return {
    isGood: missing.length === 0 && exitCode === 0 && ended.length >= 4 && inside.length > 0,
    report: [
      `added to the properties: ${overlay.join(', ')}; endpoints and credentials come from the environment`,
      `${traffic.count} records (${traffic.aggregated} of them in aggregates), seen ${seen.size}, missing ${missing.length}`,
      `2 splits, 1 merge: ${ended.length} shards stored as SHARD_END, ${rows.length} leases in all, owners left: ${rows.filter(({ owner }) => owner !== undefined).length}`,
      `checkpoints inside an aggregate: ${inside.map(row => `${row.shardId.slice(-4)}: …${row.checkpoint.slice(-6)}#${row.subSequenceNumber}`).join(', ') || 'NONE'}`,
      `the first ${FIRST} records after ${(firstMs / 1_000).toFixed(1)} s; ${memoryMb} MB without children; exit code ${exitCode}`
    ]
  }
}
