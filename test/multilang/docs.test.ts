// docs/multilang.md has every key and every provider of credentials, with what the code says of it. What does not is printed as it
// should be.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { parseCredentials } from '../../src/multilang/credential-rules.ts'
import { CLIENT_PROPERTIES, KCL_ROWS, OWN_ROWS, type PropertyRow } from '../../src/multilang/property-table.ts'
import { ROOT } from '../support/source-files.ts'

const page = readFileSync(join(ROOT, 'docs/multilang.md'), 'utf8')

const head = (...titles: readonly string[]): string =>
  `| ${titles.join(' | ')} |\n|${titles.map(() => '---|').join('')}`

function rowOf({ key, byDefault, meaning, isTrap, use }: PropertyRow): string {
  const here = use === 'no-effect' ? `no effect: ${meaning}` : meaning
  return `| \`${key}\`${isTrap ? ' †' : ''} | ${byDefault} | ${here} |`
}

const TABLES: Readonly<Record<string, string>> = {
  "KCL's keys": [head('key', 'default', 'here'), ...KCL_ROWS.map(rowOf)].join('\n'),
  'keys of the clients': [head('behind the client', 'default', 'here'), ...CLIENT_PROPERTIES.map(rowOf)].join('\n'),
  'keys of Millrace': [head('key', 'default', 'meaning'), ...OWN_ROWS.map(rowOf)].join('\n')
}

describe('docs/multilang.md', () => {
  for (const [name, table] of Object.entries(TABLES)) {
    it(`has the ${name} as the code has them`, () => expect(page.includes(table), `\n${table}\n`).to.equal(true))
  }

  it('has providers of credentials that are taken, each with what it says', () => {
    const [, section = ''] = /\n## Credentials\n([\s\S]*?)\n## /.exec(page) ?? []
    const lines = section.split('\n').filter(line => line.startsWith('| `'))
    expect(lines.length).to.be.greaterThan(6)
    for (const line of lines) {
      const [first = ''] = line.split(/(?<!\\)\|/).filter(cell => cell.trim() !== '')
      for (const [, code = ''] of first.matchAll(/`([^`]+)`/g)) {
        const value = code
          .replaceAll('\\|', '|')
          .replace('ROLE_ARN', 'arn:aws:iam::123456789012:role/reader')
          .replace(/\[.*\]/, '')
        expect(parseCredentials(value), value).to.have.property('kind', 'sources')
      }
    }
  })
})
