// One frame of the live view, as text. As wide and as high at the end as at the beginning, so that nothing jumps.
import colors from 'picocolors'
import { type Board, type Happening, type ShardRow, shardNumber, type WorkerRow } from './board.ts'
import { bar, cell, count, megabytes, seconds } from './text.ts'

export interface FrameSize {
  readonly columns: number
  readonly rows: number
}

/** Rows that are there from the beginning, empty until they are needed. */
export interface FramePlan {
  readonly title: string
  readonly shards: number
  readonly workers: readonly string[]
}

/** A smaller terminal gets lines instead of frames. */
export const SMALLEST_FRAME: FrameSize = { columns: 80, rows: 24 }

const WIDEST = 120
const TOP_PATHS = 5
const MOST_HAPPENINGS = 14
const PAINTS = [colors.cyan, colors.magenta, colors.yellow, colors.green]

type Paint = (text: string) => string
const plain: Paint = text => text

/** The frame for a terminal of this size. One that was made too narrow meanwhile gets a single line. */
export function renderFrame(board: Board, plan: FramePlan, size: FrameSize): string {
  if (size.columns < SMALLEST_FRAME.columns) {
    const done = `${count(board.processed)} of ${count(board.total)} processed`
    return cell(` ${done}. The frame needs ${SMALLEST_FRAME.columns} columns.`, size.columns - 1)
  }
  const width = Math.min(size.columns, WIDEST) - 1
  const painter = (workerId: string | undefined): Paint =>
    PAINTS[plan.workers.indexOf(workerId ?? '') % PAINTS.length] ?? plain
  const head = [colors.bold(cell(plan.title, width)), totals(board, width), '']
  const shards = [
    shardHeader(width),
    ...filled(
      board.rows.map(row => shardLine(row, board, width, painter)),
      plan.shards
    ),
    ''
  ]
  const workers = plan.workers.map(workerId => workerLine(board.workers.get(workerId), board, width, painter))
  const upper = [...head, ...shards, ...workers, '']
  // The cursor stands on a line of its own below the frame.
  const room = size.rows - 1 - upper.length
  const paths = room >= TOP_PATHS + 2 + 8 ? [...pathLines(board, width), ''] : []
  const recent = Math.min(MOST_HAPPENINGS, room - paths.length)
  const happenings = board.happenings.slice(-recent).map(it => happeningLine(it, width, painter))
  return [...upper, ...paths, ...filled(happenings, recent)].join('\n')
}

function filled(lines: readonly string[], height: number): string[] {
  return Array.from({ length: height }, (_, i) => lines[i] ?? '')
}

function totals(board: Board, width: number): string {
  const figures = [
    `put ${cell(count(board.put), 6, 'right')}`,
    `processed ${cell(count(board.processed), 6, 'right')}`,
    `lag ${cell(count(board.put - board.processed), 5, 'right')}`,
    cell(seconds(board.elapsedMs), 7, 'right')
  ].join('  ')
  const room = width - figures.length - 3
  return ` ${bar(room, board.processed, board.put, board.total, colors.green, colors.dim)}  ${figures}`
}

/** Widths of the columns of the shard table; the bar gets the rest. */
const SHARD = { number: 9, owner: 7, processed: 12, lag: 7, state: 16 }

function shardHeader(width: number): string {
  return colors.dim(shardCells(['shard', 'worker', ' '.repeat(barWidth(width)), 'done/put', 'lag', '  state']).join(''))
}

function barWidth(width: number): number {
  return width - 1 - Object.values(SHARD).reduce((a, b) => a + b)
}

function shardCells([number, owner, drawn, processed, lag, state]: [string, string, string, string, string, string]) {
  return [
    ` ${cell(number, SHARD.number)}`,
    cell(owner, SHARD.owner),
    drawn,
    cell(processed, SHARD.processed, 'right'),
    cell(lag, SHARD.lag, 'right'),
    cell(state, SHARD.state)
  ] as const
}

function shardLine(shard: ShardRow, board: Board, width: number, painter: (workerId?: string) => Paint): string {
  const isOver = shard.state === 'ended'
  const isOrphan = shard.state === 'orphaned'
  const paint = isOver ? colors.dim : isOrphan ? colors.red : painter(shard.owner)
  const most = Math.max(1, ...board.rows.map(({ put }) => put))
  const parents = shard.parentIds.map(shardNumber).join('+')
  const lag = shard.put - shard.processed
  const [number, owner, drawn, processed, lagCell, state] = shardCells([
    `${shardNumber(shard.shardId)}${parents && ` ← ${parents}`}`,
    isOrphan ? '†' : (shard.owner ?? '-'),
    bar(barWidth(width), shard.processed, shard.put, most, paint, isOrphan ? colors.red : colors.dim),
    `${count(shard.processed)}/${count(shard.put)}`,
    lag === 0 ? '-' : count(lag),
    `  ${stateOf(shard, board)}`
  ])
  const dimmed = isOver ? colors.dim : plain
  return dimmed(number) + paint(owner) + drawn + dimmed(processed) + lagCell + (isOrphan ? colors.red : dimmed)(state)
}

function stateOf(shard: ShardRow, board: Board): string {
  if (shard.state === 'orphaned') {
    const takeover = board.takeovers.find(({ shardId }) => shardId === shard.shardId)
    const waitedNs = process.hrtime.bigint() - (takeover?.killedAtNs ?? process.hrtime.bigint())
    return `alone ${seconds(Number(waitedNs) / 1e6)}`
  }
  if (shard.state === 'waiting' && shard.parentIds.length > 0) {
    return `waits for ${shard.parentIds.map(shardNumber).join('+')}`
  }
  const isClosed = board.rows.some(({ parentIds }) => parentIds.includes(shard.shardId))
  if (shard.state === 'reading' && isClosed) return 'reads the rest'
  return shard.state === 'ended' ? 'finished' : shard.state
}

function workerLine(
  worker: WorkerRow | undefined,
  board: Board,
  width: number,
  painter: (workerId?: string) => Paint
): string {
  if (worker === undefined) return ''
  const { workerId, state, processed } = worker
  const numbers = board.heldBy(workerId).map(({ shardId }) => shardNumber(shardId))
  const isKilled = state === 'killed'
  const holds = numbers.length > 0 ? `holds ${numbers.join(', ')}` : ''
  const processedHere = `${cell(count(processed), 6, 'right')} processed   `
  const rest = cell(holds, width - 1 - 8 - 12 - processedHere.length)
  const name = (isKilled ? colors.red : painter(workerId))(`${isKilled ? '†' : '●'} ${cell(workerId, 6)}`)
  return ` ${name}${(isKilled ? colors.red : plain)(cell(state, 12))}${processedHere}${rest}`
}

function pathLines(board: Board, width: number): string[] {
  const line = (path: string, requests: string, bytes: string, errors: string): string =>
    ` ${cell(path, width - 1 - 30)}${cell(requests, 10, 'right')}${cell(bytes, 10, 'right')}${cell(errors, 10, 'right')}`
  const top = board.counts.top(TOP_PATHS).map(([path, of]) => {
    return line(path, count(of.requests), megabytes(of.bytes), count(of.errors))
  })
  return [colors.dim(line('most requested so far', 'requests', 'MB', 'errors')), ...filled(top, TOP_PATHS)]
}

function happeningLine(happening: Happening, width: number, painter: (workerId?: string) => Paint): string {
  const { atMs, tone, workerId, text } = happening
  const at = colors.dim(cell(seconds(atMs), 8, 'right'))
  const who = workerId === undefined ? '' : `${workerId} `
  const room = width - 8 - 2 - who.length
  const paint = tone === 'alarm' ? colors.red : tone === 'operator' ? colors.bold : plain
  const paintWho = tone === 'alarm' ? colors.red : painter(workerId)
  return `${at}  ${paintWho(who)}${paint(cell(text, room))}`
}
