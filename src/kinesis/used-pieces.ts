// Lets go at once of the memory that Node.js gives out a piece of a body in, once its bytes are elsewhere. Otherwise the
// garbage collector has to run for it: each answer leaves as much of it behind as it is long on the wire, and V8 begins to mark
// the whole heap, however large, with every 64 MiB of such memory.
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Clock } from '../runtime/clock.ts'

/** What is shorter may be in memory that others have a part of, and is not worth it. Bytes. */
const LEAST_BYTES = 16 * 1024

/** Pieces of bodies whose bytes are not needed any more. */
export class UsedPieces {
  readonly #clock: Clock
  /** What is transferred to a port that is closed is ours no more, and nobody else's. */
  readonly #nowhere = new MessageChannel().port1
  #memories: ArrayBuffer[] = []

  constructor(clock: Clock) {
    this.#clock = clock
    this.#nowhere.close()
  }

  /**
   * Takes a piece that came with `data` from `stream`, and whose bytes have been copied. It is let go of in the next turn of the
   * event loop, with others, and when whoever gave it out is done with it. Not, if others may have it too: if it did not come out
   * of a socket of Node.js, is only a part of its memory, or went to somebody else who listens.
   */
  add(stream: unknown, piece: Uint8Array): void {
    const { buffer, byteLength } = piece
    const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === byteLength
    if (byteLength < LEAST_BYTES || !isWhole || !isForUsAlone(stream)) return
    this.#memories.push(buffer)
    if (this.#memories.length === 1) void this.#letGo()
  }

  async #letGo(): Promise<void> {
    await this.#clock.sleep(0)
    const memories = this.#memories
    this.#memories = []
    try {
      // What is empty now, somebody else has taken.
      this.#nowhere.postMessage(
        undefined,
        memories.filter(({ byteLength }) => byteLength > 0)
      )
    } catch {
      // May not be transferred: left to the garbage collector.
    }
  }
}

/** Not of a class of its own, as tools that stand in for the network have, and to us alone. */
function isForUsAlone(stream: unknown): boolean {
  if (!(stream instanceof IncomingMessage)) return false
  // Without one: made by a tool that stands in for the network.
  const kind = (stream.socket as Socket | null)?.constructor
  return (kind === Socket || kind === TLSSocket) && stream.listenerCount('data') === 1
}
