// The pages that users read, taken apart: their blocks of code, headings, links and tables.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')

/** A block between two fences. */
export interface Block {
  /** The page, below the root. */
  readonly page: string
  /** The line of the opening fence, from 1. */
  readonly line: number
  /** What stands behind the opening fence; empty: nothing. */
  readonly language: string
  /** What is inside, without the indentation of the fence; ends with a line break. */
  readonly text: string
}

/** Every page, below the root: README.md, the guides, and what they lead to. */
export const PAGES: readonly string[] = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter(name => name.endsWith('.md'))
    .map(name => `docs/${name}`),
  'CHANGELOG.md',
  'bench/README.md',
  'examples/README.md',
  'examples/data/README.md',
  'src/README.md'
]

/** The text of a page. */
export function textOf(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8')
}

/** Every block of code of a page, in order. */
export function blocksOf(page: string): readonly Block[] {
  const blocks: Block[] = []
  let open: { line: number; indent: string; fence: string; language: string; text: string } | undefined
  for (const [index, line] of textOf(page).split('\n').entries()) {
    const [, indent = '', fence, language = ''] = /^( *)(`{3,})\s*(\S*)\s*$/.exec(line) ?? []
    if (open === undefined) {
      if (fence !== undefined) open = { line: index + 1, indent, fence, language, text: '' }
    } else if (fence === open.fence && language === '') {
      blocks.push({ page, line: open.line, language: open.language, text: open.text })
      open = undefined
    } else open.text += `${line.startsWith(open.indent) ? line.slice(open.indent.length) : line}\n`
  }
  if (open !== undefined) throw new Error(`${page}:${open.line}: a block that does not end`)
  return blocks
}

/** A page without its blocks of code, with as many lines. */
export function proseOf(page: string): string {
  let isInside = false
  const lines = textOf(page).split('\n')
  return lines
    .map(line => {
      const isFence = /^ *```/.test(line)
      if (isFence) isInside = !isInside
      return isFence || isInside ? '' : line
    })
    .join('\n')
}

/** What stands in code in a text, but for blocks. */
export function codeIn(text: string): string[] {
  return wordsIn(text, /`([^`\n]+)`/g)
}

/** The first group of each match. */
export function wordsIn(text: string, pattern: RegExp): string[] {
  return Array.from(text.matchAll(pattern), ([, word = '']) => word)
}

/** What the headings of a page are linked to by. */
export function anchorsOf(page: string): string[] {
  const seen = new Map<string, number>()
  return Array.from(proseOf(page).matchAll(/^#+ (.*)$/gm), ([, text = '']) => {
    const anchor = text
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-')
    const before = seen.get(anchor) ?? 0
    seen.set(anchor, before + 1)
    return before === 0 ? anchor : `${anchor}-${before}`
  })
}

/** The cells of each row of the first table under a heading, but for the titles and the line below them. */
export function rowsUnder(page: string, heading: string): string[][] {
  const [, section = ''] = new RegExp(`\n#+ ${heading}\n([\\s\\S]*?)(?=\n#|$)`).exec(textOf(page)) ?? []
  return cellsOf(section.split('\n').filter(line => line.startsWith('|'))).slice(2)
}

/** The same of the table whose first column has this title. */
export function tableTitled(page: string, title: string): string[][] {
  const lines = textOf(page).split('\n')
  const from = lines.findIndex(line => line.startsWith(`| ${title} |`))
  if (from === -1) throw new Error(`${page} has no table whose first column is ${title}`)
  const to = lines.findIndex((line, index) => index > from && !line.startsWith('|'))
  return cellsOf(lines.slice(from + 2, to === -1 ? undefined : to))
}

function cellsOf(lines: readonly string[]): string[][] {
  return lines.map(line =>
    line
      .slice(1, -1)
      .split('|')
      .map(cell => cell.trim())
  )
}
