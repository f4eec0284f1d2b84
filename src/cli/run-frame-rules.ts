// One frame of `millrace run` on a terminal, as text that fits it.
import type { Happening, RunSnapshot, ShardTally } from './run-board.ts'
import { cell, count, duration, printable, shortShard, tallyKey } from './text-rules.ts'

/** Colours of a frame. */
export interface FrameColors {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
  readonly red: (text: string) => string
}

/** How much room there is. */
export interface FrameSize {
  readonly columns: number
  readonly rows: number
}

const MOST_HAPPENINGS = 5

/** The frame for a moment. The shards that are red come first, then those that are furthest behind. */
export function runFrame(snapshot: RunSnapshot, { columns, rows }: FrameSize, colors: FrameColors): string {
  const { health, happenings } = snapshot
  const width = Math.max(40, columns - 1)
  const tail = happenings.slice(-MOST_HAPPENINGS)
  const reasons = new Map(health.shards.map(shard => [tallyKey(shard), shard.reason]))
  const shards = [...snapshot.shards].sort(
    (a, b) =>
      Number(reasons.get(tallyKey(b)) !== undefined) - Number(reasons.get(tallyKey(a)) !== undefined) ||
      b.millisBehindLatest - a.millisBehindLatest
  )
  const room = Math.max(1, rows - 6 - tail.length)
  const nameOf = ({ shardId, streamName }: ShardTally): string =>
    health.streams === undefined ? shortShard(shardId) : `${streamName} ${shortShard(shardId)}`
  const shown = shards.slice(0, shards.length > room ? Math.max(1, room - 1) : room)
  const states = new Map(health.shards.map(shard => [tallyKey(shard), shard.paused ? 'paused' : shard.state]))
  return [
    titleLine(snapshot, width, colors),
    totalsLine(snapshot, width, colors),
    '',
    colors.dim(cell(`${cell('shard', 16)}${cell('state', 22)}${amounts('records', '/s', 'behind')}`, width)),
    ...shown.map(shard =>
      shardLine(shard, nameOf(shard), states.get(tallyKey(shard)) ?? '-', reasons.get(tallyKey(shard)), width, colors)
    ),
    ...(shown.length < shards.length ? [colors.dim(`and ${count(shards.length - shown.length)} more shards`)] : []),
    ...(tail.length > 0 ? [''] : []),
    ...tail.map(happening => happeningLine(happening, width, colors))
  ].join('\n')
}

function titleLine(
  { streamName, applicationName, elapsedMs, health }: RunSnapshot,
  width: number,
  colors: FrameColors
) {
  const state = health.paused ? 'paused' : health.state
  const right = `${state}  ${duration(elapsedMs)}`
  const left = cell(`${streamName} → ${applicationName}`, Math.max(0, width - right.length - 1))
  return `${colors.bold(left)} ${health.color === 'green' ? colors.green(right) : colors.red(right)}`
}

function totalsLine(snapshot: RunSnapshot, width: number, colors: FrameColors): string {
  const { records, perSecond, bytesPerSecond, millisBehindLatest, shards, health } = snapshot
  const red = health.shards.filter(({ color }) => color === 'red').length
  const text = [
    `${count(records)} records`,
    `${count(perSecond)}/s`,
    `${(bytesPerSecond / 1e6).toFixed(2)} MB/s`,
    `${duration(millisBehindLatest)} behind`,
    `${count(shards.length)} shards`,
    ...(red > 0 ? [`${count(red)} red`] : [])
  ].join('   ')
  return (red > 0 ? colors.red : (plain: string) => plain)(cell(text, width))
}

function shardLine(
  { records, perSecond, millisBehindLatest }: ShardTally,
  name: string,
  state: string,
  reason: string | undefined,
  width: number,
  colors: FrameColors
): string {
  const numbers = amounts(count(records), count(perSecond), duration(millisBehindLatest))
  const why = reason === undefined ? '' : `   ${printable(reason)}`
  const line = cell(`${cell(name, 16)}${cell(state, 22)}${numbers}${why}`, width)
  return reason === undefined ? line : colors.red(line)
}

function amounts(records: string, perSecond: string, behind: string): string {
  return cell(records, 12, 'right') + cell(perSecond, 10, 'right') + cell(behind, 12, 'right')
}

function happeningLine({ atMs, level, text }: Happening, width: number, colors: FrameColors): string {
  const at = new Date(atMs).toISOString().slice(11, 19)
  const line = cell(printable(text), width - at.length - 2)
  const paint = level === 'error' ? colors.red : level === 'warn' ? colors.yellow : (plain: string) => plain
  return `${colors.dim(at)}  ${paint(line)}`
}
