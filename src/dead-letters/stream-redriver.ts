// Puts dead letters back into a stream of Kinesis, as the records that they were. Letters that come together are put together.

import type { PutPort, RecordToPut } from '../kinesis/put-port.ts'
import { ServiceError } from '../model/errors.ts'
import type { DeadLetter } from '../processor/dead-letter.ts'
import { PUT_LIMITS } from './kinesis-dead-letters.ts'
import { type Refused, sendAll } from './send-all.ts'
import type { CallPorts } from './service-call.ts'

interface Entry extends RecordToPut {
  readonly bytes: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** One stream that letters are put back into. */
export class StreamRedriver {
  readonly #port: PutPort
  readonly #ports: CallPorts
  #waiting: Entry[] = []

  constructor(port: PutPort, ports: CallPorts) {
    this.#port = port
    this.#ports = ports
  }

  /** Resolves once the stream has the record. */
  deliver({ partitionKey, explicitHashKey, data }: DeadLetter, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const bytes = data.length + Buffer.byteLength(partitionKey)
      this.#waiting.push({ partitionKey, explicitHashKey, data, bytes, resolve, reject })
      if (this.#waiting.length === 1) void this.#putAll(signal)
    })
  }

  async #putAll(signal: AbortSignal): Promise<void> {
    // What else is to be put now comes meanwhile.
    await this.#ports.clock.sleep(0)
    const entries = this.#waiting
    this.#waiting = []
    try {
      const send = (batch: readonly Entry[]) => this.#put(batch, signal)
      const refused = await sendAll(entries, { ...this.#ports, limits: PUT_LIMITS, signal, send })
      for (const { entry, error } of refused) entry.reject(error)
      // Does nothing to those that were rejected.
      for (const { resolve } of entries) resolve()
    } catch (error) {
      for (const { reject } of entries) reject(error)
    }
  }

  async #put(batch: readonly Entry[], signal: AbortSignal): Promise<Refused<Entry>[]> {
    try {
      const errors = await this.#port.putRecords(batch, { signal })
      return batch.flatMap((entry, n) => (errors[n] === undefined ? [] : [{ entry, error: errors[n] }]))
    } catch (error) {
      // A call is refused for one record in it, such as one that is too large: each on its own, and it is that one alone.
      if (batch.length === 1 || !(error instanceof ServiceError) || error.kind !== 'invalid-argument') throw error
      const refused: Refused<Entry>[] = []
      for (const entry of batch) {
        refused.push(...(await this.#put([entry], signal).catch(cause => [{ entry, error: cause }])))
      }
      return refused
    }
  }
}
