// Serves prepared answers over plain HTTP/1.1 and HTTP/2, and counts what it serves. Looks at requests as little as it can:
// it must never be what is waited for.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttp2Server, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import type { AddressInfo, Server as NetServer } from 'node:net'
import { AnswerRing, type Encoding, frameOf } from './answers.ts'
import { type CborValue, decodeCborInput, encodeCbor } from './cbor.ts'
import { BEHIND_MS, type Payload, type PayloadName, payloadOf } from './payloads.ts'
import { controlAnswer, iteratorAt, positionIn, streamShape } from './streams.ts'

/** A client that reads many shards over one session has many large answers under way at once. Megabytes. */
const MAX_SESSION_MB = 1_000

/** What has been served since the process began. */
export interface Served {
  /** Answers of GetRecords. */
  answers: number
  /** How many of those were in CBOR. */
  cborAnswers: number
  /** How many of those had records. */
  fullAnswers: number
  /** Kinesis records. */
  kinesisRecords: number
  /** User records, those in aggregates counted one by one. */
  records: number
  /** Bytes of the bodies of those answers. */
  bytes: number
  /** Calls of any kind that were refused. */
  refused: number
  /** Connections that were accepted. */
  connections: number
}

type Request = IncomingMessage | Http2ServerRequest
type Response = ServerResponse | Http2ServerResponse

const MAX_RECORDS = 10_000
const TYPES = { json: 'application/x-amz-json-1.1', cbor: 'application/x-amz-cbor-1.1' } as const

/** A stream source on two ports of the loopback interface. */
export class LoadServer {
  readonly served: Served = {
    answers: 0,
    cborAnswers: 0,
    fullAnswers: 0,
    kinesisRecords: 0,
    records: 0,
    bytes: 0,
    refused: 0,
    connections: 0
  }
  readonly #payloads = new Map<PayloadName, Payload>()
  readonly #rings = new Map<string, AnswerRing>()

  /** Begins to listen; resolves with the endpoints. */
  async start(): Promise<{ http1: string; http2: string }> {
    const answer = (request: Request, response: Response): void => this.#receive(request, response)
    const http1 = createServer({ keepAliveTimeout: 0 }, answer)
    const http2 = createHttp2Server({ maxSessionMemory: MAX_SESSION_MB }, answer)
    for (const server of [http1, http2]) server.on('connection', () => this.served.connections++)
    return { http1: await listen(http1), http2: await listen(http2) }
  }

  /** Makes the answers of a payload now, so that nobody has to wait for that later. */
  prepare(payload: PayloadName): void {
    for (const encoding of ['json', 'cbor'] as const) this.#ring(payload, encoding)
  }

  #ring(name: PayloadName, encoding: Encoding): AnswerRing {
    const key = `${name} ${encoding}`
    const ring = this.#rings.get(key) ?? new AnswerRing(this.#payload(name), encoding)
    this.#rings.set(key, ring)
    return ring
  }

  #payload(name: PayloadName): Payload {
    const payload = this.#payloads.get(name) ?? payloadOf(name)
    this.#payloads.set(name, payload)
    return payload
  }

  #receive(request: Request, response: Response): void {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', () => {
      try {
        this.#answer(request, response, chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks))
      } catch (error) {
        this.#refuse(response, 'json', 'SerializationException', String(error))
      }
    })
  }

  #answer(request: Request, response: Response, body: Buffer): void {
    const { authorization = '', 'content-type': type, 'x-amz-target': target } = request.headers
    const encoding = type === TYPES.cbor ? 'cbor' : 'json'
    // Whether the signature is right is not looked at, but nobody saves the time to make one.
    if (!authorization.startsWith('AWS4-HMAC-SHA256 ')) {
      this.#refuse(response, encoding, 'MissingAuthenticationTokenException', 'The request is not signed')
      return
    }
    const input = encoding === 'cbor' ? decodeCborInput(body) : JSON.parse(body.toString())
    const operation = String(target).split('.')[1] ?? ''
    if (operation === 'GetRecords') {
      this.#getRecords(response, encoding, input)
      return
    }
    const timeOf = (seconds: number): CborValue => (encoding === 'cbor' ? seconds * 1000 : seconds)
    const output = controlAnswer(operation, input, timeOf)
    if (output === undefined) this.#refuse(response, encoding, 'ResourceNotFoundException', `No answer to ${operation}`)
    else send(response, 200, encoding, [encode(encoding, output)])
  }

  #getRecords(response: Response, encoding: Encoding, input: Readonly<Record<string, unknown>>): void {
    const position = positionIn(input.ShardIterator)
    const shape = position && streamShape(position.streamName)
    if (position === undefined || shape === undefined) {
      this.#refuse(response, encoding, 'InvalidArgumentException', 'No such iterator')
      return
    }
    const ring = this.#ring(shape.payload, encoding)
    const limit = Math.min(Number(input.Limit ?? MAX_RECORDS), ring.count)
    const version = ring.acquire(position.after)
    const next = iteratorAt({ ...position, after: version.number })
    const { head, tail } = frameOf(encoding, next, limit === 0 ? 0 : BEHIND_MS)
    response.once('close', () => ring.release(version))
    const bytes = send(response, 200, encoding, [head, ring.slice(version, limit), tail])
    this.#count(encoding, limit, this.#payload(shape.payload).usersPerRecord, bytes)
  }

  #count(encoding: Encoding, kinesisRecords: number, usersPerRecord: number, bytes: number): void {
    const { served } = this
    served.answers++
    if (encoding === 'cbor') served.cborAnswers++
    if (kinesisRecords > 0) served.fullAnswers++
    served.kinesisRecords += kinesisRecords
    served.records += kinesisRecords * usersPerRecord
    served.bytes += bytes
  }

  #refuse(response: Response, encoding: Encoding, type: string, message: string): void {
    this.served.refused++
    send(response, 400, encoding, [encode(encoding, { __type: type, message })])
  }
}

function encode(encoding: Encoding, value: CborValue): Buffer {
  return encoding === 'cbor' ? encodeCbor(value) : Buffer.from(JSON.stringify(value))
}

/** Sends parts as one body, without copying them. @returns the length of the body in bytes */
function send(response: Response, status: number, encoding: Encoding, parts: readonly Buffer[]): number {
  const bytes = parts.reduce((sum, { length }) => sum + length, 0)
  response.writeHead(status, {
    'content-type': TYPES[encoding],
    'content-length': bytes,
    'x-amzn-requestid': 'c9e1a4f0-0000-4000-8000-000000000000'
  })
  // Both kinds of response are written to in the same way, with signatures that TypeScript cannot tell to be the same.
  const stream = response as ServerResponse
  const isHttp1 = 'cork' in response
  if (isHttp1) stream.cork()
  for (const part of parts) if (part.length > 0) stream.write(part)
  stream.end()
  if (isHttp1) stream.uncork()
  return bytes
}

async function listen(server: Server | NetServer): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', 4096, resolve)
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
