import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { readFileDeadLetters } from '../../src/dead-letters/file-letter-source.ts'
import { encodeDeadLetters } from '../../src/dead-letters/letter-codec.ts'
import { OptionError } from '../../src/model/errors.ts'
import { findAll, rejection, someLetters } from './letters.ts'

describe('readFileDeadLetters', () => {
  let folder: string
  let path: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-letters-'))
    path = join(folder, 'letters.jsonl')
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('finds letters and what is none by their line, and leaves the file alone', async () => {
    writeFileSync(
      path,
      Buffer.concat([encodeDeadLetters(someLetters(1)), Buffer.from('\n{"a":\n'), encodeDeadLetters(someLetters(1))])
    )
    for (let time = 0; time < 2; time++) {
      const found = await findAll(readFileDeadLetters(path), true)
      expect(found.map(({ at, letter }) => [at, letter?.sequenceNumber])).to.deep.equal([
        [`line 1 of ${path}`, '1'],
        [`line 3 of ${path}`, undefined],
        [`line 4 of ${path}`, '1']
      ])
      expect(found[1]?.error?.message).to.equal(
        `line 3 of ${path} is no dead letter: it is not JSON, or only the beginning of it (5 long)`
      )
    }
  })

  it('ends when the signal aborts', async () => {
    writeFileSync(path, encodeDeadLetters(someLetters(1_000)))
    const controller = new AbortController()
    let found = 0
    for await (const _ of readFileDeadLetters(path).letters({ signal: controller.signal })) {
      found += 1
      controller.abort()
    }
    expect(found).to.equal(1)
  })

  it('says which file cannot be read', async () => {
    expect((await rejection(findAll(readFileDeadLetters(path)))).message).to.contain(
      `Dead letters could not be read from ${path}: ENOENT`
    )
    expect(() => readFileDeadLetters('')).to.throw(OptionError, 'Option path: is "", expected the path of a file')
  })
})
