import { expect } from 'chai'
import { scanModule } from '../../src/wire/scan-wasm.ts'
import { PAGES } from '../../src/wire/scanner-memory.ts'

declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: object }
}

describe('scanModule', () => {
  it('makes a module with both functions', () => {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(scanModule()))
    expect(exports).to.have.all.keys('memory', 'scan', 'decode')
    const { memory } = exports as { readonly memory: { readonly buffer: ArrayBuffer } }
    expect(memory.buffer.byteLength).to.equal(PAGES * 65_536)
  })
})
