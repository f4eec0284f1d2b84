// Says what a run has shown: as Markdown, in numbers, and what is wrong with them.
import type { Kind } from './ledgers.ts'
import type { Duplicate, Hit, TakeOver, Verdict } from './verdict.ts'

/** A run and what came of it. */
export interface KclFigures {
  readonly kclVersion: string
  readonly clientVersion: string | undefined
  readonly javaVersion: string
  readonly millraceVersion: string
  readonly tables: string
  readonly seed: number
  readonly seconds: number
  /** Open shards at the beginning and at the end, and all there ever were. */
  readonly shards: { readonly first: number; readonly last: number; readonly ever: number }
  readonly reshards: number
  readonly produced: number
  readonly hits: readonly Hit[]
  /** Times that records were given inside an aggregate, and checkpoints that were made there. */
  readonly aggregated: { readonly given: number; readonly checkpoints: number }
  readonly checkpointsBack: readonly string[]
  readonly looks: number
  /** Rows of the lease table that are no leases. */
  readonly otherRows: readonly string[]
  /** Processes that ended by themselves, and what took too long. */
  readonly problems: readonly string[]
  readonly verdict: Verdict
}

const SHOWN = 10
const NAMES: Readonly<Record<Kind, string>> = { java: 'Java', ours: 'Millrace' }

/** Everything that may not be, with what was found of it. */
export function faultsIn(figures: KclFigures): [string, readonly unknown[]][] {
  const { verdict, checkpointsBack, problems, otherRows, kclVersion } = figures
  // KCL 3.5 keeps rows of its own in the table; KCL 2.x cannot read a table that has any.
  const unreadable = kclVersion.startsWith('2.') ? otherRows : []
  const unexplained = verdict.duplicates.filter(({ because }) => because === 'stopped' || because === 'same worker')
  return [
    ['records missing', verdict.missing],
    ['records out of order in their shard', verdict.outOfOrderInShard],
    ['records out of order by key', verdict.outOfOrderByKey],
    ['records that a worker skipped', verdict.skipped],
    ['workers that began before a stored checkpoint', verdict.beganTooEarly],
    ['records of a child before the last of its parent', verdict.childBeforeParent],
    ['checkpoints that went back', checkpointsBack],
    ['rows that KCL 2.x cannot read', unreadable],
    ['duplicates although the worker was stopped with care', unexplained.map(({ told }) => told)],
    ['problems', problems]
  ]
}

/** The report in Markdown. */
export function reportOf(figures: KclFigures): string {
  const { kclVersion, clientVersion, javaVersion, millraceVersion, tables, seed, seconds, shards, hits } = figures
  const { verdict, produced, reshards, aggregated, looks, otherRows } = figures
  const mode = clientVersion === undefined ? '' : `, ${clientVersion}`
  const faults = faultsIn(figures)
  const lines = [
    `## KCL ${kclVersion}${mode}`,
    '',
    `Millrace ${millraceVersion}, Java ${javaVersion}, ${tables}; seed ${seed}, ${seconds.toFixed(0)} s.`,
    '',
    '| | |',
    '|---|---|',
    `| records put | ${produced} |`,
    `| shards | ${shards.first} at the beginning, ${shards.last} open at the end, ${shards.ever} in all, by ${reshards} splits and merges |`,
    `| kills (SIGKILL) | ${counted(hits, 'SIGKILL')} |`,
    `| stops (SIGTERM) | ${counted(hits, 'SIGTERM')} |`,
    `| inside aggregates | ${aggregated.given} records given, ${aggregated.checkpoints} checkpoints |`,
    `| looks at the table | ${looks}; rows that are no leases: ${otherRows.length === 0 ? 'none' : otherRows.join(', ')} |`,
    ...faults.map(([what, found]) => `| ${what} | **${found.length}** |`),
    `| duplicates | ${duplicatesInWords(verdict.duplicates)} |`,
    '',
    '| shards going over | how many | median | most | without records, median | most |',
    '|---|---|---|---|---|---|',
    ...takeOverRows(verdict.takeOvers),
    ''
  ]
  for (const [what, found] of faults) {
    if (found.length === 0) continue
    lines.push(`${found.length} ${what}:`, '', ...found.slice(0, SHOWN).map(one => `- ${one}`), '')
  }
  return lines.join('\n')
}

function counted(hits: readonly Hit[], signal: Hit['signal']): string {
  return (['java', 'ours'] as const)
    .map(kind => `${hits.filter(hit => hit.signal === signal && hit.kind === kind).length} of ${NAMES[kind]}`)
    .join(', ')
}

function duplicatesInWords(duplicates: readonly Duplicate[]): string {
  const counts = new Map<string, number>()
  for (const { because, from, to } of duplicates) {
    const what = `${because} (${NAMES[from]} → ${NAMES[to]})`
    counts.set(what, (counts.get(what) ?? 0) + 1)
  }
  const parts = [...counts].sort(([, a], [, b]) => b - a).map(([what, count]) => `${count} ${what}`)
  return [String(duplicates.length), ...parts].join('; ')
}

function takeOverRows(takeOvers: readonly TakeOver[]): string[] {
  return (['SIGKILL', 'SIGTERM'] as const).flatMap(signal =>
    (['java', 'ours'] as const).flatMap(from =>
      (['java', 'ours'] as const).flatMap(to => {
        const those = takeOvers.filter(
          ({ hit, to: taker }) => hit.signal === signal && hit.kind === from && taker === to
        )
        if (those.length === 0) return []
        const after = those.map(({ afterSignalMs }) => afterSignalMs)
        const without = those.map(({ withoutRecordsMs }) => withoutRecordsMs)
        const what = `${signal} of ${NAMES[from]}, read on by ${NAMES[to]}`
        const cells = [quantile(after, 0.5), quantile(after, 1), quantile(without, 0.5), quantile(without, 1)]
        return `| ${what} | ${those.length} | ${cells.map(seconds).join(' | ')} |`
      })
    )
  )
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
