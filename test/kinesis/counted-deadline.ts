// A deadline that says how often it was suspended, and for how many it is.
import type { Deadline } from '../../src/runtime/deadline.ts'

export interface CountedDeadline extends Deadline {
  /** Suspensions so far. */
  readonly suspensions: number
  /** Those that are not over. */
  readonly open: number
}

export function countedDeadline(): CountedDeadline {
  let [suspensions, open] = [0, 0]
  return {
    get suspensions() {
      return suspensions
    },
    get open() {
      return open
    },
    suspend: () => {
      let isOver = false
      suspensions += 1
      open += 1
      return () => {
        if (!isOver) open -= 1
        isOver = true
      }
    }
  }
}
