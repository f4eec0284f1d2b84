// The whole of a terminal, drawn again and again on the screen that terminals keep for such programs, so that what was there before
// comes back afterwards. A frame goes over the last one line by line: nothing is erased first, and nothing flickers.
import type { Output } from './cli-ports.ts'

type Write = Output['write']

const ENTER = '\u001b[?1049h\u001b[?25l'
const LEAVE = '\u001b[?25h\u001b[?1049l'
const HOME = '\u001b[H'
const TO_END_OF_LINE = '\u001b[K'
const BELOW = '\u001b[J'

/** Draws frames over the whole of a terminal. What others write to its outputs meanwhile comes when it is released. */
export class FullScreen {
  readonly #output: Output
  readonly #write: Write
  readonly #undo: (() => void)[] = []
  readonly #others: (() => void)[] = []
  readonly #redraw: () => void
  #frame: readonly string[] = []
  #isOver = false

  /**
   * @param output the terminal
   * @param others outputs that may lead to the same terminal
   * @param resized told when the terminal has another size, which a frame should be made for
   */
  constructor(output: Output, others: readonly Output[], resized: () => void) {
    this.#output = output
    this.#write = output.write.bind(output)
    this.#redraw = resized
    for (const other of others) this.#hold(other)
    output.on('resize', resized)
    this.#write(ENTER)
  }

  /**
   * Shows these lines instead of the last ones, and `foot` in the last line of the terminal. Each has to fit into a line, and all
   * of them onto `rows` lines.
   */
  draw(lines: readonly string[], foot: string, rows: number): void {
    if (this.#isOver) return
    this.#frame = lines
    const space = Array.from({ length: Math.max(0, rows - 1 - lines.length) }, () => '')
    const frame = [...lines, ...space, foot].map(line => line + TO_END_OF_LINE)
    this.#write(`${HOME}${frame.join('\r\n')}${BELOW}`)
  }

  /** Brings back what was there before, with the last frame below it, and what others have written. */
  release(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#output.off('resize', this.#redraw)
    this.#write(LEAVE)
    if (this.#frame.length > 0) this.#write(`${this.#frame.join('\n')}\n`)
    for (const undo of this.#undo) undo()
    for (const write of this.#others) write()
  }

  #hold(other: Output): void {
    const write = other.write.bind(other)
    other.write = ((chunk: string | Uint8Array, encoding?: unknown, callback?: unknown): boolean => {
      this.#others.push(() => write(chunk))
      const done = typeof encoding === 'function' ? encoding : callback
      if (typeof done === 'function') done()
      return true
    }) as Write
    this.#undo.push(() => {
      other.write = write
    })
  }
}
