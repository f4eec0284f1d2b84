// The code of a user as a simulated worker runs it: what it is given and what it says to be done is watched, and it can be
// made slow, made to fail, or made never to return.
import type { Checkpointer, PreparedCheckpoint } from '../checkpoint/checkpointer.ts'
import type { ConsumedRecord } from '../model/record.ts'
import { type ExtendedSequenceNumber, isPosition } from '../model/sequence-number.ts'
import { type Handler, HandlerProcessor, keepsNothing } from '../processor/handler-processor.ts'
import {
  asProcessor,
  type InitializeInput,
  type LeaseLostInput,
  type ProcessRecordsInput,
  type ProcessRecordsOutcome,
  RecordProcessor,
  type ShardEndedInput,
  type ShutdownRequestedInput
} from '../processor/record-processor.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { Gate } from './gate.ts'

/** Is told of every call of `processRecords`. `Call` is what it makes of one. */
export interface ProcessorWatch<Call> {
  /** A call begins. */
  begin(shardId: string, records: readonly ConsumedRecord[], signal: AbortSignal): Call
  /** The code of the user has done all that it was given in this call. */
  vouch(call: Call): void
  /** The code of the user says that what it was given up to a position is done. */
  vouchUpTo(shardId: string, position: ExtendedSequenceNumber): void
  /** A call is over; `isDone` if nothing was thrown. */
  end(call: Call, isDone: boolean): void
}

/** How the code of the user is made to behave, by seed. Nothing is changed by default. */
export interface Conduct {
  /** How long each call takes beside what the user's code takes. Milliseconds: least and most. */
  readonly takesMs?: readonly [least: number, most: number]
  /** Share of the calls that fail before the user's code is called, from 0 to 1. */
  readonly failing?: number
  /** Share of the calls that never return, from 0 to 1. */
  readonly hanging?: number
}

/** What watched processors are made with. */
export interface WatchOptions<Call> {
  readonly watch: ProcessorWatch<Call>
  readonly conduct: Conduct
  /** Of the worker: its processors stand still when it does. */
  readonly gate: Gate
  readonly clock: Clock
  readonly random: Random
}

/** Makes watched processors of a handler. What it has returned from is done. */
export function watchedHandler<Call>(handler: Handler, options: WatchOptions<Call>): () => RecordProcessor {
  return () => {
    let watched: WatchedProcessor<Call> | undefined
    const inner = new HandlerProcessor(async (records, context) => {
      await conducted(options)
      const outcome = await handler(records, context)
      if (!options.gate.isOpen) await options.gate.pass()
      if (outcome === undefined) watched?.vouch()
      return outcome
    })
    watched = new WatchedProcessor(inner, { ...options, conduct: {} }, false)
    return watched
  }
}

/** Makes watched processors of those that `make` makes. What they checkpoint, or have returned from, is done. */
export function watchedProcessors<Call>(
  make: () => RecordProcessor,
  options: WatchOptions<Call>
): () => RecordProcessor {
  return () => new WatchedProcessor(asProcessor(make()), options, true)
}

class WatchedProcessor<Call> extends RecordProcessor {
  readonly #inner: RecordProcessor
  readonly #options: WatchOptions<Call>
  /** Whether a checkpoint is a word of the user's own; that of a handler is the framework's. */
  readonly #checkpointsItself: boolean
  #call: Call | undefined

  constructor(inner: RecordProcessor, options: WatchOptions<Call>, checkpointsItself: boolean) {
    super()
    this.#inner = inner
    this.#options = options
    this.#checkpointsItself = checkpointsItself
    if (inner.loadCheckpoint !== undefined) {
      this.loadCheckpoint = input => this.#gated(async () => inner.loadCheckpoint?.(input))
    }
    if (inner.saveCheckpoint !== undefined) {
      this.saveCheckpoint = input => this.#gated(async () => inner.saveCheckpoint?.(input))
    }
  }

  /** As that of the processor that is watched. */
  get keepsNothing(): boolean {
    return keepsNothing(this.#inner)
  }

  vouch(): void {
    if (this.#call !== undefined) this.#options.watch.vouch(this.#call)
  }

  override async initialize(input: InitializeInput): Promise<void> {
    await this.#gated(() => this.#inner.initialize(input))
  }

  override async processRecords(input: ProcessRecordsInput): Promise<ProcessRecordsOutcome> {
    const { watch } = this.#options
    const { shardId, records, signal } = input
    const call = watch.begin(shardId, records, signal)
    this.#call = call
    let isDone = false
    try {
      const outcome = await this.#gated(async () => {
        await conducted(this.#options)
        return this.#inner.processRecords({
          ...input,
          checkpointer: this.#watched(shardId, input.checkpointer, records.at(-1))
        })
      })
      isDone = outcome === undefined
      return outcome
    } finally {
      this.#call = undefined
      watch.end(call, isDone)
    }
  }

  override async leaseLost(input: LeaseLostInput): Promise<void> {
    await this.#gated(() => this.#inner.leaseLost(input))
  }

  override async shardEnded(input: ShardEndedInput): Promise<void> {
    const checkpointer = this.#watched(input.shardId, input.checkpointer)
    await this.#gated(() => this.#inner.shardEnded({ ...input, checkpointer }))
  }

  override async shutdownRequested(input: ShutdownRequestedInput): Promise<void> {
    const checkpointer = this.#watched(input.shardId, input.checkpointer)
    await this.#gated(() => this.#inner.shutdownRequested({ ...input, checkpointer }))
  }

  /** Whatever comes of a call, the worker learns of it only while it runs. */
  async #gated<T>(call: () => T | Promise<T>): Promise<T> {
    const { gate } = this.#options
    try {
      return await call()
    } finally {
      if (!gate.isOpen) await gate.pass()
    }
  }

  /** A checkpoint says that what it covers is done. Without a record it covers `last`, if there is such a thing. */
  #watched(shardId: string, checkpointer: Checkpointer, last?: ConsumedRecord): Checkpointer {
    if (!this.#checkpointsItself) return checkpointer
    const { watch } = this.#options
    const said = (at: ExtendedSequenceNumber | undefined): void => {
      const position = at ?? last
      if (position !== undefined && isPosition(position)) watch.vouchUpTo(shardId, position)
    }
    return {
      checkpoint: at => {
        said(at)
        return checkpointer.checkpoint(at)
      },
      prepareCheckpoint: async (at, state): Promise<PreparedCheckpoint> => {
        const prepared = await checkpointer.prepareCheckpoint(at, state)
        const { position } = prepared
        return {
          position,
          checkpoint: () => {
            said(position)
            return prepared.checkpoint()
          }
        }
      }
    }
  }
}

/** What the seed does to a call. */
async function conducted<Call>({ conduct, clock, random }: WatchOptions<Call>): Promise<void> {
  const { takesMs: [least, most] = [0, 0], failing = 0, hanging = 0 } = conduct
  if (most > 0) await clock.sleep(least + random.next() * (most - least))
  if (hanging > 0 && random.next() < hanging) await new Promise<never>(() => {})
  if (failing > 0 && random.next() < failing) throw new Error('The simulation makes this call fail')
}
