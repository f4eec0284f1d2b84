// How `millrace run` shows a worker: a frame on a terminal, elsewhere lines of JSON on standard error. Standard output is left to the
// code of the user in both cases.
import { messageOf } from '../model/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import { type Logger, type LogLevel, type LogLine, lineOfJson } from '../runtime/logger.ts'
import { type Loop, startLoop } from '../runtime/loop.ts'
import type { Observable } from '../worker/observable.ts'
import type { Output } from './cli-ports.ts'
import { LiveArea } from './live-area.ts'
import type { RunBoard } from './run-board.ts'
import { runFrame } from './run-frame-rules.ts'
import type { Terminal } from './terminal.ts'
import { shortShard } from './text-rules.ts'

/** Shows a worker while it runs. */
export interface RunView {
  /** Shows the last state, and leaves the terminal as it was. */
  stop(): Promise<void>
}

/** Levels of log lines, from the least to the most. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const

/** A smaller terminal gets lines instead of frames. */
const SMALLEST = { columns: 60, rows: 12 }
const FRAME_MS = 250
const PROGRESS_MS = 60_000

/** Whether frames can be drawn. */
export function isDrawable(
  { stdout, stderr, isJson }: Terminal,
  env: Readonly<Record<string, string | undefined>>
): boolean {
  const { columns = 0, rows = 0 } = stdout
  const isRoomy = columns >= SMALLEST.columns && rows >= SMALLEST.rows
  return !isJson && stdout.isTTY === true && stderr.isTTY === true && isRoomy && env.TERM !== 'dumb'
}

/** A logger that writes lines of JSON with the time. */
export function jsonLogger(output: Output, clock: Clock, from: LogLevel): Logger {
  const lineOf =
    (level: LogLevel): LogLine =>
    (fields, message) => {
      if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(from)) return
      const time = new Date(clock.epochMs()).toISOString()
      output.write(`${lineOfJson(level, { time, ...fields }, message)}\n`)
    }
  return { debug: lineOf('debug'), info: lineOf('info'), warn: lineOf('warn'), error: lineOf('error') }
}

/** A logger whose lines are told as what happened. */
export function boardLogger(board: () => RunBoard | undefined): Logger {
  const lineOf =
    (level: 'info' | 'warn' | 'error'): LogLine =>
    (fields, message) => {
      const { shardId, error } = fields as { readonly shardId?: string; readonly error?: unknown }
      const where = shardId === undefined ? '' : `shard ${shortShard(shardId)}: `
      const why = error === undefined ? '' : ` (${messageOf(error)})`
      board()?.note(level, `${where}${message}${why}`)
    }
  return { debug: () => {}, info: lineOf('info'), warn: lineOf('warn'), error: lineOf('error') }
}

/** Tells, as log lines, what happens seldom: those events that the worker does not log itself. */
export function tellEvents(worker: Pick<Observable, 'on'>, logger: Logger): void {
  worker
    .on('worker:started', ({ workerId, streamName, tableName }) =>
      logger.info({ workerId, streamName, tableName }, 'the worker runs')
    )
    .on('lease:taken', ({ shardId, why, checkpoint }) => logger.info({ shardId, why, checkpoint }, 'a lease was taken'))
    .on('lease:released', ({ shardId }) => logger.info({ shardId }, 'a lease was given back'))
    .on('lease:lost', ({ shardId, because }) =>
      logger.warn({ shardId, because }, 'a lease was lost: its records since the last checkpoint are delivered again')
    )
    .on('shard:ended', ({ shardId, childShardIds }) =>
      logger.info({ shardId, childShardIds }, 'everything in a shard was processed')
    )
    .on('worker:stopping', ({ graceMs }) => logger.info({ graceMs }, 'the worker stops'))
    .on('worker:stopped', ({ abandoned }) => {
      if (abandoned.length === 0) logger.info({}, 'the worker has stopped')
      else logger.warn({ abandoned }, 'the worker stopped without waiting for processors that did not return')
    })
}

/** Draws frames until it is stopped. */
export function liveView({ stdout, stderr, colors }: Terminal, clock: Clock, board: RunBoard): RunView {
  const area = new LiveArea(stdout, [stderr])
  const draw = (): void => {
    const { columns = SMALLEST.columns, rows = SMALLEST.rows } = stdout
    area.draw(runFrame(board.snapshot(), { columns, rows }, colors))
  }
  const loop = repeat(clock, FRAME_MS, draw, true)
  return {
    stop: async () => {
      await loop.stop()
      draw()
      area.release()
    }
  }
}

/** Logs how far the worker is, once a minute. */
export function lineView(logger: Logger, clock: Clock, board: RunBoard): RunView {
  const tell = (): void => {
    const { records, perSecond, bytes, millisBehindLatest, shards, health } = board.snapshot()
    const red = health.shards.filter(({ color }) => color === 'red').map(({ shardId }) => shardId)
    const rates = { records, recordsPerSecond: Math.round(perSecond), bytes, millisBehindLatest }
    logger.info({ ...rates, shards: shards.length, ...(red.length > 0 && { red }) }, 'progress')
  }
  const loop = repeat(clock, PROGRESS_MS, tell, false)
  return { stop: () => loop.stop() }
}

function repeat(clock: Clock, everyMs: number, work: () => void, runAtOnce: boolean): Loop {
  return startLoop({ clock, run: async () => work(), delayMs: () => everyMs, onError: () => {}, runAtOnce })
}
