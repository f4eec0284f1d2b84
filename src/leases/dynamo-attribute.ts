// The values of a lease's attributes as DynamoDB has them: the types in use, and how each is written, read and shown.
import { MAX_HASH_KEY } from '../model/hash-key-range.ts'
import { isPosition } from '../model/sequence-number.ts'
import { asIdSet } from './lease-fields.ts'

/** A value of the four types that a lease uses: string, number in decimal, set of strings, bytes. */
export type AttributeValue = { S: string } | { N: string } | { SS: string[] } | { B: Uint8Array }

/** A string. Hash keys are strings too, in decimal: that is how KCL keeps them. */
export function text(value: string | bigint | undefined): AttributeValue | undefined {
  return value === undefined ? undefined : { S: String(value) }
}

/** A number, in decimal. */
export function number(value: number | undefined): AttributeValue | undefined {
  return value === undefined ? undefined : { N: String(value) }
}

/** A set of shard ids. DynamoDB has no empty sets. */
export function idSet(shardIds: readonly string[]): AttributeValue | undefined {
  return shardIds.length === 0 ? undefined : { SS: asIdSet(shardIds) }
}

/** A type of attribute: what it is called in messages, and how it is read. `undefined` is anything else. */
export interface AttributeType<T> {
  readonly expected: string
  readonly parse: (value: unknown) => T | undefined
}

/** A string. An empty one counts as broken: nobody writes it, and a name that is empty names nobody. */
export const TEXT: AttributeType<string> = {
  expected: 'a string that is not empty',
  parse: value => {
    const content = contentOf(value, 'S')
    return typeof content === 'string' && content !== '' ? content : undefined
  }
}

/** A number, fractions and signs included. */
export const NUMBER: AttributeType<number> = {
  expected: 'a number',
  parse: value => {
    const content = contentOf(value, 'N')
    const parsed = typeof content === 'string' && content !== '' ? Number(content) : Number.NaN
    return Number.isFinite(parsed) ? parsed : undefined
  }
}

/** A counter. One that JavaScript cannot count up exactly counts as broken. */
export const COUNT: AttributeType<number> = {
  expected: `a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`,
  parse: value => {
    const content = contentOf(value, 'N')
    const parsed = typeof content === 'string' && /^\d+$/.test(content) ? Number(content) : Number.NaN
    return Number.isSafeInteger(parsed) ? parsed : undefined
  }
}

/** The sequence number of a position, or a sentinel. */
export const POSITION: AttributeType<string> = {
  expected: 'a sequence number in decimal, TRIM_HORIZON, LATEST, AT_TIMESTAMP or SHARD_END',
  parse: value => {
    const sequenceNumber = TEXT.parse(value)
    if (sequenceNumber === undefined) return undefined
    return isPosition({ sequenceNumber, subSequenceNumber: 0 }) ? sequenceNumber : undefined
  }
}

/** A hash key, 128 bits. */
export const HASH_KEY: AttributeType<bigint> = {
  expected: `a string with a whole number from 0 to ${MAX_HASH_KEY}`,
  parse: value => {
    const digits = TEXT.parse(value) ?? ''
    const parsed = /^\d{1,39}$/.test(digits) ? BigInt(digits) : undefined
    return parsed !== undefined && parsed <= MAX_HASH_KEY ? parsed : undefined
  }
}

/** A set of shard ids. */
export const ID_SET: AttributeType<string[]> = {
  expected: 'a set of strings',
  parse: value => {
    const content = contentOf(value, 'SS')
    return Array.isArray(content) && content.every(id => typeof id === 'string') ? content : undefined
  }
}

/** Bytes, as a copy: those of the SDK are a view on a shared buffer. */
export const BYTES: AttributeType<Uint8Array> = {
  expected: 'bytes',
  parse: value => {
    const content = contentOf(value, 'B')
    return content instanceof Uint8Array ? new Uint8Array(content) : undefined
  }
}

function contentOf(value: unknown, type: 'S' | 'N' | 'SS' | 'B'): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, type)) return undefined
  return (value as Record<string, unknown>)[type]
}

/** A value as messages show it: what was found, but no payloads. */
export function shown(value: unknown): string {
  const type = typeof value === 'object' && value !== null ? Object.keys(value).join() : typeof value
  const content = contentOf(value, 'S') ?? contentOf(value, 'N')
  return typeof content === 'string' ? `${type} ${JSON.stringify(content.slice(0, 80))}` : `of type ${type}`
}
