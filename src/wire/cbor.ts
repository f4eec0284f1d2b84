// Reads and writes the little of CBOR (RFC 8949) that calls of Kinesis are made of.

/** How deep values may be nested. Answers are four deep. */
const MAX_DEPTH = 16

const UNSIGNED = 0
const NEGATIVE = 1
const BYTES = 2
const TEXT = 3
const LIST = 4
const MAP = 5
const TAG = 6

/** The length of what is ended by a mark. */
const INDEFINITE = -1

/** That mark. */
const BREAK = 0xff

/** What is read is not CBOR, or is something that calls of Kinesis do not have. */
export class CborError extends Error {}

/** Reads one value after the other. Every method throws CborError, or RangeError where the bytes end too early. */
export class CborReader {
  /** Where the next value begins. */
  at = 0
  /** What is read. */
  readonly view: DataView
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  /** Whether everything was read. */
  get isOver(): boolean {
    return this.at === this.view.byteLength
  }

  /** Begins a map. Returns what {@link goesOn} is asked with. */
  beginMap(): number {
    return this.#head(MAP)
  }

  /** Begins a list. Returns what {@link goesOn} is asked with. */
  beginList(): number {
    return this.#head(LIST)
  }

  /** Whether there is more in what was begun, after `done` entries of it. To be asked before each entry. */
  goesOn(begun: number, done: number): boolean {
    if (begun !== INDEFINITE) return done < begun
    if (this.view.getUint8(this.at) !== BREAK) return true
    this.at += 1
    return false
  }

  /** Passes over text in one piece, and returns how long it is: it is in front of what comes next. Bytes. */
  passText(): number {
    return this.#pass(this.#head(TEXT))
  }

  /** Passes over bytes in one piece, and returns how many: they are in front of what comes next. */
  passBytes(): number {
    return this.#pass(this.#head(BYTES))
  }

  /** Reads any value. Bytes are views; numbers beyond 2^53 are rounded; tags are passed over; simple values are null. */
  value(depth = 0): unknown {
    if (depth > MAX_DEPTH) throw new CborError(`values are nested more than ${MAX_DEPTH} deep`)
    const kind = this.view.getUint8(this.at) >> 5
    switch (kind) {
      case UNSIGNED:
        return this.#head(kind)
      case NEGATIVE:
        return -1 - this.#head(kind)
      case BYTES:
        return this.#joined(kind)
      case TEXT:
        return this.#joined(kind).toString()
      case LIST:
        return this.#list(depth)
      case MAP:
        return this.#map(depth)
      case TAG:
        this.#head(kind)
        return this.value(depth + 1)
      default:
        return this.#simple()
    }
  }

  #list(depth: number): unknown[] {
    const list: unknown[] = []
    const begun = this.beginList()
    while (this.goesOn(begun, list.length)) list.push(this.value(depth + 1))
    return list
  }

  #map(depth: number): Record<string, unknown> {
    const entries: [string, unknown][] = []
    const begun = this.beginMap()
    while (this.goesOn(begun, entries.length)) {
      const key = this.value(depth + 1)
      if (typeof key !== 'string') throw new CborError('a key of a map is not text')
      entries.push([key, this.value(depth + 1)])
    }
    return Object.fromEntries(entries)
  }

  /** Bytes or text, which may be in pieces. */
  #joined(kind: number): Buffer {
    const length = this.#head(kind)
    if (length !== INDEFINITE) {
      this.#pass(length)
      return this.#bytes.subarray(this.at - length, this.at)
    }
    const pieces: Buffer[] = []
    while (this.goesOn(INDEFINITE, 0)) {
      const piece = this.#pass(this.#head(kind))
      pieces.push(this.#bytes.subarray(this.at - piece, this.at))
    }
    return Buffer.concat(pieces)
  }

  #pass(length: number): number {
    if (length === INDEFINITE) throw new CborError('a text or bytes are in pieces')
    if (length > this.view.byteLength - this.at) throw new RangeError('a text or bytes break off')
    this.at += length
    return length
  }

  /** What the head of a value of this kind says: a number or a length. */
  #head(kind: number): number {
    const head = this.view.getUint8(this.at)
    if (head >> 5 !== kind) throw new CborError(`expected a value of major type ${kind}, found ${head >> 5}`)
    this.at += 1
    const short = head & 31
    if (short < 24) return short
    switch (short) {
      case 24:
        this.at += 1
        return this.view.getUint8(this.at - 1)
      case 25:
        this.at += 2
        return this.view.getUint16(this.at - 2)
      case 26:
        this.at += 4
        return this.view.getUint32(this.at - 4)
      case 27:
        this.at += 8
        return Number(this.view.getBigUint64(this.at - 8))
      default:
        if (short === 31 && kind >= BYTES && kind <= MAP) return INDEFINITE
        throw new CborError(`the head of a value is ${head}`)
    }
  }

  #simple(): unknown {
    const head = this.view.getUint8(this.at++)
    switch (head) {
      case 0xf4:
      case 0xf5:
        return head === 0xf5
      case 0xf6:
      case 0xf7:
        return null
      case 0xf9:
        this.at += 2
        return halfFrom(this.view.getUint16(this.at - 2))
      case 0xfa:
        this.at += 4
        return this.view.getFloat32(this.at - 4)
      case 0xfb:
        this.at += 8
        return this.view.getFloat64(this.at - 8)
      default:
        throw new CborError(`the simple value ${head} is not known`)
    }
  }
}

/** A number of 16 bits: sign, 5 bits of exponent, 10 of fraction. */
function halfFrom(bits: number): number {
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  const size =
    exponent === 0
      ? fraction * 2 ** -24
      : exponent === 31
        ? fraction === 0
          ? Number.POSITIVE_INFINITY
          : Number.NaN
        : (1024 + fraction) * 2 ** (exponent - 25)
  return bits >> 15 === 1 ? -size : size
}

/** Writes a map of texts, and of integers from 0 to 4,294,967,295. */
export function cborMap(fields: Readonly<Record<string, string | number>>): Uint8Array {
  const entries = Object.entries(fields)
  const pieces = [headOf(MAP, entries.length)]
  for (const [name, value] of entries) {
    pieces.push(...textPieces(name), ...(typeof value === 'string' ? textPieces(value) : [headOf(UNSIGNED, value)]))
  }
  return Buffer.concat(pieces)
}

function textPieces(text: string): Buffer[] {
  const bytes = Buffer.from(text)
  return [headOf(TEXT, bytes.length), bytes]
}

function headOf(kind: number, value: number): Buffer {
  const major = kind << 5
  if (value < 24) return Buffer.from([major | value])
  if (value < 256) return Buffer.from([major | 24, value])
  if (value < 65_536) return Buffer.from([major | 25, value >> 8, value & 255])
  const head = Buffer.from([major | 26, 0, 0, 0, 0])
  head.writeUInt32BE(value, 1)
  return head
}
