// The chart of the lag over time: scales, marks, and the path of each line.
import type { LagPoint } from './snapshot.ts'
import { duration } from './wording-rules.ts'

/** How large the chart is. */
export interface ChartSize {
  readonly width: number
  readonly height: number
}

/** A mark on an axis. */
export interface ChartMark {
  readonly at: number
  readonly text: string
}

/** A chart, ready to be drawn. */
export interface Chart {
  readonly maxLine: string
  readonly maxArea: string
  readonly medianLine: string
  /** Where each point is. */
  readonly points: readonly { readonly x: number; readonly y: number; readonly point: LagPoint }[]
  readonly yMarks: readonly ChartMark[]
  readonly xMarks: readonly ChartMark[]
}

/** The least that the scale goes up to. Milliseconds. */
const LEAST_MS = 1_000
/** The least span of time that is shown. Milliseconds. */
const LEAST_SPAN_MS = 2 * 60_000
const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const STEPS: readonly number[] = [
  ...[0.25 * SECOND, 0.5 * SECOND, SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 15 * SECOND, 30 * SECOND],
  ...[MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE],
  ...[HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR, 48 * HOUR, 7 * 24 * HOUR, 30 * 24 * HOUR, 365 * 24 * HOUR]
]

/** Makes the chart. The newest point is at its right end. */
export function chartOf(points: readonly LagPoint[], { width, height }: ChartSize): Chart {
  const toMs = points.at(-1)?.atMs ?? 0
  const fromMs = Math.min(points[0]?.atMs ?? 0, toMs - LEAST_SPAN_MS)
  const most = points.reduce((max, { maxMs }) => Math.max(max, maxMs ?? 0), LEAST_MS)
  const step = STEPS.find(each => each * 4 >= most) ?? most
  const top = Math.ceil(most / step) * step
  const x = (atMs: number): number => round(((atMs - fromMs) / (toMs - fromMs || 1)) * width)
  const y = (ms: number): number => round(height - (ms / top) * height)
  const runs = runsOf(points)
  const line = (lagOf: (point: LagPoint) => number | null): string =>
    runs
      .map(run => run.map((point, at) => `${at === 0 ? 'M' : 'L'}${x(point.atMs)} ${y(lagOf(point) ?? 0)}`).join(''))
      .join('')
  const area = runs
    .map(run => {
      const [first, last] = [run[0], run.at(-1)]
      if (first === undefined || last === undefined) return ''
      const over = run.map(({ atMs, maxMs }) => `L${x(atMs)} ${y(maxMs ?? 0)}`).join('')
      return `M${x(first.atMs)} ${height}${over}L${x(last.atMs)} ${height}Z`
    })
    .join('')
  return {
    maxLine: line(({ maxMs }) => maxMs),
    maxArea: area,
    medianLine: line(({ medianMs }) => medianMs),
    points: runs.flat().map(point => ({ x: x(point.atMs), y: y(point.maxMs ?? 0), point })),
    yMarks: Array.from({ length: Math.round(top / step) + 1 }, (_, at) => ({
      at: y(at * step),
      text: shortDuration(at * step)
    })),
    xMarks: timeMarks(fromMs, toMs).map(ago => ({
      at: x(toMs - ago),
      text: ago === 0 ? 'now' : `−${shortDuration(ago)}`
    }))
  }
}

/** Points without a gap between them. */
function runsOf(points: readonly LagPoint[]): LagPoint[][] {
  const runs: LagPoint[][] = [[]]
  for (const point of points) {
    if (point.maxMs === null) runs.push([])
    else runs.at(-1)?.push(point)
  }
  return runs.filter(run => run.length > 0)
}

/** How long ago there are marks. Milliseconds. */
function timeMarks(fromMs: number, toMs: number): number[] {
  const step = STEPS.find(each => each * 6 >= toMs - fromMs) ?? HOUR
  return Array.from({ length: Math.floor((toMs - fromMs) / step) + 1 }, (_, at) => at * step)
}

/** Without what is zero: `30 s`, `2 m`, `1.5 s`. */
function shortDuration(ms: number): string {
  if (ms === 0) return '0'
  if (ms < 60_000) return ms < 1_000 ? `${ms} ms` : `${Number((ms / 1_000).toFixed(2))} s`
  return duration(ms).replace(/ 0 [smh]$/, '')
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
