// Waiting for what nothing announces.
import { setTimeout as sleep } from 'node:timers/promises'

/** Asks every 20 ms, until the answer is yes. The watchdog of the demo sees to it that this is not for ever. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await sleep(20)
}
