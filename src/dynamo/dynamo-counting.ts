// Counts what is sent to DynamoDB, and asks each answer what it is paid for. Made only where somebody counts.
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import type { CallListener, ServiceCall } from '../metrics/request-meter.ts'
import { ThrottledError } from '../model/errors.ts'
import { dynamoError, isConditionFailure } from './dynamo-errors.ts'

/** The calls about items, and what they are paid in. */
const UNITS: Readonly<Record<string, 'readUnits' | 'writeUnits'>> = {
  GetItem: 'readUnits',
  Query: 'readUnits',
  Scan: 'readUnits',
  PutItem: 'writeUnits',
  UpdateItem: 'writeUnits',
  DeleteItem: 'writeUnits'
}

interface Answer {
  readonly ConsumedCapacity?: { readonly CapacityUnits?: number }
  readonly $metadata?: { readonly attempts?: number }
}

type Send = (this: unknown, command: Command, sending: object) => Promise<Answer>

interface Command {
  readonly input: object
  /** Of the document client: what is sent in the end. */
  readonly clientCommand?: { readonly input: object }
}

/** Counts the calls of one table. */
export class DynamoCounting {
  readonly #told: CallListener
  /** What a call is, by what it is sent with. */
  readonly #names = new WeakMap<object, string>()

  /** @param told must not throw */
  constructor(told: CallListener) {
    this.#told = told
  }

  /** What is sent with these options belongs to the call of that name. */
  begins(name: string, sending: object): void {
    this.#names.set(sending, name)
  }

  /** The same client, but what it sends is counted. The one that was given stays as it is. */
  watched<Client extends DynamoDBClient | DynamoDBDocumentClient>(client: Client): Client {
    const send = (command: Command, sending: object): Promise<unknown> =>
      this.#send(command, sending, () => (client.send as Send).call(client, command, sending))
    return Object.create(client, { send: { value: send } })
  }

  async #send(command: Command, sending: object, send: () => Promise<Answer>): Promise<unknown> {
    const operation = this.#names.get(sending) ?? 'unknown'
    const call = { service: 'dynamodb', operation } as const
    if (UNITS[operation] !== undefined) {
      for (const { input } of [command, command.clientCommand ?? command]) {
        Object.assign(input, { ReturnConsumedCapacity: 'TOTAL' })
      }
    }
    try {
      const answer = await send()
      const requests = answer.$metadata?.attempts ?? 1
      this.#told({ ...call, requests, ...unitsOf(operation, answer.ConsumedCapacity?.CapacityUnits) })
      return answer
    } catch (error) {
      this.#told({ ...call, ...failureOf(operation, error) })
      throw error
    }
  }
}

/** A condition that is not met is paid for like a write. */
function failureOf(operation: string, error: unknown): Partial<ServiceCall> {
  if (isConditionFailure(error)) return unitsOf(operation, undefined)
  return { outcome: dynamoError(error, operation) instanceof ThrottledError ? 'throttled' : 'failed' }
}

/** One unit, where the answer does not say: what is sent is small. */
function unitsOf(operation: string, units = 1): Partial<ServiceCall> {
  const kind = UNITS[operation]
  return kind === undefined ? {} : { [kind]: units }
}
