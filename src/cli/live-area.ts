// The part of a terminal that is drawn again and again, below everything else that is said meanwhile.
import { createLogUpdate } from 'log-update'
import type { Output } from './cli-ports.ts'

type Write = Output['write']

/** Draws frames at the bottom of a terminal. What others write to its outputs meanwhile comes above, line by line. */
export class LiveArea {
  readonly #update: ReturnType<typeof createLogUpdate>
  readonly #undo: (() => void)[] = []
  readonly #flush: (() => void)[] = []
  #frame = ''
  #isOver = false

  /**
   * @param output the terminal that frames are drawn on
   * @param others outputs that lead to the same terminal
   */
  constructor(output: Output, others: readonly Output[]) {
    const write = output.write.bind(output)
    const terminal: Output = Object.create(output, { write: { value: write } })
    // A hidden cursor stays hidden if the process ends at once.
    this.#update = createLogUpdate(terminal, { showCursor: true })
    for (const each of new Set([output, ...others])) this.#watch(each)
  }

  /** Shows a frame instead of the last one. */
  draw(frame: string): void {
    if (this.#isOver) return
    this.#frame = frame
    this.#update(frame)
  }

  /** Leaves the last frame where it is, and the outputs as they were. */
  release(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#update.done()
    for (const undo of this.#undo) undo()
    for (const flush of this.#flush) flush()
  }

  #watch(output: Output): void {
    const write = output.write.bind(output)
    let rest = ''
    const watched = (chunk: string | Uint8Array, encoding?: unknown, callback?: unknown): boolean => {
      const text = rest + (typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString())
      const end = text.lastIndexOf('\n') + 1
      rest = text.slice(end)
      if (end > 0) {
        this.#update.clear()
        write(text.slice(0, end))
        if (this.#frame !== '') this.#update(this.#frame)
      }
      const done = typeof encoding === 'function' ? encoding : callback
      if (typeof done === 'function') done()
      return true
    }
    output.write = watched as Write
    this.#undo.push(() => {
      output.write = write
    })
    this.#flush.push(() => {
      if (rest !== '') write(`${rest}\n`)
    })
  }
}
