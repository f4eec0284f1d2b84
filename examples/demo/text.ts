// Pieces of lines, of an exact width.

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

export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}
