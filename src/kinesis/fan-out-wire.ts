// What the ways of carrying SubscribeToShard, HTTP/2 and HTTP/1.1, have in common: a signed request, and an answer whose body
// is taken piece by piece.
import { ServiceError } from '../model/errors.ts'
import type { PulledBody } from './fan-out-body.ts'

/** A request that is ready to be sent: signed, with the headers as they were signed. */
export interface WireRequest {
  /** Scheme, host and port, such as `https://kinesis.eu-west-3.amazonaws.com`. */
  readonly origin: string
  readonly path: string
  /** In lower case. Says the host as `host` or as `:authority`. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}

/** The beginning of an answer. */
export interface WireAnswer {
  readonly status: number
  /** In lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: PulledBody
}

/** Headers as Node.js has them, each as one text. */
export function headerTexts(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}

/** The error for what is sent after {@link FanOutWire.close}, or is broken off by it. */
export function closedByUs(): ServiceError {
  return new ServiceError('other', 'the subscription was closed by us', { retryable: false })
}

/** Sends requests, each answered with a stream. Errors are ServiceErrors, which do not say what the request was about. */
export interface FanOutWire {
  /** Resolves with the beginning of the answer. Once `signal` aborts, the answer is given up, its body too. */
  send(request: WireRequest, signal: AbortSignal): Promise<WireAnswer>
  /** Breaks everything off. Nothing can be sent after it. */
  close(): void
}
