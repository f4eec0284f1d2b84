// As much CBOR as the load source needs: reads requests, writes answers. Nothing that measures reads with it.

/** What can be written. */
export type CborValue =
  | string
  | number
  | boolean
  | Uint8Array
  | readonly CborValue[]
  | { readonly [key: string]: CborValue }

const NUMBER = 0x00
const NEGATIVE = 0x20
const BYTES = 0x40
const TEXT = 0x60
const ARRAY = 0x80
const MAP = 0xa0
const TAG = 0xc0

/** Encodes a value, with definite lengths. Numbers must be whole and not negative. */
export function encodeCbor(value: CborValue): Buffer {
  if (typeof value === 'boolean') return Buffer.of(value ? 0xf5 : 0xf4)
  if (typeof value === 'number') return headOf(NUMBER, value)
  if (typeof value === 'string') return Buffer.concat([headOf(TEXT, Buffer.byteLength(value)), Buffer.from(value)])
  if (value instanceof Uint8Array) return Buffer.concat([headOf(BYTES, value.length), value])
  if (Array.isArray(value)) return Buffer.concat([headOf(ARRAY, value.length), ...value.map(encodeCbor)])
  const entries = Object.entries(value)
  return Buffer.concat([headOf(MAP, entries.length), ...entries.flat().map(part => encodeCbor(part as CborValue))])
}

/** The first bytes of a value: what it is, and how long or how much. */
function headOf(major: number, argument: number): Buffer {
  if (argument < 24) return Buffer.of(major | argument)
  if (argument < 0x100) return Buffer.of(major | 24, argument)
  if (argument < 0x10000) return Buffer.of(major | 25, argument >> 8, argument & 0xff)
  const head = Buffer.alloc(argument < 2 ** 32 ? 5 : 9)
  head[0] = major | (head.length === 5 ? 26 : 27)
  if (head.length === 5) head.writeUInt32BE(argument, 1)
  else head.writeBigUInt64BE(BigInt(argument), 1)
  return head
}

/** Decodes the input of a call: a map with text keys. Throws an Error where it is none. */
export function decodeCborInput(body: Buffer): Record<string, unknown> {
  const value = new CborReader(body).read()
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('The request is no CBOR map')
  return value as Record<string, unknown>
}

class CborReader {
  readonly #body: Buffer
  #at = 0

  constructor(body: Buffer) {
    this.#body = body
  }

  read(): unknown {
    const first = this.#body.readUInt8(this.#at++)
    const major = first & 0xe0
    const isOpen = (first & 31) === 31
    if (major === 0xe0) return this.#simple(first)
    const argument = isOpen ? Number.POSITIVE_INFINITY : this.#argument(first & 31)
    switch (major) {
      case NUMBER:
        return argument
      case NEGATIVE:
        return -1 - argument
      case BYTES:
        return this.#body.subarray(this.#at, this.#skip(argument))
      case TEXT:
        return this.#body.toString('utf8', this.#at, this.#skip(argument))
      case ARRAY:
        return this.#items(argument)
      case MAP:
        return this.#entries(argument)
      case TAG:
        return this.read()
      default:
        throw new Error(`Unexpected CBOR of type ${first}`)
    }
  }

  #argument(info: number): number {
    if (info < 24) return info
    const bytes = 2 ** (info - 24)
    const value = bytes === 8 ? Number(this.#body.readBigUInt64BE(this.#at)) : this.#body.readUIntBE(this.#at, bytes)
    this.#skip(bytes)
    return value
  }

  #skip(bytes: number): number {
    this.#at += bytes
    return this.#at
  }

  #simple(first: number): unknown {
    if (first === 0xfb) return this.#body.readDoubleBE(this.#skip(8) - 8)
    if (first === 0xfa) return this.#body.readFloatBE(this.#skip(4) - 4)
    return first === 0xf5
  }

  #hasMore(left: number): boolean {
    if (left !== Number.POSITIVE_INFINITY) return left > 0
    if (this.#body[this.#at] !== 0xff) return true
    this.#at++
    return false
  }

  #items(count: number): unknown[] {
    const items: unknown[] = []
    for (let left = count; this.#hasMore(left); left--) items.push(this.read())
    return items
  }

  #entries(count: number): Record<string, unknown> {
    const entries: Record<string, unknown> = {}
    for (let left = count; this.#hasMore(left); left--) entries[String(this.read())] = this.read()
    return entries
  }
}
