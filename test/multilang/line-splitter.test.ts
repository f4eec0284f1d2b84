import { expect } from 'chai'
import { LineSplitter } from '../../src/multilang/line-splitter.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { seeds } from '../support/seeds.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)

function linesOf(splitter: LineSplitter, ...chunks: readonly Uint8Array[]): string[] {
  return chunks.flatMap(chunk => splitter.push(chunk)).map(({ text, isCut }) => (isCut ? `${text}…` : text))
}

describe('LineSplitter', () => {
  it('cuts at line feeds, wherever the chunks end', () => {
    expect(linesOf(new LineSplitter(100), bytes('a\nb'), bytes('c\n\n'), bytes('d'), bytes('\n'))).to.deep.equal([
      ...['a', 'bc', '', 'd']
    ])
  })

  it('leaves out the carriage return of a Windows line', () => {
    expect(linesOf(new LineSplitter(100), bytes('a\r\nb\r\n'))).to.deep.equal(['a', 'b'])
  })

  it('gives what is left at the end', () => {
    const splitter = new LineSplitter(100)
    expect(linesOf(splitter, bytes('a\nb'))).to.deep.equal(['a'])
    expect(splitter.end()).to.deep.equal({ text: 'b', isCut: false })
    expect(splitter.end()).to.equal(undefined)
  })

  it('keeps the beginning of a line that is too long, and goes on with the next', () => {
    const flood = Array.from({ length: 100 }, () => bytes('x'.repeat(1_000)))
    expect(linesOf(new LineSplitter(5), ...flood, bytes('\nab\n'))).to.deep.equal(['xxxxx…', 'ab'])
    expect(linesOf(new LineSplitter(5), bytes('12345\n123456\n'))).to.deep.equal(['12345', '12345…'])
  })

  it('gives a line that is too long in parts, where nothing of it is to be lost', () => {
    const splitter = new LineSplitter(5, 'in-parts')
    expect(linesOf(splitter, bytes('123456789'), bytes('0123'), bytes('45678901\nab\n'))).to.deep.equal([
      ...['12345…', '67890…', '12345…', '67890…', '1', 'ab']
    ])
    expect(linesOf(splitter, bytes('12345\n'))).to.deep.equal(['12345'])
  })

  it('gives what there is of a line that goes on', () => {
    const splitter = new LineSplitter(100, 'in-parts')
    expect(splitter.part()).to.equal(undefined)
    expect(linesOf(splitter, bytes('a\nb'))).to.deep.equal(['a'])
    expect(splitter.part()).to.deep.equal({ text: 'b', isCut: true })
    expect(splitter.part()).to.equal(undefined)
    expect(linesOf(splitter, bytes('c\nd\n'))).to.deep.equal(['c', 'd'])
  })

  it('puts characters together that came in two chunks', () => {
    const text = bytes('é😀\n')
    for (let at = 1; at < text.length; at++) {
      expect(linesOf(new LineSplitter(100), text.subarray(0, at), text.subarray(at))).to.deep.equal(['é😀'])
    }
  })

  for (const seed of seeds(5)) {
    it(`gives the same lines however they are cut (SEED=${seed})`, () => {
      const random = seededRandom(seed)
      const text = Array.from({ length: 200 }, () => 'ab\n'[Math.floor(random.next() * 3)]).join('')
      const splitter = new LineSplitter(1_000)
      const lines: string[] = []
      for (let at = 0; at < text.length; ) {
        const next = at + 1 + Math.floor(random.next() * 7)
        lines.push(...linesOf(splitter, bytes(text.slice(at, next))))
        at = next
      }
      const { text: rest = '' } = splitter.end() ?? {}
      expect([...lines, rest]).to.deep.equal(text.split('\n'))
    })
  }
})
