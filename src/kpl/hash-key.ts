// Where a user record belongs in the hash space: by its explicit hash key, or else by the MD5 of its partition key.
import { OptionError } from '../model/errors.ts'
import { containsHashKey, FULL_HASH_KEY_RANGE, type HashKeyRange, MAX_HASH_KEY } from '../model/hash-key-range.ts'
import { Md5 } from './md5.ts'

const MAX_HASH_KEY_DIGITS = 39
const utf8 = new TextEncoder()

/**
 * The hash key that Kinesis gives to a record, from 0 to 2^128 - 1: `explicitHashKey` if there is one, otherwise the MD5
 * of the partition key's UTF-8 bytes as a big-endian number.
 *
 * @throws OptionError if `explicitHashKey` is not a whole number in decimal digits, or out of range.
 */
export function hashKeyOf(partitionKey: string, explicitHashKey?: string): bigint {
  if (explicitHashKey === undefined) {
    const bytes = utf8.encode(partitionKey)
    const md5 = new Md5()
    md5.hash(bytes, 0, bytes.length)
    return md5.words.reduce((value, word) => (value << 32n) | BigInt(word), 0n)
  }
  const value = parseExplicitHashKey(explicitHashKey)
  if (value === undefined || !containsHashKey(FULL_HASH_KEY_RANGE, value)) {
    const got = JSON.stringify(explicitHashKey.slice(0, 60))
    throw new OptionError(
      'explicitHashKey',
      `expected a whole number from 0 to 2^128 - 1 in decimal digits, got ${got}`
    )
  }
  return value
}

/**
 * The value of an explicit hash key as it stands in an aggregated record: decimal digits, leading zeros and a sign
 * allowed. `undefined` if it is not a number. What is outside the hash space comes back as -1 or 2^128, however far.
 */
export function parseExplicitHashKey(text: string): bigint | undefined {
  // BigInt alone would also take ' 5', '0x10' and ''; and it needs quadratic time for millions of digits.
  if (!/^[+-]?\d+$/.test(text)) return undefined
  const digits = text.replace(/^[+-]?0*(?=\d)/, '')
  if (text.startsWith('-') && digits !== '0') return -1n
  if (digits.length > MAX_HASH_KEY_DIGITS) return MAX_HASH_KEY + 1n
  const value = BigInt(digits)
  return value > MAX_HASH_KEY ? MAX_HASH_KEY + 1n : value
}

/** Tells which partition keys hash into a range. Hashes without allocating; keep one for many keys. */
export class PartitionKeyRange {
  /** The range itself. */
  readonly all: HashKeyRange
  /** Whether the range holds every hash key, so that there is no need to ask. */
  readonly isFull: boolean
  readonly #md5 = new Md5()
  readonly #start: Uint32Array
  readonly #end: Uint32Array

  constructor(range: HashKeyRange) {
    this.all = range
    this.isFull = range.start <= 0n && range.end >= MAX_HASH_KEY
    this.#start = wordsOf(range.start)
    this.#end = wordsOf(range.end)
  }

  /** Whether the key whose UTF-8 bytes are `bytes` from `from` up to `to` hashes into the range. */
  contains(bytes: Uint8Array, from: number, to: number): boolean {
    this.#md5.hash(bytes, from, to)
    const { words } = this.#md5
    return compareWords(this.#start, words) <= 0 && compareWords(words, this.#end) <= 0
  }

  /** The same of a key whose hash begins with these 32 bits, signed or not. Undefined if they are not enough to tell. */
  containsWord(word: number): boolean | undefined {
    const first = word >>> 0
    const start = this.#start[0] as number
    const end = this.#end[0] as number
    if (first < start || first > end) return false
    return first === start || first === end ? undefined : true
  }
}

function wordsOf(hashKey: bigint): Uint32Array {
  return Uint32Array.of(
    Number(BigInt.asUintN(32, hashKey >> 96n)),
    Number(BigInt.asUintN(32, hashKey >> 64n)),
    Number(BigInt.asUintN(32, hashKey >> 32n)),
    Number(BigInt.asUintN(32, hashKey))
  )
}

function compareWords(a: Uint32Array, b: Uint32Array): number {
  for (let i = 0; i < 4; i++) {
    const difference = (a[i] as number) - (b[i] as number)
    if (difference !== 0) return difference
  }
  return 0
}
