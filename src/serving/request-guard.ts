// What an HTTP endpoint of this package answers to at all: which hosts, origins, methods, paths and tokens. Decides only; the
// endpoint itself is in health-endpoint.ts. Against DNS rebinding, requests that other web pages make, and paths that climb.
import { createHash, timingSafeEqual } from 'node:crypto'

/** A request as it came, before anything of it is believed. */
export interface RequestHead {
  readonly method: string | undefined
  /** The target as it was sent, such as `/status?pretty`. */
  readonly url: string | undefined
  /** Names and values in turn, as `rawHeaders` of Node has them: one that was sent twice is there twice. */
  readonly rawHeaders: readonly string[]
}

/** What an endpoint answers to. */
export interface GuardSettings {
  /** Whether it listens on a loopback address only: then no other address is a right one. */
  readonly isLoopback: boolean
  /** Names that it may be called by, beside addresses and `localhost`. Lower case, without a port. */
  readonly hosts: readonly string[]
  readonly methods: readonly string[]
}

/** What becomes of a request: it may go on, with its path, or is refused with a status. */
export type Verdict =
  | { readonly kind: 'pass'; readonly path: string; readonly query: string }
  | { readonly kind: 'refuse'; readonly status: 400 | 403 | 405 | 413 | 414; readonly because: string }

/** The longest target that is read. Characters. */
const MAX_TARGET = 1_024

/** Judges a request by its head alone. */
export function judgeRequest({ method = '', url = '', rawHeaders }: RequestHead, settings: GuardSettings): Verdict {
  const host = valuesOf(rawHeaders, 'host')
  if (host.length !== 1) return refuse(400, 'expected exactly one Host header')
  const [asked = ''] = host
  if (!isRightHost(asked, settings)) {
    return refuse(403, 'the Host header names another host; name it in the option hosts if it is right')
  }
  const origin = valuesOf(rawHeaders, 'origin')
  if (origin.some(value => !isSameOrigin(value, asked))) return refuse(403, 'the request comes from another web page')
  const site = valuesOf(rawHeaders, 'sec-fetch-site')
  if (site.some(value => value !== 'same-origin' && value !== 'none')) {
    return refuse(403, 'the request comes from another web page')
  }
  if (!settings.methods.includes(method)) return refuse(405, `expected ${settings.methods.join(' or ')}`)
  return judgeTarget(url)
}

/** Whether a request says that a body follows. */
export function announcesBody(rawHeaders: readonly string[]): boolean {
  if (valuesOf(rawHeaders, 'transfer-encoding').length > 0) return true
  return valuesOf(rawHeaders, 'content-length').some(length => length !== '0')
}

/**
 * Judges the target of a request. A path is plain: no escapes, no `.` or `..`, no empty parts, nothing but what the paths of an
 * endpoint are made of. So it cannot mean something else to whoever reads it next.
 */
export function judgeTarget(url: string): Verdict {
  if (url.length > MAX_TARGET) return refuse(414, `expected at most ${MAX_TARGET} characters`)
  const [path = '', query = ''] = splitOnce(url, '?')
  if (!/^\/[\w./-]*$/.test(path)) return refuse(400, 'expected a path of letters, digits, -, _, . and /')
  const parts = path.split('/').slice(1)
  if (parts.slice(0, -1).includes('') || parts.some(part => part === '.' || part === '..')) {
    return refuse(400, 'expected a path without empty parts, . and ..')
  }
  return { kind: 'pass', path, query }
}

/** Whether a token is the expected one. Takes as long for a wrong one as for a right one, whatever its length. */
export function isToken(given: string | undefined, expected: string): boolean {
  const [a, b] = [given ?? '', expected].map(token => createHash('sha256').update(token).digest())
  return a !== undefined && b !== undefined && timingSafeEqual(a, b) && given !== undefined && expected !== ''
}

/** Whether an address to listen on is reached from this machine only. */
export function isLoopbackAddress(host: string): boolean {
  const bare = host.toLowerCase().replace(/^\[(.*)\]$/, '$1')
  return bare === 'localhost' || bare === '::1' || /^127(\.\d{1,3}){3}$/.test(bare)
}

/** The values of a header, each time that it was sent. */
export function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name)
}

/**
 * Whether a Host header may be ours. A page of somebody else reaches this machine by a name that is his (DNS rebinding), never
 * by an address or by `localhost`: an address stands for itself.
 */
function isRightHost(header: string, { isLoopback, hosts }: GuardSettings): boolean {
  const [, name = ''] = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.exec(header) ?? []
  const host = name.toLowerCase()
  if (isLoopbackAddress(host) || (host !== '' && hosts.includes(host))) return true
  return !isLoopback && isAddress(host)
}

function isAddress(host: string): boolean {
  return /^\[[0-9a-f:.]+\]$/.test(host) || /^\d{1,3}(\.\d{1,3}){3}$/.test(host)
}

function isSameOrigin(origin: string, host: string): boolean {
  return [`http://${host}`, `https://${host}`].includes(origin.toLowerCase()) || origin === `http://${host}`
}

function splitOnce(text: string, at: string): string[] {
  const index = text.indexOf(at)
  return index === -1 ? [text] : [text.slice(0, index), text.slice(index + 1)]
}

function refuse(status: 400 | 403 | 405 | 413 | 414, because: string): Verdict {
  return { kind: 'refuse', status, because }
}
