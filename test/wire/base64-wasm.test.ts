import { expect } from 'chai'
import { decodeBody } from '../../src/wire/base64-wasm.ts'
import { MADE_AT, PAGES, ROW_BYTES, ROWS_AT, TOLD_AT, WINDOW_AT } from '../../src/wire/scanner-memory.ts'
import { assembleModule } from '../../src/wire/wasm-assembler.ts'

declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: object }
}

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer }
  readonly decode: (rowsEnd: number, windowBias: number, targetBias: number) => void
}

/** What it makes of one text; undefined if it says that this is not base64. */
function decoded(text: string): string | undefined {
  const module = assembleModule(PAGES, [{ name: 'decode', parameters: 3, body: decodeBody() }])
  const { memory, decode } = new WebAssembly.Instance(new WebAssembly.Module(module)).exports as Exports
  Buffer.from(memory.buffer).write(text, WINDOW_AT, 'latin1')
  new Int32Array(memory.buffer, ROWS_AT).set([0, 0, 0, 0, 5_000, text.length])
  decode(ROWS_AT + ROW_BYTES, 5_000 - WINDOW_AT, 700 - MADE_AT)
  const [to = 0, isBad = 0] = new Int32Array(memory.buffer, TOLD_AT)
  const [at, length = 0] = new Int32Array(memory.buffer, ROWS_AT + 16)
  expect([at, to]).to.deep.equal([700, MADE_AT + length])
  return isBad === 0 ? Buffer.from(memory.buffer, MADE_AT, length).toString('latin1') : undefined
}

describe('decodeBody', () => {
  it('decodes base64 of every length, with padding and without', () => {
    for (let length = 0; length < 70; length++) {
      const bytes = Buffer.from(Array.from({ length }, (_, i) => (i * 89 + length * 7) & 0xff))
      const text = bytes.toString('base64')
      expect(decoded(text), text).to.equal(bytes.toString('latin1'))
      expect(decoded(text.replace(/=+$/, '')), text).to.equal(bytes.toString('latin1'))
    }
  })

  it('knows each character that is not of the alphabet, wherever it is', () => {
    const alphabet = /[A-Za-z0-9+/]/
    for (let code = 0; code < 256; code++) {
      const character = String.fromCharCode(code)
      for (const text of [`${character}AAA`, `${'A'.repeat(17)}${character}AA`]) {
        expect(decoded(text) !== undefined, `${code}`).to.equal(alphabet.test(character))
      }
    }
  })
})
