// Who may see, and who may act; which bodies are read.
import { OptionError } from '../model/errors.ts'
import { isToken, valuesOf } from '../serving/request-guard.ts'

/** What somebody may do, and what is answered where that is not enough. */
export interface Permission {
  readonly canRead: boolean
  readonly canAct: boolean
  readonly status: 401 | 403
  readonly because: string
}

/** What permissions depend on. */
export interface AccessSettings {
  readonly token: string | undefined
  /** Whether reading needs the token, too. */
  readonly isExposed: boolean
}

/** What somebody may do who sends these headers. The token is read from one place only, which other web pages cannot fill. */
export function judgeAccess(rawHeaders: readonly string[], { token, isExposed }: AccessSettings): Permission {
  if (token === undefined) {
    const because = 'this dashboard is read-only: it was started without a token'
    return { canRead: !isExposed, canAct: false, status: 403, because }
  }
  const given = valuesOf(rawHeaders, 'authorization')
  const [, bearer] = (given.length === 1 && /^Bearer ([\x21-\x7e]{1,200})$/i.exec(given[0] ?? '')) || []
  const isKnown = isToken(bearer, token)
  const because = given.length === 0 ? 'expected a token' : 'the token is not the right one'
  return { canRead: isKnown || !isExposed, canAct: isKnown, status: 401, because }
}

/** Why a body is not read, by what its head says of it. */
export function judgeBodyHead(
  rawHeaders: readonly string[],
  maxBytes: number
): { readonly status: 400 | 411 | 413 | 415; readonly because: string } | undefined {
  const types = valuesOf(rawHeaders, 'content-type')
  const isJson = types.length === 1 && /^application\/json(; *charset=utf-8)?$/i.test(types[0] ?? '')
  if (!isJson) return { status: 415, because: 'expected content-type: application/json' }
  if (valuesOf(rawHeaders, 'content-encoding').length > 0)
    return { status: 415, because: 'expected no content-encoding' }
  const lengths = valuesOf(rawHeaders, 'content-length')
  const [length = ''] = lengths
  if (lengths.length !== 1 || !/^\d{1,15}$/.test(length)) return { status: 411, because: 'expected a content-length' }
  return Number(length) > maxBytes ? { status: 413, because: `expected at most ${maxBytes} bytes` } : undefined
}

/** The id of the event that a page had last. */
export function lastIdOf(rawHeaders: readonly string[]): string | undefined {
  const [id] = valuesOf(rawHeaders, 'last-event-id')
  return id !== undefined && /^[\w-]{1,100}$/.test(id) ? id : undefined
}

/** Which operation is to be called off. @throws OptionError */
export function parseCallOff(body: string): string {
  const [, id] = /^\s*\{\s*"id"\s*:\s*"(op-\d{1,10})"\s*\}\s*$/.exec(body) ?? []
  if (id === undefined) throw new OptionError('id', 'expected the id of an operation')
  return id
}
