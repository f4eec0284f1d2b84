// What becomes of one call of a worker in a world: how a test tells each call from the others, and what can be done to it.
import { ServiceError, ThrottledError } from '../../src/index.ts'
import type { Clock } from '../../src/runtime/clock.ts'

/** One call of a worker, before it is carried out. */
export interface WorldCall {
  readonly service: 'leases' | 'control' | 'kinesis'
  /** Name of the method of the port. */
  readonly name: string
  readonly args: readonly unknown[]
}

/** What is to become of a call. */
export type CallFate =
  /** It is never carried out, and the caller times out. */
  | { readonly kind: 'lost-request' }
  /** It is carried out at once, and the caller times out. */
  | { readonly kind: 'lost-answer' }
  /** The caller times out, and it is carried out so many milliseconds after it was sent. */
  | { readonly kind: 'late-request'; readonly landsInMs: number }
  /** It is never carried out, and there is no answer and no failure, for ever. */
  | { readonly kind: 'hangs' }
  | { readonly kind: 'throttled' }
  | { readonly kind: 'fails'; readonly error: unknown }
  /** It is not carried out, and answered with `value`. */
  | { readonly kind: 'answered'; readonly value: unknown }
  /** It takes so many milliseconds longer until it is carried out, and until the answer is back. */
  | { readonly kind: 'slow'; readonly thereMs?: number; readonly backMs?: number }

/** Decides about each call of one worker. `undefined`: nothing happens to it. */
export type Intercept = (call: WorldCall) => CallFate | undefined

/** How long a caller waits for an answer that does not come. Milliseconds. */
export const NO_ANSWER_AFTER_MS = 2_500

/** Has a call meet its fate. */
export async function meetFate<T>(
  fate: CallFate,
  service: string,
  clock: Clock,
  call: () => Promise<T>,
  signal?: AbortSignal
): Promise<T> {
  switch (fate.kind) {
    case 'lost-request':
      return noAnswer(service, clock, signal)
    case 'lost-answer':
      await call().catch(() => {})
      return noAnswer(service, clock, signal)
    case 'late-request':
      void clock.sleep(fate.landsInMs).then(call, call)
      return noAnswer(service, clock, signal)
    case 'hangs':
      return new Promise<never>((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
    case 'throttled':
      throw new ThrottledError(`${service} is busy`)
    case 'fails':
      throw fate.error
    case 'answered':
      return fate.value as T
    case 'slow': {
      const { thereMs = 0, backMs = 0 } = fate
      if (thereMs > 0) await clock.sleep(thereMs)
      const value = await call()
      if (backMs > 0) await clock.sleep(backMs)
      return value
    }
  }
}

async function noAnswer(service: string, clock: Clock, signal: AbortSignal | undefined): Promise<never> {
  await clock.sleep(NO_ANSWER_AFTER_MS, signal)
  signal?.throwIfAborted()
  throw new ServiceError('timeout', `${service} had no answer`, { retryable: true })
}

/** What carries out, or does not, one call of a port. */
export type PortGate = <T>(
  name: string,
  args: readonly unknown[],
  call: () => Promise<T>,
  signal: AbortSignal | undefined
) => Promise<T>

/** A port whose calls go through `gate`; what is no call, and `close`, are as they were. */
export function gatedPort<Port extends object>(port: Port, gate: PortGate): Port {
  const gated = Object.entries(port).map(([name, value]) => {
    if (typeof value !== 'function' || name === 'close') return [name, value]
    const call = (...args: unknown[]): Promise<unknown> =>
      gate(name, args, () => value.apply(port, args), signalIn(args))
    return [name, call]
  })
  return Object.fromEntries(gated)
}

/** The signal among the arguments of a call, or in the options that are one of them. */
function signalIn(args: readonly unknown[]): AbortSignal | undefined {
  for (const arg of args) {
    if (arg instanceof AbortSignal) return arg
    const { signal } = Object(arg)
    if (signal instanceof AbortSignal) return signal
  }
  return undefined
}
