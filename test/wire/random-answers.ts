// Answers of GetRecords made up from a seed, as the service encodes them in JSON and in CBOR, and random bytes.
import { type Random, seededRandom } from '../../src/runtime/random.ts'

/** A record as the service names its fields; the payload as bytes. */
export interface MadeRecord {
  readonly SequenceNumber: string
  readonly PartitionKey: string
  readonly Data: Buffer
  /** Epoch milliseconds. */
  readonly arrivedAtMs?: number
  readonly EncryptionType?: string
}

/** An answer. */
export interface MadeAnswer {
  readonly records: readonly MadeRecord[]
  readonly fields: Readonly<Record<string, unknown>>
}

/** Chance, in the forms that these tests need it. */
export class Chance {
  readonly #random: Random

  constructor(seed: number) {
    this.#random = seededRandom(seed)
  }

  /** An integer from 0 up to, but not including, `end`. */
  below(end: number): number {
    return Math.floor(this.#random.next() * end)
  }

  /** One of these. */
  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }

  /** So many bytes. */
  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)))
  }
}

const KEYS = [
  'k',
  'key-17',
  '🦭',
  'ключ',
  'a"b',
  'back\\slash',
  'tab\t',
  '',
  '\u0000',
  'x'.repeat(256),
  '\ud800',
  '/',
  'é'
]
const SIZES = [0, 1, 2, 3, 4, 17, 100, 101, 102, 800, 5_000]

/** An answer of up to `most` records. */
export function randomAnswer(chance: Chance, most = 12): MadeAnswer {
  const records = Array.from({ length: chance.below(most + 1) }, (_, index): MadeRecord => {
    const arrivedAtMs = 1_700_000_000_000 + chance.below(1_000_000)
    return {
      SequenceNumber: `4959033827149025660855969253836157109592157598913${String(chance.below(1e6))}${index}`,
      PartitionKey: chance.of(KEYS),
      Data: chance.bytes(chance.of(SIZES)),
      ...(chance.below(4) > 0 && { arrivedAtMs }),
      ...(chance.below(3) === 0 && { EncryptionType: chance.of(['KMS', 'NONE']) })
    }
  })
  const child = {
    ShardId: 'shardId-000000000001',
    ParentShards: ['shardId-000000000000'],
    HashKeyRange: { StartingHashKey: '0', EndingHashKey: '17' }
  }
  return {
    records,
    fields: {
      MillisBehindLatest: chance.below(100_000),
      ...(chance.below(4) > 0 ? { NextShardIterator: 'A'.repeat(chance.below(300)) } : { ChildShards: [child] })
    }
  }
}

/** In JSON, as the service may write it: fields in any order, with white space or not, and in several forms of numbers. */
export function inJson({ records, fields }: MadeAnswer, chance: Chance): string {
  const space = chance.below(3) === 0 ? () => chance.of(['', ' ', '\n', '\t\r\n ']) : () => ''
  const object = (entries: (readonly [string, string])[]): string => {
    const shuffled = entries.map(entry => ({ entry, at: chance.below(1e9) })).sort((a, b) => a.at - b.at)
    const members = shuffled.map(
      ({ entry: [name, value] }) => `${space()}"${name}"${space()}:${space()}${value}${space()}`
    )
    return `{${members.join(',')}}`
  }
  const written = records.map(({ Data, arrivedAtMs, ...rest }) =>
    object([
      ...Object.entries(rest).map(([name, value]) => [name, JSON.stringify(value)] as const),
      ['Data', JSON.stringify(Data.toString('base64')).replaceAll('/', chance.below(20) === 0 ? '\\/' : '/')],
      ...(arrivedAtMs === undefined ? [] : [['ApproximateArrivalTimestamp', secondsIn(arrivedAtMs, chance)] as const]),
      ...(chance.below(10) === 0
        ? [['New', chance.of(['null', '{"a":[1,"]}"]}', '"x\\"y"', '[]', '-1.5e3'])] as const]
        : [])
    ])
  )
  return object([
    ['Records', `[${space()}${written.join(`${space()},${space()}`)}${space()}]`],
    ...Object.entries(fields).map(([name, value]) => [name, JSON.stringify(value)] as const)
  ])
}

function secondsIn(ms: number, chance: Chance): string {
  const seconds = String(ms / 1000)
  const digits = String(ms)
  return chance.of([
    seconds,
    `${seconds}`,
    `${digits[0]}.${digits.slice(1)}E9`,
    `${digits[0]}.${digits.slice(1)}e9`,
    `${digits}e-3`
  ])
}

/** How CBOR may differ from one service to another. */
export interface CborForm {
  /** Maps and lists without their length, as the service has them. Default false. */
  readonly indefinite?: boolean
  /** How times are written. Default: milliseconds, as the service does. */
  readonly timeOf?: (ms: number) => Buffer
  /** How payloads are written. Default: bytes. */
  readonly dataOf?: (data: Buffer) => Buffer
}

/** In CBOR, as the service writes it unless told otherwise. */
export function inCbor({ records, fields }: MadeAnswer, form: CborForm = {}): Buffer {
  const { indefinite = false, timeOf = cborOf, dataOf = cborOf } = form
  const list = records.map(({ Data, arrivedAtMs, ...rest }) => {
    const entries = Object.entries(rest).map(([name, value]) => [name, cborOf(value)] as const)
    const time = arrivedAtMs === undefined ? [] : [['ApproximateArrivalTimestamp', timeOf(arrivedAtMs)] as const]
    return mapOf([...entries, ...time, ['Data', dataOf(Data)]], indefinite)
  })
  const rest = Object.entries(fields).map(([name, value]) => [name, cborOf(value)] as const)
  return mapOf(
    [['Records', indefinite ? openOf(4, list) : Buffer.concat([head(4, list.length), ...list])], ...rest],
    indefinite
  )
}

/** Any value in CBOR. */
export function cborOf(value: unknown): Buffer {
  if (value === null || value === undefined) return Buffer.from([0xf6])
  if (typeof value === 'boolean') return Buffer.from([value ? 0xf5 : 0xf4])
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value])
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)])
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(cborOf)])
  if (typeof value === 'number') return Number.isInteger(value) && value >= 0 ? head(0, value) : doubleOf(value)
  return mapOf(
    Object.entries(value as object).map(([name, part]) => [name, cborOf(part)] as const),
    false
  )
}

/** A number in 64 bits of floating point. */
export function doubleOf(value: number): Buffer {
  const bytes = Buffer.alloc(9, 0xfb)
  bytes.writeDoubleBE(value, 1)
  return bytes
}

function mapOf(entries: readonly (readonly [string, Buffer])[], indefinite: boolean): Buffer {
  const parts = entries.flatMap(([name, value]) => [cborOf(name), value])
  return indefinite ? openOf(5, parts) : Buffer.concat([head(5, entries.length), ...parts])
}

function openOf(kind: number, parts: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([(kind << 5) | 31]), ...parts, Buffer.from([0xff])])
}

function head(kind: number, value: number): Buffer {
  if (value < 24) return Buffer.from([(kind << 5) | value])
  const bytes = Buffer.alloc(9, (kind << 5) | 27)
  bytes.writeBigUInt64BE(BigInt(value), 1)
  if (value >= 2 ** 32) return bytes
  const four = Buffer.alloc(5, (kind << 5) | 26)
  four.writeUInt32BE(value, 1)
  if (value >= 65_536) return four
  return value < 256 ? Buffer.from([(kind << 5) | 24, value]) : Buffer.from([(kind << 5) | 25, value >> 8, value & 255])
}
