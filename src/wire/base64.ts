// Base64 as the service sends it, decoded from the bytes of an answer into the one buffer that holds all of its payloads.

/** Up to here decoding in JavaScript is faster than making a string of it for Node.js to decode. Characters. */
const SHORT = 1_024

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** Padding. */
const EQUALS = 61

/** What two characters stand for that are not both of the alphabet. Two that are make 12 bits. */
const BAD = 0xf000

/** What two characters stand for, by the first of them and 256 times the second. */
const PAIRS = pairTable()

function pairTable(): Uint16Array {
  const table = new Uint16Array(65_536).fill(BAD)
  // Node.js takes the alphabet of URLs as well.
  const values = [...ALPHABET, '-', '_'].map((character, value) => [
    character.charCodeAt(0),
    value < 64 ? value : value - 2
  ])
  for (const [first = 0, high = 0] of values) {
    for (const [second = 0, low = 0] of values) table[first | (second << 8)] = (high << 6) | low
  }
  return table
}

/** How many bytes the base64 in `source` from `from` up to `to` makes. Returns -1 if nothing makes that many characters. */
export function base64Bytes(source: Uint8Array, from: number, to: number): number {
  return bytesOf(endOfBase64(source, from, to) - from)
}

function bytesOf(characters: number): number {
  const left = characters & 3
  return left === 1 ? -1 : (characters >> 2) * 3 + ((left * 3) >> 2)
}

/** Decodes base64 out of one buffer into another. */
export class Base64Decoder {
  readonly #source: Buffer
  readonly #sourceView: DataView
  readonly #target: Buffer
  readonly #targetView: DataView

  /** For base64 in `source` whose bytes go to `target`. */
  constructor(source: Buffer, target: Buffer) {
    this.#source = source
    this.#sourceView = new DataView(source.buffer, source.byteOffset, source.length)
    this.#target = target
    this.#targetView = new DataView(target.buffer, target.byteOffset, target.length)
  }

  /**
   * Decodes what the source has from `from` up to `to` to the target, from `at` on, and returns how many bytes that makes; -1
   * if it is not base64. There has to be room for what `base64Bytes()` says.
   */
  decode(from: number, to: number, at: number): number {
    const end = endOfBase64(this.#source, from, to)
    const bytes = bytesOf(end - from)
    if (bytes <= 0) return bytes
    if (end - from > SHORT) {
      // What is not base64 is skipped there, and missing in what is written.
      const written = this.#target.write(this.#source.toString('latin1', from, end), at, bytes, 'base64')
      return written === bytes ? bytes : -1
    }
    return this.#decodeWords(from, end, at, at + bytes) ? bytes : -1
  }

  #decodeWords(from: number, end: number, start: number, targetEnd: number): boolean {
    const source = this.#sourceView
    const target = this.#targetView
    let bad = 0
    let next = from
    let at = start
    // Four bytes are written for each three, so the last ones are left.
    for (; at < targetEnd - 3; at += 3, next += 4) {
      const word = source.getInt32(next, true)
      const high = PAIRS[word & 0xffff] as number
      const low = PAIRS[word >>> 16] as number
      bad |= high | low
      target.setInt32(at, (high << 20) | (low << 8))
    }
    const high = PAIRS[source.getUint16(next, true)] as number
    const left = end - next
    // As if what is missing were A, which stands for 0.
    const third = left > 2 ? source.getUint8(next + 2) : 65
    const fourth = left > 3 ? source.getUint8(next + 3) : 65
    const low = PAIRS[third | (fourth << 8)] as number
    target.setUint8(at, high >> 4)
    if (left > 2) target.setUint8(at + 1, (high << 4) | (low >> 8))
    if (left > 3) target.setUint8(at + 2, low)
    return ((bad | high | low) & BAD) === 0
  }
}

function endOfBase64(source: Uint8Array, from: number, to: number): number {
  if (to <= from || source[to - 1] !== EQUALS || (to - from) % 4 !== 0) return to
  return source[to - 2] === EQUALS ? to - 2 : to - 1
}
