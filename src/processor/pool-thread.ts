// One thread of a pool as the main thread has it: the processors that live in it, their calls, their signals and their
// checkpoints, and the end of all of them when the thread ends.
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import type { Checkpointer } from '../checkpoint/checkpointer.ts'
import { LeaseLostError, messageOf, OptionError, ProcessorGoneError } from '../model/errors.ts'
import { ThreadCheckpoints } from './thread-checkpoints.ts'
import { receivedError, type SentError, sentError } from './thread-errors.ts'
import type { FromThread, SentAbort, SentAsk, SentCall, ToThread } from './thread-messages.ts'

/** What a thread is started with, and who is told of its end. */
export interface PoolThreadOptions {
  /** Where the code of the thread is. */
  readonly url: URL
  /** The user's module. */
  readonly module: URL
  /** What the module is given; has to be clonable. */
  readonly data: unknown
  /** How large the heap of the thread may grow. Megabytes; default: what Node allows. */
  readonly maxHeapMb?: number | undefined
  /** Told once, when the thread ended on its own or is of no use. */
  readonly ended: (thread: PoolThread, error: ThreadEnd) => void
}

/** Why a thread ended: in words, and the error behind it. An OptionError: its module is not what it has to be. */
export interface ThreadEnd {
  readonly because: string
  readonly cause?: unknown
}

/** What goes with a call. */
export interface CallParts {
  readonly signal?: AbortSignal
  readonly checkpointer?: Checkpointer
  readonly transfer?: readonly ArrayBuffer[]
}

interface PendingCall {
  readonly place: ThreadPlace
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** A thread. It does not keep the process alive. */
export class PoolThread {
  readonly #options: PoolThreadOptions
  readonly #worker: Worker
  readonly #aborts: MessagePort
  readonly #places = new Map<number, ThreadPlace>()
  readonly #calls = new Map<number, PendingCall>()
  #placesMade = 0
  #callsMade = 0
  #end: ThreadEnd | undefined

  constructor(options: PoolThreadOptions) {
    const { url, module, data, maxHeapMb } = options
    this.#options = options
    const { port1, port2 } = new MessageChannel()
    this.#aborts = port1
    this.#worker = new Worker(url, {
      name: 'millrace-processor',
      workerData: data,
      ...(maxHeapMb !== undefined && { resourceLimits: { maxOldGenerationSizeMb: maxHeapMb } })
    })
    this.#worker.unref()
    this.#worker.on('message', (message: FromThread) => this.#hear(message))
    this.#worker.on('messageerror', error => this.#break({ because: messageOf(error), cause: error }))
    this.#worker.on('error', error => this.#break(endBy(error)))
    this.#worker.on('exit', code => this.#break({ because: `it ended on its own, with exit code ${code}` }))
    this.post({ kind: 'load', module: module.href, aborts: port2 }, [port2])
  }

  /** Why the thread ended, if it has. */
  get end(): ThreadEnd | undefined {
    return this.#end
  }

  /** The processors that live here. */
  get places(): readonly ThreadPlace[] {
    return [...this.#places.values()]
  }

  /** Makes room for one more processor. */
  admit(shardId: string): ThreadPlace {
    const place = new ThreadPlace(this, ++this.#placesMade, shardId)
    this.#places.set(place.number, place)
    return place
  }

  /** Has nothing to do with a processor any more. */
  dismiss(place: ThreadPlace): void {
    place.unwatch()
    if (!this.#places.delete(place.number)) return
    this.post({ kind: 'end', processor: place.number })
  }

  /** Has a call made. Rejects as it does, or with ProcessorGoneError. @throws DataCloneError if something cannot be sent */
  call(place: ThreadPlace, made: SentCall, { signal, checkpointer, transfer = [] }: CallParts): Promise<void> {
    if (this.#end !== undefined) return Promise.reject(this.#errorFor(place.shardId, this.#end))
    const call = ++this.#callsMade
    if (signal?.aborted) this.#aborts.postMessage(sentAbort(call, signal))
    this.post({ kind: 'call', call, processor: place.number, made }, transfer)
    if (checkpointer !== undefined) place.checkpoints.add(call, checkpointer)
    if (signal !== undefined) this.#watch(signal, call, place, made.method === 'initialize')
    return new Promise((resolve, reject) => {
      this.#calls.set(call, { place, resolve, reject })
    })
  }

  /** Says something to the thread, if it runs. */
  post(message: ToThread, transfer: readonly (ArrayBuffer | MessagePort)[] = []): void {
    if (this.#end === undefined) this.#worker.postMessage(message, transfer)
  }

  /** Ends the thread, whatever it is at. Resolves when it is gone. */
  async close(): Promise<void> {
    this.#finish({ because: 'it was ended, because the worker has stopped' })
    await this.#worker.terminate()
  }

  #hear(message: FromThread): void {
    switch (message.kind) {
      case 'returned':
        this.#settle(message.call)?.resolve()
        break
      case 'threw':
        this.#settle(message.call)?.reject(receivedError(message.error))
        break
      case 'ask':
        void this.#answer(message)
        break
      case 'unusable':
        this.#break({ because: 'its module is of no use', cause: receivedError(message.error) })
    }
  }

  #settle(call: number): PendingCall | undefined {
    const pending = this.#calls.get(call)
    this.#calls.delete(call)
    return pending
  }

  async #answer({ ask, processor, shardId, call, wish }: SentAsk): Promise<void> {
    const place = this.#places.get(processor)
    // A processor is not called any more once its lease is not held any more.
    const lost = (): SentError => sentError(new LeaseLostError(shardId, 'it was given back'))
    const answer = place
      ? await place.checkpoints.answer(ask, call, wish)
      : ({ kind: 'refused', error: lost() } as const)
    this.post({ kind: 'answer', ask, answer })
  }

  /** Tells the thread once the signal has aborted: during the call, or, for `initialize`, as long as the processor lives. */
  #watch(signal: AbortSignal, call: number, place: ThreadPlace, isForLife: boolean): void {
    const forward = (): void => {
      const isOver = isForLife ? !this.#places.has(place.number) : !this.#calls.has(call)
      if (!isOver && this.#end === undefined) this.#aborts.postMessage(sentAbort(call, signal))
    }
    signal.addEventListener('abort', forward, { once: true })
    // The signal of `initialize` outlives the thread.
    if (!isForLife) return
    place.unwatch()
    place.unwatch = () => signal.removeEventListener('abort', forward)
  }

  #break(end: ThreadEnd): void {
    if (this.#end !== undefined) return
    this.#finish(end)
    void this.#worker.terminate()
    this.#options.ended(this, end)
  }

  #finish(end: ThreadEnd): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#aborts.close()
    for (const place of this.#places.values()) place.unwatch()
    for (const { place, reject } of this.#calls.values()) reject(this.#errorFor(place.shardId, end))
    this.#calls.clear()
  }

  #errorFor(shardId: string, { because, cause }: ThreadEnd): Error {
    return cause instanceof OptionError
      ? cause
      : new ProcessorGoneError(shardId, because, cause !== undefined ? { cause } : {})
  }
}

/** The place of one processor in a thread, from its `initialize` on. */
export class ThreadPlace {
  readonly #thread: PoolThread
  readonly number: number
  readonly shardId: string
  readonly checkpoints = new ThreadCheckpoints()
  /** Stops looking at the signal of its `initialize`. */
  unwatch: () => void = () => {}

  constructor(thread: PoolThread, number: number, shardId: string) {
    this.#thread = thread
    this.number = number
    this.shardId = shardId
  }

  /** Whether the thread has ended, and everything in it. */
  get isGone(): boolean {
    return this.#thread.end !== undefined
  }

  /** Has a call made. Rejects as it does, or with ProcessorGoneError. */
  call(made: SentCall, parts: CallParts = {}): Promise<void> {
    return this.#thread.call(this, made, parts)
  }

  /** The batch that the processor was given last does not come again. */
  letGo(): void {
    this.#thread.post({ kind: 'let-go', processor: this.number })
  }

  /** The processor is not called any more. */
  leave(): void {
    this.#thread.dismiss(this)
  }
}

function sentAbort(call: number, { reason }: AbortSignal): SentAbort {
  return { call, reason: sentError(reason) }
}

function endBy(error: unknown): ThreadEnd {
  const isOutOfMemory = Reflect.get(Object(error), 'code') === 'ERR_WORKER_OUT_OF_MEMORY'
  if (isOutOfMemory)
    return { because: 'it ran out of memory; option threads.maxHeapMb says how much there is', cause: error }
  return { because: `it threw an error that nobody caught: ${messageOf(error)}`, cause: error }
}
