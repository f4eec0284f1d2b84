// Bytes of a child as lines, of which no more is kept than so many bytes at once: a child that never ends a line costs no more
// memory than one that does.

/** A line without its end, or the part of one. */
export interface ChildLine {
  readonly text: string
  /** Whether the line is longer than this. */
  readonly isCut: boolean
}

/** What becomes of a line that is too long: the rest of it is thrown away, or is a line as well. */
export type LongLines = 'cut' | 'in-parts'

const NEWLINE = 0x0a

/** Cuts a stream of bytes, in UTF-8, into lines. */
export class LineSplitter {
  readonly #maxBytes: number
  readonly #longLines: LongLines
  #parts: Uint8Array[] = []
  #bytes = 0
  #isCut = false

  /** @param maxBytes how much of a line is kept, in bytes */
  constructor(maxBytes: number, longLines: LongLines = 'cut') {
    this.#maxBytes = maxBytes
    this.#longLines = longLines
  }

  /** The lines that end in `chunk`. */
  push(chunk: Uint8Array): ChildLine[] {
    const lines: ChildLine[] = []
    let from = 0
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      lines.push(...this.#keep(chunk.subarray(from, at)), this.#take())
      from = at + 1
    }
    lines.push(...this.#keep(chunk.subarray(from)))
    return lines
  }

  /** What there is of the line at hand, which goes on after that. `undefined`: nothing. */
  part(): ChildLine | undefined {
    this.#isCut ||= this.#bytes > 0
    return this.end()
  }

  /** What is left once there are no more bytes. `undefined`: nothing. */
  end(): ChildLine | undefined {
    return this.#bytes > 0 ? this.#take() : undefined
  }

  /** Keeps bytes of the line at hand. Returns parts of it that there is no room for. */
  #keep(given: Uint8Array): ChildLine[] {
    const parts: ChildLine[] = []
    let bytes = given
    while (this.#longLines === 'in-parts' && bytes.length > this.#maxBytes - this.#bytes) {
      const room = this.#maxBytes - this.#bytes
      this.#add(bytes.subarray(0, room))
      bytes = bytes.subarray(room)
      this.#isCut = true
      parts.push(this.#take())
    }
    const room = this.#maxBytes - this.#bytes
    if (bytes.length > room) this.#isCut = true
    this.#add(bytes.subarray(0, room))
    return parts
  }

  #add(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    // A copy: the chunk is as large as the pipe, and may be kept for long.
    this.#parts.push(Uint8Array.from(bytes))
    this.#bytes += bytes.length
  }

  #take(): ChildLine {
    const text = Buffer.concat(this.#parts).toString().replace(/\r$/, '')
    const isCut = this.#isCut
    this.#parts = []
    this.#bytes = 0
    this.#isCut = false
    return { text, isCut }
  }
}
