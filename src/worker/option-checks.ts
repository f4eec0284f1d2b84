// Checks of single options. Each either returns the value to use or throws an OptionError with path, value and range.
import { OptionError } from '../model/errors.ts'
import { shown as show } from '../model/option-rules.ts'

/** The numbers that an option may have, both ends included. */
export interface NumberRange {
  readonly min: number
  readonly max: number
  readonly unit?: string
}

export { shown as show } from '../model/option-rules.ts'

/** An object of options with nothing in it but `known` ones. Absent counts as empty. */
export function checkGroup<T extends object>(path: string, value: T | undefined, known: readonly string[]): Partial<T> {
  if (value === undefined) return {}
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new OptionError(path, `is ${show(value)}, expected an object`)
  }
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) {
      const name = path === 'options' ? key : `${path}.${key}`
      const meant = known.find(candidate => isLike(candidate, key))
      const expected = `expected one of ${known.join(', ')}`
      const hint = meant === undefined ? '' : `. Did you mean ${meant}?`
      throw new OptionError(name, `is not known (it is ${show(Reflect.get(value, key))}); ${expected}${hint}`)
    }
  }
  return value
}

/** Whether one name is the other but for case and for one letter that is missing, wrong or too many. */
function isLike(known: string, given: string): boolean {
  const [a, b] = [known.toLowerCase(), given.toLowerCase()]
  if (Math.min(a.length, b.length) < 4) return false
  let same = 0
  while (same < Math.min(a.length, b.length) && a[same] === b[same]) same += 1
  return [
    [1, 0],
    [0, 1],
    [1, 1]
  ].some(([inA = 0, inB = 0]) => a.slice(same + inA) === b.slice(same + inB))
}

/** A whole number within a range. */
export function checkInteger(path: string, value: unknown, range: NumberRange, byDefault: number): number {
  if (value === undefined) return byDefault
  if (typeof value === 'number' && Number.isInteger(value) && value >= range.min && value <= range.max) return value
  throw new OptionError(path, `is ${show(value)}, expected a whole number ${rangeOf(range)}`)
}

/** A whole number within a range, or Infinity. */
export function checkCount(path: string, value: unknown, range: NumberRange, byDefault: number): number {
  if (value === Number.POSITIVE_INFINITY) return value
  try {
    return checkInteger(path, value, range, byDefault)
  } catch {
    throw new OptionError(path, `is ${show(value)}, expected a whole number ${rangeOf(range)}, or Infinity`)
  }
}

/** A text of a certain form, which cannot be left out. */
export function checkText(path: string, value: unknown, pattern: RegExp, expected: string): string {
  if (typeof value === 'string' && pattern.test(value)) return value
  throw new OptionError(
    path,
    value === undefined ? `is missing, expected ${expected}` : `is ${show(value)}, expected ${expected}`
  )
}

/** One of a few words. */
export function checkOneOf<T extends string>(path: string, value: unknown, words: readonly T[], byDefault: T): T {
  if (value === undefined) return byDefault
  const word = words.find(candidate => candidate === value)
  if (word !== undefined) return word
  throw new OptionError(path, `is ${show(value)}, expected ${words.map(candidate => `'${candidate}'`).join(' or ')}`)
}

/** True or false, and nothing that would only count as one of them. */
export function checkBoolean(path: string, value: unknown, byDefault: boolean): boolean {
  if (value === undefined) return byDefault
  if (typeof value === 'boolean') return value
  throw new OptionError(path, `is ${show(value)}, expected true or false`)
}

/** A value that has all the methods of an interface. */
export function checkMethods<T>(
  path: string,
  value: T | undefined,
  methods: readonly string[],
  what: string
): T | undefined {
  if (value === undefined) return undefined
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function'
  const missing = isObject ? methods.filter(name => typeof Reflect.get(value as object, name) !== 'function') : methods
  if (missing.length === 0) return value
  throw new OptionError(path, `is ${show(value)}, expected ${what} (without a method: ${missing.join(', ')})`)
}

function rangeOf({ min, max, unit }: NumberRange): string {
  return `from ${min.toLocaleString('en')} to ${max.toLocaleString('en')}${unit ? ` ${unit}` : ''}`
}
