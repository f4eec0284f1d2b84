// Short texts taken out of the body of an answer, one after the other, so that the body can go. Bytes are taken four at a
// time, as words: with the bytes one by one this would be half of what reading an answer of small records costs.

/** How many bytes there is room for at first. */
const FIRST_ROOM = 4_096

/** The part of a memory that is used at least, or what is in it is copied to one that is no larger. */
export const WELL_USED = 7 / 8

const WORD = 4

const QUOTE = 34
const BACKSLASH = 92
/** Whatever is less is a control character. */
const SPACE = 32

/** A byte in each of the four places of a word. */
const EACH = 0x01010101
/** The bits that ASCII does not use. */
const HIGH = 0x80808080 | 0

/** Where these bits are as in `0000`, there are only digits, or what is next to them. */
const DIGIT_BITS = 0xf0f0f0f0 | 0
const DIGITS = 0x30303030

/** The bytes of texts, in UTF-8. */
export class WireTexts {
  #view = new DataView(new ArrayBuffer(0))
  /** How long the view is: to ask it would take longer than to read from it. */
  #room = 0
  #length = 0
  #isAscii = true

  /** How many bytes there are. */
  get length(): number {
    return this.#length
  }

  /** Whether the text that was taken last is ASCII. */
  get isAscii(): boolean {
    return this.#isAscii
  }

  /** Takes the text that is in `source` from `from` up to `to`. */
  take(source: DataView, from: number, to: number): void {
    while (this.#room - this.#length < to - from) this.reserve(this.#room * 2)
    const view = this.#view
    let bits = 0
    let at = from
    let length = this.#length
    for (; at <= to - WORD; at += WORD, length += WORD) {
      const word = source.getInt32(at)
      view.setInt32(length, word)
      bits |= word
    }
    for (; at < to; at++, length++) {
      const code = source.getUint8(at)
      view.setUint8(length, code)
      bits |= code
    }
    this.#length = length
    this.#isAscii = (bits & HIGH) === 0
  }

  /** Takes texts as they are, one behind the other. */
  append(texts: Uint8Array): void {
    const length = this.#length + texts.length
    if (length > this.#room) this.reserve(Math.max(length, this.#room * 2))
    new Uint8Array(this.#view.buffer).set(texts, this.#length)
    this.#length = length
  }

  /**
   * Takes the text of the JSON string in `source` whose first character is at `from`. Returns where the quotation mark is that
   * ends it; -1, and nothing is taken, if there is none before something that has to be decoded, or may not be in a string.
   */
  takeJson(source: DataView, from: number): number {
    const end = source.byteLength
    let view = this.#view
    let room = this.#room
    let length = this.#length
    let bits = 0
    let at = from
    for (; at <= end - WORD; at += WORD, length += WORD) {
      const word = source.getInt32(at)
      // Sequence numbers are digits.
      if ((word & DIGIT_BITS) !== DIGITS && hasSpecial(word)) break
      if (length + WORD > room) {
        view = this.reserve(room * 2)
        room = this.#room
      }
      view.setInt32(length, word)
      bits |= word
    }
    for (; at < end; at++, length++) {
      const code = source.getUint8(at)
      if (code === QUOTE) {
        this.#length = length
        this.#isAscii = (bits & HIGH) === 0
        return at
      }
      if (code === BACKSLASH || code < SPACE) return -1
      if (length === room) {
        view = this.reserve(room * 2)
        room = this.#room
      }
      view.setUint8(length, code)
      bits |= code
    }
    return -1
  }

  /** Makes room for so many bytes in all, if there is less. */
  reserve(bytes: number): DataView<ArrayBuffer> {
    if (bytes > this.#room || this.#room === 0) {
      this.#room = Math.max(FIRST_ROOM, bytes)
      const larger = new Uint8Array(this.#room)
      larger.set(new Uint8Array(this.#view.buffer))
      this.#view = new DataView(larger.buffer)
    }
    return this.#view
  }

  /** All of them, in memory of their own that is hardly larger. None may be taken afterwards. */
  bytes(): Buffer {
    if (this.#length >= this.#room * WELL_USED) return Buffer.from(this.#view.buffer, 0, this.#length)
    const bytes = Buffer.allocUnsafeSlow(this.#length)
    bytes.set(new Uint8Array(this.#view.buffer, 0, this.#length))
    return bytes
  }
}

/** Whether one of the four bytes is a quotation mark, a backslash or a control character. */
function hasSpecial(word: number): boolean {
  const quotes = word ^ (QUOTE * EACH)
  const backslashes = word ^ (BACKSLASH * EACH)
  // A byte that is 0, or less than SPACE, borrows from its highest bit.
  const borrowed = ((word - SPACE * EACH) & ~word) | ((quotes - EACH) & ~quotes) | ((backslashes - EACH) & ~backslashes)
  return (borrowed & HIGH) !== 0
}
