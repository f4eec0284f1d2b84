// The values of attributes, as the document client has them: the types in use, and how each is read and shown. Reading
// never throws, whatever somebody else has put into an item.
import { MAX_HASH_KEY } from '../model/hash-key-range.ts'
import { isPosition } from '../model/sequence-number.ts'

/** A value of the types that are in use. */
export type AttributeValue =
  | string
  | number
  | Set<string>
  | Uint8Array
  | Readonly<Record<string, number | string | readonly number[]>>

/** A set of ids. DynamoDB has no empty sets. */
export function idSet(ids: readonly string[]): AttributeValue | undefined {
  return ids.length === 0 ? undefined : new Set(ids)
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

/** A set of ids. */
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

/** One of these words. */
export function oneOf<T extends string>(words: readonly T[]): AttributeType<T> {
  return { expected: words.join(' or '), parse: value => words.find(word => word === value) }
}

/** A map of numbers, all of them finite. */
export const NUMBER_MAP: AttributeType<Readonly<Record<string, number>>> = mapOf(NUMBER, 'a map of numbers')

/** A map of strings that are not empty. */
export const TEXT_MAP: AttributeType<Readonly<Record<string, string>>> = mapOf(TEXT, 'a map of strings')

function mapOf<T extends string | number>(
  type: AttributeType<T>,
  expected: string
): AttributeType<Readonly<Record<string, T>>> {
  return {
    expected,
    parse: value => {
      if (Object.prototype.toString.call(value) !== '[object Object]') return undefined
      const entries = Object.entries(Object(value)).map(([key, entry]) => [key, type.parse(entry)] as const)
      const read = entries.filter((entry): entry is [string, T] => entry[1] !== undefined)
      return read.length === entries.length ? Object.fromEntries(read) : undefined
    }
  }
}

/** A value as messages show it: what was found, but no payloads. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return `the string ${JSON.stringify(value.slice(0, 80))}`
  if (typeof value === 'number') return `the number ${value}`
  // Not by the property `constructor`: what is in a map comes from outside.
  return `of type ${Object.prototype.toString.call(value).slice('[object '.length, -1)}`
}

/** Reads attributes one by one and keeps what is wrong with them. Only own properties count: names come from outside. */
export class AttributeReader {
  /** What was wrong so far, each in words. */
  readonly problems: string[] = []
  readonly #item: Readonly<Record<string, unknown>>

  constructor(item: Readonly<Record<string, unknown>>) {
    this.#item = item
  }

  /** An attribute that may be missing. */
  read<T>(name: string, type: AttributeType<T>): T | undefined {
    if (!this.has(name)) return undefined
    const value = type.parse(this.#item[name])
    if (value === undefined) this.problems.push(`${name} is ${shown(this.#item[name])}, expected ${type.expected}`)
    return value
  }

  /** An attribute that has to be there. */
  require<T>(name: string, type: AttributeType<T>): T | undefined {
    if (!this.has(name)) this.problems.push(`${name} is missing, expected ${type.expected}`)
    return this.read(name, type)
  }

  /** Whether there is such an attribute, of whatever type. */
  has(name: string): boolean {
    return Object.hasOwn(this.#item, name)
  }

  /** The value of an attribute as it is. */
  value(name: string): unknown {
    return this.has(name) ? this.#item[name] : undefined
  }
}
