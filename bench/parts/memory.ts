// What a worker holds in memory while its handler does not return, with answers of 10 MB waiting in every shard, and how soon
// it is back at full speed once the handler returns.
import { setTimeout as sleep } from 'node:timers/promises'
import { startChild } from '../child-process.ts'
import type { MemoryResult } from '../results.ts'
import type { Source } from '../source/source.ts'
import { streamNameOf } from '../source/streams.ts'
import { median } from '../statistics.ts'
import type { WorkerQuestions } from '../subjects/worker-process.ts'

const SHARDS = 64
const BUDGET_BYTES = 512 * 1024 * 1024
/** How long it reads before: code that has never run would be slow at first whatever is done. */
const WARM_UP_MS = 10_000
const SAMPLE_MS = 250
/** How fast it is, is counted in steps from when the handler goes on, until long after the first burst is over. */
const STEP_MS = 50
const AFTER_MS = 15_000
/** Full speed: what it settles at from here on. */
const SETTLED_MS = 5_000
/** A step says little by itself: so many together are at full speed or are not. */
const STEPS_TOGETHER = 10
const FULL = 0.9

/** Blocks a handler for `minutes`, and lets it go. */
export async function measureMemory(source: Source, library: string, minutes: number): Promise<MemoryResult> {
  const child = startChild<WorkerQuestions>('subjects/worker-process.ts', { role: 'measured', name: 'blocked worker' })
  try {
    const { rssBytes: baseBytes } = await child.ask.sample()
    const streamName = streamNameOf('kpl', SHARDS)
    const setup = { library, endpoint: source.http1, streamName, maxBufferedBytes: BUDGET_BYTES }
    await child.ask.start(setup)
    await sleep(WARM_UP_MS)
    await child.ask.block()
    const untilMs = performance.now() + minutes * 60_000
    let maxBytes = 0
    while (performance.now() < untilMs) {
      maxBytes = Math.max(maxBytes, (await child.ask.sample()).rssBytes)
      await sleep(SAMPLE_MS)
    }
    const counts = await child.ask.unblock(STEP_MS, AFTER_MS)
    return {
      shards: SHARDS,
      minutes,
      budgetMegabytes: BUDGET_BYTES / 1e6,
      maxRssMegabytes: maxBytes / 1e6,
      maxRssPerBudget: maxBytes / BUDGET_BYTES,
      baseRssMegabytes: baseBytes / 1e6,
      ...recovery(counts)
    }
  } finally {
    await child.end()
  }
}

/** When the first stretch at full speed begins. */
function recovery(counts: readonly number[]): Pick<MemoryResult, 'fullSpeedAfterMs' | 'recordsPerSecond'> {
  const speeds = counts.flatMap((count, i) => {
    const later = counts[i + STEPS_TOGETHER]
    return later === undefined ? [] : [((later - count) * 1000) / (STEPS_TOGETHER * STEP_MS)]
  })
  const recordsPerSecond = median(speeds.slice(SETTLED_MS / STEP_MS))
  const first = speeds.findIndex(speed => speed >= FULL * recordsPerSecond)
  return { fullSpeedAfterMs: first === -1 ? Number.POSITIVE_INFINITY : first * STEP_MS, recordsPerSecond }
}
