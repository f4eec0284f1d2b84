// The source of the WebAssembly module that works out four MD5 digests (RFC 1321) at once: one vector of four 32-bit
// words holds the same word of four messages. How messages get there is known to md5-lanes.ts.
import { assembleModule, FunctionBody, V128 } from '../wire/wasm-assembler.ts'

/** How many messages are hashed side by side. */
export const LANES = 4
/** MD5 works on blocks of so many bytes. */
export const BLOCK_BYTES = 64
/** The longest message that fits into one block beside a one bit and its length. */
export const ONE_BLOCK_BYTES = BLOCK_BYTES - 9
/** Address of the state: the words a, b, c and d, each of them of four lanes. */
export const STATE_AT = 0
/** From this address on, memory belongs to the caller. */
export const FREE_AT = 64

const PLACES = Array.from({ length: 16 }, (_, i) => i)
const ONE_BITS = Array.from({ length: 16 }, () => 0x80)
const BYTE_SWAP = PLACES.map(place => place ^ 3)

/** The digest of nothing yet: a, b, c, d. */
export const INITIAL_STATE: readonly number[] = [0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476]

interface Round {
  readonly shifts: readonly number[]
  /** Which word of the message the step `i` takes, modulo 16. */
  readonly word: (i: number) => number
  /** Adds the round's function of b, c and d to the vector on the stack. What depends on b, the newest, comes last. */
  readonly mix: (code: FunctionBody, b: number, c: number, d: number) => void
}

const ROUNDS: readonly Round[] = [
  {
    // (b and c) or (not b and d)
    shifts: [7, 12, 17, 22],
    word: i => i,
    mix: (code, b, c, d) => code.get(c, d).op('v128.xor').get(b).op('v128.and').get(d).op('v128.xor', 'i32x4.add')
  },
  {
    // (d and b) or (c and not d): no bit is in both, so that they can be added
    shifts: [5, 9, 14, 20],
    word: i => 5 * i + 1,
    mix: (code, b, c, d) => code.get(c, d).op('v128.andnot', 'i32x4.add').get(b, d).op('v128.and', 'i32x4.add')
  },
  {
    shifts: [4, 11, 16, 23],
    word: i => 3 * i + 5,
    mix: (code, b, c, d) => code.get(c, d).op('v128.xor').get(b).op('v128.xor', 'i32x4.add')
  },
  {
    // c xor (b or not d)
    shifts: [6, 10, 15, 21],
    word: i => 7 * i,
    mix: (code, b, c, d) => code.get(d).op('v128.not').get(b).op('v128.or').get(c).op('v128.xor', 'i32x4.add')
  }
]

/**
 * The module. It exports `memory` (of `pages` pages of 64 KiB) and
 *
 * - `mix(blocks, at0, at1, at2, at3)`: takes `blocks` blocks, at least one, of each of four messages into the state.
 * - `hashShort(groups, at, to, base)`: for groups of four texts of at most {@link ONE_BLOCK_BYTES} bytes: from `at`, each
 *   text has its address less `base` and its length; from `to`, each gets the first four bytes of its digest, as a
 *   big-endian word. Reads a whole block from the address of each text.
 */
export function md5Module(pages: number): Uint8Array<ArrayBuffer> {
  return assembleModule(pages, [
    { name: 'mix', parameters: 1 + LANES, body: mixFunction() },
    { name: 'hashShort', parameters: 4, body: hashShortFunction() }
  ])
}

function mixFunction(): FunctionBody {
  const code = new FunctionBody(1 + LANES)
  const blocks = 0
  const addresses = [1, 2, 3, 4]
  const state = vectors(code, 4)
  const before = vectors(code, 4)
  const words = vectors(code, 16)
  const rows = vectors(code, LANES)
  const sum = code.local(V128)
  state.forEach((word, i) => {
    code
      .i32(STATE_AT)
      .load(16 * i)
      .set(word)
  })
  code.op('loop')
  for (let quarter = 0; quarter < 4; quarter++) {
    rows.forEach((row, lane) => {
      code
        .get(addresses[lane] as number)
        .load(16 * quarter)
        .set(row)
    })
    transpose(code, rows, words.slice(4 * quarter))
  }
  state.forEach((word, i) => {
    code.get(word).set(before[i] as number)
  })
  mixBlock(code, state, words, sum)
  state.forEach((word, i) => {
    code
      .get(word, before[i] as number)
      .op('i32x4.add')
      .set(word)
  })
  for (const address of addresses) code.get(address).i32(BLOCK_BYTES).op('i32.add').set(address)
  code.get(blocks).i32(1).op('i32.sub').tee(blocks).repeatIf().op('end')
  state.forEach((word, i) => {
    code
      .i32(STATE_AT)
      .get(word)
      .store(16 * i)
  })
  return code
}

function hashShortFunction(): FunctionBody {
  const code = new FunctionBody(4)
  const [groups, at, to, base] = [0, 1, 2, 3]
  const state = vectors(code, 4)
  const words = vectors(code, 16)
  const rows = vectors(code, LANES)
  const sum = code.local(V128)
  const left = code.local(V128)
  code.op('loop')
  for (let quarter = 0; quarter < 4; quarter++) {
    rows.forEach((row, lane) => {
      // Bytes before the end are kept, the one at the end becomes a one bit, those behind it zeros.
      code.get(at).load32(8 * lane + 4)
      code
        .i32(16 * quarter)
        .op('i32.sub', 'i8x16.splat')
        .set(left)
      code
        .get(at)
        .load32(8 * lane)
        .get(base)
        .op('i32.add')
        .load(16 * quarter)
      code.v128(PLACES).get(left).op('i8x16.lt_s', 'v128.and')
      code.v128(PLACES).get(left).op('i8x16.eq').v128(ONE_BITS).op('v128.and', 'v128.or').set(row)
    })
    transpose(code, rows, words.slice(4 * quarter))
  }
  addLengths(code, at, rows, words[14] as number)
  INITIAL_STATE.forEach((word, i) => {
    code.i32x4(word).set(state[i] as number)
  })
  mixBlock(code, state, words, sum)
  code
    .get(to)
    .get(state[0] as number)
    .i32x4(INITIAL_STATE[0] as number)
    .op('i32x4.add')
    .tee(sum)
    .get(sum)
    .shuffle(BYTE_SWAP)
    .store(0)
  code
    .get(at)
    .i32(8 * LANES)
    .op('i32.add')
    .set(at)
  code
    .get(to)
    .i32(4 * LANES)
    .op('i32.add')
    .set(to)
  code.get(groups).i32(1).op('i32.sub').tee(groups).repeatIf().op('end')
  return code
}

/** Puts the four lengths of a group, in bits, into `word`. A pair of vectors holds address, length, address, length, … */
function addLengths(code: FunctionBody, at: number, rows: readonly number[], word: number): void {
  const [first, second] = rows as [number, number]
  code.get(at).load(0).set(first).get(at).load(16).set(second)
  code.get(first, second).shuffle([1, 3, 5, 7].flatMap(wordAt)).i32(3).op('i32x4.shl').set(word)
}

/** The 64 steps. Leaves the new words in `state`, without those from before added. */
function mixBlock(code: FunctionBody, state: readonly number[], words: readonly number[], sum: number): void {
  for (let i = 0; i < 64; i++) {
    const { shifts, word, mix } = ROUNDS[i >> 4] as Round
    const [a, b, c, d] = [0, 1, 2, 3].map(k => state[(k + 64 - i) & 3]) as [number, number, number, number]
    const shift = shifts[i & 3] as number
    const sine = Math.floor(2 ** 32 * Math.abs(Math.sin(i + 1))) | 0
    code.get(a, words[word(i) & 15] as number).op('i32x4.add')
    code.i32x4(sine).op('i32x4.add')
    mix(code, b, c, d)
    code.tee(sum).i32(shift).op('i32x4.shl')
    code
      .get(sum)
      .i32(32 - shift)
      .op('i32x4.shr_u', 'v128.or')
    code.get(b).op('i32x4.add').set(a)
  }
}

/** From four words of each of four lanes to four vectors with the same word of each lane. */
function transpose(code: FunctionBody, rows: readonly number[], words: readonly number[]): void {
  const [r0, r1, r2, r3] = rows as [number, number, number, number]
  const [w0, w1, w2, w3] = words as [number, number, number, number]
  const low = [0, 4, 1, 5].flatMap(wordAt)
  const high = [2, 6, 3, 7].flatMap(wordAt)
  code.get(r0, r1).shuffle(low).set(w0).get(r0, r1).shuffle(high).set(w2)
  code.get(r2, r3).shuffle(low).set(w1).get(r2, r3).shuffle(high).set(w3)
  const front = [0, 1, 4, 5].flatMap(wordAt)
  const back = [2, 3, 6, 7].flatMap(wordAt)
  code.get(w0, w1).shuffle(front).set(r0).get(w0, w1).shuffle(back).set(w1)
  code.get(w2, w3).shuffle(front).set(r2).get(w2, w3).shuffle(back).set(w3)
  code.get(r0).set(w0).get(r2).set(w2)
}

/** The four bytes of a word of a vector, by index. */
function wordAt(index: number): number[] {
  return [0, 1, 2, 3].map(byte => 4 * index + byte)
}

function vectors(code: FunctionBody, count: number): number[] {
  return Array.from({ length: count }, () => code.local(V128))
}
