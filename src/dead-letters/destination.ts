// What a worker makes of its option `deadLetters`: a destination, whatever was given.
import { OptionError } from '../model/errors.ts'
import { shown } from '../model/option-rules.ts'
import type { DeadLetterCallback, DeadLetterDestination } from '../processor/dead-letter.ts'

/**
 * The destination that was given, or a function as one.
 *
 * @throws OptionError that names `deadLetters` if it is neither.
 */
export function asDestination(given: DeadLetterDestination | DeadLetterCallback): DeadLetterDestination {
  if (typeof given === 'function') {
    return {
      name: given.name === '' ? 'a function' : `function ${given.name}`,
      store: async (letters, options) => {
        const result: unknown = await given(letters, options)
        if (typeof Object(result).store !== 'function') return
        throw new OptionError(
          'deadLetters',
          'is a function that returned a destination, expected the destination itself'
        )
      }
    }
  }
  const { name, store } = Object(given) as Partial<DeadLetterDestination>
  if (typeof store === 'function' && typeof name === 'string' && name !== '') return given
  const problem = typeof store === 'function' ? 'has no name' : `is ${shown(given)}`
  throw new OptionError(
    'deadLetters',
    `${problem}, expected a function of letters, or a destination with a name and a method store`
  )
}
