// Says in words, and in one line of JSON, what a chaos run has shown.
import type { LifeNote, WorkerLedger } from './wire-chaos-ledgers.ts'
import { type Duplicate, type Hit, quantile, type Verdict, type Wait } from './wire-chaos-verdict.ts'

/** A run and what came of it. */
export interface ChaosFigures {
  readonly minutes: number
  readonly workers: number
  readonly shards: number
  readonly rate: number
  readonly seed: number
  readonly isJson: boolean
  readonly produced: number
  readonly reshards: number
  /** Share of the machine's processors that was busy. */
  readonly busy: number
  readonly seconds: number
  readonly hits: readonly Hit[]
  readonly problems: readonly string[]
  readonly ledgers: readonly WorkerLedger[]
  readonly verdict: Verdict
}

const SHOWN = 10

/** Prints the report, and the line of JSON if that is wanted. Returns the number of violations. */
export function printReport(figures: ChaosFigures): number {
  const { verdict, problems, hits, ledgers, isJson } = figures
  const unexcused = verdict.duplicates.filter(({ excuse }) => excuse === undefined)
  const faults: readonly (readonly [string, readonly unknown[]])[] = [
    ['records lost', verdict.lost],
    ['records out of order', verdict.outOfOrder],
    ['records given again after their checkpoint', verdict.givenAgainAfterCheckpoint],
    ['duplicates that no SIGKILL or SIGSTOP explains', unexcused.map(duplicate => tell(duplicate, ledgers))],
    ['problems', problems]
  ]
  const summary = summarize(figures, unexcused.length)
  console.log(`\nSEED=${figures.seed}, ${figures.seconds.toFixed(0)} s, processors busy ${percent(figures.busy)}`)
  console.log(
    `${figures.workers} workers, ${figures.shards} shards, ${figures.produced} records put, ${figures.reshards} splits and merges`
  )
  console.log(
    `signals: ${count(hits, 'SIGKILL')} kills, ${count(hits, 'SIGSTOP')} pauses, ${count(hits, 'SIGTERM')} stops`
  )
  console.log(
    `duplicates: ${summary.duplicatesAfterKill} after kills, ${summary.duplicatesAfterPause} after pauses, ${unexcused.length} otherwise`
  )
  console.log(waits('failover after SIGKILL, shards', verdict.failovers))
  console.log(waits('  of these with no other fault', single(verdict.failovers)))
  console.log(
    waits(
      '  of the leader, with no other fault',
      single(verdict.failovers).filter(wait => wait.wasLeader)
    )
  )
  console.log(waits('unread after SIGTERM, shards', verdict.gaps))
  console.log(waits('  of these with no other fault', single(verdict.gaps)))
  console.log(`unprovoked: ${unprovoked(figures)}`)
  for (const [what, found] of faults) {
    console.log(`${found.length} ${what}`)
    for (const one of found.slice(0, SHOWN)) console.log(`    ${one}`)
  }
  tellErrors(ledgers)
  const violations = faults.reduce((sum, [, found]) => sum + found.length, 0)
  console.log(violations === 0 ? 'No violations.' : `${violations} violations.`)
  if (isJson) console.log(JSON.stringify({ ...summary, violations }))
  return violations
}

function summarize(figures: ChaosFigures, gracefulDuplicates: number) {
  const { verdict, hits, produced, reshards, minutes, workers, shards, seed, busy, seconds } = figures
  const excused = (signal: Hit['signal']): number =>
    verdict.duplicates.filter(({ excuse }) => excuse?.signal === signal).length
  const ms = (of: readonly Wait[], share: number): number =>
    Math.round(
      quantile(
        of.map(wait => wait.ms),
        share
      )
    )
  const { failovers, gaps } = verdict
  return {
    ...{ minutes, workers, shards, seed, produced, reshards },
    kills: count(hits, 'SIGKILL'),
    pauses: count(hits, 'SIGSTOP'),
    stops: count(hits, 'SIGTERM'),
    lost: verdict.lost.length,
    outOfOrder: verdict.outOfOrder.length,
    givenAgainAfterCheckpoint: verdict.givenAgainAfterCheckpoint.length,
    duplicatesAfterKill: excused('SIGKILL'),
    duplicatesAfterPause: excused('SIGSTOP'),
    gracefulDuplicates,
    failoverP50Ms: ms(failovers, 0.5),
    failoverP99Ms: ms(failovers, 0.99),
    singleFailoverP50Ms: ms(single(failovers), 0.5),
    singleFailoverP99Ms: ms(single(failovers), 0.99),
    stopGapP50Ms: ms(gaps, 0.5),
    stopGapP99Ms: ms(gaps, 0.99),
    singleStopGapP99Ms: ms(single(gaps), 0.99),
    busy: Number(busy.toFixed(2)),
    seconds: Math.round(seconds)
  }
}

function waits(what: string, of: readonly Wait[]): string {
  const ms = of.map(wait => wait.ms)
  const [p50, p99, max] = [0.5, 0.99, 1].map(share => (quantile(ms, share) / 1_000).toFixed(1))
  return `${what}: ${of.length}, p50 ${p50} s, p99 ${p99} s, most ${max} s`
}

function single(of: readonly Wait[]): Wait[] {
  return of.filter(({ isSingle }) => isSingle)
}

function count(hits: readonly Hit[], signal: Hit['signal']): number {
  return hits.filter(hit => hit.signal === signal).length
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

/** What happened to sessions of workers that had not been paused: a machine that is too slow, or a fault. */
function unprovoked({ ledgers, hits }: ChaosFigures): string {
  const notes = ledgers.flatMap(({ life }) => life)
  const number = (event: string): number => notes.filter(note => note.event === event && !wasPaused(note, hits)).length
  return `${number('session:died')} sessions died, ${number('session:suspended')} were suspended, ${number('worker:stalled')} event loops stood still`
}

function wasPaused({ worker, atMs }: LifeNote, hits: readonly Hit[]): boolean {
  return hits.some(hit => hit.worker === worker && hit.signal === 'SIGSTOP' && hit.atMs <= atMs)
}

/** A duplicate, and what both workers had to say about the shard and themselves in the minute around it. */
function tell({ id, key, shardId, first, again }: Duplicate, ledgers: readonly WorkerLedger[]): string {
  const about = ledgers
    .filter(({ worker }) => worker === first.worker || worker === again.worker)
    .flatMap(({ life }) => life)
    .filter(note => note.shardId === undefined || note.shardId === shardId)
    .filter(({ atMs }) => atMs > first.atMs - 30_000 && atMs < again.atMs + 30_000)
    .sort((a, b) => a.atMs - b.atMs)
    .map(
      ({ atMs, worker, event, why }) =>
        `${((atMs - first.atMs) / 1_000).toFixed(3)} ${worker} ${event}${why === undefined ? '' : ` (${why})`}`
    )
  const laterMs = Math.round(again.atMs - first.atMs)
  return `${id} of ${key} in ${shardId}: by ${first.worker}, and ${laterMs} ms later by ${again.worker}; ${about.join('; ')}`
}

function tellErrors(ledgers: readonly WorkerLedger[]): void {
  const counts = new Map<string, number>()
  for (const { entries } of ledgers) {
    for (const error of entries.errors) {
      const kind = error.replace(/shardId-\d+/g, 'a shard').replace(/w\d+\/\S+/g, 'a session')
      counts.set(kind, (counts.get(kind) ?? 0) + 1)
    }
  }
  const most = [...counts].sort(([, a], [, b]) => b - a).slice(0, SHOWN)
  if (most.length > 0) console.log('errors that workers told of:')
  for (const [kind, times] of most) console.log(`    ${times} x ${kind}`)
}
