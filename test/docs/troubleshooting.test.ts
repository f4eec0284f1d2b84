// docs/troubleshooting.md quotes messages, events, options and codes: each of them is in the code, word for word.
import { expect } from 'chai'
import { METRICS } from '../../src/metrics/metric-table.ts'
import { codeIn, proseOf, rowsUnder } from '../support/pages.ts'
import { sourceFiles } from '../support/source-files.ts'

const PAGE = 'docs/troubleshooting.md'
/** What others say, or is called so elsewhere. */
const OF_OTHERS = ['Protocol error', 'requestHandler: new NodeHttpHandler()', '.ts', 'how', '…']
const COMMAND = /^(?:npx|npm|aws|millrace)\b/

/** The sources, with what is put into a message as an ellipsis, and messages of several lines as one. */
const source = sourceFiles()
  .map(({ text }) => text.replace(/['`] \+\s+['`]/g, '').replace(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, '…'))
  .join('\n')

/** What of a quotation the sources do not have. */
function strangersIn(code: string): string[] {
  // A message has blanks, and words between what differs.
  const isMessage = /^(?:…|[A-Za-z])[^'{}()=]*$/.test(code) && code.includes(' ')
  const parts = isMessage
    ? code.split('…').map(part => part.replace(/^[\s,:.]+|[\s,:.]+$/g, ''))
    : (code.match(/[A-Za-z][\w-]*(?::[\w-]+)?/g) ?? [code])
  return parts.filter(part => part.length > 2 && !source.includes(part))
}

describe('docs/troubleshooting.md', () => {
  const codes = codeIn(proseOf(PAGE)).filter(code => !OF_OTHERS.includes(code) && !COMMAND.test(code))

  it('quotes what the code says', () => {
    expect(codes.length).to.be.greaterThan(100)
    const strange = codes.flatMap(code => strangersIn(code).map(part => `${code}: ${part}`))
    expect(strange).to.deep.equal([])
  })

  it('would notice a message, an event or an option that there is none of', () => {
    for (const code of [
      'a message that nobody writes',
      'shard:exploded',
      'leases.noSuchOption',
      '… is not … at all, ever'
    ]) {
      expect(strangersIn(code), code).to.not.deep.equal([])
    }
  })

  it('has every code of the doctor, and no other', () => {
    const told = rowsUnder(PAGE, 'What the doctor finds').flatMap(([cell = '']) => codeIn(cell))
    const rules = sourceFiles().find(({ path }) => path === 'operate/doctor-rules.ts')?.text ?? ''
    const [, union = ''] = /export type FindingCode =\n([\s\S]*?)\n\n/.exec(rules) ?? []
    const known = Array.from(union.matchAll(/'([\w-]+)'/g), ([, code = '']) => code)
    expect(known.length).to.be.greaterThan(20)
    expect(told.sort()).to.deep.equal(known.sort())
  })

  it('names metrics that there are', () => {
    const named = Array.from(proseOf(PAGE).matchAll(/metric `(\w+)`/g), ([, name = '']) => name)
    expect(named.length).to.be.greaterThan(2)
    expect(named.filter(name => !Object.hasOwn(METRICS, name))).to.deep.equal([])
  })
})
