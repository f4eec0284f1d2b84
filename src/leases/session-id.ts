// What a session is called: the id of its worker and a random word, so that every run of a worker is an owner of its own.
import { type Random, randomWord } from '../runtime/random.ts'

/** How many random letters and digits tell one session of a worker from another. */
const WORD_LENGTH = 8

/** A name for the next session of a worker: `workerId/xxxxxxxx`. */
export function newSessionId(workerId: string, random: Random): string {
  return `${workerId}/${randomWord(WORD_LENGTH, random)}`
}

/** Whether an owner in the lease table is a session. Any other is a foreign worker, such as one of Java KCL. */
export function isSession(owner: string): boolean {
  return /^.+\/[0-9a-z]{8}$/s.test(owner)
}

/** The id of the worker that a session is, or was, a run of. */
export function workerIdOf(session: string): string {
  return session.slice(0, session.lastIndexOf('/'))
}
