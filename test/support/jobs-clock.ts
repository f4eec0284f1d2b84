// A virtual clock for worlds in which everything is promise jobs: it does not ask the operating system for events after each
// wake, which takes longer than most of what is woken.
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

/** So that signals, timers and what else comes from outside are noticed now and then. */
const WAKES_PER_TURN = 64

/** Virtual time whose wakes settle when no promise job is left, and not only when the event loop has turned. */
export class JobsClock extends VirtualClock {
  #wakes = 0

  override async settle(): Promise<void> {
    if (++this.#wakes % WAKES_PER_TURN === 0) return super.settle()
    // A tick that a job asks for comes when no job is left; one that is asked for outside of any would come before them.
    await undefined
    await new Promise<void>(resolve => process.nextTick(resolve))
  }
}
