// A record of a DynamoDB stream as the change of an item that it tells of.
import { OptionError } from '../model/errors.ts'
import { checkOptions, shown } from '../model/option-rules.ts'
import type { ConsumedRecord } from '../model/record.ts'
import { type NumberForm, plainAttributes } from './attribute-rules.ts'
import type { StreamRecordJson } from './record-rules.ts'

/** What every change says. */
export interface ChangeBase<Item> {
  /** Id of the event, the same whenever it is read: what to recognise a change by that was delivered twice. */
  readonly eventId: string
  /** The key attributes of the item. */
  readonly keys: Partial<Item>
  /** When the change was made, about: in whole seconds, rounded down. */
  readonly createdAt: Date | undefined
  /** The sequence number of the record. */
  readonly sequenceNumber: string
  /** How large the record is to the service. Bytes. */
  readonly sizeBytes: number
  /** What the stream has of items: `KEYS_ONLY`, `NEW_IMAGE`, `OLD_IMAGE` or `NEW_AND_OLD_IMAGES`. */
  readonly viewType: string
  /** Who made the change, if that was the service itself, as `dynamodb.amazonaws.com`. Absent: whoever wrote to the table. */
  readonly userIdentity?: { readonly principalId: string; readonly type: string }
  /** Whether the service deleted the item because its time to live was over. */
  readonly isExpiry: boolean
  /** The record in the JSON of the service, with every value exactly as it has it. */
  readonly raw: StreamRecordJson
}

/** An item came into being. */
export interface InsertChange<Item> extends ChangeBase<Item> {
  /** What was done. */
  readonly eventName: 'INSERT'
  /** The item. Absent: the stream does not have it. */
  readonly newImage?: Item
  /** There was none before. */
  readonly oldImage?: never
}

/** An item was changed. */
export interface ModifyChange<Item> extends ChangeBase<Item> {
  /** What was done. */
  readonly eventName: 'MODIFY'
  /** The item as it was then. Absent: the stream does not have it. */
  readonly newImage?: Item
  /** The item as it was before. Absent: the stream does not have it. */
  readonly oldImage?: Item
}

/** An item was deleted. */
export interface RemoveChange<Item> extends ChangeBase<Item> {
  /** What was done. */
  readonly eventName: 'REMOVE'
  /** There is none any more. */
  readonly newImage?: never
  /** The item as it was before. Absent: the stream does not have it. */
  readonly oldImage?: Item
}

/** What happened to an item of a table. `eventName` tells which of the three it is. */
export type Change<Item = Record<string, unknown>> = InsertChange<Item> | ModifyChange<Item> | RemoveChange<Item>

/** How values of DynamoDB become values of JavaScript. */
export interface ChangeOptions {
  /**
   * What numbers become. `number` (default): a number, but a bigint where it is whole and too large to be exact as one, as with the
   * document client; decimals of more than about 16 digits are rounded. `bigint`: whole ones a bigint, others a number. `string`:
   * the digits as DynamoDB has them. A function: what it makes of those.
   */
  readonly numbers?: NumberForm
}

const EVENTS: readonly unknown[] = ['INSERT', 'MODIFY', 'REMOVE']

/**
 * The change that a record of `dynamodbStream()` tells of: the item's keys and images as the document client would read them, with
 * sets as a `Set` and binary values as `Uint8Array`. `Item` is the type that you know the items to have: nothing is checked. Images
 * are made when they are asked for, and each only once. Works in threads, too.
 *
 * @throws TypeError if the payload is no record of a DynamoDB stream. It names the record and quotes nothing: errors end up in logs.
 * @throws OptionError
 */
export function changeOf<Item extends object = Record<string, unknown>>(
  record: Pick<ConsumedRecord, 'sequenceNumber' | 'text'>,
  options: ChangeOptions = {}
): Change<Item> {
  const numbers = checkNumbers(options)
  // What kind of change it is, is known at run time alone: the class has the members of all of them.
  return new ItemChange<Item>(rawOf(record), record.sequenceNumber, numbers) as unknown as Change<Item>
}

class ItemChange<Item> {
  readonly eventId: string
  readonly eventName: string
  readonly keys: Partial<Item>
  readonly createdAt: Date | undefined
  readonly sequenceNumber: string
  readonly sizeBytes: number
  readonly viewType: string
  declare readonly userIdentity?: { readonly principalId: string; readonly type: string }
  readonly isExpiry: boolean
  declare readonly newImage?: Item
  declare readonly oldImage?: Item
  declare readonly raw: StreamRecordJson

  constructor(raw: StreamRecordJson, sequenceNumber: string, numbers: NumberForm) {
    const { eventID = '', eventName = '', dynamodb = {}, userIdentity } = raw
    const { PrincipalId: principalId = '', Type: type = '' } = userIdentity ?? {}
    const { ApproximateCreationDateTime: createdAt, NewImage, OldImage } = dynamodb
    this.eventId = eventID
    this.eventName = eventName
    this.keys = plainAttributes(dynamodb.Keys ?? {}, numbers) as Partial<Item>
    if (NewImage) madeOnce(this, 'newImage', () => plainAttributes(NewImage, numbers))
    if (OldImage) madeOnce(this, 'oldImage', () => plainAttributes(OldImage, numbers))
    this.createdAt = createdAt === undefined ? undefined : new Date(createdAt * 1_000)
    this.sequenceNumber = sequenceNumber
    this.sizeBytes = dynamodb.SizeBytes ?? 0
    this.viewType = dynamodb.StreamViewType ?? ''
    if (userIdentity) this.userIdentity = { principalId, type }
    this.isExpiry = eventName === 'REMOVE' && principalId === 'dynamodb.amazonaws.com' && type === 'Service'
    Object.defineProperty(this, 'raw', { value: raw })
  }
}

/** A member that is made when it is first asked for, and is a plain one from then on. */
function madeOnce(target: object, name: string, make: () => unknown): void {
  const get = (): unknown => {
    const value = make()
    Object.defineProperty(target, name, { value, enumerable: true })
    return value
  }
  Object.defineProperty(target, name, { get, enumerable: true, configurable: true })
}

function rawOf(record: Pick<ConsumedRecord, 'sequenceNumber' | 'text'>): StreamRecordJson {
  const parsed = parsedOrNot(record.text())
  const { eventName, dynamodb } = Object(parsed) as { readonly eventName?: unknown; readonly dynamodb?: unknown }
  if (EVENTS.includes(eventName) && typeof dynamodb === 'object' && dynamodb !== null) return parsed as StreamRecordJson
  const expected = 'is not one of a DynamoDB stream; expected one that was read with dynamodbStream()'
  throw new TypeError(`The payload of record ${record.sequenceNumber} ${expected}`)
}

/** What a text says in JSON; `undefined`: it is none. */
function parsedOrNot(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function checkNumbers(options: ChangeOptions): NumberForm {
  checkOptions(options, ['numbers'])
  const { numbers = 'number' } = options
  if (typeof numbers === 'function' || ['number', 'bigint', 'string'].includes(numbers)) return numbers
  throw new OptionError('numbers', `is ${shown(numbers)}, expected 'number', 'bigint', 'string' or a function`)
}
