// A gate that the user closes and opens: what is kept back waits without being given up.
import { type Deferred, deferred } from '../runtime/deferred.ts'

/** Open at first. */
export class PauseGate {
  /** Resolves when the gate opens. Absent: it is open. */
  #closed: Deferred | undefined

  get isOpen(): boolean {
    return this.#closed === undefined
  }

  /** Closes the gate. Says whether it was open. */
  close(): boolean {
    if (this.#closed !== undefined) return false
    this.#closed = deferred()
    return true
  }

  /** Opens the gate. Says whether it was closed. */
  open(): boolean {
    const closed = this.#closed
    this.#closed = undefined
    closed?.resolve()
    return closed !== undefined
  }

  /** Resolves when the gate is open, or one of `signals` has aborted. Never rejects. */
  async whenOpen(signals: readonly AbortSignal[]): Promise<void> {
    while (this.#closed !== undefined && !signals.some(({ aborted }) => aborted)) {
      const aborted = deferred()
      for (const signal of signals) signal.addEventListener('abort', aborted.resolve, { once: true })
      await Promise.race([this.#closed.promise, aborted.promise])
      for (const signal of signals) signal.removeEventListener('abort', aborted.resolve)
    }
  }
}
