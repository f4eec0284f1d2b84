// Every program on a page compiles, in an empty project that has nothing but this package, as npm would install it.
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { blocksOf, PAGES } from '../support/pages.ts'
import { ROOT } from '../support/source-files.ts'

const run = promisify(execFile)
/** What a block is written to a file as. Other languages are no programs. */
const EXTENSIONS: Readonly<Record<string, string>> = { ts: '.ts', typescript: '.ts', js: '.mjs', javascript: '.mjs' }
const OPTIONS = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2022', '--types', 'node']

/** The programs of all pages, by the names of files that they could be. */
function programs(extension: string): (readonly [file: string, code: string])[] {
  return PAGES.flatMap(blocksOf)
    .filter(({ language }) => EXTENSIONS[language] === extension)
    .map(({ page, line, text }) => [`${page.replaceAll('/', '-')}-${line}${extension}`, text])
}

/** A project with nothing in it but Millrace and the types of Node. */
function emptyProject(): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-pages-'))
  mkdirSync(join(folder, 'node_modules/@types'), { recursive: true })
  symlinkSync(ROOT, join(folder, 'node_modules/millrace'), 'dir')
  // What the pages say to install beside it.
  for (const name of ['@types/node', 'libsql', 'zod', 'valibot', 'arktype', '@ark', 'arkregex']) {
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name), 'dir')
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n')
  return folder
}

/** What the compiler has to say. */
async function complaints(files: readonly (readonly [string, string])[], options: readonly string[]): Promise<string> {
  expect(existsSync(join(ROOT, 'dist/index.d.ts')), 'dist is missing: npm run build').to.equal(true)
  const folder = emptyProject()
  try {
    for (const [file, program] of files) writeFileSync(join(folder, file), program)
    const names = files.map(([file]) => basename(file))
    const result = await run(join(ROOT, 'node_modules/.bin/tsc'), [...OPTIONS, ...options, ...names], {
      cwd: folder
    }).catch(error => error)
    return result.stdout
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

describe('the programs on the pages', () => {
  it('compile with tsc --strict in an empty project', async function () {
    this.timeout(120_000)
    const files = programs('.ts')
    expect(files.length).to.be.greaterThan(25)
    expect(await complaints(files, [])).to.equal('')
  })

  it('compile in JavaScript as well', async function () {
    this.timeout(120_000)
    const files = programs('.mjs')
    expect(files.length).to.be.greaterThan(2)
    expect(await complaints(files, ['--allowJs', '--checkJs', '--noImplicitAny', 'false'])).to.equal('')
  })

  it('are in no language that nobody compiles', () => {
    const known = [...Object.keys(EXTENSIONS), 'json', 'jsonl', 'yaml', 'sh', 'console', 'text', 'hcl', 'ini', 'sql']
    known.push('dockerfile', '')
    const strange = PAGES.flatMap(blocksOf).filter(({ language }) => !known.includes(language))
    expect(strange.map(({ page, line, language }) => `${page}:${line}: ${language}`)).to.deep.equal([])
  })
})
