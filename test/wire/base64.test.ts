import { expect } from 'chai'
import { Base64Decoder, base64Bytes } from '../../src/wire/base64.ts'
import { seeds } from '../support/seeds.ts'
import { Chance } from './random-answers.ts'

/** Decodes `text` from the middle of one buffer into the middle of another; undefined if it is not base64. */
function decoded(text: string): Buffer | undefined {
  const source = Buffer.from(`""${text}""`)
  const bytes = base64Bytes(source, 2, source.length - 2)
  const target = Buffer.alloc(Math.max(0, bytes) + 10, 0xee)
  const written = new Base64Decoder(source, target).decode(2, source.length - 2, 5)
  if (written < 0) return undefined
  expect(written).to.equal(bytes)
  expect([...target.subarray(0, 5), ...target.subarray(5 + bytes)]).to.deep.equal(Array(10).fill(0xee))
  return target.subarray(5, 5 + bytes)
}

describe('Base64Decoder', () => {
  for (const seed of seeds(3)) {
    it(`decodes what Node.js encodes, of any length, and writes nothing beside it (SEED=${seed})`, () => {
      const chance = new Chance(seed)
      for (const length of [...Array(70).keys(), 254, 255, 256, 257, 767, 768, 769, 770, 3_000, 48_001]) {
        const bytes = chance.bytes(length)
        expect(decoded(bytes.toString('base64'))).to.deep.equal(bytes)
        expect(decoded(bytes.toString('base64url'))).to.deep.equal(bytes)
      }
    })

    it(`refuses what has anything else in it, wherever that is (SEED=${seed})`, () => {
      const chance = new Chance(seed)
      for (const length of [1, 2, 3, 4, 5, 6, 100, 101, 102, 2_000]) {
        const text = chance.bytes(length).toString('base64').replaceAll('=', '')
        for (const stranger of ['"', '\\', ' ', '=', '\n', ',', '\u0000', '\u00e9']) {
          const at = chance.below(text.length)
          const spoiled = `${text.slice(0, at)}${stranger}${text.slice(at + 1)}`
          const isPadding = stranger === '=' && at === text.length - 1 && text.length % 4 === 0
          if (!isPadding) expect(decoded(spoiled), JSON.stringify(spoiled)).to.equal(undefined)
        }
      }
    })
  }

  it('refuses lengths that nothing has', () => {
    for (const text of ['A', 'AAAAA', '=', 'AAAA=', 'A==', 'A===']) expect(decoded(text), text).to.equal(undefined)
  })
})

describe('base64Bytes', () => {
  it('says how many bytes there are, with padding and without', () => {
    const lengths = ['', 'AA', 'AA==', 'AAA', 'AAA=', 'AAAA', 'AAAAAA=='].map(text =>
      base64Bytes(Buffer.from(text), 0, text.length)
    )
    expect(lengths).to.deep.equal([0, 1, 1, 2, 2, 3, 4])
  })
})
