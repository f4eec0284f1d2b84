// Measures aws-kcl alone, in less time than a whole run takes, and tells more of it than the table can:
// node --import tsx bench/contenders/aws-kcl-alone.ts [payload…]
import { setTimeout as sleep } from 'node:timers/promises'
import { SILENT_SDK } from '../../examples/support/emulator-environment.ts'
import { type Child, startChild } from '../child-process.ts'
import { PAYLOAD_NAMES, type PayloadName } from '../source/payloads.ts'
import type { SourceQuestions } from '../source/source-process.ts'
import { AWS_KCL_SHARDS, awsKcl, type RunningAwsKcl } from './aws-kcl.ts'

type Source = Child<SourceQuestions>

const WINDOWS = 3
const WINDOW_MS = 5_000

async function main(payloads: readonly PayloadName[]): Promise<void> {
  Object.assign(process.env, SILENT_SDK)
  const source: Source = startChild('source/source-process.ts', { role: 'other', name: 'the load source' })
  try {
    const endpoints = await source.ask.start()
    for (const payload of payloads) {
      await source.ask.prepare([payload])
      const load = { payload, ...endpoints, shards: AWS_KCL_SHARDS, library: 'dist' }
      const running = await awsKcl(console.log).start(load)
      try {
        for (let window = 0; window < WINDOWS; window++) console.log(payload, await measure(running, source))
        console.log(payload, `first records ${(running.facts().firstRecordsMs / 1000).toFixed(1)} s after the start`)
      } finally {
        await running.end()
      }
    }
  } finally {
    await source.end()
  }
}

async function measure(running: RunningAwsKcl, source: Source): Promise<string> {
  const look = async () => ({
    sample: await running.sample(),
    facts: running.facts(),
    source: await source.ask.sample()
  })
  const from = await look()
  await sleep(WINDOW_MS)
  const to = await look()
  const records = to.sample.records - from.sample.records
  const perSecond = (records / (to.sample.atMs - from.sample.atMs)) * 1000
  const perCpuSecond = (records / (to.sample.cpuMs - from.sample.cpuMs)) * 1000
  const wallMs = to.source.atMs - from.source.atMs
  const percent = (cpuMs: number): string => `${Math.round((100 * cpuMs) / wallMs)} %`
  const megabytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MB`
  return [
    `${Math.round(perSecond)} records/s, ${Math.round(perCpuSecond)} per CPU second`,
    `JVM ${percent(to.facts.jvmCpuMs - from.facts.jvmCpuMs)} of a core, ${megabytes(to.facts.jvmBytes)}`,
    `Node.js ${percent(to.facts.nodeCpuMs - from.facts.nodeCpuMs)}, ${megabytes(to.facts.nodeBytes)}`,
    `source ${percent(to.source.cpuMs - from.source.cpuMs)}`
  ].join('; ')
}

const asked = process.argv.slice(2)
const unknown = asked.find(name => !PAYLOAD_NAMES.includes(name as PayloadName))
if (unknown !== undefined) {
  throw new Error(`No payload is called ${unknown}: expected some of ${PAYLOAD_NAMES.join(', ')}`)
}
await main(asked.length > 0 ? (asked as PayloadName[]) : ['small', 'kilobyte', 'kpl'])
