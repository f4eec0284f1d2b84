// The thread's side of a pool: makes the processors that live here, calls them as it is told, and tells what becomes of it.
import type { MessagePort } from 'node:worker_threads'
import type { Checkpointer } from '../checkpoint/checkpointer.ts'
import { BugError, OptionError } from '../model/errors.ts'
import type { ConsumedRecord } from '../model/record.ts'
import { type ExtendedSequenceNumber, positionOf } from '../model/sequence-number.ts'
import { HandlerProcessor } from './handler-processor.ts'
import { asProcessor, type RecordProcessor } from './record-processor.ts'
import { unpackBatch } from './thread-batch.ts'
import { receivedError, sentError } from './thread-errors.ts'
import type { CheckpointAnswer, CheckpointWish, FromThread, SentCall, ToThread } from './thread-messages.ts'
import { ThreadSignals } from './thread-signals.ts'

/** A processor that lives here, once it is made, and the batch that it may be given again. */
interface Hosted {
  processor?: RecordProcessor
  batch?: readonly ConsumedRecord[]
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

/** The processors of one thread. */
export class ThreadHost {
  readonly #port: Pick<MessagePort, 'postMessage'>
  readonly #make: () => RecordProcessor
  readonly #signals: ThreadSignals
  readonly #hosted = new Map<number, Hosted>()
  readonly #asked = new Map<number, Asked>()
  #asks = 0

  /**
   * @param port where what happens is told
   * @param aborts where it is said that signals have aborted
   * @param make makes a processor, as the user's module does
   */
  constructor(port: Pick<MessagePort, 'postMessage'>, aborts: MessagePort, make: () => RecordProcessor) {
    this.#port = port
    this.#make = make
    this.#signals = new ThreadSignals(aborts)
  }

  /** Does what the main thread says. */
  hear(message: ToThread): void {
    switch (message.kind) {
      case 'call':
        void this.#run(message.call, message.processor, message.made)
        break
      case 'answer':
        this.#hearAnswer(message.ask, message.answer)
        break
      case 'let-go':
        delete this.#hosted.get(message.processor)?.batch
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
      await this.#call({ call, processor, shardId: made.input.shardId }, made, signal)
      this.#tell({ kind: 'returned', call })
    } catch (error) {
      this.#tell({ kind: 'threw', call, error: sentError(error) })
    } finally {
      if (made.method !== 'initialize') this.#signals.close(call)
    }
  }

  #call(of: CallOf, made: SentCall, signal: AbortSignal): void | Promise<void> {
    const hosted = this.#hostedAs(of.processor)
    if (made.method === 'initialize') {
      hosted.forLife.push(of.call)
      hosted.processor ??= asProcessor(this.#make())
      return hosted.processor.initialize({ ...made.input, signal })
    }
    const { processor } = hosted
    if (processor === undefined) throw new BugError(`${made.method} was called before initialize`)
    if (made.method === 'leaseLost') return processor.leaseLost(made.input)
    const checkpointer = this.#checkpointer(of)
    if (made.method !== 'processRecords') return processor[made.method]({ ...made.input, checkpointer, signal })
    // A copy each time: what the processor does to its array must not change what it is given again.
    const records = this.#batchOf(hosted, made.batch).slice(typeof made.batch === 'number' ? made.batch : 0)
    return processor.processRecords({ ...made.input, records, checkpointer, signal })
  }

  #hostedAs(number: number): Hosted {
    const hosted = this.#hosted.get(number) ?? { forLife: [] }
    this.#hosted.set(number, hosted)
    return hosted
  }

  #batchOf(hosted: Hosted, sent: Extract<SentCall, { readonly method: 'processRecords' }>['batch']) {
    const batch = typeof sent === 'number' ? hosted.batch : unpackBatch(sent)
    if (batch === undefined) throw new BugError('A batch is to be processed again that is not here any more')
    hosted.batch = batch
    return batch
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

  #tell(message: FromThread): void {
    this.#port.postMessage(message)
  }
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

function exportsOf(module: object): { readonly handler?: unknown; readonly processor?: unknown } {
  const isHere = 'handler' in module || 'processor' in module
  return isHere ? module : Object(Reflect.get(module, 'default'))
}

function isFunction(value: unknown): value is (...given: unknown[]) => unknown {
  return typeof value === 'function' && !/^class\b/.test(Function.prototype.toString.call(value))
}

function wishAt(at: ExtendedSequenceNumber | undefined): { at?: ExtendedSequenceNumber } {
  return at === undefined ? {} : { at: positionOf(at) }
}
