// GetRecords straight to the service. The middleware of the SDK takes more CPU than an empty answer is worth, so it prepares
// one request, and what it prepared is used for many: its endpoint, its headers, its signer with its credentials and clock, and
// the client's own request handler. Only for clients to which nothing was added that would have a say in each call.
import { GetRecordsCommand, KinesisClient } from '@aws-sdk/client-kinesis'
import type { Clock } from '../runtime/clock.ts'
import { isBodyStream, receiveBody } from './response-body.ts'
import { faultIn } from './sdk-faults.ts'
import { isClockFault } from './sdk-kinesis-errors.ts'

/** What to send: one form of the input of GetRecords. */
export interface DirectBody {
  readonly contentType: string
  readonly body: string | Uint8Array
}

/** An answer that is not a fault. */
export interface DirectAnswer {
  readonly contentType: string
  /** A buffer that has a memory of its own, and is nobody else's. */
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

/** What the SDK has prepared. */
interface Prepared {
  readonly request: Request
  readonly signer: Signer
  readonly signingProperties: object
}

/** For how long what was prepared is used. Milliseconds. */
const PREPARED_MS = 60_000

/** GetRecords of one client, past its middleware. */
export class DirectCalls {
  readonly #client: KinesisClient
  readonly #streamArn: string | undefined
  readonly #clock: Clock
  #prepared: Promise<Prepared | undefined> | undefined
  #staleAtMs = 0

  /** `streamArn`: what each call says beside the iterator, where it says it: the endpoint may depend on it. */
  constructor(client: KinesisClient, streamArn: string | undefined, clock: Clock) {
    this.#client = client
    this.#streamArn = streamArn
    this.#clock = clock
  }

  /**
   * Whether calls may go this way. Not if the client has middleware beside that of the SDK, a `send` of its own, another protocol
   * or another way to authenticate than the signature of AWS, version 4. Looked at again once a minute. Rejects with what the
   * SDK throws where it cannot prepare a request: without a region, or without credentials.
   */
  async isPossible(): Promise<boolean> {
    return (await this.#prepare()) !== undefined
  }

  /** Makes one call. Rejects with a fault that has the name that the service gave it, or as the request handler does. */
  async send(content: DirectBody, signal: AbortSignal): Promise<DirectAnswer> {
    try {
      return await this.#sendOnce(content, signal)
    } catch (error) {
      if (!isClockFault(error)) throw error
      return this.#sendOnce(content, signal)
    }
  }

  async #sendOnce({ contentType, body }: DirectBody, signal: AbortSignal): Promise<DirectAnswer> {
    const prepared = await this.#prepare()
    if (prepared === undefined) throw new Error('The client was changed while it was in use')
    const { signer } = prepared
    const headers = { ...prepared.request.headers, 'content-type': contentType }
    headers['content-length'] = String(Buffer.byteLength(body))
    const request: Request = Object.assign(prepared.request.clone(), { headers, body })
    // The signer notes there when it signed.
    const properties = { ...prepared.signingProperties }
    const signed = await signer.sign(request, await this.#client.config.credentials(), properties)
    const { response } = await this.#client.config.requestHandler.handle(signed, { abortSignal: signal })
    const received = await this.#receive(response, signal)
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

  async #receive({ body, headers }: Response, signal: AbortSignal): Promise<Buffer> {
    if (isBodyStream(body)) return receiveBody(body, Number(headers['content-length'] ?? Number.NaN), signal)
    const bytes = await this.#client.config.streamCollector(body)
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  #prepare(): Promise<Prepared | undefined> {
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
async function preparedBy(client: KinesisClient, streamArn: string | undefined): Promise<Prepared | undefined> {
  const command = new GetRecordsCommand({ ShardIterator: 'any', ...(streamArn && { StreamARN: streamArn }) })
  let prepared: Prepared | undefined
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

function preparedIn(request: Request, context: object): Prepared | undefined {
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
