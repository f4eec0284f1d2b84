// What tumbling windows are made from: the user's functions, their defaults and their checks.
import { messageOf, OptionError } from '../model/errors.ts'
import type { ConsumedRecord } from '../model/record.ts'
import type { ExtendedSequenceNumber } from '../model/sequence-number.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { checkGroup, checkInteger, checkMethods, show } from '../worker/option-checks.ts'
import type { TimeWindow, WindowRules } from './window-rules.ts'

/** A window of one shard that is over, and what was made of its records. */
export interface ClosingWindow<State> {
  /**
   * `shardId/startMs`. The same whenever the same window is closed again, so what is stored under it is to be replaced: the
   * newest has all the records of those before.
   */
  readonly id: string
  /** The shard whose records are in it. Windows of other shards over the same time are closed by themselves. */
  readonly shardId: string
  /** The time that it is of. */
  readonly window: TimeWindow
  /** What `add` made of its records. A copy: what a call that fails does to it is forgotten. */
  readonly state: State
  /** How many records are in it. */
  readonly records: number
  /** How many of them are late ones from earlier windows. */
  readonly late: number
  /** Position of its last record. */
  readonly last: ExtendedSequenceNumber
  /** Whether its time is over, or the shard has ended before that: then child shards have windows over the same time. */
  readonly reason: 'complete' | 'shard-end'
  /** Higher for every later owner of the shard: a store that refuses lower ones than it has seen refuses all former owners. */
  readonly fencingToken: number
  /** Aborts when the call is not waited for any more: whoever has the shard then closes the window again. */
  readonly signal: AbortSignal
}

/** Where a late record came too late. */
export interface LateRecord {
  /** The window that it belongs to, which is closed. */
  readonly window: TimeWindow
  /** The shard that it is from. */
  readonly shardId: string
}

/** What `add` returns: another state, or nothing, if it has changed the one that it was given. */
type Added<State> =
  // biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing fits
  State | void

/** What tumbling windows are made from. */
export interface TumblingWindowsOptions<State, Value = unknown> {
  /** How long each window is; they begin at multiples of that. Milliseconds, 1,000 to 900,000. */
  readonly windowMs: number
  /** Makes the state of a window, when its first record comes. */
  readonly open: (window: TimeWindow, shardId: string) => State
  /**
   * Adds a record to the state: changes it, or returns another one. If it throws, or a later record of the batch does, the
   * state is as it was before the batch, and the records come again.
   */
  readonly add: (
    state: State,
    record: ConsumedRecord<Value>,
    window: TimeWindow
  ) => Added<State> | Promise<Added<State>>
  /**
   * Takes what a window came to. Once it has returned, the checkpoint may pass the records. If it throws, the call of the
   * processor that it was made in has failed, and it is called again with the same state.
   */
  readonly close: (closing: ClosingWindow<State>) => void | Promise<void>
  /**
   * When a record happened. Epoch milliseconds; one later than its arrival counts as that. Default: when it arrived. What it
   * throws is a failure of that record.
   */
  readonly timeOf?: (record: ConsumedRecord<Value>) => number
  /**
   * How long after its end, by the times of the records, a window waits for records that are out of order. Milliseconds, 0 to
   * 900,000; default 0. So much longer are windows kept, and read again after a crash.
   */
  readonly allowedLatenessMs?: number
  /**
   * What becomes of a record whose window is closed: it counts in the oldest window that is not (`next-window`, default), is
   * dropped (`drop`), or is given to a function. It is counted in any case.
   */
  readonly late?: 'next-window' | 'drop' | ((record: ConsumedRecord<Value>, late: LateRecord) => void | Promise<void>)
  /**
   * How much longer windows wait for records when the shard is quiet, until they close by the clock. More than the shard may go
   * unread, or records come late. Milliseconds, 0 to 900,000; default 5,000.
   */
  readonly idleMs?: number
  /**
   * Copies a state. Default: `structuredClone`, which is enough for whatever is no instance of a class. Made of each window once
   * per batch, so that a batch can fail; where `add` never changes a state but returns another, let this return what it is given.
   */
  readonly copy?: (state: State) => State
  /** Told when a window could not be closed by the clock, which is tried again: no call of the processor fails then. */
  readonly onCloseError?: (error: unknown, closing: LateRecord) => void
  /** Where time comes from. Default: the system. */
  readonly clock?: Clock
}

/** The options with every default filled in. */
export interface ResolvedWindows<State> {
  readonly rules: WindowRules
  readonly idleMs: number
  readonly open: TumblingWindowsOptions<State>['open']
  readonly add: TumblingWindowsOptions<State>['add']
  readonly close: TumblingWindowsOptions<State>['close']
  /** The time of a record. @throws TypeError if there is none */
  readonly timeOf: (record: ConsumedRecord) => number
  readonly late: (record: ConsumedRecord, late: LateRecord) => void | Promise<void>
  readonly copy: (state: State) => State
  readonly onCloseError: (error: unknown, closing: LateRecord) => void
  readonly clock: Clock
}

const OPTION_NAMES = [
  ...['windowMs', 'open', 'add', 'close', 'timeOf', 'allowedLatenessMs', 'late', 'idleMs', 'copy', 'onCloseError'],
  'clock'
]
const MS = 'milliseconds'

/** Checks the options and fills in the defaults. @throws OptionError naming the option, its value and what was expected */
export function resolveWindows<State, Value = unknown>(
  given: TumblingWindowsOptions<State, Value>
): ResolvedWindows<State> {
  const options = checkGroup('options', given, OPTION_NAMES) as Partial<TumblingWindowsOptions<State>>
  const { windowMs, allowedLatenessMs, late, idleMs, clock } = options
  if (windowMs === undefined) throw new OptionError('windowMs', 'is missing, expected a whole number of milliseconds')
  const wait = { min: 0, max: 900_000, unit: MS }
  return {
    rules: {
      windowMs: checkInteger('windowMs', windowMs, { min: 1_000, max: 900_000, unit: MS }, 0),
      allowedLatenessMs: checkInteger('allowedLatenessMs', allowedLatenessMs, wait, 0),
      isLateMoved: (late ?? 'next-window') === 'next-window'
    },
    idleMs: checkInteger('idleMs', idleMs, wait, 5_000),
    open: checkFunction('open', options.open, undefined),
    add: checkFunction('add', options.add, undefined),
    close: checkFunction('close', options.close, undefined),
    timeOf: checkedTime(options.timeOf === undefined ? undefined : checkFunction('timeOf', options.timeOf, undefined)),
    late: typeof late === 'function' ? late : checkLate(late),
    copy: checkFunction('copy', options.copy, cloned),
    onCloseError: checkFunction('onCloseError', options.onCloseError, () => {}),
    clock: checkMethods('clock', clock, ['monotonicMs', 'epochMs', 'sleep'], 'a clock') ?? systemClock
  }
}

function checkFunction<F>(option: string, value: F | undefined, byDefault: F | undefined): F {
  const chosen = value ?? byDefault
  if (typeof chosen === 'function') return chosen
  throw new OptionError(
    option,
    value === undefined ? 'is missing, expected a function' : `is ${show(value)}, expected a function`
  )
}

function checkLate(late: unknown): () => void {
  if (late === undefined || late === 'next-window' || late === 'drop') return () => {}
  throw new OptionError('late', `is ${show(late)}, expected 'next-window', 'drop' or a function`)
}

/** A producer whose clock is far ahead would close the windows of everybody else: nothing happens after it has arrived. */
function checkedTime(timeOf: ((record: ConsumedRecord) => number) | undefined): (record: ConsumedRecord) => number {
  return record => {
    const { arrivedAtMs } = record
    const timeMs = timeOf === undefined ? arrivedAtMs : timeOf(record)
    if (typeof timeMs === 'number' && Number.isFinite(timeMs)) return Math.min(timeMs, arrivedAtMs ?? timeMs)
    const whose = timeOf === undefined ? 'arrivedAtMs' : 'timeOf'
    const at = `${record.sequenceNumber}#${record.subSequenceNumber}`
    throw new TypeError(`${whose} of record ${at} is ${show(timeMs)}, expected epoch milliseconds`)
  }
}

/** @throws OptionError if the copy would not be like the state */
function cloned<State>(state: State): State {
  if (typeof state !== 'object' && typeof state !== 'function') return state
  let problem = 'the state is an instance of a class, which structuredClone makes a plain object of'
  try {
    const copy = structuredClone(state)
    if (state === null || Object.getPrototypeOf(copy) === Object.getPrototypeOf(state)) return copy
  } catch (cause) {
    problem = `structuredClone refuses the state (${messageOf(cause)})`
  }
  throw new OptionError('copy', `is missing, but ${problem}: expected a function that copies a state`)
}
