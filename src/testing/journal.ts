// What happened in a simulated world, when and to whom: one line an event, with a hash over all of them that is the same
// for the same seed on every machine.
import { createHash } from 'node:crypto'

/** How much of a journal is kept. */
export interface JournalOptions {
  /** How many of the newest lines about each thing are kept. Default 40. */
  readonly linesOfEach?: number
  /** Called with every line. Default: nobody is, and only the newest lines are kept. */
  readonly write?: (line: string) => void
}

interface Entry {
  readonly number: number
  readonly line: string
}

/** About so many characters go into the hash at once. */
const CHUNK = 16_384

/** The log of one world. */
export class Journal {
  readonly #linesOfEach: number
  readonly #write: ((line: string) => void) | undefined
  readonly #hash = createHash('sha256')
  #unhashed = ''
  #lines = 0
  readonly #ofEach = new Map<string, Entry[]>()
  /** What is about the world as a whole, or about a worker. */
  readonly #ofAll: Entry[] = []

  constructor({ linesOfEach = 40, write }: JournalOptions = {}) {
    this.#linesOfEach = linesOfEach
    this.#write = write
  }

  /** How many lines there were so far. */
  get lines(): number {
    return this.#lines
  }

  /**
   * Notes an event.
   *
   * @param atMs virtual milliseconds since the world began
   * @param who a worker, or `world`
   * @param about the shard or other thing that it is about; absent: it matters to everything
   */
  note(atMs: number, who: string, what: string, about?: string): void {
    const line = `${(atMs / 1000).toFixed(3).padStart(9)} ${who} ${what}${about === undefined ? '' : ` ${about}`}`
    this.#unhashed += `${line}\n`
    if (this.#unhashed.length >= CHUNK) this.#digest()
    this.#write?.(line)
    this.#keep(about === undefined ? this.#ofAll : this.#entriesOf(about), { number: this.#lines++, line })
  }

  /** The hash over everything so far: 64 hexadecimal digits. */
  hash(): string {
    this.#digest()
    return this.#hash.copy().digest('hex')
  }

  /** The newest lines about one thing, and about everything, as they happened. At most `linesOfEach`. */
  around(about: string): string[] {
    const entries = [...(this.#ofEach.get(about) ?? []), ...this.#ofAll]
    entries.sort((a, b) => a.number - b.number)
    return entries.slice(-this.#linesOfEach).map(({ line }) => line)
  }

  #digest(): void {
    this.#hash.update(this.#unhashed)
    this.#unhashed = ''
  }

  #entriesOf(about: string): Entry[] {
    const known = this.#ofEach.get(about)
    if (known !== undefined) return known
    const entries: Entry[] = []
    this.#ofEach.set(about, entries)
    return entries
  }

  /** Drops old lines by the batch, which is cheaper than one by one. */
  #keep(entries: Entry[], entry: Entry): void {
    entries.push(entry)
    if (entries.length >= 2 * this.#linesOfEach) entries.splice(0, entries.length - this.#linesOfEach)
  }
}
