// The control items of one application: the calls to DynamoDB, and each conditional write with its outcome. Items of other
// applications in the same table are out of reach. Decides nothing and repeats nothing.
import {
  DeleteCommand,
  GetCommand,
  PutCommand,
  QueryCommand,
  type QueryCommandInput,
  UpdateCommand
} from '@aws-sdk/lib-dynamodb'
import { documentOf, type SendOptions, type TableCalls } from '../dynamo/dynamo-client.ts'
import { isConditionFailure } from '../dynamo/dynamo-errors.ts'
import type { Condition } from '../dynamo/dynamo-expression.ts'
import {
  CONTROL_TABLE_KEY,
  type ItemPut,
  type ItemRemoval,
  type ItemUpdate,
  type StoredItem
} from './dynamo-control-item.ts'

/** How items are read. */
export interface ReadOptions {
  /** Whether what was written before is seen for certain. Costs twice as much. Default false. */
  readonly consistent?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** The outcome of a write. */
export type ItemOutcome =
  | {
      readonly kind: 'written'
      /** The item: after an update as it is now, otherwise as it was. Absent if there was none. */
      readonly item?: StoredItem | undefined
    }
  | {
      readonly kind: 'refused'
      /** The item that was in the way. Read anew where the refusal does not show it; `undefined` if there is none. */
      readonly current: () => Promise<StoredItem | undefined>
    }

/** The items under one partition key. Rejects like {@link TableCalls}. */
export interface Partition {
  /** The item with this sort key. */
  read(sk: string, options?: ReadOptions): Promise<StoredItem | undefined>
  /** All items whose sort key begins like this. */
  readAll(prefix: string, options?: ReadOptions): Promise<StoredItem[]>
  /** Writes a whole item. */
  put(put: ItemPut): Promise<ItemOutcome>
  /** Changes an item. */
  update(update: ItemUpdate): Promise<ItemOutcome>
  /** Deletes an item. Written, too, if there is none. */
  remove(removal: ItemRemoval): Promise<ItemOutcome>
}

/** The items of one application. */
export function partitionOf(calls: TableCalls, applicationName: string): Partition {
  const { documents, tableName } = calls
  const { hash: HASH, range: RANGE = '' } = CONTROL_TABLE_KEY
  const keyOf = (sk: string) => ({ [HASH]: applicationName, [RANGE]: sk })

  const read: Partition['read'] = async (sk, { consistent = false, signal } = {}) => {
    const command = new GetCommand({ TableName: tableName, Key: keyOf(sk), ConsistentRead: consistent })
    return (await calls.call('GetItem', sk, sending => documents.send(command, sending), signal)).Item
  }

  const write = async (
    name: string,
    sk: string,
    send: (sending: SendOptions) => Promise<{ Attributes?: StoredItem | undefined }>
  ): Promise<ItemOutcome> => {
    const outcome = await calls.call(name, sk, sending => send(sending).catch(refusalOf))
    if (!('refused' in outcome)) return { kind: 'written', item: outcome.Attributes }
    // A refusal without an item: there is none, or this is an emulator that does not show it.
    return { kind: 'refused', current: async () => outcome.refused ?? read(sk, { consistent: true }) }
  }

  return {
    read,

    async readAll(prefix, { consistent = false, signal } = {}) {
      const items: StoredItem[] = []
      let from: QueryCommandInput['ExclusiveStartKey']
      do {
        const command = new QueryCommand({
          TableName: tableName,
          KeyConditionExpression: '#pk = :pk AND begins_with(#sk, :sk)',
          ExpressionAttributeNames: { '#pk': HASH, '#sk': RANGE },
          ExpressionAttributeValues: { ':pk': applicationName, ':sk': prefix },
          ConsistentRead: consistent,
          ExclusiveStartKey: from
        })
        const page = await calls.call('Query', `${prefix}*`, sending => documents.send(command, sending), signal)
        items.push(...(page.Items ?? []))
        from = page.LastEvaluatedKey
      } while (from !== undefined)
      return items
    },

    put({ sk, attributes, condition }) {
      const Item = { ...keyOf(sk), ...attributes }
      const command = new PutCommand({ TableName: tableName, Item, ReturnValues: 'ALL_OLD', ...asked(condition) })
      return write('PutItem', sk, sending => documents.send(command, sending))
    },

    update({ sk, update, condition }) {
      const command = new UpdateCommand({
        TableName: tableName,
        Key: keyOf(sk),
        UpdateExpression: update,
        ReturnValues: 'ALL_NEW',
        ...asked(condition)
      })
      return write('UpdateItem', sk, sending => documents.send(command, sending))
    },

    remove({ sk, condition }) {
      const command = new DeleteCommand({ TableName: tableName, Key: keyOf(sk), ...asked(condition) })
      return write('DeleteItem', sk, sending => documents.send(command, sending))
    }
  }
}

/** A condition whose refusal shows the item that was in the way. */
function asked(condition: Condition | undefined) {
  return condition && ({ ...condition, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' } as const)
}

function refusalOf(error: unknown): { refused: StoredItem | undefined } {
  if (!isConditionFailure(error)) throw error
  return { refused: error.Item && documentOf(error.Item) }
}
