import { expect } from 'chai'
import { WireTexts } from '../../src/wire/texts.ts'

function viewOf(text: string): DataView {
  const bytes = Buffer.from(text)
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

describe('WireTexts', () => {
  it('takes texts of any length up to their quotation marks', () => {
    for (let length = 0; length < 40; length++) {
      for (let lead = 0; lead < 5; lead++) {
        const texts = new WireTexts()
        const text = 'x'.repeat(length)
        expect(texts.takeJson(viewOf(`${'"'.repeat(lead)}${text}"tail`), lead)).to.equal(lead + length)
        expect(texts.bytes().toString()).to.equal(text)
      }
    }
  })

  it('takes one after the other, and grows', () => {
    const texts = new WireTexts()
    const source = viewOf(`${'0123456789'.repeat(100)}"`)
    for (let round = 0; round < 50; round++) expect(texts.takeJson(source, 0)).to.equal(1_000)
    for (let round = 0; round < 50; round++) texts.take(source, 0, 1_000)
    expect(texts.length).to.equal(100_000)
    expect(texts.bytes().toString()).to.equal('0123456789'.repeat(10_000))
  })

  it('takes nothing of a text that has to be decoded, may not be, or does not end', () => {
    for (let lead = 0; lead < 9; lead++) {
      for (const bad of ['\\n"', '\n"', '\u0000"', '\u001f"', '', '\\']) {
        const texts = new WireTexts()
        expect(texts.takeJson(viewOf(`${'x'.repeat(lead)}${bad}`), 0)).to.equal(-1)
        expect(texts.length).to.equal(0)
      }
    }
  })

  it('says whether the last text was ASCII', () => {
    const texts = new WireTexts()
    for (const [text, isAscii] of [
      ['plain ~', true],
      ['ключ', false],
      ['12345é', false],
      ['1', true]
    ] as const) {
      const source = viewOf(`${text}"`)
      texts.takeJson(source, 0)
      expect(texts.isAscii, text).to.equal(isAscii)
      texts.take(source, 0, source.byteLength - 1)
      expect(texts.isAscii, text).to.equal(isAscii)
    }
  })

  it('takes texts in one piece, and hands on its memory where that is hardly larger', () => {
    const texts = new WireTexts()
    texts.append(Buffer.from('abc'))
    texts.append(Buffer.alloc(10_000, 'x'))
    texts.append(Buffer.alloc(0))
    expect(texts.length).to.equal(10_003)
    expect(texts.bytes().toString()).to.equal(`abc${'x'.repeat(10_000)}`)
    expect(texts.bytes().buffer.byteLength).to.be.at.most((10_003 * 8) / 7)
  })
})
