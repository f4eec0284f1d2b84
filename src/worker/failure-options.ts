// What follows when the user's code fails, as a user can say it: attempts, halves, the last resort, and where dead letters go.
import { asDestination } from '../dead-letters/destination.ts'
import { messageOf, OptionError } from '../model/errors.ts'
import type { DeadLetterCallback, DeadLetterDestination } from '../processor/dead-letter.ts'
import type { FailureAction, FailurePolicy, LastResort, ProcessorFailure } from '../processor/failure-rules.ts'
import type { Logger } from '../runtime/logger.ts'
import { type DecodeOptions, deadLettersUndecodable } from './decode-options.ts'
import { checkBoolean, checkCount, checkGroup, checkInteger, checkOneOf, show } from './option-checks.ts'

/** Decides what follows a failure. Is called once for each, and has no effects of its own. */
export type FailureDecision = (failure: ProcessorFailure) => FailureAction | undefined

/** Stops calling the user's code for a while when it fails whatever it is given. One for the whole worker. */
export interface CircuitBreakerOptions {
  /** After how many failures in a row, over all shards. 1 to 1,000; default 5. */
  readonly failures?: number
  /** How long nothing is called then; after that one call is made to find out. Milliseconds, 100 to 3,600,000; default 30,000. */
  readonly openMs?: number
}

/** What follows when the processor or the handler throws, rejects or takes too long. See docs/failure-handling.md. */
export interface ProcessorErrorOptions {
  /** How often the same records are delivered in all; with `bisect` the last time alone. 1 to 1,000,000, or Infinity; default 10. */
  readonly attempts?: number
  /** How long after the first failure the attempts count as used up. Milliseconds, 1 to 604,800,000, or Infinity; default Infinity. */
  readonly maxElapsedMs?: number
  /** Delay before the second attempt; it doubles from there, and up to half of it is left to chance. Milliseconds, 0 to 600,000; default 500. */
  readonly backoffMs?: number
  /** No delay is longer. Milliseconds, `backoffMs` to 600,000; default 30,000, or `backoffMs` if that is more. */
  readonly maxBackoffMs?: number
  /**
   * Whether the bad record is looked for, by halves, once the attempts are used up, so that the last resort is for that record
   * alone. Default: true if `then` is `dead-letter` or `skip`, otherwise false.
   */
  readonly bisect?: boolean
  /**
   * What follows the last attempt: `halt` this shard and let the others go on (default), `stop` the whole worker, store the
   * records as dead letters and go on (`dead-letter`), or `skip` them and go on.
   */
  readonly then?: LastResort
  /**
   * Records that arrived at Kinesis longer ago are not tried, or not again: they are dead-lettered or skipped. Only where `then`
   * says which. Milliseconds, 1,000 to 31,536,000,000, or Infinity; default Infinity.
   */
  readonly maxRecordAgeMs?: number
  /** How long a call may take; then it has failed, and its signal aborts. Milliseconds, 1 to 86,400,000; default 900,000. */
  readonly timeoutMs?: number
  /** Decides error by error instead of all that; where it answers `undefined`, that holds. */
  readonly decide?: FailureDecision
  /** Stops calling the user's code for a while when it fails again and again. Default: none. */
  readonly circuitBreaker?: CircuitBreakerOptions
}

/** The part of the options that says what follows a failure. */
export interface FailureOptions {
  /** What to do when the processor or the handler fails. Default: 10 attempts within one to two minutes, then `halt`. */
  readonly onProcessorError?: ProcessorErrorOptions
  /** Where records go that are given up with `dead-letter`, or cannot be decoded: a destination, or a function that stores them. */
  readonly deadLetters?: DeadLetterDestination | DeadLetterCallback
}

/** The same with every default filled in. */
export interface ResolvedFailures {
  readonly failurePolicy: FailurePolicy
  /** How long a call of the user's code may take. Milliseconds. */
  readonly handlerTimeoutMs: number
  readonly breaker: { readonly failures: number; readonly openMs: number } | undefined
  readonly deadLetters: DeadLetterDestination | undefined
}

const NAMES = [
  ...['attempts', 'maxElapsedMs', 'backoffMs', 'maxBackoffMs', 'bisect', 'then', 'maxRecordAgeMs', 'timeoutMs'],
  ...['decide', 'circuitBreaker']
]
const LAST_RESORTS = ['halt', 'stop', 'dead-letter', 'skip'] as const
const ACTIONS: readonly FailureAction[] = ['retry', 'bisect', ...LAST_RESORTS]
const MS = 'milliseconds'
const WEEK_MS = 604_800_000
const YEAR_MS = 31_536_000_000

/**
 * Checks the options and fills in the defaults.
 *
 * @param logger is told of decisions that make no sense
 * @throws OptionError naming the option, its value and what was expected
 */
export function resolveFailures(given: FailureOptions & DecodeOptions, logger: Logger): ResolvedFailures {
  const options = checkGroup<ProcessorErrorOptions>('onProcessorError', given.onProcessorError, NAMES)
  const lastResort = checkOneOf('onProcessorError.then', options.then, LAST_RESORTS, 'halt')
  const decide = checkDecide(options.decide)
  const deadLetters = resolveDeadLetters(given, lastResort, decide)
  const timeout = { min: 1, max: 86_400_000, unit: MS }
  return {
    failurePolicy: {
      attempts: checkCount('onProcessorError.attempts', options.attempts, { min: 1, max: 1_000_000 }, 10),
      maxElapsedMs: checkMs('maxElapsedMs', options.maxElapsedMs, 1, WEEK_MS),
      bisect: checkBoolean('onProcessorError.bisect', options.bisect, isGivingUp(lastResort)),
      lastResort,
      backoff: resolveBackoff(options),
      maxRecordAgeMs: resolveAge(options.maxRecordAgeMs, lastResort),
      ...(decide !== undefined && { decide: guarded(decide, deadLetters !== undefined, logger) })
    },
    handlerTimeoutMs: checkInteger('onProcessorError.timeoutMs', options.timeoutMs, timeout, 900_000),
    breaker: resolveBreaker(options.circuitBreaker),
    deadLetters
  }
}

function isGivingUp(lastResort: LastResort): boolean {
  return lastResort === 'dead-letter' || lastResort === 'skip'
}

/** Milliseconds, or Infinity, which is the default. */
function checkMs(name: keyof ProcessorErrorOptions, value: unknown, min: number, max: number): number {
  return checkCount(`onProcessorError.${name}`, value, { min, max, unit: MS }, Number.POSITIVE_INFINITY)
}

function resolveBackoff({ backoffMs, maxBackoffMs }: ProcessorErrorOptions): FailurePolicy['backoff'] {
  const wait = { min: 0, max: 600_000, unit: MS }
  const firstMs = checkInteger('onProcessorError.backoffMs', backoffMs, wait, 500)
  const maxMs = checkInteger('onProcessorError.maxBackoffMs', maxBackoffMs, wait, Math.max(30_000, firstMs))
  if (maxMs >= firstMs) return { firstMs, maxMs }
  throw new OptionError('onProcessorError.maxBackoffMs', `is ${maxMs}, expected at least backoffMs, ${firstMs}`)
}

function resolveAge(given: number | undefined, lastResort: LastResort): number {
  const ageMs = checkMs('maxRecordAgeMs', given, 1_000, YEAR_MS)
  if (ageMs === Number.POSITIVE_INFINITY || isGivingUp(lastResort)) return ageMs
  const expected = "expected then to be 'dead-letter' or 'skip', which say what becomes of older records"
  throw new OptionError('onProcessorError.maxRecordAgeMs', `is ${show(given)} beside then '${lastResort}', ${expected}`)
}

function resolveBreaker(given: CircuitBreakerOptions | undefined): ResolvedFailures['breaker'] {
  if (given === undefined) return undefined
  const path = 'onProcessorError.circuitBreaker'
  const { failures, openMs } = checkGroup<CircuitBreakerOptions>(path, given, ['failures', 'openMs'])
  return {
    failures: checkInteger(`${path}.failures`, failures, { min: 1, max: 1_000 }, 5),
    openMs: checkInteger(`${path}.openMs`, openMs, { min: 100, max: 3_600_000, unit: MS }, 30_000)
  }
}

function checkDecide(given: unknown): FailureDecision | undefined {
  if (given === undefined || typeof given === 'function') return given as FailureDecision | undefined
  const expected = 'expected a function (failure) => what follows, or undefined'
  throw new OptionError('onProcessorError.decide', `is ${show(given)}, ${expected}`)
}

/**
 * The user's decision as the rules need it: one that throws, makes no sense or cannot be carried out is logged, and decides
 * what loses nothing.
 */
function guarded(decide: FailureDecision, hasDestination: boolean, logger: Logger): FailureDecision {
  const refused = ({ shardId }: ProcessorFailure, problem: string): undefined => {
    logger.error({ option: 'onProcessorError.decide', shardId }, problem)
  }
  return failure => {
    let answer: unknown
    try {
      answer = decide(failure)
    } catch (error) {
      return refused(failure, `decide threw, so the other options decide: ${messageOf(error)}`)
    }
    if (answer === undefined) return undefined
    const action = ACTIONS.find(known => known === answer)
    if (action === undefined) {
      return refused(failure, `decide answered ${show(answer)}, expected one of ${ACTIONS.join(', ')}, or undefined`)
    }
    if (action !== 'dead-letter' || hasDestination) return action
    refused(failure, "decide answered 'dead-letter', but there is no option deadLetters: the shard is halted")
    return 'halt'
  }
}

function resolveDeadLetters(
  given: FailureOptions & DecodeOptions,
  lastResort: LastResort,
  decide: FailureDecision | undefined
): DeadLetterDestination | undefined {
  const ofUndecodable = deadLettersUndecodable(given)
  if (given.deadLetters === undefined) {
    if (lastResort !== 'dead-letter' && ofUndecodable !== 'expected') return undefined
    const because = lastResort === 'dead-letter' ? 'onProcessorError.then' : 'onDecodeError'
    const problem = `is missing, expected where they go, because ${because} is 'dead-letter'`
    throw new OptionError('deadLetters', problem)
  }
  const destination = asDestination(given.deadLetters)
  if (lastResort === 'dead-letter' || decide !== undefined || ofUndecodable !== 'no') return destination
  const expected = "expected onProcessorError.then to be 'dead-letter', or a decide that can answer it"
  throw new OptionError('deadLetters', `is given, and nothing would use it: ${expected}`)
}
