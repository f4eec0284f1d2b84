// Stands before an emulator as AWS stands before its services: looks up in policies whether a call is allowed, refuses it if not,
// and notes it either way. Knows as much of policies as those in deploy/iam/ use.
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A statement of a policy. */
export interface Statement {
  readonly Effect: string
  readonly Action: string | readonly string[]
  readonly Resource: string | readonly string[]
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>
}

/** A call that somebody made. */
export interface Call {
  /** Such as `dynamodb:GetItem`. */
  readonly action: string
  /** The index, the table or the stream, as far as the call names one. */
  readonly resource: string | undefined
  /** The partition keys of the control table that it is about. */
  readonly keys: readonly string[]
  readonly isAllowed: boolean
}

/** A gate that is open. */
export interface PolicyGate {
  readonly endpoint: string
  readonly calls: readonly Call[]
  close(): Promise<void>
}

/** The attribute that is the partition key of the control table. */
const PARTITION_KEY = 'pk'

type Input = Readonly<Record<string, unknown>>

/** Opens a gate before the emulator at `target`. */
export async function openGate(target: string, statements: readonly Statement[]): Promise<PolicyGate> {
  const calls: Call[] = []
  const server = createServer(async (incoming, answer) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const call = callOf(String(incoming.headers['x-amz-target']), JSON.parse(body.toString() || '{}'), statements)
    calls.push(call)
    if (!call.isAllowed) {
      const message = `User: arn:aws:iam::000000000000:user/test is not authorized to perform: ${call.action}`
      answer.writeHead(400, { 'content-type': 'application/x-amz-json-1.1' })
      answer.end(JSON.stringify({ __type: 'AccessDeniedException', message }))
      return
    }
    const passed = request(target, { method: incoming.method ?? 'POST', headers: incoming.headers }, result => {
      answer.writeHead(result.statusCode ?? 500, result.headers)
      result.pipe(answer)
    })
    passed.on('error', () => answer.destroy())
    passed.end(body)
  })
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}

function callOf(target: string, input: Input, statements: readonly Statement[]): Call {
  const [service = '', operation = ''] = target.split('.')
  const action = `${service.startsWith('DynamoDB') ? 'dynamodb' : 'kinesis'}:${operation}`
  // GetRecords names a shard iterator, which stands for the stream.
  const resource = (input.IndexName ?? input.TableName ?? input.StreamName ?? input.StreamARN) as string | undefined
  const keys = leadingKeysOf(input)
  const isAllowed = statements.some(
    ({ Effect, Action, Resource, Condition }) =>
      Effect === 'Allow' &&
      [Action].flat().includes(action) &&
      (resource === undefined || [Resource].flat().some(arn => arn.split('/').at(-1) === resource.split('/').at(-1))) &&
      keys.every(key => isAmong(key, Condition))
  )
  return { action, resource, keys, isAllowed }
}

function isAmong(key: string, condition: Statement['Condition']): boolean {
  const allowed = condition?.['ForAllValues:StringEquals']?.['dynamodb:LeadingKeys']
  return allowed === undefined || [allowed].flat().includes(key)
}

/** The partition keys that a call is about, if it is about any. */
function leadingKeysOf({ Key, Item, ExpressionAttributeValues, KeyConditionExpression }: Input): string[] {
  const named = [Key, Item].map(item => (item as Input | undefined)?.[PARTITION_KEY] as { S?: string } | undefined)
  const queried =
    KeyConditionExpression === undefined
      ? []
      : Object.values(ExpressionAttributeValues as Record<string, { S?: string }>)
  // What a query compares the sort key with is no partition key: the first value is.
  return [...named, ...queried.slice(0, 1)].flatMap(value => (value?.S === undefined ? [] : [value.S]))
}
