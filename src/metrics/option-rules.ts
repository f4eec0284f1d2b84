// Checks of the options of backends. Each returns the value to use, or throws an OptionError with its name.
import { OptionError } from '../model/errors.ts'
import { shown } from '../model/option-rules.ts'

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
