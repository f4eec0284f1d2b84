// Lines of bytes as they come, in whatever pieces: for letters that stand in JSON Lines.

/** A line, without its end. */
export interface Line {
  /** From 1. */
  readonly number: number
  /** Absent: it is longer than any letter, and was not kept. */
  readonly bytes?: Uint8Array
}

/** Far more than the largest letter, 14 MB for a payload of 10 MiB: a file without line breaks must not fill the memory. */
export const MAX_LINE_BYTES = 67_108_864

const NEWLINE = 10

/** The lines in the pieces, but for the empty ones. The last may have no end. Their memory is their own. */
export async function* linesOf(pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Line> {
  let number = 1
  let parts: Uint8Array[] = []
  let length = 0
  const take = (part: Uint8Array): void => {
    length += part.length
    if (length > MAX_LINE_BYTES) parts = []
    else if (part.length > 0) parts.push(part)
  }
  const line = (): Line => (length > MAX_LINE_BYTES ? { number } : { number, bytes: Buffer.concat(parts) })
  for await (const piece of pieces) {
    let from = 0
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, from)) {
      take(piece.subarray(from, end))
      if (length > 0) yield line()
      number += 1
      parts = []
      length = 0
      from = end + 1
    }
    take(piece.subarray(from))
  }
  if (length > 0) yield line()
}
