// A lease table behind a bad network: requests and answers are lost, writes land late, calls are throttled or hang. Which
// call meets which fault is scripted by the test or drawn from a seed.
import type { LeaseStore } from '../../src/leases/lease-store.ts'
import { ServiceError, ThrottledError } from '../../src/model/errors.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import type { Random } from '../../src/runtime/random.ts'

export type Fault =
  | { readonly kind: 'none'; readonly delayMs?: number }
  /** The request never arrives; the caller times out. */
  | { readonly kind: 'lost-request'; readonly afterMs?: number }
  /** The request is carried out; the caller times out. */
  | { readonly kind: 'lost-answer'; readonly afterMs?: number }
  /** The caller times out; the request is carried out `landsInMs` milliseconds after that. */
  | { readonly kind: 'late-request'; readonly landsInMs: number; readonly afterMs?: number }
  | { readonly kind: 'throttled' }
  /** No answer and no failure, for ever. The request never arrives. */
  | { readonly kind: 'hangs' }
  | { readonly kind: 'refused-for-good' }

export const NO_FAULT: Fault = { kind: 'none' }

export interface StoreCall {
  readonly name: 'list' | 'get' | 'create' | 'replace' | 'remove'
  readonly leaseKey?: string
}

/** Which fault a call meets. Asked once for every call, in the order of the calls. */
export type Faults = (call: StoreCall) => Fault | undefined

export interface FlakyStore extends LeaseStore {
  /** May be changed at any time. */
  faults: Faults
  /** Every call so far. */
  readonly calls: StoreCall[]
}

/** A store that does what `store` does, except for `faults`. */
export function flakyStore(store: LeaseStore, clock: Clock, faults: Faults = () => undefined): FlakyStore {
  const calls: StoreCall[] = []

  const call = <T>(what: StoreCall, work: () => Promise<T>): Promise<T> => {
    calls.push(what)
    return withFault(flaky.faults(what) ?? NO_FAULT, what.name, clock, work)
  }

  const flaky: FlakyStore = {
    tableName: store.tableName,
    ...(store.control && { control: store.control }),
    faults,
    calls,
    prepare: signal => store.prepare(signal),
    list: options => call({ name: 'list' }, () => store.list(options)),
    get: (leaseKey, signal) => call({ name: 'get', leaseKey }, () => store.get(leaseKey, signal)),
    create: lease => call({ name: 'create', leaseKey: lease.leaseKey }, () => store.create(lease)),
    replace: (before, after) =>
      call({ name: 'replace', leaseKey: before.leaseKey }, () => store.replace(before, after)),
    remove: lease => call({ name: 'remove', leaseKey: lease.leaseKey }, () => store.remove(lease))
  }
  return flaky
}

/** What becomes of a call that meets a fault. */
export async function withFault<T>(fault: Fault, name: string, clock: Clock, work: () => Promise<T>): Promise<T> {
  const timedOut = async (afterMs = 0): Promise<never> => {
    if (afterMs > 0) await clock.sleep(afterMs)
    throw new ServiceError('timeout', `${name} had no answer`, { retryable: true })
  }
  switch (fault.kind) {
    case 'none':
      if (fault.delayMs) await clock.sleep(fault.delayMs)
      return work()
    case 'lost-request':
      return timedOut(fault.afterMs)
    case 'lost-answer':
      await work()
      return timedOut(fault.afterMs)
    case 'late-request':
      void clock.sleep((fault.afterMs ?? 0) + fault.landsInMs).then(work)
      return timedOut(fault.afterMs)
    case 'throttled':
      throw new ThrottledError(`${name} was throttled`)
    case 'hangs':
      return new Promise<never>(() => {})
    case 'refused-for-good':
      throw new ServiceError('access-denied', `${name} is not allowed`, { retryable: false })
  }
}

/** The faults of the first writes (calls of `replace`), in order; then none. */
export function scripted(...faults: readonly Fault[]): Faults {
  let next = 0
  return ({ name }) => (name === 'replace' ? faults[next++] : undefined)
}

/** Faults drawn at random: about one call in three meets one, and every call takes a while. */
export function randomFaults(random: Random): Faults {
  const upTo = (ms: number): number => Math.floor(random.next() * ms)
  return ({ name }) => {
    const draw = random.next()
    const isWrite = name !== 'list' && name !== 'get'
    if (draw < 0.08) return { kind: 'lost-request', afterMs: upTo(2_000) }
    if (draw < 0.18) return { kind: isWrite ? 'lost-answer' : 'lost-request', afterMs: upTo(2_000) }
    if (draw < 0.25 && isWrite) return { kind: 'late-request', landsInMs: upTo(15_000), afterMs: upTo(1_000) }
    if (draw < 0.35) return { kind: 'throttled' }
    return { kind: 'none', delayMs: upTo(draw < 0.4 ? 3_000 : 40) }
  }
}
