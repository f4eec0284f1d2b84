// Lets virtual time go on until a piece of work is over.
import type { VirtualClock } from '../../src/testing/virtual-clock.ts'

/** Resolves or rejects as `work` does; gives up waiting after an hour of virtual time. */
export async function whenOver<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  let isOver = false
  const over = (): void => {
    isOver = true
  }
  work.then(over, over)
  await clock.advanceUntil(() => isOver, 3_600_000)
  return work
}
