import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { fileDeadLetters } from '../../src/dead-letters/file-dead-letters.ts'
import { readFileDeadLetters } from '../../src/dead-letters/file-letter-source.ts'
import { OptionError, ServiceError } from '../../src/model/errors.ts'
import { findAll, noAbort, plain, rejection, someLetters } from './letters.ts'

const PROCESS = join(import.meta.dirname, 'file-writer-process.ts')

describe('fileDeadLetters', () => {
  let folder: string
  let path: string
  const found = () => findAll(readFileDeadLetters(path))
  const numbers = async () => (await found()).flatMap(({ letter }) => (letter ? [Number(letter.sequenceNumber)] : []))

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-letters-'))
    path = join(folder, 'letters.jsonl')
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  /** Starts a writer; what it says to have stored comes into `stored`. */
  function startWriter(args: { first: number; count: number; size: number }, stored: Set<number>): ChildProcess {
    const { first, count, size } = args
    const child = spawn(process.execPath, ['--import', 'tsx', PROCESS, path, ...[first, count, size].map(String)], {
      stdio: ['ignore', 'pipe', 'inherit']
    })
    let rest = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) stored.add(Number(line))
    })
    return child
  }

  it('appends one line for each letter, and creates the folders', async () => {
    path = join(folder, 'a/b/letters.jsonl')
    const file = fileDeadLetters({ path })
    await file.store(someLetters(2), noAbort())
    await file.store(someLetters(1, {}, 3), noAbort())
    expect(readFileSync(path, 'utf8')).to.match(/^(\{.*\}\n){3}$/)
    expect(plain((await found()).flatMap(({ letter }) => letter ?? []))).to.deep.equal(plain(someLetters(3)))
    expect(file.name).to.equal(`file ${path}`)
  })

  it('takes the payload before it answers: its memory may be used again', async () => {
    const data = Buffer.from('payload')
    const stored = fileDeadLetters({ path }).store(someLetters(1, { data }), noAbort())
    data.fill(0)
    await stored
    expect(String((await found())[0]?.letter?.data)).to.equal('payload')
  })

  it('keeps the lines of many shards whole', async () => {
    const file = fileDeadLetters({ path })
    const shards = Array.from({ length: 50 }, (_, n) => n)
    await Promise.all(
      shards.map(async shard => {
        for (let n = 0; n < 4; n++) await file.store(someLetters(3, {}, shard * 100 + n * 10), noAbort())
      })
    )
    expect(new Set(await numbers()).size).to.equal(600)
    expect(await found()).to.have.length(600)
  })

  it('begins a new line after a part of one', async () => {
    writeFileSync(path, '{"version":1,"str')
    await fileDeadLetters({ path }).store(someLetters(2), noAbort())
    expect((await found()).map(({ letter }) => letter?.sequenceNumber)).to.deep.equal([undefined, '1', '2'])
    expect(readFileSync(path, 'utf8')).to.match(/^\{"version":1,"str\n(\{.*\}\n){2}$/)
  })

  it('loses no letter to writers that leave parts of lines at any time', async () => {
    const file = fileDeadLetters({ path })
    let isOver = false
    const vandal = (async () => {
      for (let n = 0; !isOver; n++) {
        appendFileSync(path, n % 3 === 0 ? '{"version":1,"str' : 'x\n')
        await new Promise(resolve => setImmediate(resolve))
      }
    })()
    for (let n = 1; n <= 300; n++) await file.store(someLetters(1, {}, n), noAbort())
    isOver = true
    await vandal
    expect(new Set(await numbers()).size).to.equal(300)
  })

  it('begins a new file when the old one is moved away', async () => {
    const file = fileDeadLetters({ path })
    await file.store(someLetters(1), noAbort())
    renameSync(path, `${path}.old`)
    await file.store(someLetters(1, {}, 2), noAbort())
    expect(await numbers()).to.deep.equal([2])
  })

  it('says which file it is that cannot be written, and writes again once it can', async () => {
    mkdirSync(path)
    const file = fileDeadLetters({ path })
    const error = (await rejection(file.store(someLetters(1), noAbort()))) as ServiceError
    expect(error).to.be.instanceOf(ServiceError)
    expect(error.message).to.contain(`Dead letters could not be appended to ${path}: EISDIR`)
    expect(error.retryable).to.equal(true)
    rmSync(path, { recursive: true })
    await file.store(someLetters(1), noAbort())
    expect(await numbers()).to.deep.equal([1])
  })

  it('rejects with the reason of the signal, and others are stored', async () => {
    const file = fileDeadLetters({ path })
    const controller = new AbortController()
    const first = file.store(someLetters(1), noAbort())
    const aborted = rejection(file.store(someLetters(1, {}, 2), { signal: controller.signal }))
    const last = file.store(someLetters(1, {}, 3), noAbort())
    const reason = new Error('the lease is lost')
    controller.abort(reason)
    expect(await aborted).to.equal(reason)
    await Promise.all([first, last])
    expect(await numbers()).to.deep.equal([1, 3])
  })

  it('refuses bad options by name', () => {
    expect(() => fileDeadLetters({ path: '' })).to.throw(OptionError, 'Option path: is "", expected the path of a file')
    expect(() => fileDeadLetters({ file: 'x' } as never)).to.throw(OptionError, /^Option file: is not known/)
  })

  it('keeps the lines of several processes whole', async function () {
    this.timeout(60_000)
    const stored = new Set<number>()
    const writers = [0, 1, 2].map(n => startWriter({ first: n * 1_000, count: 200, size: 40_000 }, stored))
    const codes = await Promise.all(writers.map(async writer => (await once(writer, 'close'))[0]))
    expect(codes).to.deep.equal([0, 0, 0])
    const all = await found()
    expect(all.filter(({ error }) => error !== undefined)).to.deep.equal([])
    expect(new Set(await numbers())).to.deep.equal(stored)
    expect(stored.size).to.equal(600)
  })

  it('has every letter that was stored when processes were killed, and goes on after what they left', async function () {
    this.timeout(120_000)
    const stored = new Set<number>()
    for (let round = 0; round < 5; round++) {
      const writers = [0, 1].map(n =>
        startWriter({ first: (2 * round + n) * 100_000, count: 100_000, size: 400_000 }, stored)
      )
      const before = stored.size
      // In the middle of it, once both have begun: at another place in each round.
      await Promise.all(
        writers.map(async writer => {
          const { stdout } = writer
          while (stored.size < before + 10 + 3 * round) await once(stdout ?? writer, 'data')
          writer.kill('SIGKILL')
          await once(writer, 'close')
        })
      )
    }
    expect(stored.size).to.be.greaterThan(50)
    const read = new Set(await numbers())
    expect([...stored].filter(number => !read.has(number))).to.deep.equal([])
    await fileDeadLetters({ path }).store(someLetters(1, {}, 9_999_999), noAbort())
    expect((await numbers()).at(-1)).to.equal(9_999_999)
  })
})
