// Stands in for DynamoDB: a real client whose requests a function answers, in the types of the wire; what was sent is kept.
import { type AttributeValue, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { marshall } from '@aws-sdk/util-dynamodb'

/** One call that was made. */
export interface SentCall {
  /** Name of the API call, such as `GetItem`. */
  readonly name: string
  /** What was sent: items in DynamoDB's types, such as `{ N: '1' }`, and bytes in base64. */
  readonly input: Readonly<Record<string, unknown>>
  readonly signal: AbortSignal | undefined
}

/** A client, and the calls made with it so far. */
export interface StubDynamo {
  readonly client: DynamoDBClient
  readonly sent: readonly SentCall[]
  /** How often the client was destroyed. */
  destroyed(): number
}

/** The part of the SDK's HTTP requests that a stub needs. */
interface HttpRequest {
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** Everything that a client would otherwise look up in files, so that its calls need no I/O at all. */
const SETTINGS = {
  region: 'us-east-1',
  credentials: { accessKeyId: 'stub', secretAccessKey: 'stub' },
  maxAttempts: 1,
  retryMode: 'standard',
  accountIdEndpointMode: 'disabled',
  authSchemePreference: [],
  useDualstackEndpoint: false,
  useFipsEndpoint: false,
  endpoint: 'https://dynamodb.stub',
  userAgentAppId: 'stub',
  defaultUserAgentProvider: async (): Promise<[string, string][]> => [['stub', '1']]
} as const

/**
 * A client whose calls `answer` answers with items in DynamoDB's types, or fails: a `RefusedByDynamo` comes from the
 * service, whatever else is thrown from the connection.
 */
export function stubDynamo(answer: (call: SentCall) => unknown): StubDynamo {
  const sent: SentCall[] = []
  let destroyed = 0
  const requestHandler = {
    async handle(request: HttpRequest, options?: { abortSignal?: AbortSignal }): Promise<unknown> {
      const name = request.headers['x-amz-target']?.replace(/^.*\./, '') ?? '?'
      const call = { name, input: JSON.parse(new TextDecoder().decode(request.body)), signal: options?.abortSignal }
      sent.push(call)
      try {
        return httpResponse(200, await answer(call))
      } catch (error) {
        if (error instanceof RefusedByDynamo) return httpResponse(400, error.body)
        throw error
      }
    },
    destroy() {
      destroyed++
    }
  }
  const config = { ...SETTINGS, authSchemePreference: [...SETTINGS.authSchemePreference] }
  const client = new DynamoDBClient({ ...config, requestHandler: requestHandler as never })
  return { client, sent, destroyed: () => destroyed }
}

function httpResponse(statusCode: number, body: unknown): unknown {
  const headers = { 'content-type': 'application/x-amz-json-1.0' }
  return { response: { statusCode, headers, body: Buffer.from(JSON.stringify(body, bytesAsBase64)) } }
}

// Buffers have become an object by the time they come here, so that `this` is asked.
function bytesAsBase64(this: Record<string, unknown>, key: string, value: unknown): unknown {
  const own = this[key]
  return own instanceof Uint8Array ? Buffer.from(own).toString('base64') : value
}

/** A refused condition, as the service answers it: with the item that was in the way, if it is to show one. */
export class RefusedByDynamo extends Error {
  readonly body: object

  constructor(Item?: Record<string, AttributeValue>) {
    super('The conditional request failed')
    const __type = 'com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException'
    this.body = { __type, message: this.message, ...(Item && { Item }) }
  }
}

/** A document in DynamoDB's types, as it is stored and sent. */
export function stored(document: Readonly<Record<string, unknown>>): Record<string, AttributeValue> {
  return marshall(document)
}

/** An error as the SDK throws it. */
export function sdkError(name: string, facts: object = {}): Error {
  return Object.assign(new Error(`${name} happened`), { name, ...facts })
}
