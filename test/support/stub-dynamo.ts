// Stands in for a DynamoDBClient: a function answers each command, and what was sent is kept.
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'

/** One call that was made. */
export interface SentCall {
  /** Name of the API call, such as `GetItem`. */
  readonly name: string
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

/** What the SDK's command classes have in common, as far as a stub needs it. */
interface AnyCommand {
  readonly constructor: { readonly name: string }
  readonly input: Readonly<Record<string, unknown>>
}

/** A client whose calls `answer` answers, or fails by throwing. `command` is what the SDK would send. */
export function stubDynamo(answer: (call: SentCall, command: never) => unknown): StubDynamo {
  const sent: SentCall[] = []
  let destroyed = 0
  const client = {
    async send(command: AnyCommand, options?: { abortSignal?: AbortSignal }): Promise<unknown> {
      const name = command.constructor.name.replace(/Command$/, '')
      const call = { name, input: command.input, signal: options?.abortSignal }
      sent.push(call)
      return answer(call, command as never)
    },
    destroy() {
      destroyed++
    }
  }
  return { client: client as unknown as DynamoDBClient, sent, destroyed: () => destroyed }
}

/** An error as the SDK throws it. */
export function sdkError(name: string, facts: object = {}): Error {
  return Object.assign(new Error(`${name} happened`), { name, ...facts })
}
