// Asks before something is done that cannot be undone.
import { linesOf } from '../dead-letters/letter-lines.ts'
import { OptionError } from '../model/errors.ts'
import type { CommandContext } from './command.ts'

/**
 * Says what is going to be done and asks whether it should be. Whoever says `--yes` is not asked.
 *
 * @param what a sentence, or several
 * @throws OptionError where nobody is there to be asked
 */
export async function confirmed(
  { ports, terminal }: CommandContext,
  what: string,
  { yes }: { readonly yes?: boolean }
): Promise<boolean> {
  if (yes === true) return true
  const { stdin, stderr } = ports
  if (stdin.isTTY !== true || terminal.isJson) {
    throw new OptionError('--yes', `is missing, and there is nobody to ask. ${what}`)
  }
  stderr.write(`${what}\nGo on? [y/N] `)
  for await (const { bytes } of linesOf(upToNewline(stdin as AsyncIterable<Uint8Array>))) {
    return /^\s*y(es)?\s*$/i.test(Buffer.from(bytes ?? []).toString())
  }
  return false
}

/** The pieces up to the first with the end of a line in it: nothing more is waited for. */
async function* upToNewline(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    yield piece
    if (piece.includes(10)) return
  }
}
