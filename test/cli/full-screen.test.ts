import { expect } from 'chai'
import type { Output } from '../../src/cli/cli-ports.ts'
import { FullScreen } from '../../src/cli/full-screen.ts'
import { CollectingOutput } from '../support/cli-rig.ts'

describe('FullScreen', () => {
  let stdout: CollectingOutput
  let stderr: CollectingOutput
  let resized: number
  let screen: FullScreen

  beforeEach(() => {
    stdout = new CollectingOutput()
    stderr = new CollectingOutput()
    resized = 0
    screen = new FullScreen(stdout as Output, [stderr as Output], () => {
      resized += 1
    })
  })

  it('goes over the last frame line by line, with one write each, and keeps the foot in the last line', () => {
    expect(stdout.text).to.equal('\u001b[?1049h\u001b[?25l')
    stdout.text = ''
    screen.draw(['one', 'two'], 'foot', 5)
    expect(stdout.text).to.equal('\u001b[Hone\u001b[K\r\ntwo\u001b[K\r\n\u001b[K\r\n\u001b[K\r\nfoot\u001b[K\u001b[J')
  })

  it('brings the screen and the cursor back, leaves the last frame, and draws no more', () => {
    screen.draw(['one'], 'foot', 3)
    screen.draw(['two'], 'foot', 3)
    stdout.text = ''
    screen.release()
    screen.release()
    screen.draw(['three'], 'foot', 3)
    expect(stdout.text).to.equal('\u001b[?25h\u001b[?1049ltwo\n')
  })

  it('keeps what others write until then', () => {
    const { write } = stderr
    stderr.write('a warning\n')
    expect(stderr.text).to.equal('')
    screen.release()
    expect(stderr.text).to.equal('a warning\n')
    stderr.write('another\n')
    expect(stderr.text).to.equal('a warning\nanother\n')
    expect(stderr.write).to.not.equal(write)
  })

  it('tells when the terminal has another size, until it is released', () => {
    stdout.emit('resize')
    expect(resized).to.equal(1)
    screen.release()
    stdout.emit('resize')
    expect(resized).to.equal(1)
    expect(stdout.listenerCount('resize')).to.equal(0)
  })
})
