// How long one answer keeps everything else in the process waiting, heartbeats among it. Apart from the throughput, because
// watching the event loop keeps the core busy by itself.
import { setTimeout as sleep } from 'node:timers/promises'
import { CONTENDERS } from '../contenders/contenders.ts'
import type { LoopResult } from '../results.ts'
import type { PayloadName } from '../source/payloads.ts'
import type { Source } from '../source/source.ts'
import { median } from '../statistics.ts'
import type { Extent } from './throughput.ts'

/** Who is watched: Millrace, and what it is compared with. */
const WATCHED = ['millrace', 'millrace-cbor', 'bare-loop']

/** So few that each may have whole answers of 10 MB. */
const SHARDS = 24

/**
 * How many windows are watched: answers of 10 MB come five seconds apart in each shard, and those of all shards may come together.
 */
const WINDOWS = 4

/** Measures the blocks of the event loop for one kind of load. Throws if a contender does not run. */
export async function measureEventLoop(
  payload: PayloadName,
  source: Source,
  { library, warmUpMs, windowMs }: Extent
): Promise<LoopResult[]> {
  const results: LoopResult[] = []
  for (const contender of CONTENDERS.filter(({ name }) => WATCHED.includes(name))) {
    const { http1, http2 } = source
    const running = await contender.start({ payload, http1, http2, shards: SHARDS, library, watchesLoop: true })
    try {
      await sleep(warmUpMs)
      await running.takeBlocks()
      await sleep(WINDOWS * windowMs)
      const blocksMs = await running.takeBlocks()
      const maxMs = Math.max(0, ...blocksMs)
      results.push({ contender: contender.name, payload, answers: blocksMs.length, medianMs: median(blocksMs), maxMs })
    } finally {
      await running.end()
    }
  }
  return results
}
