// What `npm run docs:api` writes the reference of: every way into the package, under the name that it is imported by.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { codeIn, tableTitled } from '../support/pages.ts'
import { ROOT } from '../support/source-files.ts'

const read = (path: string) => JSON.parse(readFileSync(join(ROOT, path), 'utf8'))

describe('the reference of the exports', () => {
  const { exports } = read('package.json') as { exports: Record<string, { readonly types?: string } | string> }
  const entries = Object.entries(exports).flatMap(([path, target]) => {
    const types = typeof target === 'string' ? undefined : target.types
    // The code of threads is an entry point for bundlers, and nothing to import.
    const isImported = types !== undefined && !path.endsWith('-thread')
    return !isImported ? [] : [{ path, source: types.replace('./dist/', 'src/').replace('.d.ts', '.ts') }]
  })

  it('is written of every way into the package', () => {
    const { entryPoints } = read('docs/typedoc/typedoc.json') as { entryPoints: string[] }
    expect(entryPoints.map(path => path.replace('../../', '')).sort()).to.deep.equal(
      entries.map(({ source }) => source).sort()
    )
  })

  it('says what each of them is imported by', () => {
    const told = tableTitled('docs/typedoc/front.md', 'here').map(cells => cells.flatMap(codeIn))
    const known = entries.map(({ path, source }) => [
      source.replace('src/', '').replace(/(\/index)?\.ts$/, ''),
      path.replace('.', 'millrace')
    ])
    expect(told.sort()).to.deep.equal(known.sort())
  })
})
