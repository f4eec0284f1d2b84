// The checkpointers of the calls of one processor that lives in a thread, on the side of the main thread: what the thread
// asks for is asked of them.
import { AsyncResource } from 'node:async_hooks'
import type { Checkpointer, PreparedCheckpoint } from '../checkpoint/checkpointer.ts'
import { CheckpointRefusedError } from '../model/errors.ts'
import { sentError } from './thread-errors.ts'
import type { CheckpointAnswer, CheckpointWish } from './thread-messages.ts'

/** How many calls back a checkpointer is good for: nobody here knows which of them the thread still has. */
const REMEMBERED = 256

/** Grants and refuses what a processor in a thread asks of the checkpointers that its calls were given. */
export class ThreadCheckpoints {
  readonly #checkpointers = new Map<number, Checkpointer>()
  /** Where each call was made from: what its checkpoints do is part of that, spans for example. */
  readonly #origins = new Map<number, AsyncResource>()
  readonly #prepared = new Map<number, PreparedCheckpoint>()

  /** Remembers the checkpointer of a call, and forgets that of a call long ago. */
  add(call: number, checkpointer: Checkpointer): void {
    remember(this.#checkpointers, call, checkpointer)
    remember(this.#origins, call, new AsyncResource('millrace.checkpoints'))
  }

  /** Does what the thread asks for. Never rejects. */
  answer(ask: number, call: number, wish: CheckpointWish): Promise<CheckpointAnswer> {
    const answer = (): Promise<CheckpointAnswer> => this.#answer(ask, call, wish)
    return this.#origins.get(call)?.runInAsyncScope(answer) ?? answer()
  }

  async #answer(ask: number, call: number, wish: CheckpointWish): Promise<CheckpointAnswer> {
    try {
      if (wish.kind === 'make') {
        await known(this.#prepared.get(wish.prepared)).checkpoint()
        return { kind: 'granted' }
      }
      const checkpointer = known(this.#checkpointers.get(call))
      if (wish.kind === 'checkpoint') {
        await checkpointer.checkpoint(wish.at)
        return { kind: 'granted' }
      }
      const prepared = await checkpointer.prepareCheckpoint(wish.at, wish.state)
      remember(this.#prepared, ask, prepared)
      return { kind: 'granted', position: prepared.position }
    } catch (error) {
      return { kind: 'refused', error: sentError(error) }
    }
  }
}

function remember<T>(map: Map<number, T>, key: number, value: T): void {
  map.set(key, value)
  for (const oldest of map.keys()) {
    if (map.size <= REMEMBERED) break
    map.delete(oldest)
  }
}

function known<T>(found: T | undefined): T {
  if (found !== undefined) return found
  const message = `The checkpointer is of a call of long ago: there have been more than ${REMEMBERED} since`
  throw new CheckpointRefusedError('void', message)
}
