// What the ways of carrying SubscribeToShard, HTTP/2 and HTTP/1.1, have in common: a signed request, and an answer whose body
// is taken piece by piece.
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

/** Sends requests, each answered with a stream. Errors are ServiceErrors, which do not say what the request was about. */
export interface FanOutWire {
  /** Resolves with the beginning of the answer. Once `signal` aborts, the answer is given up, its body too. */
  send(request: WireRequest, signal: AbortSignal): Promise<WireAnswer>
  /** Breaks everything off. */
  close(): void
}
