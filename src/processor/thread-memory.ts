// What the main thread and a thread of processors both see, whatever the thread is at: which call has it, whether it still
// handles events, and which records of a call are settled.

/** A thread's notes, in shared memory. Both sides make one of these from it. */
export class ThreadNotes {
  /** Where they stand: the call that has the thread, and the last ping that it has come to. */
  readonly memory: Int32Array

  /** @param memory default: memory of a new thread */
  constructor(memory: Int32Array = new Int32Array(new SharedArrayBuffer(8))) {
    this.memory = memory
  }

  /** Whether the thread is in the code of some call that has not awaited anything yet. */
  get isInCall(): boolean {
    return Atomics.load(this.memory, RUNNING) !== 0
  }

  /** Whether the thread is in the code of this call, which has not awaited anything yet. */
  isIn(call: number): boolean {
    return Atomics.load(this.memory, RUNNING) === (call | 0)
  }

  /** Makes the first part of a call, of which everybody sees that it has the thread. Calls count from 1. */
  during<T>(call: number, work: () => T): T {
    Atomics.store(this.memory, RUNNING, call | 0)
    try {
      return work()
    } finally {
      Atomics.store(this.memory, RUNNING, 0)
    }
  }

  /** The thread has come to a ping. They count from 1. */
  hear(ping: number): void {
    Atomics.store(this.memory, HEARD, ping | 0)
  }

  /** Whether the thread has come to this ping. */
  hasHeard(ping: number): boolean {
    return ((Atomics.load(this.memory, HEARD) - ping) | 0) >= 0
  }
}

const RUNNING = 0
const HEARD = 1

/** Shared memory for notes about so many records. */
export function sharedFlags(count: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(count))
}

/** Notes something about one record. */
export function setFlag(flags: Uint8Array, index: number): void {
  Atomics.store(flags, index, 1)
}
