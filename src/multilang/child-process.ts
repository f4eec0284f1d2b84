// One child: its process and its three pipes. Writes to it no faster than it reads, drains what it says however much that is, and
// sees to it that it ends. What is said means nothing here.
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { messageOf, OptionError } from '../model/errors.ts'
import { anyOf, whenAborted } from '../runtime/abort.ts'
import type { Clock } from '../runtime/clock.ts'
import { deferred } from '../runtime/deferred.ts'
import type { Logger } from '../runtime/logger.ts'
import { type ChildLine, LineSplitter } from './line-splitter.ts'
import type { ChildDoor } from './system-children.ts'

/** What children are started with. */
export interface ChildSettings {
  /** The program and its arguments. */
  readonly command: readonly string[]
  readonly door: ChildDoor
  readonly clock: Clock
  readonly logger: Logger
  /** Where the lines go that children write to their standard error, beside the log. Absent: nowhere else. */
  readonly stderr?: { write(text: string): unknown } | undefined
  /** How long a child may take to end once its standard input is closed, before it is killed. Milliseconds. */
  readonly exitTimeoutMs: number
}

/** Who is told of what a child does. */
export interface ChildListener {
  /** A line of its standard output. */
  said(line: ChildLine): void
  /** Nobody can talk with it any more, and nobody has asked it to end: it has ended, or closed a pipe. Told once. */
  broke(because: string): void
}

/** Messages are short; what is longer is none. Bytes. */
const MAX_LINE_BYTES = 65_536
/** Lines of the standard error that are longer are told of in parts. Bytes. */
const MAX_LOGGED_BYTES = 8_192
/** How long a line of the standard error that does not end is waited for. Milliseconds. */
const PART_MS = 1_000
/** How long a child that has ended may keep its pipes open, through what it has started. Milliseconds. */
const PIPES_MS = 500
/** How long a child may take to end that has been sent SIGTERM, at most. Milliseconds. */
const TERM_MS = 5_000

/** A child that runs. */
export class Child {
  readonly #settings: ChildSettings
  readonly #listener: ChildListener
  readonly #process: ChildProcessWithoutNullStreams
  readonly #gone = deferred()
  /** Aborts once the process has ended. */
  readonly #exited = new AbortController()
  /** Aborts once it is to be waited for no more. */
  readonly #hurried = new AbortController()
  #writes: Promise<void> = Promise.resolve()
  #isBroken = false
  #isClosing = false
  #isPartDue = false
  #exit = 'it ended'

  /**
   * Starts a child.
   *
   * @throws OptionError if there is no such program, or it may not be run
   * @throws Error if the system does not start it for now
   */
  static async start(settings: ChildSettings, listener: ChildListener): Promise<Child> {
    const { door, command } = settings
    const started = door.spawn(command)
    await new Promise<void>((resolve, reject) => {
      started.once('spawn', resolve)
      started.once('error', error => reject(startError(error, command)))
    })
    return new Child(settings, listener, started)
  }

  private constructor(settings: ChildSettings, listener: ChildListener, started: ChildProcessWithoutNullStreams) {
    this.#settings = settings
    this.#listener = listener
    this.#process = started
    this.#watch()
  }

  /** Its process id. */
  get pid(): number {
    return this.#process.pid ?? 0
  }

  /** Resolves when it has ended and everything that it said is read. */
  get gone(): Promise<void> {
    return this.#gone.promise
  }

  /** Whether it can be talked to. */
  get isThere(): boolean {
    return !this.#isBroken && !this.#isClosing
  }

  /**
   * Writes a line, made of `pieces`, after those before it. The pieces are taken as fast as the child reads.
   *
   * @param progressed called whenever the child has read on
   * @returns resolves when all of it is handed to the pipe, or there is no use in going on
   */
  write(pieces: Iterable<string>, progressed: () => void = () => {}): Promise<void> {
    const written = this.#writes.then(async () => {
      const { stdin } = this.#process
      for (const piece of pieces) {
        if (!stdin.writable) return
        if (!stdin.write(piece, 'latin1')) await drained(stdin)
        progressed()
      }
    })
    this.#writes = written
    return written
  }

  /** Lets it end: closes its standard input, and ends it after a while if it does not. Resolves when it is gone. */
  async close(): Promise<void> {
    const { exitTimeoutMs, door } = this.#settings
    if (!this.#isClosing) {
      this.#isClosing = true
      this.#process.stdin.end()
      await this.#waitFor(exitTimeoutMs)
      if (!this.#exited.signal.aborted && !this.#hurried.signal.aborted) {
        this.#settings.logger.warn({ pid: this.pid, exitTimeoutMs }, 'a child did not end when its input did')
        door.signal(this.#process, 'SIGTERM')
        await this.#waitFor(Math.min(exitTimeoutMs, TERM_MS))
      }
      if (!this.#exited.signal.aborted) door.signal(this.#process, 'SIGKILL')
    }
    await this.gone
  }

  /** Ends it at once, with everything that it has started. */
  kill(): void {
    this.#isClosing = true
    this.#hurried.abort('killed')
    this.#settings.door.signal(this.#process, 'SIGKILL')
  }

  async #waitFor(ms: number): Promise<void> {
    await this.#settings.clock.sleep(ms, anyOf([this.#exited.signal, this.#hurried.signal]))
  }

  #watch(): void {
    const started = this.#process
    const { stdin, stdout, stderr } = started
    this.#readLines(stdout, new LineSplitter(MAX_LINE_BYTES), line => this.#listener.said(line))
    const errors = new LineSplitter(MAX_LOGGED_BYTES, 'in-parts')
    this.#readLines(stderr, errors, line => this.#tellError(line))
    stderr.on('data', () => void this.#tellPart(errors))
    stdin.on('error', error => this.#broke(`its standard input is closed: ${messageOf(error)}`))
    // Its end says more, and follows soon.
    stdout.once('close', () => void this.#closed('its standard output is closed'))
    started.on('error', () => {})
    started.once('exit', (code, signal) => {
      this.#exit = signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`
      this.#exited.abort('ended')
    })
    started.once('close', () => this.#finish())
    void whenAborted(this.#exited.signal).then(() => this.#closePipes())
  }

  /** Some write without ever ending a line: after a while it is told of what there is. */
  async #tellPart(errors: LineSplitter): Promise<void> {
    if (this.#isPartDue) return
    this.#isPartDue = true
    await this.#settings.clock.sleep(PART_MS, this.#exited.signal)
    this.#isPartDue = false
    const part = this.#exited.signal.aborted ? undefined : errors.part()
    if (part !== undefined) this.#tellError(part)
  }

  async #closed(because: string): Promise<void> {
    await this.#settings.clock.sleep(PIPES_MS, this.#exited.signal)
    if (!this.#exited.signal.aborted) this.#broke(because)
  }

  /** What a child has started may keep its pipes open. */
  async #closePipes(): Promise<void> {
    const { clock, door } = this.#settings
    const closed = new AbortController()
    void this.gone.then(() => closed.abort('gone'))
    await clock.sleep(PIPES_MS, closed.signal)
    if (closed.signal.aborted) return
    door.signal(this.#process, 'SIGKILL')
    const { stdin, stdout, stderr } = this.#process
    for (const pipe of [stdin, stdout, stderr]) pipe.destroy()
    this.#finish()
  }

  #finish(): void {
    this.#settings.door.gone(this.#process)
    this.#gone.resolve()
    this.#broke(this.#exit)
  }

  #broke(because: string): void {
    if (this.#isBroken) return
    this.#isBroken = true
    if (!this.#isClosing) this.#listener.broke(because)
  }

  #readLines(pipe: NodeJS.ReadableStream, splitter: LineSplitter, tell: (line: ChildLine) => void): void {
    pipe.on('data', (chunk: Uint8Array) => {
      for (const line of splitter.push(chunk)) tell(line)
    })
    pipe.on('error', () => {})
    pipe.once('end', () => {
      const rest = splitter.end()
      if (rest !== undefined) tell(rest)
    })
  }

  #tellError({ text: line, isCut }: ChildLine): void {
    const { logger, stderr } = this.#settings
    logger.info({ pid: this.pid, line, ...(isCut && { isCut }) }, 'a child wrote to its standard error')
    stderr?.write(isCut ? line : `${line}\n`)
  }
}

/** Resolves when a pipe has room again, or is closed. */
function drained(pipe: NodeJS.WritableStream): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      pipe.off('drain', done)
      pipe.off('close', done)
      pipe.off('error', done)
      resolve()
    }
    pipe.on('drain', done)
    pipe.on('close', done)
    pipe.on('error', done)
  })
}

/** What is wrong with the program will not pass; that there are too many processes will. */
function startError(error: NodeJS.ErrnoException, command: readonly string[]): Error {
  const shown = JSON.stringify(command.join(' ').slice(0, 200))
  const expected = 'expected a program in the PATH, or its path, and its arguments after it, separated by blanks'
  if (error.code === 'ENOENT') {
    const cause = { cause: error }
    return new OptionError('executableName', `is ${shown}, and there is no program ${command[0]}: ${expected}`, cause)
  }
  if (error.code !== 'EACCES' && error.code !== 'ENOEXEC') return error
  const problem = `is ${shown}, and ${command[0]} cannot be run (${error.code}): ${expected}`
  return new OptionError('executableName', problem, { cause: error })
}
