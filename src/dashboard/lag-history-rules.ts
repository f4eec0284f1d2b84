// The lag over time: what each measurement adds to it.
import type { LagReport } from '../operate/lag.ts'
import type { LagPoint } from './snapshot.ts'

/** After so many measurements that are missing there is a gap in the line. */
const MISSING = 3

/**
 * The points that a measurement adds: itself, and a gap before it, if nobody measured for a while.
 *
 * @param atMs epoch milliseconds, of the clock that the other points have
 * @param everyMs how often it is measured
 */
export function pointsOf(before: readonly LagPoint[], report: LagReport, atMs: number, everyMs: number): LagPoint[] {
  const lags = report.shards.flatMap(({ lagMs }) => lagMs ?? []).sort((a, b) => a - b)
  const median = lags[Math.floor((lags.length - 1) / 2)]
  const point: LagPoint = { atMs, maxMs: lags.at(-1) ?? null, medianMs: median ?? null }
  const last = before.at(-1)
  if (last === undefined || atMs - last.atMs <= MISSING * everyMs) return [point]
  return [{ atMs: last.atMs + 1, maxMs: null, medianMs: null }, point]
}
