// Shards handed from the multi-language daemon to a worker in TypeScript and back, in order and by a kill, while records keep coming.
import { Worker } from '../../src/index.ts'
import { silentLogger } from '../../src/runtime/logger.ts'
import { pollUntil } from '../support/poll.ts'
import { Daemon } from './daemons.ts'
import type { Sample } from './install.ts'
import { nodeSeen, OVERLAY, type Verdict } from './sample-run.ts'
import type { Stage } from './stage.ts'
import { Traffic } from './traffic.ts'

const STREAM = 'handover'
const WITHIN_MS = 60_000

export async function handOver(stage: Stage, sample: Sample): Promise<Verdict> {
  const { client, say } = stage
  await stage.createStream(STREAM, 2)
  const traffic = new Traffic(client, STREAM)
  const folder = stage.newFolder('handover')
  const overlay = [...OVERLAY, `streamName = ${STREAM}`, `applicationName = ${STREAM}`, 'millrace.mode = solo']
  const native = new Set<string>()
  const seen = (): ReadonlySet<string> => new Set([...nodeSeen({ folder, daemons: [] }), ...native])
  const handOvers: string[] = []
  const untilSeen = async (by: string, has: () => boolean): Promise<void> => {
    await traffic.put(10)
    await traffic.putAggregates(10)
    const startMs = performance.now()
    await pollUntil(`${by} to see them`, () => has() && traffic.missing(seen()).length === 0, WITHIN_MS)
    handOvers.push(`${by} after ${((performance.now() - startMs) / 1_000).toFixed(1)} s`)
    say(handOvers.at(-1) ?? '')
  }
  const startNative = async (): Promise<Worker> => {
    const worker = new Worker({
      ...{ streamName: STREAM, applicationName: STREAM, startAt: 'TRIM_HORIZON', logger: silentLogger },
      ...{ kinesis: stage.kinesis.clientConfig(), dynamodb: stage.dynamo.clientConfig() },
      handler: records => {
        for (const record of records) native.add(record.text())
      }
    })
    await worker.start()
    return worker
  }
  const startDaemon = (): Daemon => new Daemon({ sample, overlay, env: stage.env, folder })

  const first = startDaemon()
  await untilSeen('multilang', () => nodeSeen({ folder, daemons: [] }).size > 0)
  const worker = await startNative()
  const exitCode = await first.stop()
  await untilSeen('TypeScript, after a stop', () => native.size > 0)
  const before = nodeSeen({ folder, daemons: [] }).size
  const second = startDaemon()
  await worker.stop()
  await untilSeen('multilang again, after a stop', () => nodeSeen({ folder, daemons: [] }).size > before)
  const nativeBefore = native.size
  const next = await startNative()
  await second.kill()
  await untilSeen('TypeScript again, after kill -9', () => native.size > nativeBefore)
  await next.stop()
  const missing = traffic.missing(seen())
  const rows = await stage.rows(STREAM)
  return {
    isGood: missing.length === 0 && exitCode === 0,
    report: [
      `${traffic.count} records, missing ${missing.length}; seen by node's sample ${nodeSeen({ folder, daemons: [] }).size}, by TypeScript ${native.size}`,
      ...handOvers,
      `owners left: ${rows.filter(({ owner }) => owner !== undefined).length}`
    ]
  }
}
