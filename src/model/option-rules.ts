// Checks of options that parts of every layer have, and how what is wrong is shown.
import { OptionError } from './errors.ts'

/** An object of options with none in it but `known` ones. @throws OptionError */
export function checkOptions(options: unknown, known: readonly string[], name = 'options'): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new OptionError(name, `is ${shown(options)}, expected an object with ${known.join(', ')}`)
  }
  const [stranger] = Object.keys(options).filter(each => !known.includes(each))
  if (stranger !== undefined) throw new OptionError(stranger, `is not known; expected one of ${known.join(', ')}`)
}

/** A value as it may stand in an error: short, and no more than its kind for anything that is not a primitive. */
export function shown(value: unknown): string {
  if (value === undefined) return 'missing'
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value)
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return 'an array'
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid Date' : value.toISOString()
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}
