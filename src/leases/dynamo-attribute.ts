// The values of a lease's attributes, as the document client has them: the types in use, and how each is read and shown.
import { MAX_HASH_KEY } from '../model/hash-key-range.ts'
import { isPosition } from '../model/sequence-number.ts'

/** A value of the four types that a lease uses. */
export type AttributeValue = string | number | Set<string> | Uint8Array

/** A set of shard ids. DynamoDB has no empty sets. */
export function idSet(shardIds: readonly string[]): AttributeValue | undefined {
  return shardIds.length === 0 ? undefined : new Set(shardIds)
}

/** A type of attribute: what it is called in messages, and how it is read. `undefined` is anything else. */
export interface AttributeType<T> {
  readonly expected: string
  readonly parse: (value: unknown) => T | undefined
}

/** A string. An empty one counts as broken: nobody writes it, and a name that is empty names nobody. */
export const TEXT: AttributeType<string> = {
  expected: 'a string that is not empty',
  parse: value => (typeof value === 'string' && value !== '' ? value : undefined)
}

/** A number, fractions and signs included. */
export const NUMBER: AttributeType<number> = {
  expected: 'a number',
  parse: value => (typeof value === 'number' && Number.isFinite(value) ? value : undefined)
}

/** A counter. One that JavaScript cannot count up exactly counts as broken. */
export const COUNT: AttributeType<number> = {
  expected: `a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`,
  parse: value => (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined)
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
    const content = value instanceof Set ? [...value] : [undefined]
    return content.every(id => typeof id === 'string') ? content : undefined
  }
}

/** Bytes, as a copy: those of the SDK are a view on a shared buffer. */
export const BYTES: AttributeType<Uint8Array> = {
  expected: 'bytes',
  parse: value => (value instanceof Uint8Array ? new Uint8Array(value) : undefined)
}

/** A value as messages show it: what was found, but no payloads. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return `the string ${JSON.stringify(value.slice(0, 80))}`
  if (typeof value === 'number') return `the number ${value}`
  // Not by the property `constructor`: what is in a map comes from outside.
  return `of type ${Object.prototype.toString.call(value).slice('[object '.length, -1)}`
}
