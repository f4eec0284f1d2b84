// The line between one simulated process and the services: carries out what faults.ts has decided, and can be cut. A
// request that was sent arrives whatever becomes of the process, and a process that stands still hears no answers.
import { ServiceError, ThrottledError } from '../model/errors.ts'
import { unlessAborted } from '../runtime/abort.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Fate, FaultPlan, ServiceCall, ServiceName } from './faults.ts'
import type { Gate } from './gate.ts'

/** What a process can be cut off from. `answers`: its requests arrive and are carried out, but it hears nothing. */
export type Partition = 'dynamodb' | 'kinesis' | 'both' | 'answers'

/** What a line is made of. */
export interface LineOptions {
  readonly clock: Clock
  readonly gate: Gate
  readonly faults: FaultPlan
  /** How long the process waits for an answer. Milliseconds. */
  readonly timeoutMs: Readonly<Record<ServiceName, number>>
}

/** The line of one process. */
export class Line {
  /** What the process is cut off from; absent: nothing. May be changed at any time, and holds for what is on its way. */
  partition: Partition | undefined
  readonly #options: LineOptions

  constructor(options: LineOptions) {
    this.#options = options
  }

  /** One call: `work` is what the service does. Rejects with a ThrottledError, a ServiceError, or the reason of `signal`. */
  async call<T>(call: ServiceCall, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const { gate, faults } = this.#options
    if (!gate.isOpen) await gate.pass()
    signal?.throwIfAborted()
    try {
      const answer = this.#carry(call, faults.fateOf(call), work)
      return await (signal === undefined ? answer : unlessAborted(answer, signal))
    } finally {
      if (!gate.isOpen) await gate.pass()
    }
  }

  async #carry<T>(call: ServiceCall, fate: Fate, work: () => Promise<T>): Promise<T> {
    const { clock, timeoutMs } = this.#options
    const sentAtMs = clock.monotonicMs()
    const limitMs = timeoutMs[call.service]
    const timeOut = async (afterMs = limitMs): Promise<never> => {
      const restMs = sentAtMs + Math.min(afterMs, limitMs) - clock.monotonicMs()
      if (restMs > 0) await clock.sleep(restMs)
      throw new ServiceError('timeout', `${call.call} to ${call.service} had no answer`, { retryable: true })
    }
    const { fault } = fate
    if (this.#isCut(call.service) || fault.kind === 'hang') return timeOut()
    if (fault.kind === 'lost-request') return timeOut(fault.failsAfterMs)
    const lateMs = fault.kind === 'late-request' ? limitMs + fault.landsInMs : fate.thereMs
    if (lateMs >= limitMs && limitMs > 0) {
      // It is on its way; nobody waits for it any more.
      void clock.sleep(lateMs).then(() => landing(fate, work))
      return timeOut()
    }
    if (fate.thereMs > 0) await clock.sleep(fate.thereMs)
    if (this.#isCut(call.service)) return timeOut()
    if (fault.kind === 'throttled') throw new ThrottledError(`${call.call} to ${call.service} was throttled`)
    if (fault.kind === 'expired-iterator') {
      throw new ServiceError('expired-iterator', 'The iterator is too old', { retryable: false })
    }
    const outcome = await landing(fate, work)
    if (fault.kind === 'lost-answer') return timeOut(Math.max(fate.thereMs, fault.failsAfterMs ?? limitMs))
    if (fate.thereMs + fate.backMs >= limitMs) return timeOut()
    if (fate.backMs > 0) await clock.sleep(fate.backMs)
    if (this.#isCut(call.service) || this.partition === 'answers') return timeOut()
    if ('error' in outcome) throw outcome.error
    return outcome.value
  }

  #isCut(service: ServiceName): boolean {
    return this.partition === 'both' || this.partition === service
  }
}

/** The service does what it was asked for. Never rejects. */
async function landing<T>(fate: Fate, work: () => Promise<T>): Promise<{ value: T } | { error: unknown }> {
  try {
    const value = await work()
    fate.onLanded?.()
    return { value }
  } catch (error) {
    return { error }
  }
}
