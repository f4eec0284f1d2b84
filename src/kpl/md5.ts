// MD5 (RFC 1321) of short texts such as partition keys, inside the process: a call into node:crypto costs some ten times
// the hash of one block. Whole aggregates, where that cost does not show, are hashed by node:crypto.

const BLOCK_BYTES = 64
/** `floor(2^32 * abs(sin(i + 1)))`, the additive constants of the 64 steps. */
const SINES = Int32Array.from({ length: 64 }, (_, i) => Math.floor(2 ** 32 * Math.abs(Math.sin(i + 1))) | 0)

/** Hashes one text after another without allocating. */
export class Md5 {
  /** The last digest as four unsigned big-endian words, most significant first. */
  readonly words = new Uint32Array(4)
  readonly #state = new Int32Array(4)
  readonly #block = new Int32Array(16)

  /** Sets {@link words} to the digest of `bytes` from `from` up to, not including, `to`. Fewer than 2^28 bytes. */
  hash(bytes: Uint8Array, from: number, to: number): void {
    const state = this.#state
    state[0] = 0x67452301
    state[1] = 0xefcdab89
    state[2] = 0x98badcfe
    state[3] = 0x10325476
    let at = from
    for (; to - at >= BLOCK_BYTES; at += BLOCK_BYTES) {
      for (let i = 0; i < 16; i++) this.#block[i] = littleEndian(bytes, at + 4 * i)
      this.#mix()
    }
    this.#mixTail(bytes, at, to, to - from)
    for (let i = 0; i < 4; i++) this.words[i] = byteSwapped(state[i] as number)
  }

  /** The rest of the text, a one bit, zeros, and the length in bits: one block, or two if the rest leaves no room. */
  #mixTail(bytes: Uint8Array, from: number, to: number, length: number): void {
    const block = this.#block
    const wholeWords = (to - from) >> 2
    for (let i = 0; i < wholeWords; i++) block[i] = littleEndian(bytes, from + 4 * i)
    let word = 0x80
    for (let at = to - 1; at >= from + 4 * wholeWords; at--) word = (word << 8) | (bytes[at] as number)
    block[wholeWords] = word
    for (let i = wholeWords + 1; i < 16; i++) block[i] = 0
    if (wholeWords >= 14) {
      this.#mix()
      for (let i = 0; i < 14; i++) block[i] = 0
    }
    block[14] = length << 3
    block[15] = 0
    this.#mix()
  }

  #mix(): void {
    const state = this.#state
    const a = state[0] as number
    const b = state[1] as number
    const c = state[2] as number
    const d = state[3] as number
    mixRound1(this.#block, state)
    mixRound2(this.#block, state)
    mixRound3(this.#block, state)
    mixRound4(this.#block, state)
    state[0] = (state[0] as number) + a
    state[1] = (state[1] as number) + b
    state[2] = (state[2] as number) + c
    state[3] = (state[3] as number) + d
  }
}

// One function a round, because V8 inlines only so many calls of step() into one function.

function mixRound1(m: Int32Array, state: Int32Array): void {
  let a = state[0] as number
  let b = state[1] as number
  let c = state[2] as number
  let d = state[3] as number
  for (let i = 0; i < 16; i += 4) {
    a = step(a, b, d ^ (b & (c ^ d)), m, i, i, 7)
    d = step(d, a, c ^ (a & (b ^ c)), m, i + 1, i + 1, 12)
    c = step(c, d, b ^ (d & (a ^ b)), m, i + 2, i + 2, 17)
    b = step(b, c, a ^ (c & (d ^ a)), m, i + 3, i + 3, 22)
  }
  state[0] = a
  state[1] = b
  state[2] = c
  state[3] = d
}

function mixRound2(m: Int32Array, state: Int32Array): void {
  let a = state[0] as number
  let b = state[1] as number
  let c = state[2] as number
  let d = state[3] as number
  for (let i = 16; i < 32; i += 4) {
    a = step(a, b, c ^ (d & (b ^ c)), m, 5 * i + 1, i, 5)
    d = step(d, a, b ^ (c & (a ^ b)), m, 5 * i + 6, i + 1, 9)
    c = step(c, d, a ^ (b & (d ^ a)), m, 5 * i + 11, i + 2, 14)
    b = step(b, c, d ^ (a & (c ^ d)), m, 5 * i, i + 3, 20)
  }
  state[0] = a
  state[1] = b
  state[2] = c
  state[3] = d
}

function mixRound3(m: Int32Array, state: Int32Array): void {
  let a = state[0] as number
  let b = state[1] as number
  let c = state[2] as number
  let d = state[3] as number
  for (let i = 32; i < 48; i += 4) {
    a = step(a, b, b ^ c ^ d, m, 3 * i + 5, i, 4)
    d = step(d, a, a ^ b ^ c, m, 3 * i + 8, i + 1, 11)
    c = step(c, d, d ^ a ^ b, m, 3 * i + 11, i + 2, 16)
    b = step(b, c, c ^ d ^ a, m, 3 * i + 14, i + 3, 23)
  }
  state[0] = a
  state[1] = b
  state[2] = c
  state[3] = d
}

function mixRound4(m: Int32Array, state: Int32Array): void {
  let a = state[0] as number
  let b = state[1] as number
  let c = state[2] as number
  let d = state[3] as number
  for (let i = 48; i < 64; i += 4) {
    a = step(a, b, c ^ (b | ~d), m, 7 * i, i, 6)
    d = step(d, a, b ^ (a | ~c), m, 7 * i + 7, i + 1, 10)
    c = step(c, d, a ^ (d | ~b), m, 7 * i + 14, i + 2, 15)
    b = step(b, c, d ^ (c | ~a), m, 7 * i + 21, i + 3, 21)
  }
  state[0] = a
  state[1] = b
  state[2] = c
  state[3] = d
}

function step(a: number, b: number, mixed: number, m: Int32Array, word: number, sine: number, shift: number): number {
  // Every sum of two is cut to 32 bits at once: V8 does longer sums in floating point, several times slower.
  const sum = (((a + mixed) | 0) + (((m[word & 15] as number) + (SINES[sine] as number)) | 0)) | 0
  return (((sum << shift) | (sum >>> (32 - shift))) + b) | 0
}

function littleEndian(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  )
}

function byteSwapped(word: number): number {
  return ((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)
}
