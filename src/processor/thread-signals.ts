// The abort signals of calls, in the thread that makes them. They abort when those of the main thread do.
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { receivedError } from './thread-errors.ts'
import type { SentAbort } from './thread-messages.ts'

/**
 * Signals by the number of their call. A handler that computes lets no event in: whoever reads `aborted` of such a signal,
 * or calls its `throwIfAborted`, therefore looks for news first, at a cost of some 50 ns.
 */
export class ThreadSignals {
  readonly #port: MessagePort
  readonly #controllers = new Map<number, AbortController>()
  /** Of calls that have not begun here: nothing keeps the two ports in step. */
  readonly #early = new Map<number, unknown>()
  #newest = 0

  /** @param port where {@link SentAbort}s arrive */
  constructor(port: MessagePort) {
    this.#port = port
    port.on('message', (sent: SentAbort) => this.#abort(sent))
  }

  /** The signal of a call that begins. Calls begin in the order of their numbers. */
  open(call: number): AbortSignal {
    const controller = new AbortController()
    this.#controllers.set(call, controller)
    this.#newest = call
    if (this.#early.has(call)) controller.abort(this.#early.get(call))
    this.#early.delete(call)
    const { signal } = controller
    const prototype = Object.getPrototypeOf(signal)
    const isAborted = (): boolean => {
      this.#look()
      return Reflect.get(prototype, 'aborted', signal)
    }
    const throwIfAborted = (): void => {
      if (isAborted()) throw signal.reason
    }
    return Object.defineProperties(signal, { aborted: { get: isAborted }, throwIfAborted: { value: throwIfAborted } })
  }

  /** The call is over. */
  close(call: number): void {
    this.#controllers.delete(call)
  }

  #look(): void {
    for (;;) {
      const received: { message: SentAbort } | undefined = receiveMessageOnPort(this.#port)
      if (received === undefined) return
      this.#abort(received.message)
    }
  }

  #abort({ call, reason: sent }: SentAbort): void {
    const reason = receivedError(sent)
    if (call > this.#newest) this.#early.set(call, reason)
    else this.#controllers.get(call)?.abort(reason)
  }
}
