// What `millrace tail` shows: which shards it reads next, which records are meant, and what a record looks like as a line.
import { OptionError } from '../model/errors.ts'
import type { ConsumedRecord } from '../model/record.ts'
import { parentsOf, type Shard } from '../model/shard.ts'
import { printable, shortShard } from './text-rules.ts'
import { quoted } from './value-rules.ts'

/** Whether a record is meant. The text is made only if it is asked for. */
export type RecordFilter = (key: string, text: () => string) => boolean

/**
 * What is written behind `--filter`: a text that the key or the payload contains, `key=…` or `text=…` for one of the two, or a
 * regular expression in slashes, such as `/error|fatal/i` or `key=/^eu-/`.
 *
 * @throws OptionError if that expression is none
 */
export function parseFilter(text: string): RecordFilter {
  const [, where, pattern = ''] = /^(?:(key|text)=)?([\s\S]*)$/.exec(text) ?? []
  const test = testOf(pattern, text)
  if (where === 'key') return key => test(key)
  if (where === 'text') return (_, payload) => test(payload())
  return (key, payload) => test(key) || test(payload())
}

function testOf(pattern: string, given: string): (text: string) => boolean {
  const [, source, flags] = /^\/([\s\S]+)\/([dimsuv]*)$/.exec(pattern) ?? []
  if (pattern === '') throw new OptionError('--filter', `is ${quoted(given)}, expected a text to look for`)
  if (source === undefined) return text => text.includes(pattern)
  try {
    const expression = new RegExp(source, flags)
    return text => expression.test(text)
  } catch (cause) {
    throw new OptionError('--filter', `is ${quoted(given)}, expected a regular expression in slashes`, { cause })
  }
}

/** The shards of a listing that can be read now: not read yet, and with every parent that is listed done. */
export function shardsToBegin(
  listed: readonly Shard[],
  begun: ReadonlySet<string>,
  done: ReadonlySet<string>
): Shard[] {
  const known = new Set(listed.map(({ shardId }) => shardId))
  return listed.filter(
    shard => !begun.has(shard.shardId) && parentsOf(shard).every(parent => !known.has(parent) || done.has(parent))
  )
}

/** The payload as text, unless it is not UTF-8. */
export function textOf(data: Uint8Array): string | undefined {
  try {
    return strict.decode(data)
  } catch {
    return undefined
  }
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The colours of a line. */
export interface LineColors {
  readonly dim: (text: string) => string
  readonly cyan: (text: string) => string
  readonly yellow: (text: string) => string
}

/** A record as a line for a person: when it arrived, its shard, its key, its payload; bytes that are no text in base64. */
export function lineOf(shardId: string, record: ConsumedRecord, { dim, cyan, yellow }: LineColors): string {
  const text = textOf(record.data)
  const payload = text === undefined ? dim(`base64:${base64(record.data)}`) : printable(text)
  const fields = [dim(timeOf(record)), cyan(shortShard(shardId)), yellow(printable(record.partitionKey)), payload]
  return fields.join('\t')
}

/** A record as an object for a program. */
export function objectOf(shardId: string, record: ConsumedRecord): object {
  const { sequenceNumber, subSequenceNumber, partitionKey, explicitHashKey, aggregated } = record
  const text = textOf(record.data)
  return {
    shardId,
    sequenceNumber,
    subSequenceNumber,
    partitionKey,
    ...(explicitHashKey !== undefined && { explicitHashKey }),
    ...(record.arrivedAtMs !== undefined && { arrivedAt: new Date(record.arrivedAtMs).toISOString() }),
    aggregated,
    ...(text === undefined ? { base64: base64(record.data) } : { text })
  }
}

function timeOf({ arrivedAtMs }: ConsumedRecord): string {
  return arrivedAtMs === undefined ? '-' : new Date(arrivedAtMs).toISOString()
}

function base64({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64')
}
