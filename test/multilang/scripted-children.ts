// Children that are no processes: they say what a test has them say, and write down what they hear. Their pipes are real streams.
import type { ChildProcess, ChildProcessWithoutNullStreams } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { PassThrough } from 'node:stream'
import type { ChildDoor } from '../../src/multilang/system-children.ts'

/** A message as a child hears it. */
export interface Heard {
  readonly action: string
  readonly shardId?: string
  readonly sequenceNumber?: string | null
  readonly subSequenceNumber?: number | null
  readonly error?: string | null
  readonly records?: readonly {
    readonly data: string
    readonly partitionKey: string
    readonly sequenceNumber: string
    readonly subSequenceNumber: number
  }[]
}

/** What a child does when it hears a message. Without one it is a good child: it checkpoints everything, and answers. */
export type Part = (message: Heard, child: ScriptedChild) => void

/** What children of a test are like. */
export interface Traits {
  /** What it does, by action; `checkpoint` for the answers to its own. */
  readonly on?: Readonly<Record<string, Part>>
  /** Whether it goes on although its standard input has ended. */
  readonly ignoresEnd?: boolean
  readonly ignoresTerm?: boolean
  /** Declared in the answer to `initialize`. */
  readonly maxShards?: number
}

export class ScriptedChild extends EventEmitter {
  readonly pid: number
  readonly stdin = new PassThrough()
  readonly stdout = new PassThrough()
  readonly stderr = new PassThrough()
  /** What it has heard, as JSON. */
  readonly heard: Heard[] = []
  readonly signals: string[] = []
  readonly #traits: Traits
  #rest = ''
  /** Of each shard that waits for the answer to a checkpoint: what it is at. */
  readonly #at = new Map<string | undefined, string>()
  isOver = false

  constructor(pid: number, traits: Traits) {
    super()
    this.pid = pid
    this.#traits = traits
    this.stdin.setEncoding('latin1').on('data', text => this.#read(text))
    this.stdin.on('end', () => {
      if (traits.ignoresEnd !== true) this.end(0)
    })
    setImmediate(() => this.emit('spawn'))
  }

  /** The actions that it has heard. */
  get actions(): string[] {
    return this.heard.map(({ action }) => action)
  }

  /** What it was given, as text. */
  get given(): string[] {
    return this.heard.flatMap(({ records = [] }) => records.map(({ data }) => Buffer.from(data, 'base64').toString()))
  }

  /** Says a message as the clients do, with an empty line before it. */
  say(message: object): void {
    this.stdout.write(`\n${JSON.stringify(message)}\n`)
  }

  /** Answers what it was asked to do. */
  done(action: string, shardId?: string): void {
    const { maxShards } = this.#traits
    const declared = maxShards !== undefined && action === 'initialize' ? { maxShards } : {}
    this.say({ action: 'status', responseFor: action, ...declared, ...(maxShards !== undefined && { shardId }) })
  }

  /** Ends, with everything that it has said. */
  end(code: number | null, signal: string | null = null): void {
    if (this.isOver) return
    this.isOver = true
    this.emit('exit', code, signal)
    this.stdout.end()
    this.stderr.end()
    this.stdin.destroy()
    setImmediate(() => this.emit('close', code, signal))
  }

  signal(name: string): void {
    this.signals.push(name)
    if (name === 'SIGKILL' || this.#traits.ignoresTerm !== true) this.end(null, name)
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#hear(JSON.parse(line) as Heard)
  }

  #hear(message: Heard): void {
    if (this.isOver) return
    this.heard.push(message)
    const { action, shardId } = message
    const part = this.#traits.on?.[action]
    if (part !== undefined) {
      part(message, this)
      return
    }
    const shared = this.#traits.maxShards === undefined ? {} : { shardId }
    if (action === 'checkpoint') {
      const at = this.#at.get(shardId)
      this.#at.delete(shardId)
      if (at !== undefined) this.done(at, shardId)
    } else if (action === 'processRecords' || action === 'shardEnded' || action === 'shutdownRequested') {
      this.#at.set(shardId, action)
      this.say({ action: 'checkpoint', sequenceNumber: null, ...shared })
    } else this.done(action, shardId)
  }
}

/** A door behind which the n-th child is made with the n-th traits, or else with the last. */
export class ScriptedChildren implements ChildDoor {
  readonly all: ScriptedChild[] = []
  readonly #traits: readonly Traits[]

  constructor(...traits: readonly Traits[]) {
    this.#traits = traits
  }

  /** The newest. */
  get last(): ScriptedChild {
    return this.all.at(-1) as ScriptedChild
  }

  spawn(): ChildProcessWithoutNullStreams {
    const traits = this.#traits[this.all.length] ?? this.#traits.at(-1) ?? {}
    const child = new ScriptedChild(this.all.length + 1, traits)
    this.all.push(child)
    return child as unknown as ChildProcessWithoutNullStreams
  }

  signal(child: ChildProcess, name: 'SIGTERM' | 'SIGKILL'): void {
    ;(child as unknown as ScriptedChild).signal(name)
  }

  gone(): void {}
}
