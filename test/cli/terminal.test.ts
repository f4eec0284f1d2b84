import { PassThrough } from 'node:stream'
import { expect } from 'chai'
import type { Output } from '../../src/cli/cli-ports.ts'
import { Terminal } from '../../src/cli/terminal.ts'
import { CollectingOutput } from '../support/cli-rig.ts'

describe('Terminal', () => {
  const terminal = (env: Record<string, string> = {}, { isTTY = true, isJson = false } = {}): Terminal => {
    const [stdout, stderr] = [new CollectingOutput(), new CollectingOutput()]
    stdout.isTTY = isTTY
    return new Terminal({ stdout: stdout as Output, stderr: stderr as Output, env }, isJson)
  }

  it('has colours where a person looks at it, and nowhere else', () => {
    const isColoured = (each: Terminal): boolean => each.colors.red('x') !== 'x'
    expect(isColoured(terminal())).to.equal(true)
    expect(isColoured(terminal({ NO_COLOR: '' }))).to.equal(true)
    expect(isColoured(terminal({ NO_COLOR: '1' }))).to.equal(false)
    expect(isColoured(terminal({ TERM: 'dumb' }))).to.equal(false)
    expect(isColoured(terminal({}, { isTTY: false }))).to.equal(false)
    expect(isColoured(terminal({}, { isJson: true }))).to.equal(false)
  })

  it('makes no remarks to a program', () => {
    const [person, program] = [terminal(), terminal({}, { isJson: true })]
    for (const each of [person, program]) each.remark('hello')
    expect((person.stderr as unknown as CollectingOutput).text).to.equal('hello\n')
    expect((program.stderr as unknown as CollectingOutput).text).to.equal('')
  })

  it('waits while its reader is slow', async () => {
    const stdout = new PassThrough({ highWaterMark: 4 })
    const slow = new Terminal({ stdout, stderr: stdout, env: {} }, false)
    let isWritten = false
    const writing = slow.line('a long line').then(() => {
      isWritten = true
    })
    await new Promise(resolve => setImmediate(resolve))
    expect(isWritten).to.equal(false)
    stdout.resume()
    await writing
    for (const event of ['drain', 'close', 'error']) expect(stdout.listenerCount(event), event).to.be.lessThan(2)
  })

  it('does not wait for ever for a reader that is gone', async () => {
    const stdout = new PassThrough({ highWaterMark: 4 })
    const writing = new Terminal({ stdout, stderr: stdout, env: {} }, false).line('a long line')
    stdout.destroy()
    await writing
  })
})
