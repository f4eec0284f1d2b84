// Memory for the bodies of answers of which nothing is kept once they are decoded. It is used again: a new piece of some
// megabytes for each answer costs the kernel its pages, and has the garbage collector run only to let go of the last one.

/** Bodies shorter than this are not worth it. Bytes. */
const LEAST_BYTES = 64 * 1024
/** No more than this is kept that nobody uses, if not less: a body or two is decoded and a few are received at a time. Bytes. */
const MOST_FREE_BYTES = 64 * 1024 * 1024
/** A piece is not used for a body that would leave most of it empty. */
const MOST_ROOM = 4

/** Pieces of memory to receive bodies into, and what has been given back of them. */
export class BodyMemory {
  /** Smallest first. */
  readonly #free: Buffer[] = []
  readonly #mostFreeBytes: number
  #freeBytes = 0
  /** What was made here. Nothing else is taken back: who knows who has it. */
  readonly #ours = new WeakSet<ArrayBufferLike>()

  /** @param mostFreeBytes how much is kept at most that nobody uses, and never more than 64 MiB. Bytes */
  constructor(mostFreeBytes = MOST_FREE_BYTES) {
    this.#mostFreeBytes = Math.min(mostFreeBytes, MOST_FREE_BYTES)
  }

  /** How much is kept that nobody uses. Bytes. */
  get freeBytes(): number {
    return this.#freeBytes
  }

  /** A piece of at least so many bytes, with anything in it. It is the caller's alone. */
  take(bytes: number): Buffer {
    const index = this.#free.findIndex(
      ({ length }) => length >= bytes && length <= Math.max(bytes, LEAST_BYTES) * MOST_ROOM
    )
    const [used] = index === -1 ? [] : this.#free.splice(index, 1)
    if (used === undefined) {
      const made = Buffer.allocUnsafeSlow(bytes < LEAST_BYTES ? bytes : roundedUp(bytes))
      this.#ours.add(made.buffer)
      return made
    }
    this.#freeBytes -= used.length
    return used
  }

  /** Gives back the piece that `body` is in, if it is from here. Nobody may look at anything in it any more. */
  giveBack(body: Buffer): void {
    const { byteLength } = body.buffer
    if (!this.#ours.has(body.buffer) || byteLength < LEAST_BYTES || this.#freeBytes + byteLength > this.#mostFreeBytes)
      return
    const piece = Buffer.from(body.buffer as ArrayBuffer)
    const index = this.#free.findIndex(({ length }) => length > byteLength)
    this.#free.splice(index === -1 ? this.#free.length : index, 0, piece)
    this.#freeBytes += byteLength
  }
}

/** To a quarter of the next smaller power of two, so that bodies which are almost as long as one another fit into one piece. */
function roundedUp(bytes: number): number {
  const step = 2 ** Math.max(0, Math.floor(Math.log2(bytes)) - 2)
  return Math.ceil(bytes / step) * step
}
