// The protobuf wire format as far as an aggregated record needs it: a forgiving reader that knows every legal spelling,
// and the sizes and bytes of minimal varints for writing.

/** Wire type of a number in groups of seven bits. */
export const VARINT = 0
/** Wire type of eight bytes. */
export const FIXED64 = 1
/** Wire type of a length and as many bytes: texts, payloads, messages inside messages. */
export const LENGTH_DELIMITED = 2
/** Wire type that opens a group, an old spelling of a message inside a message. */
export const START_GROUP = 3
/** Wire type that closes the group of the same field number. */
export const END_GROUP = 4
/** Wire type of four bytes. */
export const FIXED32 = 5

/** How deep messages and groups may nest before a message counts as malformed; the limit of protobuf's own parsers. */
const MAX_DEPTH = 100
const MAX_TAG = 0xffffffff

/**
 * Reads fields from a part of `bytes`. A malformed field does not throw: it sets {@link malformed} and moves to the end,
 * so that the loops over fields end by themselves and the caller looks once, when it is done.
 */
export class ProtobufReader {
  readonly bytes: Uint8Array
  readonly end: number
  /** Offset of the next byte to read. */
  at: number
  malformed = false
  readonly #depth: number

  constructor(bytes: Uint8Array, from: number, end: number, depth = 0) {
    this.bytes = bytes
    this.at = from
    this.end = end
    this.#depth = depth
  }

  fail(): number {
    this.malformed = true
    this.at = this.end
    return 0
  }

  /** The next varint as an unsigned number, of up to 10 bytes; exact up to 2^53, rounded but still huge above. */
  varint(): number {
    const first = this.bytes[this.at] as number
    if (first < 0x80 && this.at < this.end) {
      this.at++
      return first
    }
    return this.#longVarint()
  }

  #longVarint(): number {
    let value = 0
    let unit = 1
    for (let length = 1; length <= 10 && this.at < this.end; length++) {
      const byte = this.bytes[this.at++] as number
      // Nine bytes hold 63 bits: what the tenth has beyond its lowest bit does not fit in 64 and is ignored, as protobuf does.
      value += (length === 10 ? byte & 1 : byte & 0x7f) * unit
      if (byte < 0x80) return value
      unit *= 128
    }
    return this.fail()
  }

  /** Field number and wire type of the next field, `number << 3 | type`. */
  tag(): number {
    const tag = this.varint()
    return tag < 8 || tag > MAX_TAG ? this.fail() : tag
  }

  /** The length prefix of a field that ends before this message does. */
  length(): number {
    const length = this.varint()
    return length > this.end - this.at ? this.fail() : length
  }

  /** The message in the next length-delimited field, for reading it; this reader continues behind it. */
  message(): ProtobufReader {
    const length = this.length()
    const from = this.at
    this.at += length
    return new ProtobufReader(this.bytes, from, this.at, this.#depth + 1)
  }

  /** Passes over the value of a field whose tag has been read. */
  skip(tag: number): void {
    this.#skipValue(tag, this.#depth)
  }

  #skipValue(tag: number, depth: number): void {
    switch (tag & 7) {
      case VARINT:
        this.varint()
        break
      case FIXED64:
        this.#advance(8)
        break
      case LENGTH_DELIMITED:
        this.#advance(this.length())
        break
      case START_GROUP:
        this.#skipGroup(tag >>> 3, depth + 1)
        break
      case FIXED32:
        this.#advance(4)
        break
      default: // the end of a group that nothing began, or a wire type that does not exist
        this.fail()
    }
  }

  #skipGroup(field: number, depth: number): void {
    if (depth > MAX_DEPTH) this.fail()
    while (!this.malformed) {
      const tag = this.tag()
      if ((tag & 7) === END_GROUP) {
        if (tag >>> 3 !== field) this.fail()
        return
      }
      this.#skipValue(tag, depth)
    }
  }

  #advance(length: number): void {
    if (length > this.end - this.at) this.fail()
    else this.at += length
  }
}

/** The varint at `at`, which is known to be there and to be below 2^31, however it is spelt. */
export function varintAt(bytes: Uint8Array, at: number): number {
  let value = 0
  // Of what a longer spelling has beyond five bytes, all that counts is zero.
  for (let i = 0; i < 5; i++) {
    const byte = bytes[at + i] as number
    value |= (byte & 0x7f) << (7 * i)
    if (byte < 0x80) break
  }
  return value
}

/** The offset behind the varint at `at`, which is known to be there. */
export function behindVarint(bytes: Uint8Array, at: number): number {
  let behind = at
  while ((bytes[behind] as number) > 0x7f) behind++
  return behind + 1
}

/** How many bytes the minimal varint of `value` takes; `value` is below 2^31. */
export function varintSize(value: number): number {
  let size = 1
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) size++
  return size
}

/** Writes the minimal varint of `value`, which is below 2^31, at `at` and returns the offset behind it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let to = at
  let rest = value
  while (rest > 0x7f) {
    bytes[to++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[to++] = rest
  return to
}
