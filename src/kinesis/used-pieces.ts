// Lets go at once of the memory that Node.js has received a piece of a body into, once its bytes are elsewhere. Otherwise the
// garbage collector has to run for it: each answer leaves as much of it behind as it is long on the wire, and V8 begins to mark
// the whole heap, however large, with every 64 MiB of such memory. Takes Node.js 22; with 20 the collector does it.
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Clock } from '../runtime/clock.ts'

/** What is shorter may be in memory that others have a part of, and is not worth it. Bytes. */
const LEAST_BYTES = 16 * 1024

/** Of ES2024. */
interface Transferable {
  transfer?(newByteLength: number): unknown
}

/** Pieces of bodies whose bytes are not needed any more. */
export class UsedPieces {
  readonly #clock: Clock
  #memories: ArrayBufferLike[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Takes a piece that came with `data` from `stream`, and whose bytes have been copied. It is let go of in the next turn of the
   * event loop: until then the parser may still be at it. Not, if it did not come out of a socket of Node.js or is only a part of
   * its memory: then others may have it too.
   */
  add(stream: unknown, piece: Uint8Array): void {
    const { buffer, byteLength } = piece
    if (byteLength < LEAST_BYTES || buffer.byteLength !== byteLength || !isFromSocket(stream)) return
    this.#memories.push(buffer)
    if (this.#memories.length === 1) void this.#letGo()
  }

  async #letGo(): Promise<void> {
    await this.#clock.sleep(0)
    const memories = this.#memories
    this.#memories = []
    for (const memory of memories) (memory as Transferable).transfer?.(0)
  }
}

/** Not of a class of its own, as tools that stand in for the network have. */
function isFromSocket(stream: unknown): boolean {
  if (!(stream instanceof IncomingMessage)) return false
  const kind = stream.socket.constructor
  return kind === Socket || kind === TLSSocket
}
