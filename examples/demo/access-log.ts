// The sample data: 10,000 real access-log lines, and what the demo counts in them.
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'

/** A line of the file. */
export interface LogLine {
  /** Its number in the file, from 1. */
  readonly number: number
  /** The client address: the first field, and the partition key. */
  readonly address: string
  readonly text: string
}

/** What one line says about one request. */
export interface LoggedRequest {
  readonly path: string
  readonly bytes: number
  readonly isError: boolean
}

/** Requests, bytes and errors of one path. */
export interface PathCount {
  requests: number
  bytes: number
  errors: number
}

const FILE = new URL('../data/apache_access.log.gz', import.meta.url)
const REQUEST = /^\S+ \S+ \S+ \[[^\]]+\] "[A-Z]+ (\S+) [^"]*" (\d{3}) (\d+|-) /

/** Every line of the file, in order. */
export function readAccessLog(): LogLine[] {
  const texts = gunzipSync(readFileSync(FILE)).toString().trimEnd().split('\n')
  return texts.map((text, i) => ({ number: i + 1, address: text.slice(0, text.indexOf(' ')), text }))
}

/** @throws Error if the line is not one of an access log. */
export function parseRequest(text: string): LoggedRequest {
  const [, path, status, bytes] = REQUEST.exec(text) ?? []
  if (path === undefined) throw new Error(`This is not a line of an access log: ${text.slice(0, 100)}`)
  return { path, bytes: bytes === '-' ? 0 : Number(bytes), isError: Number(status) >= 400 }
}

/** Counts requests, bytes and errors per path. */
export class PathCounts {
  readonly total: PathCount = { requests: 0, bytes: 0, errors: 0 }
  readonly #paths = new Map<string, PathCount>()

  add({ path, bytes, isError }: LoggedRequest): void {
    const ofPath = this.#paths.get(path) ?? { requests: 0, bytes: 0, errors: 0 }
    this.#paths.set(path, ofPath)
    for (const count of [ofPath, this.total]) {
      count.requests += 1
      count.bytes += bytes
      count.errors += isError ? 1 : 0
    }
  }

  /** The paths with the most requests, first the most. */
  top(size: number): [path: string, count: PathCount][] {
    return [...this.#paths]
      .sort(([a, one], [b, other]) => other.requests - one.requests || (a < b ? -1 : 1))
      .slice(0, size)
  }

  /** The paths that are counted differently here and there. */
  differencesFrom(other: PathCounts): string[] {
    const paths = new Set([...this.#paths.keys(), ...other.#paths.keys()])
    const show = (count: PathCount | undefined): string => JSON.stringify(count)
    return [...paths].filter(path => show(this.#paths.get(path)) !== show(other.#paths.get(path)))
  }
}
