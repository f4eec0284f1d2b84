// Finds the stream: waits while it is being created, and says in words why it cannot be read.
import type { StreamDescription } from '../kinesis/kinesis-port.ts'
import { ServiceError } from '../model/errors.ts'
import type { StreamIdentity } from '../model/lease.ts'
import type { Shard } from '../model/shard.ts'
import { backoffMs } from '../runtime/backoff.ts'
import { judgeListing } from './shard-graph.ts'
import { patiently, type SyncContext, withFleetPatience } from './sync-context.ts'

/** A stream that can be read, and what time it is there. */
export interface FoundStream {
  readonly identity: StreamIdentity
  /**
   * Epoch milliseconds by the clock of the service, where it says: a time taken from a clock that is ahead would lie in its
   * future, and it refuses to read from there.
   */
  readonly nowMs: number
}

const CREATION_TAKES_AT_MOST_MS = 300_000
const CREATION_BACKOFF = { firstMs: 1_000, maxMs: 10_000 }
const LISTINGS = 3
const BETWEEN_LISTINGS_MS = 1_000

/**
 * Which stream it is that has the name now. Waits up to five minutes for one that is being created.
 *
 * @throws ServiceError `not-found` if there is none or it is being deleted; `in-use` if it is still being created.
 */
export async function findStream(context: SyncContext, signal: AbortSignal | undefined): Promise<FoundStream> {
  const { clock, random, kinesis } = context
  const untilMs = clock.monotonicMs() + CREATION_TAKES_AT_MOST_MS
  for (let looks = 1; ; looks++) {
    const { status, streamArn, creationEpoch, serviceTimeMs } = await describe(context, signal)
    if (status === 'ACTIVE' || status === 'UPDATING') {
      return { identity: { streamArn, creationEpoch }, nowMs: serviceTimeMs ?? clock.epochMs() }
    }
    if (status === 'DELETING') {
      throw new ServiceError('not-found', `Stream ${kinesis.streamName} is being deleted`, { retryable: false })
    }
    if (clock.monotonicMs() >= untilMs) {
      const waited = `after ${CREATION_TAKES_AT_MOST_MS / 60_000} minutes of waiting`
      const message = `Stream ${kinesis.streamName} is still being created ${waited}`
      throw new ServiceError('in-use', message, { retryable: true })
    }
    await clock.sleep(backoffMs(looks, CREATION_BACKOFF, random.next()), signal)
  }
}

async function describe(context: SyncContext, signal: AbortSignal | undefined): Promise<StreamDescription> {
  try {
    return await withFleetPatience(context, signal, () => context.kinesis.describeStream({ signal }))
  } catch (error) {
    if (!(error instanceof ServiceError) || error.kind !== 'not-found') throw error
    const where = 'in the account and region of this Kinesis client'
    const message = `Stream ${context.kinesis.streamName} does not exist ${where}`
    throw new ServiceError('not-found', message, { retryable: false, cause: error })
  }
}

/**
 * Every shard that Kinesis still knows. A listing that was read while the stream was being resharded is read again.
 *
 * @throws ServiceError, retryable, if it is still inconsistent the third time.
 */
export async function listWholeStream(context: SyncContext, signal: AbortSignal | undefined): Promise<Shard[]> {
  const { clock, kinesis } = context
  for (let listing = 1; ; listing++) {
    const shards = await patiently(context, signal, () => kinesis.listShards({ signal }))
    const verdict = judgeListing(shards)
    if (verdict.kind === 'consistent') return shards
    if (listing === LISTINGS) {
      const message = `The shards of stream ${kinesis.streamName} do not fit together: ${verdict.because}`
      throw new ServiceError('other', `${message}. Listed ${LISTINGS} times`, { retryable: true })
    }
    await clock.sleep(BETWEEN_LISTINGS_MS, signal)
  }
}

/**
 * The ids of the shards that were open at a time. Empty if Kinesis refuses to say, which it does for times that are too
 * long ago.
 */
export async function listOpenAt(
  context: SyncContext,
  timestampMs: number,
  signal: AbortSignal | undefined
): Promise<ReadonlySet<string>> {
  const filter = { type: 'AT_TIMESTAMP', timestampMs } as const
  try {
    const shards = await patiently(context, signal, () => context.kinesis.listShards({ filter, signal }))
    return new Set(shards.map(shard => shard.shardId))
  } catch (error) {
    if (error instanceof ServiceError && error.kind === 'invalid-argument') return new Set()
    throw error
  }
}
