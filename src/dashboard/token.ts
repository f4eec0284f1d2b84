// A new token for a dashboard, when nobody has given one.
import { randomBytes } from 'node:crypto'

/** A token that nobody guesses: 32 characters, from 192 random bits. */
export function newToken(): string {
  return randomBytes(24).toString('base64url')
}
