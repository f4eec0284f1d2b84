// A page that leads somebody through terminals, as steps: what is pasted where, what is to be seen then, what is pressed.
import { textOf } from './pages.ts'

/** Something that the page tells its reader to do, or to see. */
export type Step =
  | { readonly kind: 'paste'; readonly line: number; readonly terminal: number; readonly text: string }
  /** Each line is to be seen in one of the terminals. */
  | {
      readonly kind: 'see'
      readonly line: number
      readonly terminals: readonly number[]
      readonly lines: readonly string[]
    }
  | { readonly kind: 'interrupt' | 'close'; readonly line: number; readonly terminal: number }

/**
 * The steps of a page. A paragraph that names a terminal, as `**Terminal 2**`, says where the next blocks belong, until the next
 * heading: those in `sh` are pasted, those in `text` are to be seen. `**Terminal 2**: press Ctrl-C` and `**Terminal 2**: close its
 * window` are done.
 */
export function stepsOf(page: string): Step[] {
  const steps: Step[] = []
  let terminals: number[] = []
  let block: { readonly line: number; readonly language: string; lines: string[] } | undefined
  for (const [index, text] of textOf(page).split('\n').entries()) {
    const line = index + 1
    const [, language] = /^```(\w*)$/.exec(text) ?? []
    if (block !== undefined) {
      if (language !== '') {
        block.lines.push(text)
        continue
      }
      const [terminal] = terminals
      if (terminal !== undefined && block.language === 'sh') {
        steps.push({ kind: 'paste', line: block.line, terminal, text: block.lines.join('\n') })
      } else if (terminal !== undefined && block.language === 'text') {
        const lines = block.lines.filter(each => each.trim() !== '')
        steps.push({ kind: 'see', line: block.line, terminals, lines })
      }
      block = undefined
    } else if (language !== undefined) block = { line, language, lines: [] }
    else if (text.startsWith('#')) terminals = []
    else {
      const named = Array.from(text.matchAll(/\*\*Terminal (\d)\*\*/g), ([, number]) => Number(number))
      if (named.length > 0) terminals = named
      const [, number, action] = /^\*\*Terminal (\d)\*\*: (press Ctrl-C|close its window)/.exec(text) ?? []
      if (action !== undefined) {
        steps.push({ kind: action === 'press Ctrl-C' ? 'interrupt' : 'close', line, terminal: Number(number) })
      }
    }
  }
  return steps
}

/**
 * What a line on a page matches: itself, with any blanks; an ellipsis stands for anything, and amounts of time, ports and which of
 * `names` stands there may differ.
 */
export function patternOf(line: string, names: readonly string[]): RegExp {
  const parts = line.trim().split(/(…|\s+|\d[\d.,]* (?:ms|s)\b|(?<=127\.0\.0\.1:)\d+|[\w-]+)/)
  const patterns = parts.map(part => {
    if (part === '…') return '.*'
    if (/^\s+$/.test(part)) return '\\s+'
    if (/^\d[\d.,]* (?:ms|s)$/.test(part)) return '\\d[\\d.,]*\\s(?:ms|s)'
    if (names.includes(part)) return `(?:${names.join('|')})`
    if (/^\d{4,5}$/.test(part)) return '\\d+'
    return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  })
  return new RegExp(`^\\s*${patterns.join('')}\\s*$`, 'm')
}
