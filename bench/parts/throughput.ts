// From GetRecords to the handler: how many records a second, on one core, for every contender and every kind of load. Each
// run has a process of its own; the contenders take turns, so that what else happens on the machine hits all of them.
import { setTimeout as sleep } from 'node:timers/promises'
import { awsKcl } from '../contenders/aws-kcl.ts'
import type { Contender, Load, RunningContender } from '../contenders/contender.ts'
import { CONTENDERS } from '../contenders/contenders.ts'
import type { ContenderSample } from '../contenders/meter.ts'
import type { Bottleneck, Run, ThroughputResult } from '../results.ts'
import { KEY_LENGTH, type Payload, type PayloadName, payloadOf } from '../source/payloads.ts'
import { BUSY_SOURCE, type Source, sourceLoad } from '../source/source.ts'
import { median, spread } from '../statistics.ts'

/** How much is measured. */
export interface Extent {
  readonly rounds: number
  readonly warmUpMs: number
  readonly windowMs: number
  /** Shards that Millrace reads. Absent: as many as leave it room, but not many more. */
  readonly shards?: number | undefined
  readonly library: string
  /** Whether aws-kcl takes part. */
  readonly kcl: boolean
  /** Names of the contenders to measure; absent: all. */
  readonly contenders?: readonly string[] | undefined
}

/** Why a contender has no figures, or is not what it seems. */
type Outcome = { readonly run: Run; readonly remark?: string } | { readonly remark: string; readonly run?: never }

/**
 * Shards that Millrace reads: at the 2 MB/s that Kinesis allows, they together have more than one core takes. With many more,
 * each would have so little of the worker's memory that answers are never whole.
 */
const SHARDS = { json: 160, cbor: 320 }
/** The same where an answer has 10 MB. */
const SHARDS_OF_KPL = { json: 80, cbor: 320 }
/** A client that takes less of its core than this waits for something. */
export const FULL_CORE = 0.9
/** How long an answer is waited for, at most. */
const PATIENCE_MS = 20_000
/** Rounds for contenders that are there for orientation only. */
const ORIENTATION_ROUNDS = 2
/** Answers per shard that may be under way, or read ahead, at the moment of a sample. */
const UNDER_WAY = 3

/** Measures one kind of load. */
export async function measureThroughput(
  name: PayloadName,
  source: Source,
  extent: Extent,
  say: (line: string) => void
): Promise<ThroughputResult[]> {
  const payload = payloadOf(name)
  const all = extent.kcl ? [...CONTENDERS, awsKcl(say)] : CONTENDERS
  const contenders = all.filter(
    contender => contender.payloads.includes(name) && (extent.contenders?.includes(contender.name) ?? true)
  )
  const outcomes = new Map<Contender, Outcome[]>(contenders.map(contender => [contender, []]))
  for (let round = 0; round < extent.rounds; round++) {
    for (const [contender, sofar] of outcomes) {
      if (round >= (contender.rounds ?? (contender.decides ? extent.rounds : ORIENTATION_ROUNDS))) continue
      // Who could not be measured once is not tried again.
      if (sofar.some(({ run }) => run === undefined)) continue
      const outcome = await measureRun(contender, payload, source, extent)
      sofar.push(outcome)
      say(`${name} ${round + 1}/${extent.rounds} ${contender.name}: ${summaryOf(outcome)}`)
    }
  }
  return [...outcomes].map(([contender, all]) => resultOf(contender, payload, all))
}

function summaryOf({ run, remark }: Outcome): string {
  if (run === undefined) return remark ?? ''
  const load = `client ${percent(run.clientCpu)}, source ${percent(run.sourceCpu)}`
  return `${Math.round(run.recordsPerSecond).toLocaleString('en')} records/s (${load})${remark ? `, ${remark}` : ''}`
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`
}

async function measureRun(contender: Contender, payload: Payload, source: Source, extent: Extent): Promise<Outcome> {
  const { library, shards = (payload.name === 'kpl' ? SHARDS_OF_KPL : SHARDS)[contender.wire] } = extent
  const load: Load = { payload: payload.name, http1: source.http1, http2: source.http2, shards, library }
  const first = await source.sample()
  let running: RunningContender | undefined
  try {
    running = await contender.start(load)
    await sampleAfter(running, 0)
    await sleep(extent.warmUpMs)
    if (contender.beginsSmall === true) await untilServed(source, first.served.answers + shards)
    const [from, sourceFrom] = [await running.sample(), await source.sample()]
    await sleep(extent.windowMs)
    const [to, sourceTo] = [await sampleAfter(running, from.answers), await source.sample()]
    checkCounts(to, payload, first.served.records, sourceTo.served.records, shards)
    const cbor = sourceTo.served.cborAnswers - sourceFrom.served.cborAnswers
    const isOther = contender.wire === 'cbor' && cbor === 0
    const run = runOf(from, to, sourceLoad(sourceFrom, sourceTo))
    return { run, ...(isOther && { remark: 'was served JSON' }) }
  } catch (error) {
    const because = error instanceof Error ? error.message.slice(0, 600) : String(error)
    return { remark: because.startsWith('not measured') ? because : `not measured: ${because}` }
  } finally {
    await running?.end()
  }
}

/** Waits until so many answers have been served. Rejects if that takes long. */
async function untilServed(source: Source, answers: number): Promise<void> {
  const untilMs = performance.now() + PATIENCE_MS
  while ((await source.sample()).served.answers < answers) {
    if (performance.now() > untilMs) throw new Error(`not every shard was read in ${PATIENCE_MS / 1000} s`)
    await sleep(100)
  }
}

/** A sample with more answers than those. Rejects if there are none for a long time. */
async function sampleAfter(running: RunningContender, answers: number): Promise<ContenderSample> {
  const untilMs = performance.now() + PATIENCE_MS
  for (;;) {
    const sample = await running.sample()
    if (sample.answers > answers) return sample
    if (performance.now() > untilMs) throw new Error(`no answer was handled in ${PATIENCE_MS / 1000} s`)
    await sleep(50)
  }
}

/** Whether every record was really touched, and whether what was handled is what was served. */
function checkCounts(to: ContenderSample, payload: Payload, before: number, after: number, shards: number): void {
  const expected = to.records * (KEY_LENGTH + payload.dataBytes)
  if (to.touched !== undefined && to.touched !== expected) {
    throw new Error(`${to.touched} bytes of keys and data were touched, expected ${expected}`)
  }
  const served = after - before
  const perAnswer = payload.records.length * payload.usersPerRecord
  const mostUnderWay = UNDER_WAY * shards * perAnswer
  if (to.records > served || served - to.records > mostUnderWay) {
    throw new Error(`${to.records} records were handled, ${served} were served`)
  }
}

function runOf(from: ContenderSample, to: ContenderSample, sourceCpu: number): Run {
  const records = to.records - from.records
  const [wallMs, cpuMs] = [to.atMs - from.atMs, to.cpuMs - from.cpuMs]
  return {
    recordsPerSecond: (records / wallMs) * 1000,
    recordsPerCpuSecond: (records / cpuMs) * 1000,
    clientCpu: cpuMs / wallMs,
    sourceCpu
  }
}

function resultOf(contender: Contender, payload: Payload, outcomes: readonly Outcome[]): ThroughputResult {
  const runs = outcomes.flatMap(({ run }) => (run === undefined ? [] : [run]))
  const remarks = new Set(outcomes.flatMap(({ remark }) => (remark === undefined ? [] : [remark])))
  const recordsPerSecond = spread(runs.map(run => run.recordsPerSecond))
  const [clientCpu, sourceCpu] = [median(runs.map(run => run.clientCpu)), median(runs.map(run => run.sourceCpu))]
  return {
    contender: contender.name,
    title: contender.title,
    payload: payload.name,
    runs,
    recordsPerSecond,
    recordsPerCpuSecond: spread(runs.map(run => run.recordsPerCpuSecond)),
    megabytesPerSecond: (recordsPerSecond.median * payload.dataBytes) / 1e6,
    clientCpu,
    sourceCpu,
    bottleneck: bottleneckOf(clientCpu, sourceCpu),
    ...(remarks.size > 0 && { remark: [...remarks].join('; ') })
  }
}

function bottleneckOf(clientCpu: number, sourceCpu: number): Bottleneck {
  if (clientCpu >= FULL_CORE) return 'client'
  return sourceCpu >= BUSY_SOURCE ? 'source' : 'neither'
}
