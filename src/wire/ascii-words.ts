// Compares what is in a buffer with a short text that is expected there, four bytes at a time.

const WORD = 4

/** A text to look for. At least four characters, ASCII. */
export class AsciiWords {
  /** How many characters. */
  readonly length: number
  readonly #words: readonly number[]

  constructor(text: string) {
    const bytes = Buffer.from(text, 'latin1')
    this.length = bytes.length
    const last = bytes.length - WORD
    // The last word overlaps the one before it, unless the length is a multiple of four.
    this.#words = Array.from({ length: Math.ceil(bytes.length / WORD) }, (_, index) =>
      bytes.readInt32BE(Math.min(index * WORD, last))
    )
  }

  /** Whether it is in `view` at `at`. Throws RangeError if `view` ends before that is certain. */
  isAt(view: DataView, at: number): boolean {
    const words = this.#words
    const last = at + this.length - WORD
    for (let index = 0, next = at; index < words.length; index++, next += WORD) {
      if (view.getInt32(next < last ? next : last) !== words[index]) return false
    }
    return true
  }
}

/** A text to look for, as a constant: it cannot change. */
export function asciiWords(text: string): AsciiWords {
  return new AsciiWords(text)
}
