// The threads of a worker as tests see them: what their code says of each call.
import { pollUntil } from '../support/poll.ts'
import { uniqueName } from '../support/streams.ts'
import type { ThreadData, ThreadSaid } from './threads-module.ts'

const MODULE = new URL('threads-module.ts', import.meta.url)

/** Threads, and what is heard of them. To be closed. */
export class Threads {
  readonly heard: ThreadSaid[] = []
  readonly data: ThreadData = { channel: uniqueName('threads'), deaths: new SharedArrayBuffer(4) }
  readonly #channel = new BroadcastChannel(this.data.channel)

  constructor() {
    this.#channel.onmessage = event => void this.heard.push((event as { data: ThreadSaid }).data)
  }

  /** The option of the worker. */
  option(count = 2) {
    return { module: MODULE, count, data: this.data }
  }

  /** The numbers of the records that handlers were given, in that order. */
  get numbers(): number[] {
    return this.heard.flatMap(({ numbers }) => numbers)
  }

  /** Resolves once so many different records were given. */
  async until(count: number): Promise<void> {
    await pollUntil(`${count} records`, () => new Set(this.numbers).size >= count, 20_000)
  }

  close(): void {
    this.#channel.close()
  }
}
