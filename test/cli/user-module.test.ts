import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { loadModule, pathIn } from '../../src/cli/user-module.ts'
import { OptionError } from '../../src/model/errors.ts'

describe('pathIn', () => {
  it('is relative to the directory that the program was called in', () => {
    expect(pathIn('/a/b', 'c.ts')).to.equal('/a/b/c.ts')
    expect(pathIn('/a/b', '../c.ts')).to.equal('/a/c.ts')
    expect(pathIn('/a/b', '/c.ts')).to.equal('/c.ts')
  })
})

describe('loadModule', () => {
  let folder: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-module-'))
  })

  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const write = (name: string, text: string): string => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }

  it('loads JavaScript of both kinds', async () => {
    expect(await loadModule(write('a.mjs', 'export const handler = 1'))).to.include({ handler: 1 })
    expect(await loadModule(write('b.cjs', 'exports.handler = 2'))).to.include({ handler: 2 })
  })

  it('loads TypeScript with the tsx that the module has', async () => {
    const tsx = join(folder, 'node_modules/tsx')
    mkdirSync(tsx, { recursive: true })
    writeFileSync(join(tsx, 'package.json'), '{ "name": "tsx", "type": "module", "exports": "./loader.mjs" }')
    writeFileSync(join(tsx, 'loader.mjs'), 'globalThis.tsxOfTheModule = (globalThis.tsxOfTheModule ?? 0) + 1')
    expect(await loadModule(write('c.mts', 'export const handler: number = 3'))).to.include({ handler: 3 })
    expect(Reflect.get(globalThis, 'tsxOfTheModule')).to.equal(1)
    Reflect.deleteProperty(globalThis, 'tsxOfTheModule')
  })

  it('leaves TypeScript to a Node that reads it, and says what is missing otherwise', async () => {
    const path = write('d.mts', 'export const handler: number = 4')
    const findTsx = (): undefined => undefined
    expect(await loadModule(path, { isBuiltIn: true, findTsx })).to.include({ handler: 4 })
    const refusal = await loadModule(path, { isBuiltIn: false, findTsx }).catch(error => error)
    expect(refusal).to.be.instanceOf(OptionError)
    expect(refusal.message).to.include('this Node reads no TypeScript: npm install -D tsx')
  })

  it('says what is wrong with a module', async () => {
    const missing = await loadModule(join(folder, 'none.mjs')).catch(error => error)
    expect(missing.message).to.include('none.mjs", which does not exist')
    const broken = await loadModule(write('e.mjs', 'throw new Error("no database")')).catch(error => error)
    expect(broken).to.be.instanceOf(OptionError)
    expect(broken.message).to.include('which cannot be loaded: no database')
    expect(broken.cause).to.be.an('error')
  })
})
