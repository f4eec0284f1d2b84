// Pieces of lines, of an exact width, and lines that a narrow terminal does not tear.

/** The text in `width` columns: filled up with spaces, or cut with an ellipsis. */
export function cell(text: string, width: number, side: 'left' | 'right' = 'left'): string {
  const fitting = text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text
  return side === 'left' ? fitting.padEnd(width) : fitting.padStart(width)
}

/** A bar of `width` columns for `total`: painted up to `done`, shaded from there to `known`. */
export function bar(
  width: number,
  done: number,
  known: number,
  total: number,
  paintDone: (text: string) => string,
  paintKnown: (text: string) => string
): string {
  const columnsOf = (part: number): number => Math.round((width * Math.min(part, total)) / total)
  const doneColumns = columnsOf(done)
  const knownColumns = Math.max(columnsOf(known), doneColumns)
  const shaded = paintKnown('░'.repeat(knownColumns - doneColumns))
  return paintDone('█'.repeat(doneColumns)) + shaded + ' '.repeat(width - knownColumns)
}

/** 12345 as `12,345`. */
export function count(number: number): string {
  return number.toLocaleString('en-US')
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

/** 2,747,300,000 bytes as `2,747.3`. */
export function megabytes(bytes: number): string {
  return (bytes / 1e6).toLocaleString('en-US', { minimumFractionDigits: 1, maximumFractionDigits: 1 })
}

/** Pieces of text to stand behind `indent` columns. What does not fit into `columns` goes to further lines, as indented. */
export function hang(pieces: readonly string[], indent: number, columns: number): string {
  const lines: string[] = []
  for (const piece of pieces) {
    const longer = `${lines.at(-1)} ${piece}`
    if (lines.length > 0 && indent + longer.length <= columns) lines[lines.length - 1] = longer
    else lines.push(piece)
  }
  return lines.join(`\n${' '.repeat(indent)}`)
}
