import { expect } from 'chai'
import { assembleModule, FunctionBody, I32, V128 } from '../../src/wire/wasm-assembler.ts'

declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: object }
}

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer }
  readonly run: (...parameters: number[]) => void
}

function exportsOf(parameters: number, body: FunctionBody, pages = 1): Exports {
  const module = assembleModule(pages, [{ name: 'run', parameters, body }])
  return new WebAssembly.Instance(new WebAssembly.Module(module)).exports as Exports
}

describe('assembleModule', () => {
  it('makes a module with functions and a memory of so many pages', () => {
    const { memory, run } = exportsOf(1, new FunctionBody(1), 3)
    expect(memory.buffer.byteLength).to.equal(3 * 65_536)
    expect(run(1)).to.equal(undefined)
  })

  it('encodes numbers of every size', () => {
    for (const value of [0, 1, 63, 64, 127, 128, 8191, 8192, 2 ** 31 - 1, -1, -64, -65, -8193, -(2 ** 31)]) {
      const { memory, run } = exportsOf(0, new FunctionBody(0).i32(200).i32x4(value).store(1000))
      run()
      expect([...new Int32Array(memory.buffer, 1200, 4)], String(value)).to.deep.equal([value, value, value, value])
    }
  })

  it('runs loops over parameters, locals and memory', () => {
    const body = new FunctionBody(2)
    const sum = body.local(V128)
    // Adds the vector at parameter 1 to a sum as often as parameter 0 says.
    body.op('loop').get(sum).get(1).load(0).op('i32x4.add').set(sum)
    body.get(0).i32(1).op('i32.sub').tee(0).repeatIf().op('end').get(1).get(sum).store(16)
    const { memory, run } = exportsOf(2, body)
    new Int32Array(memory.buffer).set([1, 2, 3, -4], 8)
    run(5, 32)
    expect([...new Int32Array(memory.buffer, 48, 4)]).to.deep.equal([5, 10, 15, -20])
  })

  it('jumps out of blocks and back to the beginning of loops, however deep', () => {
    const body = new FunctionBody(1)
    const [sum, at] = [body.local(I32), body.local(I32)]
    // Adds up bytes from address 64 on, up to one that is 0; those that are 7 count for nothing.
    body.block(over =>
      body.loop(again => {
        body.get(at).load8(64).op('i32.eqz').jumpIf(over)
        body.get(at).load8(64).i32(7).op('i32.ne')
        body.when(() => {
          body.get(sum, at).load8(64).op('i32.add').set(sum)
        })
        body.get(at).i32(1).op('i32.add').set(at).jump(again)
      })
    )
    body.get(0, sum).store32(4)
    const { memory, run } = exportsOf(1, body)
    new Uint8Array(memory.buffer).set([1, 7, 200, 7, 30], 64)
    run(16)
    expect(new Int32Array(memory.buffer)[5]).to.equal(231)
  })
})
