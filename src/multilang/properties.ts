// Reads a .properties file exactly as java.util.Properties does, and keeps where each entry stands. Knows no key.

/** One entry of a file. */
export interface Property {
  readonly key: string
  readonly value: string
  /** The line that it begins on; the first is 1. */
  readonly line: number
}

/** What a file says. */
export interface PropertiesFile {
  /** Every entry, in the order of the file; where a key stands twice, Java takes the last. */
  readonly entries: readonly Property[]
  /** What Java would not load the file for, with the line. */
  readonly malformed: readonly { readonly line: number; readonly problem: string }[]
}

/** A line as the syntax sees it: natural lines that a backslash joins are one. */
interface LogicalLine {
  readonly text: string
  readonly line: number
}

/** Characters that a letter behind a backslash stands for; of any other, it is that letter. */
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['t', '\t'],
  ['n', '\n'],
  ['r', '\r'],
  ['f', '\f']
])

/**
 * Reads a file: separators `=`, `:` and blanks, comments with `#` and `!`, lines joined by a backslash, escapes.
 *
 * @param bytes as they are on disk: every byte is one character, as Java takes them (ISO 8859-1)
 */
export function parseProperties(bytes: Uint8Array): PropertiesFile {
  const entries: Property[] = []
  const malformed: { line: number; problem: string }[] = []
  for (const { text, line } of logicalLines(latin1(bytes))) {
    const { rawKey, rawValue } = splitEntry(text)
    const [key, value] = [unescaped(rawKey), unescaped(rawValue)]
    if (key === undefined || value === undefined) {
      malformed.push({ line, problem: 'has a \\u without four hexadecimal digits behind it' })
    } else {
      entries.push({ key, value, line })
    }
  }
  return { entries, malformed }
}

/** Of the entries those that count: the last of each key, in the order of the file. */
export function effectiveEntries(entries: readonly Property[]): readonly Property[] {
  const last = new Map(entries.map(entry => [entry.key, entry]))
  return entries.filter(entry => last.get(entry.key) === entry)
}

function latin1(bytes: Uint8Array): string {
  const parts: string[] = []
  for (let from = 0; from < bytes.length; from += 4_096) {
    parts.push(String.fromCharCode(...bytes.subarray(from, from + 4_096)))
  }
  return parts.join('')
}

/** Natural lines end with a line feed, a carriage return, or both. The end of the file ends the last. */
function naturalLines(text: string): string[] {
  const lines = text.split(/\r\n|\r|\n/)
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines
}

/**
 * Comments and blank lines begin no entry; nor does a comment as long as nothing of the entry has been read. Behind a backslash
 * at the end of a line the next one goes on, without the blanks that it begins with: then `#` is a letter, and an empty line the end.
 */
function logicalLines(text: string): LogicalLine[] {
  const found: LogicalLine[] = []
  let begun: LogicalLine | undefined
  for (const [index, natural] of naturalLines(text).entries()) {
    const stripped = natural.replace(/^[ \t\f]+/, '')
    const soFar = begun?.text ?? ''
    if (soFar === '' && (stripped === '' || /^[#!]/.test(stripped))) {
      begun = undefined
      continue
    }
    const line = begun?.line ?? index + 1
    const isJoined = endsWithOpenBackslash(stripped)
    const joined = soFar + (isJoined ? stripped.slice(0, -1) : stripped)
    if (isJoined) {
      begun = { text: joined, line }
      continue
    }
    found.push({ text: joined, line })
    begun = undefined
  }
  // A backslash that is all there is of the last line makes an entry without a key, but not before a line end of two characters.
  if (begun === undefined || (begun.text === '' && text.endsWith('\r\n'))) return found
  return [...found, begun]
}

/** Whether a line ends with a backslash that is not itself behind one. */
function endsWithOpenBackslash(line: string): boolean {
  const [backslashes = ''] = /\\*$/.exec(line) ?? []
  return backslashes.length % 2 === 1
}

/** The key ends at the first separator that no backslash stands before; blanks around one `=` or `:` belong to neither side. */
function splitEntry(line: string): { readonly rawKey: string; readonly rawValue: string } {
  const [rawKey = ''] = /^(?:\\[\s\S]|[^\\=: \t\f])*\\?/.exec(line) ?? []
  const [separator = ''] = /^[ \t\f]*(?:[=:][ \t\f]*)?/.exec(line.slice(rawKey.length)) ?? []
  return { rawKey, rawValue: line.slice(rawKey.length + separator.length) }
}

/** @returns `undefined` if a `\u` is not followed by four hexadecimal digits */
function unescaped(raw: string): string | undefined {
  if (/(?:^|[^\\])(?:\\\\)*\\u(?![0-9a-fA-F]{4})/.test(raw)) return undefined
  return raw.replace(/\\(?:u([0-9a-fA-F]{4})|([\s\S]?))/g, (_, hex: string | undefined, letter: string) =>
    hex === undefined ? (ESCAPES.get(letter) ?? letter) : String.fromCharCode(Number.parseInt(hex, 16))
  )
}
