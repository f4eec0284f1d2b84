import { expect } from 'chai'
import { asciiWords } from '../../src/wire/ascii-words.ts'

describe('asciiWords', () => {
  it('finds a text of any length, and nothing that differs in one place', () => {
    for (let length = 4; length < 30; length++) {
      const text = 'abcdefghijklmnopqrstuvwxyz0123456789'.slice(0, length)
      const isIn = (source: string): boolean => {
        const bytes = Buffer.from(`..${source}..`)
        return asciiWords(text).isAt(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 2)
      }
      expect(isIn(text)).to.equal(true)
      for (let at = 0; at < length; at++) expect(isIn(`${text.slice(0, at)}!${text.slice(at + 1)}`)).to.equal(false)
    }
  })
})
