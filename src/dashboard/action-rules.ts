// What a page may ask the server to do: read from JSON that anybody could have written, checked, and told in words.
import { OptionError } from '../model/errors.ts'
import type { ResetPosition } from '../operate/plan-reset.ts'
import { namedShards, plural, shortShard } from './wording-rules.ts'

/** What is to be done. `shardIds` absent: to every shard. */
export type Action =
  | { readonly kind: 'reset'; readonly position: ResetPosition; readonly shardIds?: readonly string[] }
  | { readonly kind: 'release'; readonly shardIds?: readonly string[] }
  | { readonly kind: 'pause'; readonly why?: string; readonly shardIds?: readonly string[] }
  | { readonly kind: 'resume'; readonly shardIds?: readonly string[] }
  | { readonly kind: 'move'; readonly shardId: string; readonly workerId: string }

/** How many shards one action may name. */
const SHARDS = 10_000
const ID = /^\S{1,200}$/

/** Reads an action from the body of a request. @throws OptionError naming what is wrong in it */
export function parseAction(body: string): Action {
  const given = objectOf(body)
  const { kind } = given
  switch (kind) {
    case 'reset':
      checkMembers(given, ['position', 'shardIds'])
      return { kind, position: positionOf(given.position), ...shardIdsOf(given.shardIds) }
    case 'release':
    case 'resume':
      checkMembers(given, ['shardIds'])
      return { kind, ...shardIdsOf(given.shardIds) }
    case 'pause':
      checkMembers(given, ['why', 'shardIds'])
      return { kind, ...whyOf(given.why), ...shardIdsOf(given.shardIds) }
    case 'move':
      checkMembers(given, ['shardId', 'workerId'])
      return { kind, shardId: idOf('shardId', given.shardId), workerId: idOf('workerId', given.workerId) }
    default:
      throw new OptionError('kind', 'is unknown, expected reset, release, pause, resume or move')
  }
}

/** What an action is, in words. */
export function describeAction(action: Action): string {
  switch (action.kind) {
    case 'reset':
      return `reset ${scope(action.shardIds)} to ${describePosition(action.position)}`
    case 'move':
      return `move shard ${shortShard(action.shardId)} to ${action.workerId}`
    default:
      return `${action.kind} ${scope(action.shardIds)}`
  }
}

function describePosition(position: ResetPosition): string {
  if (position === 'LATEST') return 'the newest records'
  if (position === 'TRIM_HORIZON') return 'the oldest records'
  if (position instanceof Date) return position.toISOString()
  return `after record ${position.sequenceNumber}`
}

function scope(shardIds: readonly string[] | undefined): string {
  if (shardIds === undefined) return 'all shards'
  return shardIds.length > 5 ? plural(shardIds.length, 'shard') : namedShards(shardIds)
}

type Given = Readonly<Record<string, unknown>>

function objectOf(body: string): Given {
  const value = parsed(body)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Given
  throw new OptionError('body', 'is no object, expected one in JSON')
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch (cause) {
    throw new OptionError('body', 'is no JSON', { cause })
  }
}

function checkMembers(given: Given, known: readonly string[]): void {
  const [unknown] = Object.keys(given).filter(key => key !== 'kind' && !known.includes(key))
  if (unknown !== undefined) {
    throw new OptionError('body', `has a member that is not known, expected kind, ${known.join(', ')}`)
  }
}

function idOf(path: string, value: unknown): string {
  if (typeof value === 'string' && ID.test(value)) return value
  throw new OptionError(path, 'expected an id of 1 to 200 characters without spaces')
}

function shardIdsOf(value: unknown): { readonly shardIds?: readonly string[] } {
  if (value === undefined) return {}
  if (!Array.isArray(value) || value.length === 0 || value.length > SHARDS) {
    throw new OptionError('shardIds', `expected 1 to ${SHARDS.toLocaleString('en')} ids, or nothing for every shard`)
  }
  return { shardIds: [...new Set(value.map(id => idOf('shardIds', id)))] }
}

function whyOf(value: unknown): { readonly why?: string } {
  if (value === undefined || value === '') return {}
  if (typeof value === 'string' && /^[^\n]{1,200}$/.test(value)) return { why: value }
  throw new OptionError('why', 'expected 1 to 200 characters in one line')
}

function positionOf(value: unknown): ResetPosition {
  if (value === 'TRIM_HORIZON' || value === 'LATEST') return value
  const expected = "expected 'TRIM_HORIZON', 'LATEST', { at } with a time, or { sequenceNumber }"
  if (typeof value !== 'object' || value === null) throw new OptionError('position', expected)
  const { at, sequenceNumber, subSequenceNumber, ...others } = value as Given
  if (Object.keys(others).length > 0) throw new OptionError('position', expected)
  if (typeof at === 'string' && sequenceNumber === undefined) return timeOf(at)
  if (typeof sequenceNumber !== 'string' || !/^\d{1,200}$/.test(sequenceNumber) || at !== undefined) {
    throw new OptionError('position', expected)
  }
  if (subSequenceNumber === undefined) return { sequenceNumber }
  if (typeof subSequenceNumber === 'number' && Number.isSafeInteger(subSequenceNumber) && subSequenceNumber >= 0) {
    return { sequenceNumber, subSequenceNumber }
  }
  throw new OptionError('position.subSequenceNumber', 'expected a whole number from 0')
}

/** With its zone: a time without one is another in another place. */
function timeOf(at: string): Date {
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/.test(at) ? new Date(at) : undefined
  if (time !== undefined && !Number.isNaN(time.getTime())) return time
  throw new OptionError('position.at', 'expected a time with its zone such as 2026-11-27T02:33:00Z')
}
