// GetRecords straight to the service. The middleware of the SDK takes more CPU than an empty answer is worth, so it prepares
// one request, and what it prepared is used for many: its endpoint, its headers, its signer with its credentials and clock, and
// the client's own request handler. Only for clients to which nothing was added that would have a say in each call.
import { GetRecordsCommand, KinesisClient } from '@aws-sdk/client-kinesis'
import type { Clock } from '../runtime/clock.ts'
import { isBodyStream, type ReceiveOptions, receiveBody } from './response-body.ts'
import type { RecordsLine } from './sdk-client.ts'
import { faultIn } from './sdk-faults.ts'
import { isClockFault } from './sdk-kinesis-errors.ts'

/** What to send: one form of the input of GetRecords. */
export interface DirectBody {
  readonly contentType: string
  readonly body: string | Uint8Array
}

/** How the answer is to be received. */
export type Answering = Omit<ReceiveOptions, 'expectedBytes'>

/** An answer that is not a fault. */
export interface DirectAnswer {
  readonly contentType: string
  /** A buffer that has a memory of its own, and is nobody else's; or in the memory that was given. */
  readonly body: Buffer
}

type Request = Parameters<KinesisClient['config']['requestHandler']['handle']>[0]
type Response = Awaited<ReturnType<KinesisClient['config']['requestHandler']['handle']>>['response']

/** What the SDK calls a signer, as far as it matters here. */
interface Signer {
  sign(request: Request, identity: unknown, properties: object): Promise<Request>
  /** Looks what time it is at the service. */
  readonly successHandler?: (response: Response, properties: object) => void
  /** The same, and throws what it is given, with a note if the clock was wrong. */
  readonly errorHandler?: (properties: object) => (error: Error) => never
}

/** What the SDK has prepared for all calls. */
export interface PreparedCall {
  /** Complete but for the body, what depends on that, and the signature. */
  readonly request: Request
  /** Signs as the client does. */
  readonly signer: Signer
  /** What it is told. */
  readonly signingProperties: object
}

/** For how long what was prepared is used. Milliseconds. */
const PREPARED_MS = 60_000

/** GetRecords of one client, past its middleware. */
export class DirectCalls {
  readonly #client: KinesisClient
  readonly #streamArn: string | undefined
  readonly #clock: Clock
  readonly #line: RecordsLine | undefined
  #prepared: Promise<PreparedCall | undefined> | undefined
  #staleAtMs = 0

  /**
   * @param streamArn what each call says beside the iterator, where it says it: the endpoint may depend on it
   * @param line what requests are sent over; absent: the client's own request handler
   */
  constructor(client: KinesisClient, streamArn: string | undefined, clock: Clock, line?: RecordsLine) {
    this.#client = client
    this.#streamArn = streamArn
    this.#clock = clock
    this.#line = line
  }

  /**
   * What a call is made with; undefined if none may go this way. That is so if the client has middleware beside that of the SDK,
   * a `send` of its own, another protocol or another way to authenticate than the signature of AWS, version 4. Looked at again
   * once a minute. Rejects with what the SDK throws where it cannot prepare a request: without a region, or without credentials.
   */
  prepared(): Promise<PreparedCall | undefined> {
    const nowMs = this.#clock.monotonicMs()
    if (this.#prepared === undefined || nowMs >= this.#staleAtMs) {
      this.#staleAtMs = nowMs + PREPARED_MS
      const preparing = isUntouched(this.#client)
        ? preparedBy(this.#client, this.#streamArn)
        : Promise.resolve(undefined)
      this.#prepared = preparing
      preparing.catch(() => {
        if (this.#prepared === preparing) this.#prepared = undefined
      })
    }
    return this.#prepared
  }

  /**
   * Makes one call, and receives the answer. Rejects with a fault that has the name that the service gave it, or as the request
   * handler does.
   */
  async send(prepared: PreparedCall, content: DirectBody, answering: Answering): Promise<DirectAnswer> {
    try {
      return await this.#sendOnce(prepared, content, answering)
    } catch (error) {
      if (!isClockFault(error)) throw error
      return this.#sendOnce(prepared, content, answering)
    }
  }

  async #sendOnce(
    prepared: PreparedCall,
    { contentType, body }: DirectBody,
    answering: Answering
  ): Promise<DirectAnswer> {
    const { signer } = prepared
    const headers = { ...prepared.request.headers, 'content-type': contentType }
    headers['content-length'] = String(Buffer.byteLength(body))
    const request: Request = Object.assign(prepared.request.clone(), { headers, body })
    // The signer notes there when it signed.
    const properties = { ...prepared.signingProperties }
    const signed = await signer.sign(request, await this.#client.config.credentials(), properties)
    const { response, received } = await this.#exchange(signed, answering)
    const type = String(response.headers['content-type'] ?? '')
    if (response.statusCode >= 300) {
      const fault = faultIn(response, type, received)
      // Without this, the SDK would go on signing with a clock that is wrong.
      signer.errorHandler?.(properties)(fault)
      throw fault
    }
    signer.successHandler?.(response, properties)
    return { contentType: type, body: received }
  }

  async #exchange(request: Request, answering: Answering): Promise<{ response: Response; received: Buffer }> {
    const { handler, places } = this.#line ?? { handler: this.#client.config.requestHandler }
    const { signal, deadline } = answering
    // Whoever has a place may be waiting for its turn to receive.
    const count = places && deadline?.suspend()
    const exchange = async () => {
      count?.()
      const { response } = await handler.handle(request, { abortSignal: signal })
      return { response, received: await this.#receive(response, answering) }
    }
    if (places === undefined) return exchange()
    try {
      return await places.run(exchange, signal)
    } finally {
      count?.()
    }
  }

  async #receive({ body, headers }: Response, answering: Answering): Promise<Buffer> {
    const expectedBytes = Number(headers['content-length'] ?? Number.NaN)
    if (isBodyStream(body)) return receiveBody(body, { ...answering, expectedBytes })
    const bytes = await this.#client.config.streamCollector(body)
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }
}

/** Whether a client does with a call what one does that was just made, as far as that can be seen. */
function isUntouched(client: KinesisClient): boolean {
  if (!(client instanceof KinesisClient) || typeof client.middlewareStack?.identify !== 'function') return false
  // Put in place of the method that all clients inherit, or around it, by a tool for tests or for tracing.
  const isReplaced = Object.hasOwn(client, 'send') || Object.hasOwn(KinesisClient.prototype, 'send')
  if (isReplaced || '__original' in client.send) return false
  const untouched = new KinesisClient({ region: 'us-east-1' })
  const usual = new Set(untouched.middlewareStack.identify())
  untouched.destroy()
  return client.middlewareStack.identify().every(name => usual.has(name))
}

/** Has the SDK prepare a request up to where it would be signed. */
async function preparedBy(client: KinesisClient, streamArn: string | undefined): Promise<PreparedCall | undefined> {
  const command = new GetRecordsCommand({ ShardIterator: 'any', ...(streamArn && { StreamARN: streamArn }) })
  let prepared: PreparedCall | undefined
  command.middlewareStack.addRelativeTo(
    (_next: unknown, context: object) => async (args: { readonly request: unknown }) => {
      prepared = preparedIn(args.request as Request, context)
      return { response: {}, output: { Records: undefined, $metadata: {} } }
    },
    { name: 'keepPrepared', relation: 'before', toMiddleware: 'httpSigningMiddleware', override: true }
  )
  await client.send(command)
  return prepared
}

function preparedIn(request: Request, context: object): PreparedCall | undefined {
  const { __smithy_context: smithy } = context as { __smithy_context?: Record<string, unknown> }
  const { httpAuthOption: option, signer } = Object(smithy?.selectedHttpAuthScheme) as {
    httpAuthOption?: { schemeId?: string; signingProperties?: object }
    signer?: Signer
  }
  const isUsual =
    request.headers['content-type'] === 'application/x-amz-json-1.1' &&
    request.headers['x-amz-target'] === 'Kinesis_20131202.GetRecords' &&
    option?.schemeId === 'aws.auth#sigv4'
  if (!isUsual || signer === undefined) return undefined
  // They are about one attempt of one call.
  const { 'amz-sdk-invocation-id': _id, 'amz-sdk-request': _attempt, ...headers } = request.headers
  request.headers = headers
  return { request, signer, signingProperties: option?.signingProperties ?? {} }
}
