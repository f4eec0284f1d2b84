// What shards cost that have nothing to read, polled once a second, and how many connections that and a thousand calls take.
import { setTimeout as sleep } from 'node:timers/promises'
import { type Child, startChild } from '../child-process.ts'
import type { ConnectionsResult, IdleResult } from '../results.ts'
import type { Source } from '../source/source.ts'
import { streamNameOf } from '../source/streams.ts'
import type { WorkerQuestions, WorkerSample } from '../subjects/worker-process.ts'

/** Numbers of shards that are measured. */
const SHARD_COUNTS = [10, 100, 1_000]
const CONNECTION_SHARDS = 64
const CONNECTION_CALLS = 1_000
/** How long every shard may take to be read for the first time. */
const START_MS = 60_000

/** Measures workers with ever more shards. `windowMs`: how long each of them is watched. */
export async function measureIdle(
  source: Source,
  library: string,
  windowMs: number,
  say: (line: string) => void
): Promise<IdleResult[]> {
  const results: IdleResult[] = []
  for (const shards of SHARD_COUNTS) {
    const result = await withWorker(source, library, { shards, idleMs: 1_000 }, async (child, before) => {
      await untilServed(source, before.answers + 2 * shards)
      // The first polls, and what they have left to the garbage collector, are not what is measured.
      await sleep(windowMs / 4)
      const [from, servedFrom] = [await child.ask.sample(), await source.sample()]
      await sleep(windowMs)
      const [to, servedTo] = [await child.ask.sample(), await source.sample()]
      const polls = servedTo.served.answers - servedFrom.served.answers
      return { ...costOf(from, to, polls), connections: servedTo.served.connections - before.connections }
    })
    results.push({ shards, ...result })
    say(`${shards} idle shards: ${result.cpuPercent.toFixed(1)} % of a core, ${Math.round(result.rssMegabytes)} MB`)
  }
  return results
}

/** Counts the connections that a thousand calls of GetRecords open. */
export async function measureConnections(source: Source, library: string): Promise<ConnectionsResult> {
  const setup = { shards: CONNECTION_SHARDS, idleMs: 200 }
  return withWorker(source, library, setup, async (_, before) => {
    await untilServed(source, before.answers + CONNECTION_CALLS)
    const { served } = await source.sample()
    const connections = served.connections - before.connections
    return { shards: CONNECTION_SHARDS, calls: served.answers - before.answers, connections }
  })
}

async function withWorker<T>(
  source: Source,
  library: string,
  { shards, idleMs }: { shards: number; idleMs: number },
  watch: (child: Child<WorkerQuestions>, before: { answers: number; connections: number }) => Promise<T>
): Promise<T> {
  const { served } = await source.sample()
  const child = startChild<WorkerQuestions>('subjects/worker-process.ts', { role: 'measured', name: 'idle worker' })
  try {
    const streamName = streamNameOf('idle', shards)
    await child.ask.start({ library, endpoint: source.http1, streamName, idleMs })
    return await watch(child, served)
  } finally {
    await child.end()
  }
}

async function untilServed(source: Source, answers: number): Promise<void> {
  const untilMs = performance.now() + START_MS
  while ((await source.sample()).served.answers < answers) {
    if (performance.now() > untilMs) throw new Error(`Not every shard was read in ${START_MS / 1000} s`)
    await sleep(100)
  }
}

function costOf(from: WorkerSample, to: WorkerSample, polls: number): Omit<IdleResult, 'shards' | 'connections'> {
  const [cpuMs, wallMs] = [to.cpuMs - from.cpuMs, to.atMs - from.atMs]
  return {
    cpuPercent: (cpuMs / wallMs) * 100,
    cpuMsPerPoll: cpuMs / polls,
    pollsPerSecond: (polls / wallMs) * 1000,
    rssMegabytes: to.rssBytes / 1e6
  }
}
