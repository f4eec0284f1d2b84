// What records are decoded with before the user's code is called, as a user can say it, and what becomes of those that cannot be.
import type { DecodingOptions } from '../consumer/batch-decoding.ts'
import { asDecodeFunction, type Decode } from '../decoding/decoder.ts'
import { defaultAction, type UndecodableAction } from '../decoding/undecodable-rules.ts'
import { OptionError } from '../model/errors.ts'
import { checkOneOf } from './option-checks.ts'

/** The part of the options that says how records are decoded. See docs/decoding.md. */
export interface DecodeOptions<Value = unknown> {
  /**
   * Makes `record.value` of each record before your code is called with it: a function, an object with a method `decode`, or a
   * schema of zod, valibot, arktype and others that follow Standard Schema, for records that are JSON. Each record is decoded
   * once, however often your code is called with it. Default: `value` is `undefined`. A module in a thread exports it instead.
   */
  readonly decode?: Decode<Value>
  /**
   * What becomes of a record that cannot be decoded: its dead letter is stored and the others go on (`dead-letter`), it is
   * skipped (`skip`), or it fails, as if your code had failed with it alone, and `onProcessorError` says what follows (`fail`).
   * Default: `dead-letter` if there is a `deadLetters`, otherwise `fail`.
   */
  readonly onDecodeError?: UndecodableAction
}

/** What of other options matters here. */
interface OptionsBeside {
  readonly threads?: unknown
  readonly deadLetters?: unknown
}

const ACTIONS: readonly UndecodableAction[] = ['dead-letter', 'skip', 'fail']

/**
 * Checks the options and fills in the defaults. `undefined`: nothing is decoded.
 *
 * @throws OptionError naming the option, its value and what was expected
 */
export function resolveDecoding(given: DecodeOptions & OptionsBeside): DecodingOptions | undefined {
  const { decode, threads } = given
  if (decode !== undefined && threads !== undefined) {
    const problem = 'is given beside threads, to which it cannot be sent: expected the module to export decode'
    throw new OptionError('decode', problem)
  }
  const onError = undecodableAction(given)
  if (decode === undefined && threads === undefined) {
    if (given.onDecodeError === undefined) return undefined
    throw new OptionError('onDecodeError', 'is given, and nothing is decoded: expected option decode with it')
  }
  return { decode: decode === undefined ? undefined : asDecodeFunction('decode', decode), onError }
}

/** What becomes of records that cannot be decoded. @throws OptionError if it is none of the three */
function undecodableAction({ onDecodeError, deadLetters }: DecodeOptions & OptionsBeside): UndecodableAction {
  return checkOneOf('onDecodeError', onDecodeError, ACTIONS, defaultAction(deadLetters !== undefined))
}

/** Whether dead letters are stored of records that cannot be decoded; `expected`: by name, so that there has to be a destination. */
export function deadLettersUndecodable({ decode, onDecodeError }: DecodeOptions): 'expected' | 'possible' | 'no' {
  if (onDecodeError === 'dead-letter') return 'expected'
  return decode !== undefined && onDecodeError === undefined ? 'possible' : 'no'
}
