// A logger that keeps its lines, and can be asked for everything that is in them, however deep.
import { inspect } from 'node:util'
import type { Logger, LogLevel } from '../../src/runtime/logger.ts'

export interface LoggedLine {
  readonly level: LogLevel
  readonly fields: Readonly<Record<string, unknown>>
  readonly message: string
}

export interface CollectingLogger extends Logger {
  readonly lines: LoggedLine[]
  /** Every line as text: with the properties, causes and stacks of everything in it. */
  text(): string
}

export function collectingLogger(): CollectingLogger {
  const lines: LoggedLine[] = []
  const lineOf =
    (level: LogLevel) =>
    (fields: object, message: string): void => {
      lines.push({ level, fields: { ...fields }, message })
    }
  return {
    lines,
    text: () => inspect(lines, { depth: Number.POSITIVE_INFINITY, maxStringLength: null, showHidden: true }),
    debug: lineOf('debug'),
    info: lineOf('info'),
    warn: lineOf('warn'),
    error: lineOf('error')
  }
}
