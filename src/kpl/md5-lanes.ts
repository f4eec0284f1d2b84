// Runs the WebAssembly module of md5-wasm.ts: streams messages of any length through a small memory of fixed size, four
// at a time, each time one ends the next in its place.

import { PAGE_BYTES } from '../wire/wasm-assembler.ts'
import { BLOCK_BYTES, FREE_AT, INITIAL_STATE, LANES, md5Module, ONE_BLOCK_BYTES, STATE_AT } from './md5-wasm.ts'

/** Bytes of a digest. */
export const DIGEST_BYTES = 16
const PAGES = 2
/** How much of each message is in memory at a time: a whole number of blocks. */
const CHUNK_BYTES = Math.floor((PAGES * PAGE_BYTES - FREE_AT) / LANES / BLOCK_BYTES) * BLOCK_BYTES
const LENGTH_BYTES = 8

/** How many texts {@link Md5Lanes.hashShort} takes at a time. */
export const SHORT_TEXTS = 1024
/** How far apart the texts of one call of {@link Md5Lanes.hashShort} may be. Bytes. */
export const SHORT_SPAN_BYTES = 65_536
const SHORT_LIST_AT = FREE_AT
const SHORT_HASHES_AT = SHORT_LIST_AT + 8 * SHORT_TEXTS
const SHORT_BYTES_AT = SHORT_HASHES_AT + 4 * SHORT_TEXTS

/** As much of WebAssembly as is used here; its types belong to the browser's. Absent where it has been turned off. */
declare const WebAssembly:
  | {
      readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object
      readonly Instance: new (module: object) => { readonly exports: object }
    }
  | undefined

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer }
  readonly mix: (blocks: number, at0: number, at1: number, at2: number, at3: number) => void
  readonly hashShort: (groups: number, at: number, to: number, base: number) => void
}

/** Four messages at once, by WebAssembly. Takes 128 KiB for as long as it lives. */
export class Md5Lanes {
  readonly #exports: Exports
  readonly #bytes: Uint8Array
  readonly #words: Int32Array
  readonly #lanes: readonly Lane[]
  readonly #shortHashes: Int32Array
  /**
   * Offset and length of up to {@link SHORT_TEXTS} texts, for {@link hashShort}. In the memory of the module, which
   * {@link hash} needs as well.
   */
  readonly shortTexts: Int32Array

  private constructor(exports: Exports) {
    this.#exports = exports
    this.#bytes = new Uint8Array(exports.memory.buffer)
    this.#words = new Int32Array(exports.memory.buffer)
    this.shortTexts = new Int32Array(exports.memory.buffer, SHORT_LIST_AT, 2 * SHORT_TEXTS)
    this.#shortHashes = new Int32Array(exports.memory.buffer, SHORT_HASHES_AT, SHORT_TEXTS)
    this.#lanes = Array.from({ length: LANES }, (_, i) => new Lane(this.#bytes, FREE_AT + i * CHUNK_BYTES))
  }

  /** Undefined where WebAssembly is turned off or does not know vectors, or does not take `module` for another reason. */
  static create(module: Uint8Array<ArrayBuffer> = md5Module(PAGES)): Md5Lanes | undefined {
    if (typeof WebAssembly === 'undefined') return undefined
    try {
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module))
      return new Md5Lanes(exports as Exports)
    } catch {
      return undefined // it is quicker with it, and right without it
    }
  }

  /** Hashes each message; its digest goes to `digests` from 16 times its index on. Quickest if the longest come first. */
  hash(messages: readonly Uint8Array[], digests: Uint8Array): void {
    let next = 0
    let open = 0
    for (;;) {
      let blocks = CHUNK_BYTES / BLOCK_BYTES
      for (let i = 0; i < LANES; i++) {
        const lane = this.#lanes[i] as Lane
        if (!lane.isOpen && next < messages.length) {
          lane.begin(messages[next] as Uint8Array, next++)
          this.#resetState(i)
          open++
        }
        if (lane.isOpen) blocks = Math.min(blocks, lane.blocksInMemory())
      }
      if (open === 0) return
      // A lane without a message hashes what is in its memory, for nothing.
      const [lane0, lane1, lane2, lane3] = this.#lanes as [Lane, Lane, Lane, Lane]
      this.#exports.mix(blocks, lane0.at, lane1.at, lane2.at, lane3.at)
      for (let i = 0; i < LANES; i++) {
        const lane = this.#lanes[i] as Lane
        if (lane.isOpen && lane.advance(blocks)) {
          this.#copyDigest(i, digests, DIGEST_BYTES * lane.index)
          open--
        }
      }
    }
  }

  /**
   * Hashes texts of at most {@link ONE_BLOCK_BYTES} bytes that are parts of `bytes`: the first `count` of
   * {@link shortTexts}, the first beginning at `from` and the last ending at `to`, at most {@link SHORT_SPAN_BYTES}
   * further. Returns the first four bytes of each digest as a number with a sign, the first byte highest; what is there
   * beyond `count` means nothing. Valid until the next call.
   */
  hashShort(bytes: Uint8Array, from: number, to: number, count: number): Int32Array {
    const texts = this.shortTexts
    const padded = Math.ceil(count / LANES) * LANES
    for (let i = 2 * count; i < 2 * padded; i += 2) {
      texts[i] = from
      texts[i + 1] = 0
    }
    this.#bytes.set(bytes.subarray(from, to), SHORT_BYTES_AT)
    if (count > 0) this.#exports.hashShort(padded / LANES, SHORT_LIST_AT, SHORT_HASHES_AT, SHORT_BYTES_AT - from)
    return this.#shortHashes
  }

  #resetState(lane: number): void {
    for (let word = 0; word < 4; word++) {
      this.#words[STATE_AT / 4 + LANES * word + lane] = INITIAL_STATE[word] as number
    }
  }

  #copyDigest(lane: number, digests: Uint8Array, to: number): void {
    for (let word = 0; word < 4; word++) {
      const from = STATE_AT + 4 * (LANES * word + lane)
      for (let byte = 0; byte < 4; byte++) digests[to + 4 * word + byte] = this.#bytes[from + byte] as number
    }
  }
}

/** One message on its way through memory: its bytes, a one bit, zeros, and its length in bits. */
class Lane {
  /** Address of the next block. */
  at: number
  isOpen = false
  /** Which of the messages it is. */
  index = 0
  readonly #bytes: Uint8Array
  readonly #chunkAt: number
  #message: Uint8Array | undefined
  /** How much of the message, with what follows it, has been put into memory; how much there is. Whole blocks. */
  #taken = 0
  #total = 0
  #end: number

  constructor(bytes: Uint8Array, chunkAt: number) {
    this.#bytes = bytes
    this.#chunkAt = chunkAt
    this.at = chunkAt
    this.#end = chunkAt
  }

  begin(message: Uint8Array, index: number): void {
    this.isOpen = true
    this.index = index
    this.#message = message
    this.#taken = 0
    this.#total = Math.ceil((message.length + 1 + LENGTH_BYTES) / BLOCK_BYTES) * BLOCK_BYTES
    this.#end = this.at
  }

  /** How many blocks are ready to be hashed: one at least. */
  blocksInMemory(): number {
    if (this.at === this.#end) this.#fill()
    return (this.#end - this.at) / BLOCK_BYTES
  }

  /** Whether that was the end of the message. */
  advance(blocks: number): boolean {
    this.at += blocks * BLOCK_BYTES
    if (this.at < this.#end || this.#taken < this.#total) return false
    this.isOpen = false
    this.#message = undefined // it must not keep its response alive until the next one comes
    this.at = this.#chunkAt
    return true
  }

  #fill(): void {
    const bytes = this.#bytes
    const message = this.#message as Uint8Array
    const from = this.#taken
    const to = Math.min(from + CHUNK_BYTES, this.#total)
    this.at = this.#chunkAt
    this.#end = this.at + to - from
    this.#taken = to
    const messageTo = Math.min(to, message.length)
    if (from < messageTo)
      bytes.set(from === 0 && messageTo === message.length ? message : message.subarray(from, messageTo), this.at)
    if (to <= message.length) return
    // From here to the end of the chunk there is no more of the message.
    const rest = this.at + Math.max(0, message.length - from)
    bytes.fill(0, rest, this.#end)
    if (from <= message.length) bytes[rest] = 0x80
    if (to === this.#total) this.#writeLength(this.#end - LENGTH_BYTES, message.length)
  }

  /** In bits, the lowest byte first. */
  #writeLength(at: number, length: number): void {
    for (let byte = 0, bits = 8 * length; bits >= 1; byte++, bits /= 256) this.#bytes[at + byte] = Math.floor(bits)
  }
}
