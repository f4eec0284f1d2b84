// Bytes of a child as lines, of which no more is kept than the first so many bytes: a child that never ends a line costs no
// more memory than one that does.

/** A line without its end. */
export interface ChildLine {
  readonly text: string
  /** Whether the line goes on, and the rest of it was thrown away. */
  readonly isCut: boolean
}

const NEWLINE = 0x0a

/** Cuts a stream of bytes, in UTF-8, into lines. */
export class LineSplitter {
  readonly #maxBytes: number
  #parts: Uint8Array[] = []
  #bytes = 0
  #isCut = false

  /** @param maxBytes how much of a line is kept, in bytes */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** The lines that end in `chunk`. */
  push(chunk: Uint8Array): ChildLine[] {
    const lines: ChildLine[] = []
    let from = 0
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      this.#keep(chunk.subarray(from, at))
      lines.push(this.#take())
      from = at + 1
    }
    this.#keep(chunk.subarray(from))
    return lines
  }

  /** What is left once there are no more bytes. `undefined`: nothing. */
  end(): ChildLine | undefined {
    return this.#bytes > 0 ? this.#take() : undefined
  }

  #keep(bytes: Uint8Array): void {
    const room = this.#maxBytes - this.#bytes
    if (bytes.length > room) this.#isCut = true
    if (bytes.length === 0 || room <= 0) return
    // A copy: the chunk is as large as the pipe, and may be kept for long.
    this.#parts.push(Uint8Array.from(bytes.subarray(0, room)))
    this.#bytes += Math.min(bytes.length, room)
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
