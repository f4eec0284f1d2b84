// Batches for comparing decoders: aggregates with every freedom that protobuf leaves, and what can go wrong with them.
import { createHash } from 'node:crypto'
import type { DeaggregateOptions } from '../../src/kpl/deaggregate.ts'
import type { KinesisRecord } from '../../src/model/record.ts'
import type { Random } from '../../src/runtime/random.ts'

export interface FuzzCase {
  readonly records: readonly KinesisRecord[]
  readonly options: DeaggregateOptions
}

const MAGIC = [0xf3, 0x89, 0x9a, 0xc2]
const MAX_HASH_KEY = 2n ** 128n - 1n
const HALF = 2n ** 127n
const ODD_KEYS = [
  '',
  '__proto__',
  '2',
  '\ufeffbom',
  '😀',
  'é'.repeat(70),
  'k'.repeat(55),
  'k'.repeat(56),
  '\0',
  '\ufffd'
]
const ODD_HASH_KEYS = [
  '',
  '-1',
  '+5',
  '-0',
  '007',
  ' 5',
  '0x10',
  '٥',
  '5n',
  'abc',
  `${MAX_HASH_KEY}`,
  `${2n ** 128n}`,
  `${HALF}`,
  '9'.repeat(60)
]
const ODD_BYTES = [[0xff], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0xf0, 0x9f, 0x98], [0xc0, 0x80], [0x61, 0xff, 0x62]]

/** Draws one case after another from a source of chance. */
export class FuzzCases {
  readonly #random: Random
  /** Messages made before, to splice with. */
  readonly #messages: number[][] = [[0x0a, 1, 0x6b, 0x1a, 4, 8, 0, 0x1a, 0]]

  constructor(random: Random) {
    this.#random = random
  }

  next(): FuzzCase {
    const count = this.#chance(0.65) ? 1 : this.#below(7)
    const records = Array.from({ length: count }, (_, i) => this.#record(String(100 + (this.#chance(0.05) ? 0 : i))))
    return { records, options: this.#options() }
  }

  #record(sequenceNumber: string): KinesisRecord {
    const payload = this.#chance(0.04) ? this.#bytes(this.#below(40)) : this.#payload()
    // A view somewhere in a larger buffer, as it comes out of a response.
    const before = this.#below(9)
    const buffer = new Uint8Array(before + payload.length + this.#below(9)).fill(0x1a)
    buffer.set(payload, before)
    return { sequenceNumber, partitionKey: 'outer', data: buffer.subarray(before, before + payload.length) }
  }

  #payload(): number[] {
    const message = this.#message()
    const digest = [...createHash('md5').update(Uint8Array.from(message)).digest()]
    const payload = [...MAGIC, ...message, ...digest]
    // What happens to a payload after it was signed.
    if (this.#chance(0.06)) flip(payload, this.#below(payload.length), this.#below(8))
    if (this.#chance(0.02)) payload.length = this.#below(payload.length)
    return payload
  }

  #message(): number[] {
    const message = this.#chance(0.12) ? this.#spliced() : this.#structured()
    // What happens to a message before it is signed.
    if (this.#chance(0.35)) this.#mutate(message)
    if (this.#messages.length < 200) this.#messages.push(message)
    else this.#messages[this.#below(200)] = message
    return message
  }

  #mutate(message: number[]): void {
    for (let n = this.#below(3); n >= 0 && message.length > 0; n--) {
      const at = this.#below(message.length)
      const kind = this.#below(6)
      if (kind === 0) message[at] = this.#below(256)
      else if (kind === 1) message.length = at
      else if (kind === 2) message.splice(at, 1 + this.#below(4))
      else if (kind === 3) message.splice(at, 0, ...this.#bytes(1 + this.#below(4)))
      else if (kind === 4) message[at] = (message[at] as number) ^ 0x80
      else flip(message, at, this.#below(8))
    }
  }

  #spliced(): number[] {
    const [a, b] = [this.#pick(this.#messages), this.#pick(this.#messages)]
    return [...a.slice(0, this.#below(a.length + 1)), ...b.slice(this.#below(b.length + 1))].slice(0, 1500)
  }

  /** Tables, records and what else may stand between them; mostly in the usual order. */
  #structured(): number[] {
    const keys = this.#chance(0.08) ? 8 + this.#below(60) : this.#below(5)
    const hashKeys = this.#chance(0.6) ? 0 : this.#below(4)
    const fields: number[][] = []
    const isOdd = this.#chance(0.5)
    for (let i = 0; i < keys; i++) fields.push(this.#field(1, this.#keyBytes(isOdd)))
    for (let i = 0; i < hashKeys; i++) fields.push(this.#field(2, this.#hashKeyBytes(isOdd)))
    for (let i = this.#chance(0.08) ? 60 : this.#below(6); i > 0; i--) {
      fields.push(this.#field(3, this.#member(isOdd, keys, hashKeys)))
    }
    if (isOdd) {
      for (let i = this.#below(3); i > 0; i--) fields.splice(this.#below(fields.length + 1), 0, this.#unknown(0))
      if (this.#chance(0.4)) for (let i = fields.length; i > 1; i--) swap(fields, i - 1, this.#below(i))
    }
    return fields.flat()
  }

  #member(isOdd: boolean, keys: number, hashKeys: number): number[] {
    const index = this.#chance(isOdd ? 0.06 : 0.005) ? this.#oddIndex(keys) : this.#below(Math.max(1, keys))
    const parts = [[...this.#tag(1, 0), ...this.#varint(index)]]
    if (hashKeys > 0 && this.#chance(0.6)) {
      const hashIndex = this.#chance(isOdd ? 0.06 : 0.005) ? this.#oddIndex(hashKeys) : this.#below(hashKeys)
      parts.push([...this.#tag(2, 0), ...this.#varint(hashIndex)])
    }
    parts.push(this.#field(3, this.#bytes(this.#chance(0.03) ? 100 + this.#below(200) : this.#below(12))))
    if (!isOdd) return parts.flat()
    if (this.#chance(0.1)) parts.push(this.#field(4, this.#chance(0.8) ? this.#field(1, [0x6b]) : this.#field(2, [])))
    if (this.#chance(0.1)) parts.push(this.#unknown(1))
    if (this.#chance(0.1)) parts.push(this.#pick(parts))
    if (this.#chance(0.06)) parts.splice(this.#below(parts.length), 1)
    if (this.#chance(0.2)) swap(parts, this.#below(parts.length), this.#below(parts.length))
    return parts.flat()
  }

  #oddIndex(count: number): bigint {
    return this.#pick([
      BigInt(count),
      BigInt(count + 1),
      127n,
      128n,
      2n ** 31n - 1n,
      2n ** 32n,
      2n ** 53n,
      2n ** 64n - 1n
    ])
  }

  #keyBytes(isOdd: boolean): number[] {
    if (isOdd && this.#chance(0.1)) return [...this.#pick(ODD_BYTES)]
    if (this.#chance(isOdd ? 0.2 : 0.02)) return [...Buffer.from(this.#pick(ODD_KEYS))]
    return Array.from({ length: this.#below(24) }, () => 0x61 + this.#below(26))
  }

  #hashKeyBytes(isOdd: boolean): number[] {
    if (isOdd && this.#chance(0.3)) return [...Buffer.from(this.#pick(ODD_HASH_KEYS))]
    const digits = 36 + this.#below(3)
    return Array.from({ length: digits }, (_, i) => 0x30 + (i === 0 ? 1 + this.#below(2) : this.#below(10)))
  }

  /** A field that nobody knows, or that has another wire type than is known; groups inside groups too. */
  #unknown(depth: number): number[] {
    const number = this.#chance(0.3) ? 1 + this.#below(4) : this.#pick([5, 15, 16, 100, 2 ** 28, 2 ** 29 - 1])
    const type = this.#below(depth < 3 ? 6 : 3)
    if (type === 0) return [...this.#tag(number, 0), ...this.#varint(this.#oddIndex(3))]
    if (type === 1) return [...this.#tag(number, 1), ...this.#bytes(8)]
    if (type === 2) return [...this.#tag(number + 4, 2), ...this.#varint(3), ...this.#bytes(3)]
    if (type === 5) return [...this.#tag(number, 5), ...this.#bytes(4)]
    const inside = this.#chance(0.7) ? this.#unknown(depth + 1) : []
    const end = this.#chance(0.95) ? number : number + 1
    return [...this.#tag(number, 3), ...inside, ...(this.#chance(0.95) ? this.#tag(end, 4) : [])]
  }

  #field(number: number, content: readonly number[]): number[] {
    return [...this.#tag(number, 2), ...this.#varint(content.length), ...content]
  }

  #tag(number: number, type: number): number[] {
    return this.#varint(number * 8 + type)
  }

  /** Now and then with more bytes than it needs, or with more than there may be. */
  #varint(value: number | bigint): number[] {
    const bytes: number[] = []
    let rest = BigInt(value)
    for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
    bytes.push(Number(rest))
    if (!this.#chance(0.01)) return bytes
    const more = this.#below(this.#chance(0.1) ? 12 : 10 - bytes.length + 1)
    if (more === 0) return bytes
    bytes[bytes.length - 1] = (bytes.at(-1) as number) | 0x80
    for (let i = 1; i < more; i++) bytes.push(0x80)
    bytes.push(this.#chance(0.9) ? 0 : this.#below(128))
    return bytes
  }

  #options(): DeaggregateOptions {
    const outOfRange = this.#pick(['deliver', 'drop-record', 'drop-aggregate'] as const)
    const corrupt = this.#pick(['passthrough', 'kcl'] as const)
    const hashKeyRange = this.#pick([
      undefined,
      { start: 0n, end: MAX_HASH_KEY },
      { start: 0n, end: HALF - 1n },
      { start: HALF, end: MAX_HASH_KEY },
      { start: 2n ** 126n, end: 3n * 2n ** 126n },
      { start: HALF, end: HALF + 2n ** 90n }
    ])
    return { outOfRange, corrupt, ...(hashKeyRange && { hashKeyRange }) }
  }

  #bytes(length: number): number[] {
    return Array.from({ length }, () => this.#below(256))
  }

  #chance(probability: number): boolean {
    return this.#random.next() < probability
  }

  #below(limit: number): number {
    return Math.floor(this.#random.next() * limit)
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#below(items.length)] as T
  }
}

function flip(bytes: number[], at: number, bit: number): void {
  bytes[at] = ((bytes[at] ?? 0) ^ (1 << bit)) & 0xff
}

function swap<T>(items: T[], a: number, b: number): void {
  const [first, second] = [items[a], items[b]] as [T, T]
  items[a] = second
  items[b] = first
}
