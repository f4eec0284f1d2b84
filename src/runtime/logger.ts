// The only door to the console. A log line is a constant sentence and an object; payloads never go into either.

/** One log line: an object with the facts, then a constant sentence. */
export type LogLine = (fields: object, message: string) => void

/** Where log lines go. A pino logger fits as it is. */
export interface Logger {
  /** Every event, and what else helps to find a fault. */
  readonly debug: LogLine
  /** What happens seldom and is as it should be, such as the creation of the lease table. */
  readonly info: LogLine
  /** What is wrong and is being tried again, or costs something without stopping anything. */
  readonly warn: LogLine
  /** What is wrong and needs somebody: a shard that is halted, a listener that throws. */
  readonly error: LogLine
}

/** How much a log line matters, from the least to the most. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

/** Drops everything. */
export const silentLogger: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** Writes JSON lines to standard error, from `level` upwards. Standard output stays the application's own. */
export function consoleLogger(level: LogLevel = 'info'): Logger {
  const from = LEVELS.indexOf(level)
  const lineOf =
    (name: LogLevel): LogLine =>
    (fields, message) => {
      if (LEVELS.indexOf(name) < from) return
      console.error(lineOfJson(name, fields, message))
    }
  return { debug: lineOf('debug'), info: lineOf('info'), warn: lineOf('warn'), error: lineOf('error') }
}

/**
 * A logger that never throws, nor leaves a rejection behind: a broken log must not break the work. Its methods are called on
 * `given`, as pino needs.
 */
export function safeLogger(given: Logger): Logger {
  const lineOf =
    (level: LogLevel): LogLine =>
    (fields, message) => {
      try {
        const outcome: unknown = given[level](fields, message)
        if (outcome instanceof Promise) outcome.catch(() => {})
      } catch {
        // There is nowhere left to say it.
      }
    }
  return { debug: lineOf('debug'), info: lineOf('info'), warn: lineOf('warn'), error: lineOf('error') }
}

/** One line of JSON. Whatever the fields are, the sentence is said. Of errors the line has what identifies them, of bytes how many. */
export function lineOfJson(level: LogLevel, fields: object, message: string): string {
  try {
    return JSON.stringify({ level, msg: message, ...fields }, printer())
  } catch {
    return JSON.stringify({ level, msg: message })
  }
}

/**
 * What of a value is printed: of errors what identifies them, with causes that are errors themselves; of bytes how many.
 * Bytes are looked at before their own toJSON, which would spell them out.
 */
function printer(): (this: unknown, key: string, serialized: unknown) => unknown {
  const seen = new WeakSet<Error>()
  return function (key, serialized) {
    const value = typeof this === 'object' && this !== null ? Reflect.get(this, key) : serialized
    if (value instanceof Uint8Array) return `<${value.length} bytes>`
    if (!(value instanceof Error)) return typeof value === 'bigint' ? value.toString() : serialized
    if (seen.has(value)) return `<${value.name}, as above>`
    seen.add(value)
    const { name, message, stack, cause } = value
    const code = 'code' in value ? value.code : undefined
    return {
      name,
      message,
      ...(code !== undefined && { code: String(code) }),
      ...(stack !== undefined && { stack }),
      ...(cause instanceof Error && { cause })
    }
  }
}
