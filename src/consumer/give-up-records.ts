// Gives records up: has their dead letters stored, however often that takes, or notes that they are skipped. Nothing is given
// up before its letter is stored.
import { DeadLetterError, FailedRecordsError, OptionError, RecordUndecodableError } from '../model/errors.ts'
import type { ConsumedRecord } from '../model/record.ts'
import { type ExtendedSequenceNumber, positionOf } from '../model/sequence-number.ts'
import type { DeadLetter, DeadLetterDestination } from '../processor/dead-letter.ts'
import { backoffMs } from '../runtime/backoff.ts'
import type { Clock } from '../runtime/clock.ts'
import { withDeadline } from '../runtime/deadline.ts'
import type { Random } from '../runtime/random.ts'
import type { GivenUp } from './batch-run.ts'
import type { GivenUpReport, ShardListener } from './shard-listener.ts'
import type { CallOutcome } from './user-call.ts'

/** Where dead letters go, and what stands in them beside the record. */
export interface DeadLettering {
  /** Absent: none was configured, and nothing may be dead-lettered. */
  readonly destination: DeadLetterDestination | undefined
  readonly stream: string
  readonly applicationName: string
}

/** What giving up needs. */
export interface GiveUpOptions extends DeadLettering {
  readonly shardId: string
  /** Aborts when no further attempt to store letters is wanted. */
  readonly interrupt: AbortSignal
  /** Aborts when a store under way is not to be waited for. */
  readonly giveUp: AbortSignal
  /** Resolves when the lease is proved to be held, or `signal` aborts: another worker may have settled the records. Absent: it is. */
  readonly whenValid?: (signal: AbortSignal) => Promise<void>
  readonly clock: Clock
  readonly random: Random
  readonly listener: Pick<ShardListener, 'gaveUpRecords' | 'deadLetterFailed'>
}

const ATTEMPTS = 10
const BACKOFF = { firstMs: 500, maxMs: 30_000 }
/** How long storing the letters of one call may take. Milliseconds. */
const STORE_MS = 60_000
/** So many characters of what a validator says stand in a letter. */
const MOST_WORDS = 1_000

/**
 * Gives records up. Any other outcome than `done` leaves them as they were: the shard is halted if their letters cannot be
 * stored, or have nowhere to go.
 */
export async function giveUpRecords(given: GivenUp, options: GiveUpOptions): Promise<CallOutcome> {
  const outcome = given.how === 'skip' ? skip(options) : await storeLetters(given, options)
  if (outcome.kind === 'done') options.listener.gaveUpRecords(reportOf(given))
  return outcome
}

/** Where the lease is not held any more, whoever has it now is given the records, too. */
function skip({ giveUp }: GiveUpOptions): CallOutcome {
  return giveUp.aborted ? { kind: 'interrupted' } : { kind: 'done' }
}

async function storeLetters(given: GivenUp, options: GiveUpOptions): Promise<CallOutcome> {
  const { destination, interrupt, giveUp, whenValid, clock, random, listener } = options
  if (destination === undefined) {
    const error = new OptionError(
      'deadLetters',
      'is missing, and decide() answered dead-letter: expected a destination'
    )
    return { kind: 'gave-up', lastResort: 'halt', error }
  }
  const letters = lettersOf(given, options)
  for (let failures = 1; ; failures++) {
    await whenValid?.(interrupt)
    if (interrupt.aborted) return { kind: 'interrupted' }
    try {
      const tooLong = (): Error => new Error(`no answer within ${STORE_MS} ms`)
      await withDeadline(clock, STORE_MS, giveUp, async signal => destination.store(letters, { signal }), tooLong)
      return { kind: 'done' }
    } catch (cause) {
      if (giveUp.aborted) return { kind: 'interrupted' }
      const error = new DeadLetterError(destination.name, cause)
      const isLast = failures === ATTEMPTS
      const retryInMs = isLast ? undefined : backoffMs(failures, BACKOFF, random.next())
      listener.deadLetterFailed(error, retryInMs)
      if (retryInMs === undefined) return { kind: 'gave-up', lastResort: 'halt', error }
      await clock.sleep(retryInMs, interrupt)
    }
  }
}

function lettersOf({ records, cause, causeOf, attempts }: GivenUp, options: GiveUpOptions): DeadLetter[] {
  const { stream, applicationName, shardId, clock } = options
  const givenUpAtMs = clock.epochMs()
  const common = describe(cause)
  const reasonOf = (record: ConsumedRecord): DeadLetter['error'] => {
    if (causeOf !== undefined) return describe(causeOf(record))
    return cause instanceof FailedRecordsError ? describe(cause.reasonOf(record)) : common
  }
  return records.map(record => ({
    stream,
    applicationName,
    shardId,
    ...positionOf(record),
    partitionKey: record.partitionKey,
    ...(record.explicitHashKey !== undefined && { explicitHashKey: record.explicitHashKey }),
    data: record.data,
    ...(record.arrivedAtMs !== undefined && { arrivedAtMs: record.arrivedAtMs }),
    givenUpAtMs,
    attempts,
    error: reasonOf(record)
  }))
}

/** What was thrown, in two texts. Anything can be thrown, even what cannot be made a text. */
function describe(cause: unknown): { name: string; message: string } {
  try {
    return cause instanceof Error
      ? { name: String(cause.name), message: `${String(cause.message)}${wordsOf(cause)}` }
      : { name: typeof cause, message: String(cause) }
  } catch {
    return { name: typeof cause, message: 'cannot be shown as text' }
  }
}

/** What a validator has said. It may quote the payload, which stands in the letter anyway. */
function wordsOf(error: Error): string {
  if (!(error instanceof RecordUndecodableError) || !error.issues?.length) return ''
  return `: ${error.issues.map(({ message }) => message).join('; ')}`.slice(0, MOST_WORDS)
}

function reportOf({ records, how, cause }: GivenUp): GivenUpReport {
  const [first, last] = [records[0], records.at(-1)] as [ExtendedSequenceNumber, ExtendedSequenceNumber]
  return { records: records.length, how, error: cause, first: positionOf(first), last: positionOf(last) }
}
