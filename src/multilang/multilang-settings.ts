// What the daemon is made from: the program of the processor, the worker, and how its children are dealt with. Types alone.
import type { WorkerOptions } from '../worker/options.ts'

/** The options of a worker that have to do with its code; the daemon brings that itself. */
type OptionOfCode = 'processor' | 'handler' | 'each' | 'threads' | 'concurrency' | 'logger'

/** Each kind of options without those of the code. */
type WithoutCode<Options> = Options extends unknown ? Omit<Options, OptionOfCode> : never

/** What the worker of the daemon is made with: every option of a worker but those of its code, and the logger. */
export type MultilangWorkerOptions = WithoutCode<WorkerOptions>

/** What the daemon is made from. */
export interface MultilangSettings {
  /** The program of the processor, and its arguments: executableName, split at spaces. Not empty. */
  readonly command: readonly string[]
  /** What the worker is made with, but for the user's code and the logger. */
  readonly worker: MultilangWorkerOptions
  /** How long a child may take for each message that is awaited. Milliseconds; undefined: for ever. */
  readonly answerTimeoutMs: number | undefined
  /** How long a stop waits for children to finish. Milliseconds. */
  readonly shutdownGraceMs: number
  /** How long a child may take to end once its standard input is closed, before it is killed. Milliseconds. */
  readonly exitTimeoutMs: number
  /** What the death of a child means: `restart` (default) concerns its shard only, `exit` ends the daemon with 1, as that of Java. */
  readonly onChildDeath: 'restart' | 'exit'
  /** How many shards one child may be given if it says that it can. 1: a child for each shard. */
  readonly shardsPerChild: number
}
