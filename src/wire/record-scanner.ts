// Runs the WebAssembly of scan-wasm.ts and base64-wasm.ts: records and payloads of an answer go through its memory a window at a time, and from
// there to the table of the answer. Nothing in that memory outlives a call, so one serves all answers of a client.
import type { RecordTable } from './record-table.ts'
import { ENCRYPTIONS, scanModule } from './scan-wasm.ts'
import {
  ARRIVALS_AT,
  ENCRYPTIONS_AT,
  MADE_AT,
  MARGIN_BYTES,
  MOST_ROWS,
  ROWS_AT,
  TOLD_AT,
  WINDOW_AT,
  WINDOW_BYTES
} from './scanner-memory.ts'

/** A body that is shorter is not worth making the WebAssembly for. Bytes. */
const LEAST_BYTES = 8_192

const QUOTE = 34
/** Numbers in a row, which is one of the table. */
const WIDTH = 6

/** As much of WebAssembly as is used here; its types belong to the browser's. Absent where it has been turned off. */
declare const WebAssembly:
  | {
      readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object
      readonly Instance: new (module: object) => { readonly exports: object }
    }
  | undefined

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer }
  readonly scan: (end: number, dataBias: number, textBias: number) => void
  readonly decode: (rowsEnd: number, windowBias: number, targetBias: number) => void
}

/** The memory of the WebAssembly, and what can be done with it. */
class Engine {
  readonly run: Exports
  readonly bytes: Uint8Array
  readonly told: Int32Array
  readonly rows: Int32Array
  readonly arrivals: Float64Array
  readonly encryptions: Uint8Array

  constructor(exports: Exports) {
    const { buffer } = exports.memory
    this.run = exports
    this.bytes = new Uint8Array(buffer)
    this.told = new Int32Array(buffer, TOLD_AT, 5)
    this.rows = new Int32Array(buffer, ROWS_AT, MOST_ROWS * WIDTH)
    this.arrivals = new Float64Array(buffer, ARRIVALS_AT, MOST_ROWS)
    this.encryptions = new Uint8Array(buffer, ENCRYPTIONS_AT, MOST_ROWS)
  }

  /** Undefined where WebAssembly is turned off or does not know vectors, or does not take `module` for another reason. */
  static of(module: Uint8Array<ArrayBuffer>): Engine | undefined {
    if (typeof WebAssembly === 'undefined') return undefined
    try {
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module))
      return new Engine(exports as Exports)
    } catch {
      return undefined // it is quicker with it, and right without it
    }
  }
}

/**
 * Reads records that are written as the service writes them; where there is no WebAssembly, none. Takes about 340 KiB from its
 * first use on, for as long as it lives.
 */
export class RecordScanner {
  readonly #leastBytes: number
  readonly #makeModule: () => Uint8Array<ArrayBuffer>
  #engine: Engine | undefined
  #isTried = false

  /**
   * @param leastBytes of a body that it is worth while for; by default 8 KiB
   * @param makeModule makes what {@link scanModule} does
   */
  constructor(leastBytes = LEAST_BYTES, makeModule = scanModule) {
    this.#leastBytes = leastBytes
    this.#makeModule = makeModule
  }

  /** This scanner, if it is worth while for `body`. */
  worthFor(body: Uint8Array): this | undefined {
    return body.length < this.#leastBytes ? undefined : this
  }

  /**
   * Takes records of a list in `body` from `from` on, where the first begins, and says in `table` what they are; their payloads
   * still as places of base64. As many as there are in a window, up to the first that is written in another way. Returns where
   * the last of them ends; `from`: there is none.
   */
  scan(body: Uint8Array, from: number, table: RecordTable): number {
    const engine = this.#ready()
    if (engine === undefined) return from
    const end = show(engine, body, from, Math.min(body.length, from + WINDOW_BYTES))
    engine.run.scan(end, from - WINDOW_AT, table.texts.length - MADE_AT)
    const [to = 0, count = 0, textTo = 0, , encrypted = 0] = engine.told
    if (count === 0) return from
    const first = table.count
    const texts = engine.bytes.subarray(MADE_AT, textTo)
    table.add(engine.rows.subarray(0, count * WIDTH), engine.arrivals.subarray(0, count), texts)
    if (encrypted !== 0) {
      for (let index = 0; index < count; index++) {
        const type = engine.encryptions[index] as number
        if (type !== 0) table.encryptedWith(ENCRYPTIONS[type] as string, first + index)
      }
    }
    return from + to - WINDOW_AT
  }

  /**
   * Decodes payloads that `table` has the places of in `body`, from the one at `index` on, as many as there are in a window, into
   * `target` from `at` on, and says in the table where they are there. Returns how many, and where the last of them ends. 0: the
   * first is larger than a window. -1: one of them is not base64 as the service writes it.
   */
  decode(
    body: Uint8Array,
    table: RecordTable,
    index: number,
    target: Uint8Array,
    at: number
  ): [count: number, to: number] {
    const engine = this.#ready()
    if (engine === undefined) return [-1, at]
    const from = table.dataAt(index)
    const most = Math.min(table.count, index + MOST_ROWS)
    let next = index
    let to = from
    for (; next < most; next++) {
      const end = table.dataAt(next) + table.dataLength(next)
      if (end - from > WINDOW_BYTES || table.dataAt(next) < to) break
      to = end
    }
    const count = next - index
    if (count === 0) return [0, at]
    engine.bytes.set(body.subarray(from, to), WINDOW_AT)
    const rows = table.rowsAt(index, count)
    engine.rows.set(rows)
    engine.run.decode(ROWS_AT + count * WIDTH * 4, from - WINDOW_AT, at - MADE_AT)
    const [madeTo = 0, isBad = 0] = engine.told
    if (isBad !== 0) return [-1, at]
    target.set(engine.bytes.subarray(MADE_AT, madeTo), at)
    rows.set(engine.rows.subarray(0, count * WIDTH))
    return [count, at + madeTo - MADE_AT]
  }

  #ready(): Engine | undefined {
    if (!this.#isTried) {
      this.#isTried = true
      this.#engine = Engine.of(this.#makeModule())
    }
    return this.#engine
  }
}

/** Puts a part of `body` into the window, with something behind it at which every search ends. Returns where it ends. */
function show({ bytes }: Engine, body: Uint8Array, from: number, to: number): number {
  const end = WINDOW_AT + to - from
  bytes.set(body.subarray(from, to), WINDOW_AT)
  bytes.fill(0, end, end + MARGIN_BYTES)
  bytes[end] = QUOTE
  return end
}
