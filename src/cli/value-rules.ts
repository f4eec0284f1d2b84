// What is written behind flags, as values. Each function returns the value or throws an OptionError that names the flag.
import { OptionError } from '../model/errors.ts'
import type { StartPosition } from '../model/start-position.ts'

/** A whole number within a range, both ends included. */
export function wholeNumber(
  flag: string,
  text: string,
  { min, max }: { readonly min: number; readonly max: number }
): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  const range = `from ${min.toLocaleString('en')} to ${max.toLocaleString('en')}`
  throw new OptionError(flag, `is ${quoted(text)}, expected a whole number ${range}`)
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A duration such as `500ms`, `30s`, `5m`, `2h` or `7d`. Milliseconds. */
export function durationMs(flag: string, text: string): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? []
  const factor = UNITS[unit]
  if (number !== undefined && factor !== undefined) return Number(number) * factor
  throw new OptionError(flag, `is ${quoted(text)}, expected a duration such as 500ms, 30s, 5m, 2h or 7d`)
}

/**
 * A point in time: as ISO 8601 says it, with a zone (`2026-11-27T02:33:00Z`), as epoch seconds or milliseconds, or as a duration
 * before now (`5m`, `2h`).
 *
 * @param nowMs epoch milliseconds
 */
export function pointInTime(flag: string, text: string, nowMs: number): Date {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? []
  const factor = UNITS[unit]
  const date =
    number !== undefined && factor !== undefined
      ? new Date(nowMs - Number(number) * factor)
      : /^\d{10}$/.test(text)
        ? new Date(Number(text) * 1_000)
        : /^\d{13}$/.test(text)
          ? new Date(Number(text))
          : /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d))?$/.test(text)
            ? new Date(text)
            : undefined
  if (date === undefined || Number.isNaN(date.getTime())) {
    const expected =
      'a time with its zone such as 2026-11-27T02:33:00Z, epoch seconds or milliseconds, or 5m for five minutes ago'
    throw new OptionError(flag, `is ${quoted(text)}, expected ${expected}`)
  }
  if (date.getTime() > nowMs) throw new OptionError(flag, `is ${date.toISOString()}, which is in the future`)
  return date
}

/** Where to begin: `trim` (the oldest record), `latest` (from now on), or a point in time. */
export function startPosition(flag: string, text: string, nowMs: number): StartPosition {
  switch (text.toLowerCase().replaceAll('_', '-')) {
    case 'trim':
    case 'trim-horizon':
      return 'TRIM_HORIZON'
    case 'latest':
      return 'LATEST'
    default:
      try {
        return pointInTime(flag, text, nowMs)
      } catch (error) {
        if (!(error instanceof OptionError)) throw error
        throw new OptionError(
          flag,
          error.message.replace(/^.*?: /, '').replace('expected a time', 'expected trim, latest, a time')
        )
      }
  }
}

/** A stream to make: `orders:4`, or `orders` with one shard. */
export function streamToMake(flag: string, text: string): { readonly streamName: string; readonly shards: number } {
  const [, streamName, shards = '1'] = /^([a-zA-Z0-9_.-]{1,128})(?::(\d+))?$/.exec(text) ?? []
  if (streamName === undefined) {
    throw new OptionError(flag, `is ${quoted(text)}, expected a name and how many shards, such as orders:4`)
  }
  return { streamName, shards: wholeNumber(flag, shards, { min: 1, max: 1_000 }) }
}

/** One of a few words. */
export function oneOf<T extends string>(flag: string, text: string, words: readonly T[]): T {
  const word = words.find(candidate => candidate === text)
  if (word !== undefined) return word
  throw new OptionError(flag, `is ${quoted(text)}, expected ${words.join(', ').replace(/, ([^,]*)$/, ' or $1')}`)
}

/** A text as it stands in an error: short. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
}

/** The id of a shard that may be given by its number: `12` as `shardId-000000000012`. */
export function fullShardId(text: string): string {
  return /^\d{1,12}$/.test(text) ? `shardId-${text.padStart(12, '0')}` : text
}
