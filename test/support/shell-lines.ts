// The simple commands in a text for a shell, each as its words: enough of a shell to read what pages tell people to type.

/** The commands of a text, in order, without variables that are set before them, redirections, comments and here-documents. */
export function commandsIn(text: string): string[][] {
  const commands: string[][] = []
  let words: string[] = []
  const end = (): void => {
    while (/^\w+=/.test(words[0] ?? '')) words.shift()
    if (words.length > 0) commands.push(words)
    words = []
  }
  for (const token of tokensOf(withoutHereDocuments(text.replace(/\\\n\s*/g, ' ')))) {
    if (token.kind === 'end') end()
    else if (token.kind === 'inner') commands.push(...commandsIn(token.text))
    else words.push(token.text)
  }
  end()
  return commands
}

type Token = { readonly kind: 'word' | 'inner'; readonly text: string } | { readonly kind: 'end' }

const SPACE = /^[ \t]+/
const COMMENT = /^#[^\n]*/
const END = /^(\n|;|&&|\|\|?|&(?!>))/
const REDIRECTION = /^\d?(>>?|<)(&\d|&-|[ \t]*(?:"[^"]*"|[^\s;|&]+))/
const INNER = /^"?\$\(([^()]*)\)"?/
const WORD = /^(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s;|&<>'"\\])+/

/** @throws Error at what this reads not */
function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  let rest = text
  while (rest !== '') {
    const found = [SPACE, COMMENT, END, REDIRECTION, INNER, WORD].find(pattern => pattern.test(rest))
    const [whole = '', inner = ''] = found?.exec(rest) ?? []
    if (whole === '') throw new Error(`cannot be read from here on: ${rest.slice(0, 40)}`)
    if (found === END) tokens.push({ kind: 'end' })
    if (found === INNER) tokens.push({ kind: 'inner', text: inner })
    if (found === WORD) tokens.push({ kind: 'word', text: unquoted(whole) })
    rest = rest.slice(whole.length)
  }
  return tokens
}

function unquoted(word: string): string {
  return word.replace(/'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/g, (_, single, double, escaped) => {
    return single ?? (double as string | undefined)?.replace(/\\(.)/g, '$1') ?? escaped
  })
}

function withoutHereDocuments(text: string): string {
  return text.replace(/<<-?\s*(['"]?)(\w+)\1([^\n]*)\n[\s\S]*?\n\2(?=\n|$)/g, '$3')
}
