// The thread's side of a pool: makes the processors that live here, calls them as it is told, and tells what becomes of it.
import type { MessagePort } from 'node:worker_threads'
import type { Checkpointer } from '../checkpoint/checkpointer.ts'
import type { DecodeFunction } from '../decoding/decoder.ts'
import type { WithinTrace } from '../metrics/tracing.ts'
import { BugError, OptionError } from '../model/errors.ts'
import type { ConsumedRecord } from '../model/record.ts'
import { type ExtendedSequenceNumber, positionOf } from '../model/sequence-number.ts'
import { HandlerProcessor, keepsNothing } from './handler-processor.ts'
import { asProcessor, type RecordProcessor } from './record-processor.ts'
import { packBatch, takenFrom, unpackBatch } from './thread-batch.ts'
import { decodeFunctionIn, type ThreadDecoding } from './thread-decoding.ts'
import { receivedError, sentError } from './thread-errors.ts'
import type { ThreadNotes } from './thread-memory.ts'
import type { CheckpointAnswer, CheckpointWish, FromThread, SentCall, ToThread, Traits } from './thread-messages.ts'
import { failedIn, ThreadSettling } from './thread-settling.ts'
import { ThreadSignals } from './thread-signals.ts'

/** Where a host is told and tells, and how it makes processors. */
export interface ThreadHostOptions {
  /** Where what happens is told. */
  readonly port: Pick<MessagePort, 'postMessage'>
  /** Where it is said that signals have aborted. */
  readonly aborts: MessagePort
  readonly notes: ThreadNotes
  /** Makes a processor, as the user's module does. */
  readonly make: () => RecordProcessor
  /** Makes what decodes the records of a batch. Absent: they are given as they are. */
  readonly makeDecoding?: (() => ThreadDecoding) | undefined
  /** Has a call be inside of the span that it is part of. Absent: nobody traces. */
  readonly within?: WithinTrace | undefined
}

/** A processor that lives here, once it is made, and the batch that it may be given again. */
interface Hosted {
  processor?: RecordProcessor
  batch?: readonly ConsumedRecord[]
  /** What is decoded of that. */
  decoding?: ThreadDecoding | undefined
  /** The calls whose signals are good for as long as the processor lives. */
  readonly forLife: number[]
}

/** Which call of which processor something is for. */
interface CallOf {
  readonly call: number
  readonly processor: number
  readonly shardId: string
}

/** Where what is asked of the main thread is answered. */
interface Asked {
  readonly granted: (position: ExtendedSequenceNumber | undefined) => void
  readonly refused: (error: unknown) => void
}

/** A call of the user's code. */
type MadeCall = Exclude<SentCall, { readonly method: 'recover' }>
type ProcessCall = Extract<SentCall, { readonly method: 'processRecords' }>

/** The processors of one thread. */
export class ThreadHost {
  readonly #options: ThreadHostOptions
  readonly #signals: ThreadSignals
  readonly #hosted = new Map<number, Hosted>()
  readonly #asked = new Map<number, Asked>()
  #asks = 0

  constructor(options: ThreadHostOptions) {
    this.#options = options
    this.#signals = new ThreadSignals(options.aborts)
  }

  /** Does what the main thread says. */
  hear(message: ToThread): void {
    switch (message.kind) {
      case 'call':
        if (message.waits) this.#tell({ kind: 'begun', call: message.call })
        void this.#run(message.call, message.processor, message.made)
        break
      case 'ping':
        this.#options.notes.hear(message.ping)
        break
      case 'answer':
        this.#hearAnswer(message.ask, message.answer)
        break
      case 'let-go':
        delete this.#hosted.get(message.processor)?.batch
        delete this.#hosted.get(message.processor)?.decoding
        break
      case 'end':
        for (const call of this.#hosted.get(message.processor)?.forLife ?? []) this.#signals.close(call)
        this.#hosted.delete(message.processor)
        break
      case 'load':
        throw new BugError('A thread was told twice which module to load')
    }
  }

  async #run(call: number, processor: number, made: SentCall): Promise<void> {
    const signal = this.#signals.open(call)
    try {
      if (made.method === 'recover') await this.#giveBack(call, this.#hostedAs(processor), made.picked)
      else {
        // If its code never lets go of the thread, everybody can see whose it was.
        const value = await this.#options.notes.during(call, () => this.#call(call, processor, made, signal))
        this.#tell({ kind: 'returned', call, ...(value !== undefined && { value }) })
      }
    } catch (error) {
      this.#tell({ kind: 'threw', call, error: sentError(error) })
    } finally {
      if (made.method !== 'initialize') this.#signals.close(call)
    }
  }

  #call(call: number, number: number, made: MadeCall, signal: AbortSignal): unknown {
    const hosted = this.#hostedAs(number)
    if (made.method === 'make') return this.#make(hosted)
    const { processor } = hosted
    if (processor === undefined) throw new BugError(`${made.method} was called before the processor was made`)
    switch (made.method) {
      case 'initialize':
        hosted.forLife.push(call)
        return withoutValue(processor.initialize({ ...made.input, signal }))
      case 'loadCheckpoint':
        return processor.loadCheckpoint?.({ ...made.input, signal })
      case 'saveCheckpoint':
        return withoutValue(processor.saveCheckpoint?.({ ...made.input, signal }))
      case 'leaseLost':
        return withoutValue(processor.leaseLost(made.input))
      case 'decode':
        return this.#decode(hosted, made)
      case 'processRecords':
        return this.#process({ call, processor: number, shardId: made.input.shardId }, hosted, made, signal)
      case 'shardEnded':
      case 'shutdownRequested': {
        const checkpointer = this.#checkpointer({ call, processor: number, shardId: made.input.shardId })
        return withoutValue(processor[made.method]({ ...made.input, checkpointer, signal }))
      }
    }
  }

  #make(hosted: Hosted): Traits {
    hosted.processor ??= asProcessor(this.#options.make())
    const { processor } = hosted
    return {
      keepsNothing: keepsNothing(processor),
      decodes: this.#options.makeDecoding !== undefined,
      loads: processor.loadCheckpoint !== undefined,
      saves: processor.saveCheckpoint !== undefined
    }
  }

  #process(of: CallOf, hosted: Hosted, call: ProcessCall, signal: AbortSignal) {
    const { input, settled, trace } = call
    const { within } = this.#options
    const { processor } = hosted as Required<Hosted>
    // A copy each time: what the processor does to its array must not change what it is given again.
    const taken = this.#taken(hosted, call)
    const records = hosted.decoding?.given(taken) ?? taken
    const settling = new ThreadSettling(records.slice(), settled)
    const settle = (record: ExtendedSequenceNumber): void => settling.settle(record)
    const checkpointer = this.#checkpointer(of)
    const work = async () => processor.processRecords({ ...input, records, checkpointer, settle, signal })
    const outcome = trace === undefined || within === undefined ? work() : within(trace, work)
    return outcome.then(failedIn).finally(() => settling.close())
  }

  async #decode(hosted: Hosted, call: Extract<SentCall, { readonly method: 'decode' }>) {
    const records = this.#taken(hosted, call)
    return hosted.decoding?.decode(records)
  }

  /** The records that a call is about. */
  #taken(hosted: Hosted, { batch, picked }: Pick<ProcessCall, 'batch' | 'picked'>): ConsumedRecord[] {
    if (batch !== undefined) {
      hosted.batch = unpackBatch(batch)
      hosted.decoding = this.#options.makeDecoding?.()
    }
    return takenFrom(this.#batchOf(hosted), picked)
  }

  #hostedAs(number: number): Hosted {
    const hosted = this.#hosted.get(number) ?? { forLife: [] }
    this.#hosted.set(number, hosted)
    return hosted
  }

  #batchOf({ batch }: Hosted): readonly ConsumedRecord[] {
    if (batch === undefined) throw new BugError('Records are asked for that are not in this thread any more')
    return batch
  }

  /** Sends copies of records: the batch stays here. */
  async #giveBack(call: number, hosted: Hosted, picked: Int32Array): Promise<void> {
    const pause = async (): Promise<void> => {}
    const { batch, transfer } = await packBatch(takenFrom(this.#batchOf(hosted), picked), { own: new Set(), pause })
    this.#tell({ kind: 'returned', call, value: batch }, transfer)
  }

  #checkpointer(of: CallOf): Checkpointer {
    return {
      checkpoint: async at => void (await this.#ask(of, { kind: 'checkpoint', ...wishAt(at) })),
      prepareCheckpoint: async (at, state) => {
        // Of a view, everything would be sent that it is a view on.
        const own = state instanceof Uint8Array ? new Uint8Array(state) : state
        const wish = { kind: 'prepare', ...wishAt(at), ...(own !== undefined && { state: own }) } as const
        const { ask: prepared, position } = await this.#ask(of, wish)
        if (position === undefined) throw new BugError('A checkpoint was prepared nowhere')
        return { position, checkpoint: async () => void (await this.#ask(of, { kind: 'make', prepared })) }
      }
    }
  }

  #ask(of: CallOf, wish: CheckpointWish): Promise<{ ask: number; position: ExtendedSequenceNumber | undefined }> {
    const ask = ++this.#asks
    return new Promise((resolve, reject) => {
      this.#tell({ kind: 'ask', ask, ...of, wish })
      this.#asked.set(ask, { granted: position => resolve({ ask, position }), refused: reject })
    })
  }

  #hearAnswer(ask: number, answer: CheckpointAnswer): void {
    const asked = this.#asked.get(ask)
    this.#asked.delete(ask)
    if (answer.kind === 'granted') asked?.granted(answer.position)
    else asked?.refused(receivedError(answer.error))
  }

  #tell(message: FromThread, transfer: readonly ArrayBuffer[] = []): void {
    this.#options.port.postMessage(message, transfer)
  }
}

/** What the user's module has records decoded with, if it exports a `decode`. @throws OptionError if that is something else */
export function decodeIn(module: object): DecodeFunction<unknown> | undefined {
  return decodeFunctionIn(exportsOf(module))
}

/**
 * How the user's module makes a processor: it exports a `handler`, or a `processor` that makes one.
 *
 * @param module what importing it has brought; of a CommonJS module that is in its `default`
 * @param data what `processor` is called with
 * @throws OptionError if there is neither, or both, or one of them is something else
 */
export function processorMaker(module: object, data: unknown): () => RecordProcessor {
  const { handler, processor } = exportsOf(module)
  if ((handler === undefined) === (processor === undefined)) {
    const found = handler === undefined ? 'neither a handler nor a processor' : 'a handler and a processor'
    throw new OptionError('threads.module', `exports ${found}, expected one of the two`)
  }
  if (handler !== undefined) {
    if (isFunction(handler)) return () => new HandlerProcessor(handler as never)
    throw new OptionError(
      'threads.module',
      'exports a handler that is no function (records, context) => void or a promise'
    )
  }
  if (isFunction(processor)) return () => processor(data) as RecordProcessor
  const problem =
    'exports a processor that is no function that makes a RecordProcessor, such as () => new MyProcessor()'
  throw new OptionError('threads.module', problem)
}

function exportsOf(module: object): { readonly handler?: unknown; processor?: unknown; decode?: unknown } {
  const isHere = 'handler' in module || 'processor' in module
  return isHere ? module : Object(Reflect.get(module, 'default'))
}

function isFunction(value: unknown): value is (...given: unknown[]) => unknown {
  return typeof value === 'function' && !/^class\b/.test(Function.prototype.toString.call(value))
}

function wishAt(at: ExtendedSequenceNumber | undefined): { at?: ExtendedSequenceNumber } {
  return at === undefined ? {} : { at: positionOf(at) }
}

/** What the method returns is nobody's business, and may be something that cannot be sent. */
async function withoutValue(outcome: unknown): Promise<void> {
  await outcome
}
