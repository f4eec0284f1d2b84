// Checks of the options of backends. Each returns the value to use, or throws an OptionError with its name.
import { OptionError } from '../model/errors.ts'

/** An object with none in it but `known` names. */
export function checkOptions(options: unknown, known: readonly string[], name = 'options'): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new OptionError(name, `is ${shown(options)}, expected an object with ${known.join(', ')}`)
  }
  const [stranger] = Object.keys(options).filter(each => !known.includes(each))
  if (stranger !== undefined) throw new OptionError(stranger, `is not known; expected one of ${known.join(', ')}`)
}

/** Of what metrics are wanted. */
export function checkLevel(value: unknown, byDefault: 'worker' | 'shard'): 'worker' | 'shard' {
  if (value === undefined || value === 'worker' || value === 'shard') return value ?? byDefault
  throw new OptionError('level', `is ${shown(value)}, expected 'worker' or 'shard'`)
}

/** A namespace of CloudWatch. */
export function checkNamespace(value: unknown): string {
  if (value === undefined) return 'Millrace'
  if (typeof value === 'string' && /^(?!AWS\/)[a-zA-Z0-9._/#: -]{1,255}$/.test(value)) return value
  const expected = '1 to 255 letters, digits, spaces and . - _ / # :, not beginning with AWS/'
  throw new OptionError('namespace', `is ${shown(value)}, expected ${expected}`)
}

/** An object with these methods. */
export function checkMethods(name: string, value: unknown, methods: readonly string[], expected: string): void {
  const missing = methods.filter(method => typeof Reflect.get(Object(value), method) !== 'function')
  if (missing.length > 0) throw new OptionError(name, `is ${shown(value)}, expected ${expected}`)
}

/** A value as it may stand in an error. */
export function shown(value: unknown): string {
  if (value === undefined) return 'missing'
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value)
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}
