// Checks of the options of destinations and sources. Each returns the value to use, or throws an OptionError with its name.
import { OptionError } from '../model/errors.ts'
import { shown } from '../model/option-rules.ts'

/** A text that is not empty. */
export function checkName(option: string, value: unknown, expected: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw new OptionError(option, `is ${shown(value)}, expected ${expected}`)
}

/** A whole number within a range, both ends included. */
export function checkNumber(
  option: string,
  value: unknown,
  { min, max, byDefault }: { readonly min: number; readonly max: number; readonly byDefault: number }
): number {
  if (value === undefined) return byDefault
  if (typeof value === 'number' && (Number.isInteger(value) || value === max) && value >= min && value <= max)
    return value
  throw new OptionError(option, `is ${shown(value)}, expected a whole number from ${min} to ${max}`)
}
