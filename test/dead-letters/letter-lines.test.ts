import { expect } from 'chai'
import { linesOf, MAX_LINE_BYTES } from '../../src/dead-letters/letter-lines.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { seeds } from '../support/seeds.ts'

async function read(pieces: Iterable<Uint8Array>): Promise<[number, string | undefined][]> {
  const lines: [number, string | undefined][] = []
  for await (const { number, bytes } of linesOf(pieces)) lines.push([number, bytes && Buffer.from(bytes).toString()])
  return lines
}

describe('linesOf', () => {
  it('finds the same lines however the bytes are cut', async () => {
    const text = Buffer.from('one\n\n\ntwo ü\nthree\n\nfour')
    for (const seed of seeds(50)) {
      const random = seededRandom(seed)
      const pieces: Buffer[] = []
      for (let at = 0; at < text.length; ) {
        const end = at + Math.floor(random.next() * 6)
        pieces.push(text.subarray(at, end))
        at = end
      }
      expect(await read(pieces), `SEED=${seed}`).to.deep.equal([
        [1, 'one'],
        [4, 'two ü'],
        [5, 'three'],
        [7, 'four']
      ])
    }
  })

  it('keeps no line that is longer than any letter, and goes on with the next', async () => {
    const piece = Buffer.alloc(8_388_608, 'x')
    const pieces = [...Array.from({ length: MAX_LINE_BYTES / piece.length }, () => piece), Buffer.from('x\nnext\n')]
    expect(await read(pieces)).to.deep.equal([
      [1, undefined],
      [2, 'next']
    ])
  })
})
