// How long it takes from before a record is put until it is handled, at emulators, with everybody's defaults; and what the
// emulator takes for itself: a put and an immediate read, or a put and the event that it sends.
import { setTimeout as sleep } from 'node:timers/promises'
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  KinesisClient,
  PutRecordCommand
} from '@aws-sdk/client-kinesis'
import { type Emulator, startDynalite, startKinesalite } from '../../examples/support/emulators.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { startKinesisLocal } from '../../test/support/kinesis-local.ts'
import { type Child, startChild } from '../child-process.ts'
import type { LatencyResult } from '../results.ts'
import { percentile } from '../statistics.ts'
import type { LatencyQuestions, SubjectName } from '../subjects/latency-process.ts'

/** Who is measured where. lifion-kinesis cannot be pointed at an emulator for fan-out. */
const SUBJECTS: Readonly<Record<'kinesalite' | 'kinesis-local', readonly SubjectName[]>> = {
  kinesalite: ['floor', 'millrace', 'lifion-kinesis'],
  'kinesis-local': ['floor', 'millrace', 'lifion-kinesis', 'fan-out floor', 'millrace fan-out']
}

/** Between two puts. At random, so that they do not keep step with the reads. Milliseconds. */
const MIN_GAP_MS = 40
const MAX_GAP_MS = 160
/** How long the first record may take: consumers claim shards before they read. */
const FIRST_MS = 30_000
/** How long after the last put records are still waited for. */
const LAST_MS = 5_000

/** Measures everybody at both emulators with so many records each. */
export async function measureLatency(
  library: string,
  records: number,
  say: (line: string) => void
): Promise<LatencyResult[]> {
  const dynalite = await startDynalite()
  const results: LatencyResult[] = []
  try {
    for (const [name, start] of Object.entries({ kinesalite: startKinesalite, 'kinesis-local': startKinesisLocal })) {
      const emulator = await start()
      try {
        for (const subject of SUBJECTS[name as keyof typeof SUBJECTS]) {
          const result = await measureSubject(name, emulator, dynalite, subject, library, records)
          results.push(result)
          say(`${name}, ${subject}: p50 ${result.p50.toFixed(1)} ms, p99 ${result.p99.toFixed(1)} ms`)
        }
      } finally {
        await emulator.close()
      }
    }
  } finally {
    await dynalite.close()
  }
  return results
}

async function measureSubject(
  name: string,
  emulator: Emulator,
  dynalite: Emulator,
  subject: SubjectName,
  library: string,
  records: number
): Promise<LatencyResult> {
  const streamName = subject.replaceAll(' ', '-')
  const client = new KinesisClient(emulator.clientConfig())
  const child = startChild<LatencyQuestions>('subjects/latency-process.ts', { role: 'measured', name: subject })
  try {
    await createStream(client, streamName)
    const endpoints = { kinesis: emulator.endpoint, dynamodb: dynalite.endpoint }
    await child.ask.start({ subject, library, streamName, ...endpoints })
    const latencies = await (subject === 'floor' ? floor(child, records) : puts(client, streamName, child, records))
    const isComplete = latencies.length >= records
    const said = [...(isComplete ? [] : ['not every record came']), ...(await child.ask.complaints())]
    const result = { emulator: name, subject, records: latencies.length }
    const [p50, p99] = [percentile(latencies, 50), percentile(latencies, 99)]
    return { ...result, p50, p99, ...(said.length > 0 && { remark: said.join('; ').slice(0, 300) }) }
  } catch (error) {
    const remark = `not measured: ${error instanceof Error ? error.message.slice(0, 300) : error}`
    return { emulator: name, subject, records: 0, p50: Number.NaN, p99: Number.NaN, remark }
  } finally {
    await child.end()
    client.destroy()
  }
}

async function createStream(client: KinesisClient, StreamName: string): Promise<void> {
  await client.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }))
  for (let status: string | undefined; status !== 'ACTIVE'; await sleep(50)) {
    const answer = await client.send(new DescribeStreamSummaryCommand({ StreamName }))
    status = answer.StreamDescriptionSummary?.StreamStatus
  }
}

async function floor(child: Child<LatencyQuestions>, records: number): Promise<number[]> {
  const latencies: number[] = []
  // The first calls open connections and are compiled.
  for (let i = -10; i < records; i++) {
    const latencyMs = await child.ask.putAndRead()
    if (i >= 0) latencies.push(latencyMs)
    await sleep(MIN_GAP_MS)
  }
  return latencies
}

async function puts(
  client: KinesisClient,
  streamName: string,
  child: Child<LatencyQuestions>,
  records: number
): Promise<number[]> {
  const random = seededRandom(7)
  const gap = (): Promise<void> => sleep(MIN_GAP_MS + (MAX_GAP_MS - MIN_GAP_MS) * random.next())
  const put = (): Promise<unknown> => {
    const sentAtMs = performance.timeOrigin + performance.now()
    const Data = Buffer.from(JSON.stringify({ sentAtMs }))
    return client.send(new PutRecordCommand({ StreamName: streamName, PartitionKey: 'bench', Data }))
  }
  const untilMs = performance.now() + FIRST_MS
  for (let heard = 0; heard === 0; heard = (await child.ask.take()).length) {
    if (performance.now() > untilMs) throw new Error(`nothing came in ${FIRST_MS / 1000} s`)
    await put()
    await gap()
  }
  // What was put before the consumer had begun may still be on its way.
  await sleep(2_000)
  await child.ask.take()
  for (let i = 0; i < records; i++) {
    await put()
    await gap()
  }
  const latencies: number[] = []
  const lastMs = performance.now() + LAST_MS
  while (latencies.length < records && performance.now() < lastMs) {
    latencies.push(...(await child.ask.take()))
    await sleep(100)
  }
  return latencies
}
