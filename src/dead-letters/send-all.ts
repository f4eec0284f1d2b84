// Sends entries to a service that takes them in batches and may refuse some of a batch: only those are sent again.
import { isRetryable, messageOf, ServiceError, ThrottledError } from '../model/errors.ts'
import { backoffMs } from '../runtime/backoff.ts'
import { type BatchLimits, batchesOf } from './batch-rules.ts'
import { CALL_RETRIES, type CallPorts } from './service-call.ts'

/** An entry that the service did not take, and why. */
export interface Refused<T> {
  readonly entry: T
  readonly error: unknown
}

/** How entries are sent. */
export interface Sending<T> extends CallPorts {
  readonly limits: BatchLimits
  readonly signal: AbortSignal
  /** One call. Resolves with what was refused of the batch, or rejects if that is all of it. */
  readonly send: (batch: readonly T[]) => Promise<readonly Refused<T>[]>
}

/**
 * Sends all of the entries, in order as far as nothing fails. What fails in a way that passes is sent again, until five rounds
 * in a row have got nothing through. Resolves with what is left; rejects only with the reason of the signal.
 */
export async function sendAll<T extends { readonly bytes: number }>(
  entries: readonly T[],
  sending: Sending<T>
): Promise<Refused<T>[]> {
  const { clock, random, signal } = sending
  const lost: Refused<T>[] = []
  let left = entries
  for (let failures = 0; left.length > 0; ) {
    const refused = await sendOnce(left, sending)
    lost.push(...refused.filter(({ error }) => !isRetryable(error)))
    const again = refused.filter(({ error }) => isRetryable(error))
    failures = refused.length < left.length ? 1 : failures + 1
    if (failures >= CALL_RETRIES.attempts) return [...lost, ...again]
    left = again.map(({ entry }) => entry)
    if (left.length === 0) break
    await clock.sleep(backoffMs(failures, CALL_RETRIES.backoff, random.next()), signal)
    signal.throwIfAborted()
  }
  return lost
}

/** As {@link sendAll}, but rejects if anything is left. */
export async function storeAll<T extends { readonly bytes: number }>(
  entries: readonly T[],
  sending: Sending<T>
): Promise<void> {
  const [first, ...others] = await sendAll(entries, sending)
  if (first === undefined) return
  if (others.length === 0) throw first.error
  const more = `${others.length + 1} of ${entries.length} letters were not stored, the first because: `
  const message = more + messageOf(first.error)
  if (first.error instanceof ThrottledError) throw new ThrottledError(message, { cause: first.error })
  throw new ServiceError('other', message, { retryable: isRetryable(first.error), cause: first.error })
}

/** One round. Once a whole call fails, no more are made in it. */
async function sendOnce<T extends { readonly bytes: number }>(
  entries: readonly T[],
  { limits, signal, send }: Sending<T>
): Promise<Refused<T>[]> {
  const refused: Refused<T>[] = []
  let sent = 0
  for (const batch of batchesOf(entries, limits)) {
    signal.throwIfAborted()
    try {
      refused.push(...(await send(batch)))
      sent += batch.length
    } catch (error) {
      signal.throwIfAborted()
      return [...refused, ...entries.slice(sent).map(entry => ({ entry, error }))]
    }
  }
  return refused
}
