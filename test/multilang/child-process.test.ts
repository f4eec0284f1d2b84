import { expect } from 'chai'
import { OptionError } from '../../src/model/errors.ts'
import { Child, type ChildSettings } from '../../src/multilang/child-process.ts'
import type { ChildLine } from '../../src/multilang/line-splitter.ts'
import { SystemChildren } from '../../src/multilang/system-children.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { collectingLogger } from '../support/collecting-logger.ts'
import { pollUntil } from '../support/poll.ts'
import { isAlive } from '../support/process-group.ts'

const SCRIPT = new URL('scripted-child.mjs', import.meta.url).pathname

/** A child of a certain behaviour, and what it has said. */
class Rig {
  readonly lines: ChildLine[] = []
  readonly broken: string[] = []
  readonly logger = collectingLogger()
  readonly #settings: Partial<ChildSettings>
  errors = ''

  constructor(settings: Partial<ChildSettings> = {}) {
    this.#settings = settings
  }

  start(...command: readonly string[]): Promise<Child> {
    const write = (text: string): void => {
      this.errors += text
    }
    return Child.start(
      {
        ...{ command, door: new SystemChildren(1_000), clock: systemClock, logger: this.logger },
        ...{ stderr: { write }, exitTimeoutMs: 2_000 },
        ...this.#settings
      },
      { said: line => this.lines.push(line), broke: because => this.broken.push(because) }
    )
  }

  as(behaviour: string): Promise<Child> {
    return this.start(process.execPath, SCRIPT, behaviour)
  }

  /** Resolves once the child has written this to its standard error. */
  async hears(text: string): Promise<void> {
    await pollUntil(text, () => this.errors.includes(text))
  }
}

describe('Child', () => {
  it('is written to, heard, and let end with its input', async () => {
    const rig = new Rig()
    const child = await rig.as('echo')
    await child.write(['{"action":', '"leaseLost"}\n'])
    await rig.hears('leaseLost 22')
    await child.close()
    expect(rig.lines.map(({ text }) => text)).to.deep.equal(['', '{"action":"status","responseFor":"leaseLost"}'])
    expect(rig.broken).to.deep.equal([])
    expect(rig.logger.lines).to.have.length(1)
    expect(isAlive(child.pid)).to.equal(false)
  })

  it('gets no more of a large line than it reads, and all of it in the end', async () => {
    const rig = new Rig()
    const child = await rig.as('slow')
    let pieces = 0
    const length = 14 * 1_024 * 1_024
    const line = function* (): Generator<string> {
      yield '{"action":"processRecords","records":"'
      for (let left = length; left > 0; left -= 65_536) {
        pieces += 1
        yield 'x'.repeat(Math.min(left, 65_536))
      }
      yield '"}\n'
    }
    const written = child.write(line())
    const after = child.write(['{"action":"leaseLost"}\n'])
    await systemClock.sleep(20)
    expect(pieces, 'pieces made while nothing was read').to.be.below(20)
    await Promise.all([written, after])
    await rig.hears('leaseLost')
    expect(rig.errors).to.equal(`processRecords ${length + 40}\nleaseLost 22\n`)
    await child.close()
  })

  it('drains a megabyte of standard error, line by line', async () => {
    const rig = new Rig()
    const child = await rig.as('chatty')
    await child.write(['{"action":"initialize"}\n'])
    await rig.hears('initialize 23')
    expect(rig.errors.split('\n')).to.have.length(1_003)
    expect(rig.errors).to.include('\né\n')
    expect(rig.logger.lines).to.have.length(1_002)
    await child.close()
  })

  it('keeps little of standard output without line feeds', async () => {
    const rig = new Rig()
    const child = await rig.as('flood')
    await child.gone
    expect(rig.lines).to.have.length(1)
    expect(rig.lines[0]?.text.length).to.equal(65_536)
    expect(rig.lines[0]?.isCut).to.equal(true)
  })

  it('is told to end, and then ended, if it goes on without an input', async () => {
    const rig = new Rig({ exitTimeoutMs: 100 })
    const child = await rig.as('stubborn')
    await rig.hears('ready')
    await child.close()
    expect(rig.errors).to.include('not now')
    expect(isAlive(child.pid)).to.equal(false)
    expect(rig.logger.text()).to.include('a child did not end when its input did')
  })

  it('is not said to go on without an input if it is killed while it still had time', async () => {
    const rig = new Rig({ exitTimeoutMs: 60_000 })
    const child = await rig.as('stubborn')
    await rig.hears('ready')
    const closed = child.close()
    child.kill()
    await closed
    expect(isAlive(child.pid)).to.equal(false)
    expect(rig.logger.text()).to.not.include('a child did not end when its input did')
  })

  it('is broken if it does not read any more', async () => {
    const rig = new Rig({ exitTimeoutMs: 100 })
    const child = await rig.as('deaf')
    await rig.hears('ready')
    await child.write(['{"action":"leaseLost"}\n'])
    await pollUntil('the child to be broken', () => rig.broken.length > 0)
    expect(rig.broken[0]).to.match(/^its standard input is closed/)
    // Nor does it hurt to write on.
    await child.write(['{"action":"leaseLost"}\n'])
    await child.close()
  })

  it('leaves nothing of itself behind, though what it has started goes on', async () => {
    const rig = new Rig()
    const child = await rig.as('parent')
    await child.gone
    expect(rig.broken).to.deep.equal(['it ended with exit code 7'])
    const grandchild = Number(rig.errors)
    expect(grandchild).to.be.above(1)
    await pollUntil('the grandchild to be gone', () => !isAlive(grandchild))
  })

  it('says which option is wrong if there is no such program, or it is none', async () => {
    const missing = await new Rig().start('no-such-program', 'x').catch(error => error)
    expect(missing).to.be.instanceOf(OptionError)
    expect(missing.message).to.equal(
      'Option executableName: is "no-such-program x", and there is no program no-such-program: ' +
        'expected a program in the PATH, or its path, and its arguments after it, separated by blanks'
    )
    const none = await new Rig().start(SCRIPT).catch(error => error)
    expect(none.message).to.match(/^Option executableName: is ".*", and .* cannot be run \(EACCES\)/)
  })
})
