// One thread of a pool as the main thread has it: the processors that live in it, their calls, their signals and their
// checkpoints, and the end of all of them when the thread ends.
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import type { Checkpointer } from '../checkpoint/checkpointer.ts'
import {
  type HandlerTimeoutError,
  LeaseLostError,
  messageOf,
  OptionError,
  ProcessorGoneError
} from '../model/errors.ts'
import type { Blame } from './hosted-processor.ts'
import type { ShardPlace } from './record-processor.ts'
import { ThreadCheckpoints } from './thread-checkpoints.ts'
import { receivedError, type SentError, sentError } from './thread-errors.ts'
import { ThreadNotes } from './thread-memory.ts'
import type { FromThread, SentAbort, SentAsk, SentCall, ToThread } from './thread-messages.ts'

/** What a thread is started with, and who is told of its end. */
export interface PoolThreadOptions {
  /** Where the code of the thread is. */
  readonly url: URL
  /** The user's module. */
  readonly module: URL
  /** A module that continues traces. Absent: nobody traces. */
  readonly tracing?: URL | undefined
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
  /** Told once the thread begins with the call, if it ever does. */
  readonly begun?: () => void
}

interface PendingCall {
  readonly number: number
  readonly place: ThreadPlace
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  readonly begun: () => void
  /** Whether it has to wait for others, as far as is known. */
  isWaiting: boolean
  /** Stops looking at its signal. */
  unwatch: () => void
}

const nothing = (): void => {}

/** A thread. It does not keep the process alive. */
export class PoolThread {
  readonly #options: PoolThreadOptions
  readonly #worker: Worker
  readonly #aborts: MessagePort
  readonly #places = new Map<number, ThreadPlace>()
  readonly #calls = new Map<number, PendingCall>()
  readonly #notes = new ThreadNotes()
  #pings = 0
  #placesMade = 0
  #callsMade = 0
  #end: ThreadEnd | undefined

  constructor(options: PoolThreadOptions) {
    const { url, module, tracing, data, maxHeapMb } = options
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
    this.#worker.on('error', error => this.#break(endBy(error), call => this.#hasEnded(call)))
    this.#worker.on('exit', code => {
      this.#break({ because: `it ended on its own, with exit code ${code}` }, call => this.#hasEnded(call))
    })
    const loaded = { module: module.href, ...(tracing && { tracing: tracing.href }) }
    this.post({ kind: 'load', ...loaded, aborts: port2, notes: this.#notes.memory }, [port2])
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
  admit(shard: ShardPlace): ThreadPlace {
    const place = new ThreadPlace(this, ++this.#placesMade, shard)
    this.#places.set(place.number, place)
    return place
  }

  /** Has nothing to do with a processor any more. */
  dismiss(place: ThreadPlace): void {
    place.unwatch()
    if (!this.#places.delete(place.number)) return
    this.post({ kind: 'end', processor: place.number })
  }

  /** Has a call made. Settles as it does, or rejects with ProcessorGoneError. @throws DataCloneError if something cannot be sent */
  call(place: ThreadPlace, made: SentCall, parts: CallParts): Promise<unknown> {
    if (this.#end !== undefined) return Promise.reject(this.errorFor(place.shardId, this.#end))
    const { signal, checkpointer, transfer = [], begun = nothing } = parts
    const number = ++this.#callsMade
    // The module may still have to be loaded before a processor is made.
    const waits = this.#calls.size > 0 || made.method === 'make'
    if (signal?.aborted) this.#aborts.postMessage(sentAbort(number, signal))
    this.post({ kind: 'call', call: number, processor: place.number, made, waits }, transfer)
    if (checkpointer !== undefined) place.checkpoints.add(number, checkpointer)
    const called = new Promise<unknown>((resolve, reject) => {
      this.#calls.set(number, { number, place, resolve, reject, begun, isWaiting: waits, unwatch: nothing })
    })
    if (signal !== undefined) this.#watch(signal, number, place, made.method === 'initialize')
    if (!waits) begun()
    return called
  }

  /**
   * Whether a call of this place waits for the thread, which another one has. Asks the thread for a sign of life as well, which
   * {@link endFor} looks for.
   */
  isHeldUp(place: ThreadPlace): boolean {
    const own = this.#callsOf(place)
    if (own.length === this.#calls.size || this.#end !== undefined) return false
    place.pings = [place.pings[1], ++this.#pings]
    this.post({ kind: 'ping', ping: this.#pings })
    if (this.#notes.isInCall) return !own.some(call => this.#notes.isIn(call.number))
    const hasBegun = (call: PendingCall): boolean => !call.isWaiting
    return !own.every(hasBegun) && [...this.#calls.values()].some(call => call.place !== place && hasBegun(call))
  }

  /**
   * Ends the thread, because a call of this place takes too long and does not return. What that call has failed with: with
   * `error`, or with ProcessorGoneError where it may be the call of another place that holds the thread up.
   */
  endFor(place: ThreadPlace, error: HandlerTimeoutError): unknown {
    if (this.#end !== undefined) return this.errorFor(place.shardId, this.#end)
    if (this.#callsOf(place).length === 0) return error
    const [ping] = place.pings
    const hasHeard = ping > 0 && this.#notes.hasHeard(ping)
    const isToBlame = (call: PendingCall): boolean =>
      call.place === place &&
      (this.#notes.isIn(call.number) || (!this.#notes.isInCall && (hasHeard || this.#isAlone(place))))
    const because = `a call for ${place.shardId} took longer than ${error.limitMs} ms and did not return`
    this.#break({ because, cause: error }, isToBlame)
    return place.blame === 'own' ? error : place.error
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
      case 'begun': {
        const pending = this.#calls.get(message.call)
        if (pending === undefined) break
        pending.isWaiting = false
        pending.begun()
        break
      }
      case 'returned':
        this.#settle(message.call)?.resolve(message.value)
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
    pending?.unwatch()
    return pending
  }

  #callsOf(place: ThreadPlace): readonly PendingCall[] {
    return [...this.#calls.values()].filter(call => call.place === place)
  }

  /** Whether the thread has ended in the code of this call, as far as one can tell. */
  #hasEnded(call: PendingCall): boolean {
    return this.#notes.isIn(call.number) || (!this.#notes.isInCall && this.#isAlone(call.place))
  }

  #isAlone(place: ThreadPlace): boolean {
    return this.#callsOf(place).length === this.#calls.size
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
    const unwatch = (): void => signal.removeEventListener('abort', forward)
    signal.addEventListener('abort', forward, { once: true })
    const pending = this.#calls.get(call)
    if (!isForLife && pending !== undefined) pending.unwatch = unwatch
    if (!isForLife) return
    place.unwatch()
    place.unwatch = unwatch
  }

  #break(end: ThreadEnd, isToBlame: (call: PendingCall) => boolean = () => false): void {
    if (this.#end !== undefined) return
    this.#finish(end, isToBlame)
    void this.#worker.terminate()
    this.#options.ended(this, end)
  }

  #finish(end: ThreadEnd, isToBlame: (call: PendingCall) => boolean = () => false): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#aborts.close()
    for (const place of this.#places.values()) place.unwatch()
    const calls = [...this.#calls.values()]
    const blamed = new Set(calls.filter(isToBlame).map(({ place }) => place))
    if (blamed.size > 0) for (const place of this.#places.values()) place.blame = blamed.has(place) ? 'own' : 'another'
    this.#calls.clear()
    for (const { place, reject, unwatch } of calls) {
      unwatch()
      reject(this.errorFor(place.shardId, end))
    }
  }

  /** What calls for the shard fail with, the thread having ended. */
  errorFor(shardId: string, { because, cause }: ThreadEnd): Error {
    return cause instanceof OptionError
      ? cause
      : new ProcessorGoneError(shardId, because, cause !== undefined ? { cause } : {})
  }
}

/** The place of one processor in a thread, from its `initialize` on. */
export class ThreadPlace {
  readonly #thread: PoolThread
  readonly number: number
  readonly shard: ShardPlace
  readonly checkpoints = new ThreadCheckpoints()
  /** Stops looking at the signal of its `initialize`. */
  unwatch: () => void = nothing
  /** In whose call the thread has ended, or because of whose. */
  blame: Blame = 'nobody'
  /** The last two signs of life that it has asked for, or 0. */
  pings: readonly [before: number, last: number] = [0, 0]

  constructor(thread: PoolThread, number: number, { shardId, streamName, streamArn }: ShardPlace) {
    this.#thread = thread
    this.number = number
    this.shard = { shardId, streamName, streamArn }
  }

  get shardId(): string {
    return this.shard.shardId
  }

  /** Whether the thread has ended, and everything in it. */
  get isGone(): boolean {
    return this.#thread.end !== undefined
  }

  /** Why it is gone; `undefined`: it is not. */
  get error(): Error | undefined {
    const { end } = this.#thread
    return end && this.#thread.errorFor(this.shardId, end)
  }

  /** Has a call made. Settles as it does, or rejects with ProcessorGoneError. */
  call(made: SentCall, parts: CallParts = {}): Promise<unknown> {
    return this.#thread.call(this, made, parts)
  }

  /** Whether a call under way waits for the thread, which another one has. */
  isHeldUp(): boolean {
    return this.#thread.isHeldUp(this)
  }

  /** Ends the thread, because a call takes too long and does not return. What that call has failed with. */
  end(error: HandlerTimeoutError): unknown {
    return this.#thread.endFor(this, error)
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
