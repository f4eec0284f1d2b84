// Checks of the options of destinations and sources. Each returns the value to use, or throws an OptionError with its name.
import { OptionError } from '../model/errors.ts'

/** An object of options with none in it but `known` ones. */
export function checkOptions(options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new OptionError('options', `is ${shown(options)}, expected an object with ${known.join(', ')}`)
  }
  const [stranger] = Object.keys(options).filter(name => !known.includes(name))
  if (stranger !== undefined) throw new OptionError(stranger, `is not known; expected one of ${known.join(', ')}`)
}

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

/** A value as it may stand in an error: short, and no more than its kind for anything that is not a primitive. */
export function shown(value: unknown): string {
  if (value === undefined) return 'missing'
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value)
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}
