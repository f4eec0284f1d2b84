// What a worker does before it joins its fleet: finds its streams, and has the two tables made and read.
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Random } from '../runtime/random.ts'
import { retry } from '../runtime/retry.ts'
import type { OpenPorts } from './ports.ts'
import type { StreamSet } from './stream-set.ts'

/** What is prepared, and who is told of attempts that fail. */
export interface PrepareOptions {
  readonly syncer: Pick<StreamSet, 'find' | 'open'>
  readonly ports: Pick<OpenPorts, 'store' | 'control'>
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** For each step. Beside it, the shard syncer tries each of its calls again by itself. */
const RETRY = { attempts: 8, backoff: { firstMs: 200, maxMs: 5_000 } }

/**
 * Resolves when the stream is found and the tables are ready.
 *
 * @throws TableMismatchError if the lease table is not this application's, or the stream was recreated
 * @throws ServiceError if the stream does not exist, or Kinesis or DynamoDB refuse a call
 */
export async function prepareTables(options: PrepareOptions, signal: AbortSignal): Promise<void> {
  const { syncer, ports, clock, random, logger } = options
  const patiently = (what: string, work: () => Promise<unknown>): Promise<unknown> => {
    const retried = (error: unknown, inMs: number): void =>
      logger.warn({ err: error, inMs, what }, 'a step of the start failed and is tried again')
    return retry(work, RETRY, { clock, random, signal, retried })
  }
  // The stream first: a wrong name must not leave a table behind.
  await syncer.find(signal)
  await patiently('prepare the lease table', () => ports.store.prepare(signal))
  await patiently('prepare the control table', () => ports.control.prepare(signal))
  await patiently('read the lease table', () => syncer.open(signal))
}
