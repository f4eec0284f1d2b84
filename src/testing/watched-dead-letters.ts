// A destination of dead letters as a simulated worker has it: what it is given and what it has stored is watched, and it
// behaves as its conduct has it.
import { asDestination } from '../dead-letters/destination.ts'
import type { DeadLetter, DeadLetterCallback, DeadLetterDestination } from '../processor/dead-letter.ts'
import { type ConductPorts, dawdle, isDrawn, type LetterConduct } from './conduct.ts'
import type { Gate } from './gate.ts'

/** Is told of dead letters. */
export interface LetterWatch {
  /** The destination is asked to store letters. */
  storing(letters: readonly DeadLetter[]): void
  /** It has stored them, whether or not the worker hears of that. */
  stored(letters: readonly DeadLetter[]): void
}

/** What a watched destination is made with. */
export interface LetterWatchOptions extends ConductPorts {
  readonly watch: LetterWatch
  readonly conduct: LetterConduct
  /** Of the worker. */
  readonly gate: Gate
}

/** A destination, or a function as one, that is watched. */
export function watchedDeadLetters(
  given: DeadLetterDestination | DeadLetterCallback,
  options: LetterWatchOptions
): DeadLetterDestination {
  const { watch, conduct, gate, random } = options
  const inner = asDestination(given)
  return {
    name: inner.name,
    store: async (letters, input) => {
      watch.storing(letters)
      try {
        await dawdle(conduct, options)
        const isFailing = isDrawn(conduct.failing ?? 0, random)
        if (isFailing && random.next() < 0.5) throw new Error('The simulation makes this store fail')
        await inner.store(letters, input)
        watch.stored(letters)
        if (isFailing) throw new Error('The simulation loses the answer of this store')
      } finally {
        if (!gate.isOpen) await gate.pass()
      }
    }
  }
}
