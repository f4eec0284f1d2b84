// Dead letters read from a file of JSON Lines, as fileDeadLetters writes it.
import { createReadStream } from 'node:fs'
import { resolve } from 'node:path'
import { messageOf, ServiceError } from '../model/errors.ts'
import { linesOf } from './letter-lines.ts'
import { type DeadLetterSource, type FoundLetter, foundIn } from './letter-source.ts'
import { checkName } from './option-rules.ts'

/**
 * The letters in a file, from its beginning to where it ends now. Nothing is changed in it, whatever becomes of the letters.
 *
 * @throws OptionError if the path is missing.
 */
export function readFileDeadLetters(path: string): DeadLetterSource {
  const file = resolve(checkName('path', path, 'the path of a file'))
  return { name: `file ${file}`, letters: ({ signal }) => lettersIn(file, signal) }
}

async function* lettersIn(path: string, signal: AbortSignal): AsyncGenerator<FoundLetter, void, undefined> {
  const settle = async (): Promise<void> => {}
  try {
    for await (const { number, bytes } of linesOf(createReadStream(path))) {
      if (signal.aborted) return
      yield foundIn(bytes ?? '', `line ${number} of ${path}`, settle)
    }
  } catch (error) {
    const message = `Dead letters could not be read from ${path}: ${messageOf(error)}`
    throw new ServiceError('other', message, { retryable: false, cause: error })
  }
}
