// What syncing works with, and how it calls services: patiently, and not too many calls at once.
import type { KinesisPort } from '../kinesis/kinesis-port.ts'
import type { LeaseStore } from '../leases/lease-store.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import { type RetryPolicy, retry } from '../runtime/retry.ts'
import type { SyncReport } from './sync-report.ts'

/** Called when a look at shards and leases begins. What it returns says whether nobody can have taken this worker's place since. */
export type Guard = () => () => boolean

/** What syncing works with. */
export interface SyncContext {
  readonly kinesis: KinesisPort
  readonly store: LeaseStore
  readonly clock: Clock
  readonly random: Random
  readonly report: (event: SyncReport) => void
  /** Asked for when a look begins, and what it returns before each creation of a lease. */
  readonly guard: Guard
  /** Told of each failed call that is made again. */
  readonly retried: (error: unknown, inMs: number) => void
}

/** How often a call that fails in passing is made. */
const PATIENCE: RetryPolicy = { attempts: 5, backoff: { firstMs: 500, maxMs: 10_000 } }

/** For calls that a whole fleet makes when it starts, and that Kinesis allows 20 times a second for an account. */
const FLEET_PATIENCE: RetryPolicy = { ...PATIENCE, attemptsIfThrottled: 12 }

/** How many calls to the lease table are under way at once. */
const CALLS_AT_ONCE = 10

/** Makes a call to a service, again while its failures are of the kind that pass. */
export function patiently<T>(
  context: SyncContext,
  signal: AbortSignal | undefined,
  call: () => Promise<T>
): Promise<T> {
  return callWith(PATIENCE, context, signal, call)
}

/** The same for a call that is throttled by what all workers of an account do together. */
export function withFleetPatience<T>(
  context: SyncContext,
  signal: AbortSignal | undefined,
  call: () => Promise<T>
): Promise<T> {
  return callWith(FLEET_PATIENCE, context, signal, call)
}

function callWith<T>(
  policy: RetryPolicy,
  context: SyncContext,
  signal: AbortSignal | undefined,
  call: () => Promise<T>
): Promise<T> {
  const { clock, random, retried } = context
  return retry(call, policy, { clock, random, signal, retried })
}

/** Does `work` for each item, ten at a time; results in order. A failure ends it once those under way are over. */
export async function forEachOf<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (let from = 0; from < items.length; from += CALLS_AT_ONCE) {
    const outcomes = await Promise.allSettled(items.slice(from, from + CALLS_AT_ONCE).map(work))
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') throw outcome.reason
      results.push(outcome.value)
    }
  }
  return results
}
