// The results as tables for a terminal.
import Table from 'cli-table3'
import type { Results, ThroughputResult } from './results.ts'
import { PAYLOAD_NAMES, payloadOf } from './source/payloads.ts'
import type { Spread } from './statistics.ts'
import { throughputRatios } from './summary.ts'

/** Everything that was measured, as text. */
export function describeResults(results: Results): string {
  const sections = [
    throughputTables(results),
    ratioTable(results),
    eventLoopTable(results),
    deaggregationTable(results),
    latencyTable(results),
    idleTable(results),
    memoryLines(results),
    machineLines(results)
  ]
  return sections.filter(section => section !== '').join('\n\n')
}

function table(title: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return ''
  const colAligns = head.map((_, i) => (i === 0 ? 'left' : 'right') as 'left' | 'right')
  const drawn = new Table({ head: [...head], colAligns, style: { head: [], border: [] } })
  for (const row of rows) drawn.push([...row])
  return `${title}\n${drawn.toString()}`
}

function throughputTables({ throughput }: Results): string {
  const head = ['', 'records/s', 'least … most', 'per CPU second', 'MB/s', 'client', 'source', 'limit']
  return PAYLOAD_NAMES.map(name => {
    const measured = throughput.filter(({ payload }) => payload === name)
    if (measured.length === 0) return ''
    const text = table(`${name}: answers of ${payloadOf(name).title}`, head, measured.map(throughputRow))
    const remarks = measured.flatMap(({ contender, remark }) => (remark ? [`  ${contender}: ${remark}`] : []))
    return [text, ...remarks].join('\n')
  })
    .filter(text => text !== '')
    .join('\n\n')
}

function throughputRow(result: ThroughputResult): string[] {
  if (result.runs.length === 0) return [result.contender, ...Array.from({ length: 7 }, () => '-')]
  const { recordsPerSecond, recordsPerCpuSecond, clientCpu, sourceCpu } = result
  return [
    result.contender,
    whole(recordsPerSecond.median),
    range(recordsPerSecond),
    whole(recordsPerCpuSecond.median),
    result.megabytesPerSecond.toFixed(0),
    percent(clientCpu),
    percent(sourceCpu),
    result.bottleneck
  ]
}

function ratioTable(results: Results): string {
  const rows = throughputRatios(results)
    .filter(({ ratio }) => Number.isFinite(ratio))
    .map(({ name, ratio, decidedBy, wall, cpu }) => [name, times(ratio), decidedBy, timesRange(wall), timesRange(cpu)])
  return table('Ratios, medians over the rounds', ['', 'ratio', 'by', 'wall time', 'CPU time'], rows)
}

function eventLoopTable({ eventLoop }: Results): string {
  const rows = eventLoop.map(({ payload, contender, answers, medianMs, maxMs }) => {
    return [`${payload}, ${contender}`, String(answers), medianMs.toFixed(1), maxMs.toFixed(1)]
  })
  return table('Event loop blocked by one answer, ms', ['', 'answers', 'median', 'most'], rows)
}

function deaggregationTable({ deaggregation }: Results): string {
  const rows = deaggregation.map(({ case: name, ours, theirs, ratio }) => {
    return [name, whole(ours.median), whole(theirs.median), times(ratio)]
  })
  return table('De-aggregation alone, records per CPU second', ['', 'millrace', 'aws-kinesis-agg', 'ratio'], rows)
}

function latencyTable({ latency }: Results): string {
  const rows = latency.map(({ emulator, subject, records, p50, p99, remark = '' }) => {
    return [`${emulator}, ${subject}`, String(records), p50.toFixed(1), p99.toFixed(1), remark.slice(0, 60)]
  })
  return table('Put to handler, ms', ['', 'records', 'p50', 'p99', ''], rows)
}

function idleTable({ idle, connections }: Results): string {
  const rows = idle.map(cost => [
    String(cost.shards),
    `${cost.cpuPercent.toFixed(1)} %`,
    cost.cpuMsPerPoll.toFixed(3),
    cost.pollsPerSecond.toFixed(0),
    cost.rssMegabytes.toFixed(0),
    String(cost.connections)
  ])
  const head = ['shards', 'of a core', 'CPU ms a poll', 'polls/s', 'RSS, MB', 'connections']
  const lines = connections.map(({ shards, calls, connections: opened }) => {
    return `${calls} calls of GetRecords on ${shards} shards opened ${opened} connections`
  })
  return [table('Idle shards, polled once a second', head, rows), ...lines].filter(text => text !== '').join('\n')
}

function memoryLines({ memory }: Results): string {
  return memory
    .map(result =>
      [
        `Handler blocked for ${result.minutes} min, ${result.shards} shards: at most ${whole(result.maxRssMegabytes)} MB`,
        `resident, ${result.maxRssPerBudget.toFixed(2)} times the budget of ${whole(result.budgetMegabytes)} MB`,
        `(${whole(result.baseRssMegabytes)} MB before the start). Full speed, ${whole(result.recordsPerSecond)} records/s,`,
        `${whole(result.fullSpeedAfterMs)} ms after it was unblocked.`
      ].join(' ')
    )
    .join('\n')
}

function machineLines({ machine, remarks }: Results): string {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`)
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGigabytes} GB, ${machine.system}, Node.js ${machine.node}`,
    versions.join(', '),
    `load average before the start: ${machine.loadAverage.join(', ')}; ${machine.pinning}`,
    ...remarks.map(remark => `Note: ${remark}`)
  ]
  return lines.join('\n')
}

function whole(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString('en') : '-'
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`
}

function times(ratio: number): string {
  return Number.isFinite(ratio) ? ratio.toFixed(2) : '-'
}

function range({ min, max }: Spread): string {
  return `${whole(min)} … ${whole(max)}`
}

function timesRange({ median, min, max }: Spread): string {
  return `${times(median)} (${times(min)} … ${times(max)})`
}
