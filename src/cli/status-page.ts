// A fleet as a page of text: who is there, which part of the stream each reads, how far every shard is, and what is not well.
import type { LagReport } from '../operate/lag.ts'
import type { FleetStatus, LeaseStatus, WorkerStatus } from '../operate/status-rules.ts'
import { lettersOf, type RangePart, rangePicture } from './range-picture-rules.ts'
import { type Column, tableLines } from './tables.ts'
import type { Colors } from './terminal.ts'
import { count, duration, plural, printable, shortShard } from './text-rules.ts'

/** What is shown, and in how much room. */
export interface StatusPageOptions {
  readonly status: FleetStatus
  /** Absent: it was not measured. */
  readonly lag: LagReport | undefined
  readonly columns: number
  /** How many lines there may be. Absent: as many as there are. */
  readonly rows?: number
  readonly colors: Colors
}

const WORKER_COLUMNS: readonly Column[] = [
  { title: '' },
  { title: 'worker' },
  { title: 'state' },
  { title: 'leases', align: 'right' },
  { title: 'red', align: 'right' },
  { title: 'heartbeat', align: 'right' },
  { title: 'reason' }
]
const LEASE_COLUMNS: readonly Column[] = [
  { title: 'shard', align: 'right' },
  { title: 'state' },
  { title: 'worker' },
  { title: 'lag', align: 'right' },
  { title: 'checkpoint' },
  { title: 'reason' }
]
/** The share of the lines that workers may take where there is no room for all. */
const WORKERS_SHARE = 1 / 5
const LEAST_WORKERS = 3
/** From so many columns on, a shard that is red shows its checkpoint, too, beside the reason. */
const WIDE = 110

/** The page, line by line. What is red comes first, then what is furthest behind; finished shards are counted only. */
export function statusPage({ status, lag, columns, rows, colors }: StatusPageOptions): string[] {
  const letters = lettersOf(status.workers)
  const painter = painterOf(letters, colors)
  const head = [
    titleLine(status, lag, colors),
    ...streamLines(status, colors),
    ...pictureLines(status, letters, painter, columns, colors),
    ''
  ]
  const most = rows === undefined ? undefined : Math.max(LEAST_WORKERS, Math.floor(rows * WORKERS_SHARE))
  const workers = workerLines(status, letters, painter, most, colors)
  const orders = orderLines(status, colors)
  const before = [...head, ...workers, '', ...orders]
  const room = rows === undefined ? undefined : Math.max(1, rows - before.length - 1)
  return [...before, ...leaseLines(status, lag, painter, { room, columns }, colors)].map(line =>
    fitted(line, columns, colors)
  )
}

type Paint = (text: string) => string

function titleLine(status: FleetStatus, lag: LagReport | undefined, colors: Colors): string {
  const { streamName, applicationName, color, leader, workers, leases, mode, reasons } = status
  const isRed = color === 'red'
  return [
    colors.bold(`${streamName} → ${applicationName}`),
    isRed ? colors.red(`● ${count(reasons.length)} red`) : colors.green('● green'),
    plural(workers.filter(({ state }) => state !== 'DEAD').length, 'worker'),
    plural(leases.filter(({ state }) => state !== 'finished').length, 'lease'),
    ...(lag?.maxLagMs === undefined ? [] : [`${duration(lag.maxLagMs)} behind`]),
    ...(leader === undefined ? [colors.yellow('nobody leads')] : []),
    ...(mode === 'mixed' ? ['shared with workers of another kind'] : [])
  ].join('  ')
}

/** Which streams share the table, where several do. */
function streamLines({ streams, streamName }: FleetStatus, colors: Colors): string[] {
  if (streams === undefined) return []
  const shown = streams.map(({ streamName: name, leases, owned }) => {
    const text = `${name} (${owned === leases ? leases : `${owned} of ${leases}`})`
    return name === streamName ? colors.bold(text) : text
  })
  return [`${plural(streams.length, 'stream')} in the table, with leases that are read: ${shown.join(', ')}`]
}

function pictureLines(
  { leases }: FleetStatus,
  letters: ReadonlyMap<string, string>,
  painter: (owner: string | undefined) => Paint,
  columns: number,
  colors: Colors
): string[] {
  // Those of the stream of a table have no hash keys.
  if (leases.length > 0 && leases.every(({ hashKeyRange }) => hashKeyRange === undefined)) return []
  const width = Math.min(columns, 120) - 1
  const byLetter = new Map([...letters].map(([owner, letter]) => [letter, owner]))
  const paint = ({ kind, letter, columns: wide }: RangePart): string => {
    const text = letter.repeat(wide)
    if (kind === 'red') return colors.red(text)
    if (kind === 'reads') return painter(byLetter.get(letter))(text)
    return kind === 'free' ? colors.dim(text) : colors.red(text.replaceAll(' ', '_'))
  }
  return [rangePicture(leases, letters, Math.max(10, width)).map(paint).join('')]
}

function workerLines(
  { workers, leases }: FleetStatus,
  letters: ReadonlyMap<string, string>,
  painter: (owner: string | undefined) => Paint,
  most: number | undefined,
  colors: Colors
): string[] {
  if (workers.length === 0) return [colors.dim('no workers')]
  const sorted = [...workers].sort((a, b) => Number(b.color === 'red') - Number(a.color === 'red'))
  const shown = most === undefined || sorted.length <= most ? sorted : sorted.slice(0, most - 1)
  const told = new Set(leases.map(({ shardId, reason }) => `${shardId} is ${reason}`))
  const rows = shown.map(worker => workerRow(worker, told, letters, painter, colors))
  const more = sorted.length - shown.length
  return [
    ...tableLines(WORKER_COLUMNS, rows, colors.dim),
    ...(more > 0 ? [colors.dim(`and ${plural(more, 'more worker')}`)] : [])
  ]
}

/** What stands beside its shards is left out here. */
function workerRow(
  worker: WorkerStatus,
  told: ReadonlySet<string>,
  letters: ReadonlyMap<string, string>,
  painter: (owner: string | undefined) => Paint,
  colors: Colors
): string[] {
  const { workerId, session = workerId, state, isLeader, leases, redShards, silentMs, reasons, color } = worker
  const paint = color === 'red' ? colors.red : painter(session)
  return [
    paint(letters.get(session) ?? ''),
    paint(printable(workerId)),
    `${state.toLowerCase()}${isLeader ? ', leads' : ''}`,
    count(leases),
    redShards > 0 ? colors.red(count(redShards)) : '0',
    silentMs === undefined ? '-' : duration(silentMs),
    colors.red(
      printable(
        reasons
          .filter(reason => !told.has(reason))
          .map(withShortIds)
          .join('; ')
      )
    )
  ]
}

function orderLines({ holds, moves, orderedMode }: FleetStatus, colors: Colors): string[] {
  const lines = [
    ...holds.map(({ why, by, leases }) => {
      const which =
        leases === 'all'
          ? 'all shards'
          : `${leases.length === 1 ? 'shard' : 'shards'} ${leases.map(shortShard).join(', ')}`
      return `on hold: ${which}, for ${why} by ${by}`
    }),
    ...moves.map(({ leaseKey, to, by }) => `ordered to move: shard ${shortShard(leaseKey)} to ${to}, by ${by}`),
    ...(orderedMode?.mode === 'mixed' ? [`ordered: to share the table with KCL, by ${orderedMode.by}`] : [])
  ]
  return lines.length === 0 ? [] : [...lines.map(line => colors.yellow(printable(line))), '']
}

function leaseLines(
  { leases }: FleetStatus,
  lag: LagReport | undefined,
  painter: (owner: string | undefined) => Paint,
  { room, columns }: { readonly room: number | undefined; readonly columns: number },
  colors: Colors
): string[] {
  const lags = new Map(lag?.shards.map(({ shardId, lagMs, problem }) => [shardId, { lagMs, problem }]))
  const behind = ({ shardId }: LeaseStatus): number => lags.get(shardId)?.lagMs ?? -1
  const unfinished = leases.filter(({ state }) => state !== 'finished')
  const sorted = [...unfinished].sort(
    (a, b) => Number(b.color === 'red') - Number(a.color === 'red') || behind(b) - behind(a)
  )
  // In a table that shows everything, shards stay where one looks for them.
  const ordered = room === undefined ? unfinished : sorted
  const shown = room === undefined || ordered.length < room ? ordered : ordered.slice(0, Math.max(1, room - 2))
  const rows = shown.map(lease => {
    const { lagMs, problem } = lags.get(lease.shardId) ?? {}
    return [
      shortShard(lease.shardId),
      lease.state,
      painter(lease.owner)(printable(lease.workerId ?? '-')),
      lagMs === undefined ? '-' : duration(lagMs),
      ...endOf(lease, problem, columns, colors)
    ]
  })
  const finished = leases.length - unfinished.length
  const more = ordered.length - shown.length
  const rest = [
    ...(more > 0 ? [plural(more, 'more shard')] : []),
    ...(finished > 0 ? [`${count(finished)} finished`] : [])
  ]
  return [
    ...(rows.length > 0
      ? tableLines(columns < WIDE ? LEASE_COLUMNS.slice(0, -1) : LEASE_COLUMNS, rows, colors.dim)
      : []),
    ...(rest.length > 0 ? [colors.dim(`and ${rest.join(', ')}`)] : [])
  ]
}

/** Where there is little room, why a shard is red is more worth than how far it is. The worker stands beside it. */
function endOf(
  { checkpoint, reason }: LeaseStatus,
  problem: string | undefined,
  columns: number,
  colors: Colors
): string[] {
  const why = (reason ?? problem)?.replace(/; see the log of \S+$/, ', see its log')
  const told = colors.red(printable(why ?? ''))
  if (columns >= WIDE) return [shortCheckpoint(checkpoint), told]
  return [why === undefined ? shortCheckpoint(checkpoint) : told]
}

function withShortIds(reason: string): string {
  return reason.replace(/shardId-\d+/g, shardId => `shard ${shortShard(shardId)}`)
}

/** Sequence numbers differ at their end. */
export function shortCheckpoint(checkpoint: string): string {
  return checkpoint.replace(/\d{30,}/, digits => `…${digits.slice(-12)}`)
}

function painterOf(letters: ReadonlyMap<string, string>, colors: Colors): (owner: string | undefined) => Paint {
  const paints = [colors.cyan, colors.magenta, colors.yellow, colors.blue, colors.green]
  const owners = [...letters.keys()]
  return owner => {
    const index = owners.indexOf(owner ?? '')
    return paints[index % paints.length] ?? (text => text)
  }
}

/** Cuts a line that is too long for the terminal; colours take no room. */
function fitted(line: string, columns: number, colors: Colors): string {
  let width = 0
  let cut = ''
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
  for (const [piece] of line.matchAll(/\u001b\[[\d;]*m|[\s\S]/gu)) {
    if (piece.length > 1 && piece.startsWith('\u001b')) {
      cut += piece
      continue
    }
    width += 1
    if (width >= columns) return `${cut}${colors.reset('…')}`
    cut += piece
  }
  return cut
}
