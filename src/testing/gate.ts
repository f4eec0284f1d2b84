// What stands between a simulated process and the world: open, the process runs; closed, nothing of it goes on, as after
// SIGSTOP, while time passes for everybody else; shut for ever, it was killed.
import type { Clock } from '../runtime/clock.ts'

/** The gate of one process. Open at first. */
export class Gate {
  /** Name of the process. */
  readonly name: string
  #isAlive = true
  #waiting: { readonly opened: Promise<void>; readonly open: () => void } | undefined

  constructor(name: string) {
    this.name = name
  }

  get isOpen(): boolean {
    return this.#waiting === undefined
  }

  /** Whether it may open again. */
  get isAlive(): boolean {
    return this.#isAlive
  }

  /** Whether the process stands still, but is not dead. */
  get isPaused(): boolean {
    return this.#isAlive && !this.isOpen
  }

  /** Closes it for ever. */
  kill(): void {
    this.#isAlive = false
    this.close()
  }

  close(): void {
    if (this.#waiting !== undefined) return
    let open = (): void => {}
    const opened = new Promise<void>(resolve => {
      open = resolve
    })
    this.#waiting = { opened, open }
  }

  /** Does nothing to a process that was killed. */
  open(): void {
    if (!this.#isAlive) return
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.open()
  }

  /** Resolves when the gate is open. It may have been opened and closed again meanwhile: then it goes on waiting. */
  async pass(): Promise<void> {
    while (this.#waiting !== undefined) await this.#waiting.opened
  }
}

/** Time as a process behind a gate has it: while it is closed, time passes, but nobody in there wakes. */
export function gatedClock(clock: Clock, gate: Gate): Clock {
  return {
    monotonicMs: () => clock.monotonicMs(),
    epochMs: () => clock.epochMs(),
    sleep: async (ms, signal) => {
      await clock.sleep(ms, signal)
      if (!gate.isOpen) await gate.pass()
    }
  }
}
