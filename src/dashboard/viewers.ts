// The pages that are open: every one is a response that does not end. A page that does not read what it is sent is let go of, so that
// nothing piles up here; it will come again.
import type { Clock } from '../runtime/clock.ts'
import { type Loop, startLoop } from '../runtime/loop.ts'
import { HEARTBEAT } from './event-stream-rules.ts'

/** What of a response is used. */
export interface ViewerLine {
  readonly writableLength: number
  write(text: string): boolean
  end(): unknown
  destroy(): unknown
  once(event: 'close' | 'drain', listener: () => void): unknown
}

/** What viewers need. */
export interface ViewersParts {
  readonly clock: Clock
  readonly maxViewers: number
  readonly heartbeatMs: number
  /** How much may wait to be sent to one page, beside the first event. Bytes. */
  readonly maxWaiting: number
  /** The first has come. */
  readonly begun: () => void
  /** The last has gone. */
  readonly over: () => void
}

interface Viewer {
  readonly line: ViewerLine
  /** How large the first event was that is still under way. */
  firstLength: number
  /** What waited at the last heartbeat, and whether something was taken since. */
  wasWaiting: boolean
}

/** Everybody who watches. */
export class Viewers {
  readonly #parts: ViewersParts
  readonly #viewers = new Set<Viewer>()
  #heart: Loop | undefined

  constructor(parts: ViewersParts) {
    this.#parts = parts
  }

  /** How many there are. */
  get size(): number {
    return this.#viewers.size
  }

  /** Whether there is room for one more. */
  get hasRoom(): boolean {
    return this.#viewers.size < this.#parts.maxViewers
  }

  /** Takes one in, and sends it a first event. */
  add(line: ViewerLine, first: string): void {
    const viewer: Viewer = { line, firstLength: Buffer.byteLength(first), wasWaiting: false }
    this.#viewers.add(viewer)
    line.once('close', () => this.#gone(viewer))
    this.#write(viewer, first)
    if (this.#viewers.size > 1) return
    this.#heart = startLoop({
      clock: this.#parts.clock,
      run: async () => this.#beat(),
      delayMs: () => this.#parts.heartbeatMs,
      onError: () => {}, // there is nothing in a beat that fails
      runAtOnce: false
    })
    this.#parts.begun()
  }

  /** Sends the same to everybody. */
  send(text: string): void {
    for (const viewer of [...this.#viewers]) {
      const mayWait = this.#parts.maxWaiting + viewer.firstLength
      if (viewer.line.writableLength > mayWait) this.#drop(viewer)
      else this.#write(viewer, text)
    }
  }

  /** Lets everybody go. */
  async close(): Promise<void> {
    const heart = this.#heart
    for (const { line } of [...this.#viewers]) line.end()
    this.#viewers.clear()
    this.#heart = undefined
    await heart?.stop()
  }

  #write(viewer: Viewer, text: string): void {
    if (viewer.line.write(text)) return
    viewer.line.once('drain', () => {
      viewer.firstLength = 0
      viewer.wasWaiting = false
    })
  }

  /** Shows that the line is there. Who has taken nothing between two beats, although something waits, is gone. */
  #beat(): void {
    for (const viewer of [...this.#viewers]) {
      const isWaiting = viewer.line.writableLength > 0
      if (isWaiting && viewer.wasWaiting) this.#drop(viewer)
      else {
        viewer.wasWaiting = isWaiting
        this.#write(viewer, HEARTBEAT)
      }
    }
  }

  #drop(viewer: Viewer): void {
    viewer.line.destroy()
    this.#gone(viewer)
  }

  #gone(viewer: Viewer): void {
    if (!this.#viewers.delete(viewer) || this.#viewers.size > 0) return
    void this.#heart?.stop()
    this.#heart = undefined
    this.#parts.over()
  }
}
