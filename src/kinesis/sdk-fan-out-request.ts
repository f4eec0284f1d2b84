// SubscribeToShard as the client of the SDK would send it, but over a connection of ours: its endpoint, credentials, signature,
// clock and whatever else was added to the client stay in use. Only what carries the request is replaced.
import { type KinesisClient, SubscribeToShardCommand, type SubscribeToShardCommandInput } from '@aws-sdk/client-kinesis'
import { ServiceError } from '../model/errors.ts'
import type { FanOutWire, WireAnswer, WireRequest } from './fan-out-wire.ts'
import { faultIn } from './sdk-faults.ts'

/** What a signed request of the SDK looks like. */
interface SignedRequest {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}

/** Which way requests to an origin such as `https://host` or `http://host:4567` go. */
export type WireTo = (origin: string) => FanOutWire

/** More of an answer that refuses is not read. Bytes. */
const MAX_REFUSAL_BYTES = 64 * 1024

/**
 * Sends SubscribeToShard, and resolves with an answer whose body is an event stream. Rejects with what the SDK throws, with
 * the ServiceError of a connection that failed, or with the reason of `signal`.
 */
export async function sendSubscribe(
  client: KinesisClient,
  input: SubscribeToShardCommandInput,
  wireTo: WireTo,
  signal: AbortSignal
): Promise<WireAnswer> {
  const command = new SubscribeToShardCommand(input)
  let outcome: { readonly answer: WireAnswer } | { readonly error: unknown } | undefined
  command.middlewareStack.add(
    // The next one would send the request, and read the answer as the SDK does.
    () => async args => {
      outcome = await sent(requestOf(args.request as SignedRequest), wireTo, signal)
      const { status, headers } = 'answer' in outcome ? outcome.answer : NO_ANSWER
      if ('answer' in outcome && status !== 200) {
        throw faultIn({ statusCode: status, headers }, headers['content-type'] ?? '', await refusalIn(outcome.answer))
      }
      return { response: { statusCode: status, headers }, output: { $metadata: {}, EventStream: undefined } }
    },
    // Before all of its step, and so after what signs.
    { step: 'deserialize', priority: 'high', name: 'carryOverOwnConnection', override: true }
  )
  await client.send(command, { abortSignal: signal })
  if (outcome === undefined) throw new ServiceError('other', 'the client did not send anything', { retryable: false })
  if ('error' in outcome) throw outcome.error
  return streamIn(outcome.answer)
}

/** Failures of connections do not go through the SDK: whoever subscribes decides when to try again. */
async function sent(request: WireRequest, wireTo: WireTo, signal: AbortSignal) {
  try {
    return { answer: await wireTo(request.origin).send(request, signal) }
  } catch (error) {
    return { error }
  }
}

const NO_ANSWER: Pick<WireAnswer, 'status' | 'headers'> = { status: 200, headers: { 'content-length': '0' } }

function requestOf({ protocol, hostname, port, path, headers, body }: SignedRequest): WireRequest {
  const lowerCased = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const)
  const host = hostname.includes(':') && !hostname.startsWith('[') ? `[${hostname}]` : hostname
  return {
    origin: `${protocol}//${host}${port === undefined ? '' : `:${port}`}`,
    path,
    headers: Object.fromEntries(lowerCased),
    body
  }
}

async function refusalIn({ body }: WireAnswer): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  let length = 0
  for (let piece = await body.read(); piece !== undefined; piece = await body.read()) {
    pieces.push(piece)
    length += piece.length
    if (length > MAX_REFUSAL_BYTES) break
  }
  body.cancel()
  return Buffer.concat(pieces)
}

function streamIn(answer: WireAnswer): WireAnswer {
  const type = answer.headers['content-type'] ?? ''
  if (type.includes('eventstream')) return answer
  answer.body.cancel()
  const message = `what answers is not Kinesis: it sends ${JSON.stringify(type)} instead of an event stream`
  throw new ServiceError('other', message, { retryable: false })
}
