import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { ServiceError } from '../../src/model/errors.ts'
import { threadFile } from '../../src/runtime/thread-file.ts'

describe('threadFile', () => {
  let folder: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-thread-file-'))
  })

  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const urlOf = (file: string): string => pathToFileURL(join(folder, file)).href

  it('is the file beside the module, with the extension of the module', () => {
    for (const extension of ['ts', 'js', 'mjs']) writeFileSync(join(folder, `beat.${extension}`), '')
    for (const extension of ['ts', 'js', 'mjs']) {
      expect(threadFile('beat', urlOf(`main.${extension}`)).href).to.equal(urlOf(`beat.${extension}`))
    }
  })

  it('has another extension, if there is no file with that one', () => {
    writeFileSync(join(folder, 'beat.cjs'), '')
    expect(threadFile('beat', urlOf('main.js')).href).to.equal(urlOf('beat.cjs'))
  })

  it('says what to tell the bundler, if there is none', () => {
    expect(() => threadFile('beat', urlOf('main.js')))
      .to.throw(ServiceError, /beat\.js is not in .*: have the bundler make it of the entry point millrace\/beat/)
      .that.includes({ kind: 'not-found', retryable: false })
  })
})
