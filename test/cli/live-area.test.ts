import { expect } from 'chai'
import type { Output } from '../../src/cli/cli-ports.ts'
import { LiveArea } from '../../src/cli/live-area.ts'
import { CollectingOutput } from '../support/cli-rig.ts'

/** What a terminal shows after this text: cursor movements and erasing, as far as frames use them. */
function shown(text: string): string[] {
  const rows: string[] = ['']
  let row = 0
  let column = 0
  for (const [, erase, up, move, , newline, character] of text.matchAll(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a terminal is steered by
    /\u001b\[(?:([0-2]?[JK])|(\d*)A|(\d*)G|([?\d;]*[a-zA-Z]))|(\n)|([\s\S])/g
  )) {
    if (erase !== undefined) {
      if (erase.endsWith('K')) rows[row] = erase.startsWith('2') ? '' : (rows[row] ?? '').slice(0, column)
      else {
        rows.length = row + 1
        rows[row] = (rows[row] ?? '').slice(0, column)
      }
    } else if (up !== undefined) row = Math.max(0, row - Number(up || 1))
    else if (move !== undefined) column = Number(move || 1) - 1
    else if (newline !== undefined) {
      row += 1
      column = 0
      rows[row] ??= ''
    } else if (character !== undefined && character !== '\u001b') {
      const line = (rows[row] ?? '').padEnd(column)
      rows[row] = line.slice(0, column) + character + line.slice(column + 1)
      column += 1
    }
  }
  return rows.map(line => line.trimEnd())
}

describe('LiveArea', () => {
  let stdout: CollectingOutput
  let stderr: CollectingOutput
  let screen: string

  beforeEach(() => {
    stdout = new CollectingOutput()
    stderr = new CollectingOutput()
    stdout.isTTY = true
    stderr.isTTY = true
    screen = ''
    for (const output of [stdout, stderr]) {
      output._write = (chunk, _encoding, callback) => {
        screen += chunk.toString()
        callback()
      }
    }
  })

  const area = (): LiveArea => new LiveArea(stdout as Output, [stderr as Output])

  it('draws each frame over the last one', () => {
    const live = area()
    live.draw('one\ntwo\nthree')
    live.draw('1\n2')
    expect(shown(screen).filter(line => line !== '')).to.deep.equal(['1', '2'])
  })

  it('has what others write above the frame, line by line', () => {
    const live = area()
    live.draw('frame 1')
    stdout.write('hello\n')
    stderr.write('half')
    expect(shown(screen).filter(line => line !== '')).to.deep.equal(['hello', 'frame 1'])
    stderr.write(' a line\n')
    live.draw('frame 2')
    stdout.write('and\nmore\n')
    expect(shown(screen).filter(line => line !== '')).to.deep.equal(['hello', 'half a line', 'and', 'more', 'frame 2'])
  })

  it('calls back who waits for a write, and says that there is room', done => {
    const live = area()
    expect(
      stdout.write('x\n', () => {
        live.release()
        done()
      })
    ).to.equal(true)
  })

  it('leaves the last frame, what was not a whole line, and the outputs as they were', () => {
    const live = area()
    live.draw('frame')
    stdout.write('rest')
    live.release()
    live.release()
    live.draw('late')
    stdout.write('after\n')
    expect(shown(screen).filter(line => line !== '')).to.deep.equal(['frame', 'rest', 'after'])
    expect(screen).to.not.include('late')
  })

  it('does not hide the cursor, which would stay hidden if the process is killed', () => {
    area().draw('frame')
    expect(screen).to.not.include('\u001b[?25l')
  })
})
