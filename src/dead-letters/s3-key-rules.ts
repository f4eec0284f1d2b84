// What the objects are called that dead letters are in.
import { createHash } from 'node:crypto'
import type { DeadLetter } from '../processor/dead-letter.ts'

/** What the name of each object ends with. */
export const OBJECT_SUFFIX = '.jsonl'

/**
 * The key of the object with these letters: `prefix/application/stream/shard/YYYY/MM/DD/` and the position of the first of them.
 *
 * The same records always have the same key, so that a store that is repeated overwrites. Other records have another one, even if
 * they begin with the same: a store of fewer letters, of a worker that does not know that it has lost its lease, must not
 * replace one of more. The day is that on which the first record arrived: when it was given up differs at the next try.
 */
export function objectKeyOf(prefix: string, letters: readonly [DeadLetter, ...DeadLetter[]]): string {
  const [first] = letters
  const folders = [partOf(first.applicationName), streamPart(first.stream), partOf(first.shardId), dayOf(first)]
  const beginning = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`
  const name = letters.length === 1 ? placeOf(first) : `${placeOf(first)}+${letters.length - 1}-${digestOf(letters)}`
  return `${beginning}${folders.join('/')}/${name}${OBJECT_SUFFIX}`
}

/** A position; those of a shard sort by it. */
function placeOf({ sequenceNumber, subSequenceNumber }: DeadLetter): string {
  return `${sequenceNumber.padStart(56, '0')}-${String(subSequenceNumber).padStart(6, '0')}`
}

function digestOf(letters: readonly DeadLetter[]): string {
  const hash = createHash('sha256')
  for (const letter of letters) hash.update(`${placeOf(letter)}\n`)
  return hash.digest('hex').slice(0, 16)
}

function dayOf({ arrivedAtMs }: DeadLetter): string {
  const arrived = new Date(arrivedAtMs ?? Number.NaN)
  return Number.isNaN(arrived.getTime()) ? 'undated' : arrived.toISOString().slice(0, 10).replaceAll('-', '/')
}

/** An ARN as `name!account!region`: streams of one name in several accounts must not meet in one folder. */
function streamPart(stream: string): string {
  const [, region, account, name] = /^arn:[^:]+:kinesis:([^:]*):([^:]*):stream\/(.+)$/.exec(stream) ?? []
  return name === undefined ? partOf(stream) : [name, account, region].map(part => partOf(part ?? '')).join('!')
}

function partOf(text: string): string {
  // By way of bytes, because half a surrogate pair cannot be encoded.
  return encodeURIComponent(Buffer.from(text).toString())
}
