// What the README says: its programs compile in an empty strict project, its tables are complete, its links lead somewhere.
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import * as api from '../src/index.ts'
import { OPTION_NAMES } from '../src/worker/options.ts'

const ROOT = join(import.meta.dirname, '..')
const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
const programs = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code ?? '')
const run = promisify(execFile)

/** A project with nothing in it but Millrace, as npm would install it, and the types of Node. */
function emptyProject(): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-readme-'))
  mkdirSync(join(folder, 'node_modules/@types'), { recursive: true })
  symlinkSync(ROOT, join(folder, 'node_modules/millrace'), 'dir')
  symlinkSync(join(ROOT, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'), 'dir')
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n')
  return folder
}

describe('README.md', () => {
  it('has programs that compile with tsc --strict in an empty project', async function () {
    this.timeout(120_000)
    expect(programs).to.have.length(2)
    expect(existsSync(join(ROOT, 'dist/index.d.ts')), 'dist is missing: npm run build').to.equal(true)
    const folder = emptyProject()
    try {
      programs.forEach((program, number) => {
        writeFileSync(join(folder, `program-${number}.ts`), program)
      })
      const files = programs.map((_, number) => `program-${number}.ts`)
      const options = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2022', '--types', 'node']
      const tsc = join(ROOT, 'node_modules/.bin/tsc')
      const result = await run(tsc, [...options, ...files], { cwd: folder }).catch(error => error)
      expect(result.stdout).to.equal('')
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it('lists every option', () => {
    for (const name of OPTION_NAMES) expect(readme, name).to.include(`\`${name}`)
  })

  it('lists every error class', () => {
    for (const name of Object.keys(api).filter(key => key.endsWith('Error')))
      expect(readme, name).to.include(`\`${name}\``)
  })

  it('lists every event', () => {
    const events = readFileSync(join(ROOT, 'src/worker/events.ts'), 'utf8')
    const names = [...events.matchAll(/^ {2}'?([a-z:-]+)'?: (?:ShardEventBase|\{)/gm)].map(([, name]) => name ?? '')
    expect(names).to.include('lease:taken')
    for (const name of names) expect(readme, name).to.include(`\`${name}\``)
  })

  it('links to files that exist', () => {
    const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, target]) => target ?? '')
    expect(links.filter(target => !existsSync(join(ROOT, target)))).to.deep.equal([])
  })
})
