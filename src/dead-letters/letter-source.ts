// Where dead letters are read from: the port of the sources, and any sequence of letters as one.
import { BugError, messageOf } from '../model/errors.ts'
import type { DeadLetter } from '../processor/dead-letter.ts'
import { parseDeadLetter } from './letter-codec.ts'

/** Something that a source holds: a letter, or what should be one and cannot be read. */
export type FoundLetter = {
  /** Where it was found, such as `line 3 of letters.jsonl`. For errors and reports. */
  readonly at: string
  /**
   * Has to be called once it is known what became of it: whether the source may let go of it. A source without a way to remove
   * letters keeps all of them.
   */
  settle(isDone: boolean): Promise<void>
} & (
  | { readonly letter: DeadLetter; readonly error?: undefined }
  | { readonly letter?: undefined; readonly error: Error }
)

/** A place that dead letters are read from. */
export interface DeadLetterSource {
  /** What it is called in messages, such as `file letters.jsonl`. */
  readonly name: string
  /**
   * All that is there, in the order of the source. Ends when there is nothing more, or when `signal` aborts; rejects if the source
   * cannot be read. Has to be closed by its `return` if it is left early.
   */
  letters(options: { readonly signal: AbortSignal }): AsyncGenerator<FoundLetter, void, undefined>
}

/** The source that was given, or letters from somewhere else as one. */
export function asSource(given: DeadLetterSource | AsyncIterable<DeadLetter> | Iterable<DeadLetter>): DeadLetterSource {
  if ('letters' in given) return given
  const sequence = given as AsyncIterable<DeadLetter>
  return {
    name: 'letters',
    async *letters({ signal }) {
      let number = 0
      for await (const letter of sequence) {
        if (signal.aborted) return
        number += 1
        yield { at: `letter ${number}`, letter, settle: async () => {} }
      }
    }
  }
}

/** What is found at a place: the letter in its text, or why there is none. */
export function foundIn(json: string | Uint8Array, at: string, settle: FoundLetter['settle']): FoundLetter {
  try {
    return { at, letter: parseDeadLetter(json, at), settle }
  } catch (error) {
    return { at, error: error instanceof Error ? error : new BugError(messageOf(error)), settle }
  }
}
