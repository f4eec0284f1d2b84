// Runs the benchmarks: npm run bench -- --help
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { drawChart } from './chart.ts'
import { ROOT } from './library.ts'
import { describeMachine } from './machine.ts'
import { type BenchOptions, PARTS, type Part, payloadParts, readOptions, USAGE, UsageError } from './options.ts'
import { measureDeaggregation } from './parts/deaggregation.ts'
import { measureEventLoop } from './parts/event-loop.ts'
import { measureConnections, measureIdle } from './parts/idle.ts'
import { measureLatency } from './parts/latency.ts'
import { measureMemory } from './parts/memory.ts'
import { type Extent, measureThroughput } from './parts/throughput.ts'
import { installPeers } from './peers.ts'
import { describeResults } from './report.ts'
import type { Results } from './results.ts'
import { type Source, startSource } from './source/source.ts'
import { summaryOf } from './summary.ts'

const say = (line: string): void => {
  console.error(line)
}

/** What each part adds to the results. */
type PartResults = { -readonly [Name in keyof Results]?: Results[Name] }

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2))
  if (options === undefined) {
    console.log(USAGE)
    return
  }
  // The load before anything of ours has started.
  const before = describeMachine()
  installPeers(say)
  const machine = { ...describeMachine(), loadAverage: before.loadAverage }
  const [load = 0] = machine.loadAverage
  const remarks = load > 0.5 ? [`the machine was not idle: load average ${load} before the start`] : []
  if (options.quick) remarks.push('a quick run: it shows that everything works, not how fast it is')
  const measured = await measureAll(options, remarks)
  const none = { throughput: [], eventLoop: [], deaggregation: [], latency: [], idle: [], connections: [], memory: [] }
  const results: Results = { machine, ...none, ...measured, remarks }
  const table = describeResults(results)
  writeResults(results, resolve(ROOT, options.out))
  if (options.json) {
    console.error(table)
    console.log(JSON.stringify(results))
    console.log(JSON.stringify(summaryOf(results)))
  } else {
    console.log(table)
  }
  say(`written to results.json and results.svg in ${options.out}`)
}

/** Measures part after part. One that fails leaves the others as they are: what it failed with goes to the remarks. */
async function measureAll(options: BenchOptions, remarks: string[]): Promise<PartResults> {
  const { parts, quick, rounds, library, minutes } = options
  const loads = payloadParts(parts)
  const results: PartResults = {}
  const extent: Extent = {
    ...{ rounds, library, shards: options.shards, kcl: options.kcl },
    ...(quick ? { warmUpMs: 1_000, windowMs: 1_000 } : { warmUpMs: 8_000, windowMs: 3_000 })
  }
  const attempt = async (part: Part, measure: () => Promise<void>): Promise<void> => {
    if (!parts.includes(part)) return
    try {
      await measure()
    } catch (error) {
      const remark = `${part} was not measured: ${error instanceof Error ? error.message : error}`
      remarks.push(remark)
      say(remark)
    }
  }
  for (const load of loads) {
    await attempt(load, async () => {
      const measured = await withSource([load], source => measureThroughput(load, source, extent, say))
      results.throughput = [...(results.throughput ?? []), ...measured]
    })
  }
  await attempt('event-loop', async () => {
    for (const load of loads.length > 0 ? loads : payloadParts(PARTS)) {
      const measured = await withSource([load], source => measureEventLoop(load, source, extent))
      results.eventLoop = [...(results.eventLoop ?? []), ...measured]
    }
  })
  await attempt('deaggregation', async () => {
    results.deaggregation = await measureDeaggregation(library, quick ? 2 : 9, say)
  })
  await attempt('latency', async () => {
    results.latency = await measureLatency(library, quick ? 20 : 150, say)
  })
  await attempt('idle', async () => {
    results.idle = await withSource([], source => measureIdle(source, library, quick ? 4_000 : 20_000, say))
  })
  await attempt('connections', async () => {
    results.connections = [await withSource([], source => measureConnections(source, library))]
  })
  await attempt('memory', async () => {
    say(`blocking a handler for ${minutes} minutes`)
    results.memory = [await withSource(['kpl'], source => measureMemory(source, library, minutes))]
  })
  return results
}

async function withSource<T>(
  payloads: Parameters<typeof startSource>[0],
  measure: (source: Source) => Promise<T>
): Promise<T> {
  const source = await startSource(payloads)
  try {
    return await measure(source)
  } finally {
    await source.end()
  }
}

function writeResults(results: Results, folder: string): void {
  mkdirSync(folder, { recursive: true })
  const { machine, ...details } = results
  const json = JSON.stringify({ ...summaryOf(results), details, machine }, null, 2)
  writeFileSync(join(folder, 'results.json'), `${json}\n`)
  writeFileSync(join(folder, 'results.svg'), drawChart(results))
}

main().catch(error => {
  console.error(error instanceof UsageError ? error.message : error)
  process.exitCode = 1
})
