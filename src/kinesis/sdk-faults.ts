// What the service says when it refuses a call, as an error like those of the SDK.
import { CborError, CborReader } from '../wire/cbor.ts'

/** The answer, as far as it matters here. */
export interface RefusingResponse {
  readonly statusCode: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
}

/** What JSON begins with, whatever its type is said to be. */
const OPEN_BRACE = 123

/**
 * The error that an answer with this body is about. It has the name that the service gave it, as in `ExpiredIteratorException`;
 * `UnknownError` if none, which is what proxies say.
 */
export function faultIn(response: RefusingResponse, contentType: string, body: Buffer): Error {
  const { statusCode, headers } = response
  const isCbor = contentType.includes('cbor') && body[0] !== OPEN_BRACE
  const said = isCbor ? saidInCbor(body) : saidInJson(body)
  const type = headers['x-amzn-errortype'] ?? nonEmpty(said.__type) ?? nonEmpty(said.code)
  // As in `com.amazonaws.kinesis.v20131202#ExpiredIteratorException:http://…`.
  const name = type?.split('#').at(-1)?.split(':')[0] || 'UnknownError'
  const error = new Error(messageIn(said) ?? `HTTP status ${statusCode}`)
  Object.assign(error, {
    name,
    $metadata: { httpStatusCode: statusCode, requestId: headers['x-amzn-requestid'] }
  })
  // The signer of the SDK looks at its date. It is not for whoever prints the error.
  return Object.defineProperty(error, '$response', { value: response, enumerable: false })
}

/** What a fault says in words, in this JSON; undefined if nothing, or if it is none. */
export function messageInJson(json: Uint8Array): string | undefined {
  return messageIn(saidInJson(json))
}

function messageIn({ message, Message }: Record<string, unknown>): string | undefined {
  return nonEmpty(message) ?? nonEmpty(Message)
}

function saidInJson(body: Uint8Array): Record<string, unknown> {
  try {
    return Object(JSON.parse(new TextDecoder().decode(body))) as Record<string, unknown>
  } catch {
    // A proxy or a load balancer answers in HTML. The status has to do.
    return {}
  }
}

function saidInCbor(body: Buffer): Record<string, unknown> {
  try {
    return Object(new CborReader(body).value()) as Record<string, unknown>
  } catch (error) {
    if (error instanceof CborError || error instanceof RangeError) return {}
    throw error
  }
}

function nonEmpty(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
