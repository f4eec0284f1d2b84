// A second decoder of aggregated records for comparison: the same grammar and the same rules in the most obvious way,
// slowly.
import { createHash } from 'node:crypto'
import type { DeaggregateOptions } from '../../src/kpl/deaggregate.ts'
import type { KinesisRecord } from '../../src/model/record.ts'

interface Field {
  readonly number: number
  readonly type: number
  readonly value: bigint
  readonly bytes: Uint8Array
}

interface PlainMember {
  readonly index: bigint
  readonly hashIndex: bigint | undefined
  readonly data: Uint8Array
}

interface PlainMessage {
  readonly partitionKeys: readonly string[]
  readonly explicitHashKeys: readonly string[]
  readonly members: readonly PlainMember[]
}

export interface PlainRecord {
  readonly partitionKey: string
  readonly explicitHashKey: string | undefined
  readonly data: Uint8Array
}

/** A user record as it is delivered; whole Kinesis records too. */
export interface DeliveredRecord extends PlainRecord {
  readonly sequenceNumber: string
  readonly subSequenceNumber: number
  readonly aggregated: boolean
}

/** What a batch holds. */
export interface PlainBatch {
  readonly records: readonly DeliveredRecord[]
  readonly outOfRange: number
  readonly corrupt: number
  readonly last: readonly [sequenceNumber: string, subSequenceNumber: number] | undefined
}

const MAX_HASH_KEY = 2n ** 128n - 1n

/** The user records of a message without magic and digest; an error if it does not parse or has a broken index. */
export function decodePlainly(message: Uint8Array): PlainRecord[] {
  const parsed = parsePlainly(message)
  return parsed.members.map(member => {
    const record = recordOf(parsed, member)
    if (record === undefined) throw new Error('a broken index or hash key')
    return record
  })
}

/** What a batch of Kinesis records holds, by the rules of `deaggregate`. */
export function deaggregatePlainly(batch: readonly KinesisRecord[], options: DeaggregateOptions = {}): PlainBatch {
  const { outOfRange: onOutOfRange = 'deliver', corrupt: onCorrupt = 'passthrough' } = options
  const range = options.hashKeyRange ?? { start: 0n, end: MAX_HASH_KEY }
  const records: DeliveredRecord[] = []
  let outOfRange = 0
  let corrupt = 0
  let last: PlainBatch['last']
  for (const { sequenceNumber, partitionKey, data } of batch) {
    const whole = { partitionKey, explicitHashKey: undefined, data, sequenceNumber, aggregated: false }
    const parsed = intactMessage(data)
    const members = parsed?.members.map(member => recordOf(parsed, member)) ?? []
    const firstBroken = members.indexOf(undefined)
    if (firstBroken >= 0) corrupt++
    if (parsed === undefined || (firstBroken >= 0 && onCorrupt === 'passthrough')) {
      records.push({ ...whole, subSequenceNumber: 0 })
      last = [sequenceNumber, 0]
      continue
    }
    const usable = members.filter((member, i) => member !== undefined && (firstBroken < 0 || i < firstBroken))
    const isOutside = usable.map(member => {
      const hashKey = hashKeyOf(member as PlainRecord)
      return hashKey < range.start || hashKey > range.end
    })
    outOfRange += isOutside.filter(Boolean).length
    usable.forEach((member, i) => {
      if (isOutside[i] && onOutOfRange === 'drop-record') return
      if (isOutside.includes(true) && onOutOfRange === 'drop-aggregate') return
      records.push({ ...(member as PlainRecord), sequenceNumber, subSequenceNumber: i, aggregated: true })
    })
    last = [sequenceNumber, Math.max(0, members.length - 1)]
  }
  return { records, outOfRange, corrupt, last }
}

function intactMessage(payload: Uint8Array): PlainMessage | undefined {
  if (Buffer.from(payload.subarray(0, 4)).toString('hex') !== 'f3899ac2' || payload.length <= 20) return undefined
  const message = payload.subarray(4, -16)
  if (!createHash('md5').update(message).digest().equals(payload.subarray(-16))) return undefined
  try {
    return parsePlainly(message)
  } catch {
    return undefined
  }
}

/** Undefined if an index leads nowhere or the explicit hash key is no number. */
function recordOf({ partitionKeys, explicitHashKeys }: PlainMessage, member: PlainMember): PlainRecord | undefined {
  const partitionKey = partitionKeys[Number(member.index)]
  const explicitHashKey = member.hashIndex === undefined ? undefined : explicitHashKeys[Number(member.hashIndex)]
  if (partitionKey === undefined) return undefined
  if (member.hashIndex !== undefined && !/^[+-]?\d+$/.test(explicitHashKey ?? '')) return undefined
  return { partitionKey, explicitHashKey, data: member.data }
}

function hashKeyOf({ partitionKey, explicitHashKey }: PlainRecord): bigint {
  if (explicitHashKey !== undefined)
    return BigInt(explicitHashKey.replace('-', '')) * (explicitHashKey[0] === '-' ? -1n : 1n)
  return BigInt(`0x${createHash('md5').update(partitionKey).digest('hex')}`)
}

function parsePlainly(message: Uint8Array): PlainMessage {
  const fields = fieldsOf(message)
  const texts = (number: number) => fields.filter(is(number, 2)).map(field => Buffer.from(field.bytes).toString())
  const members = fields.filter(is(3, 2)).map(field => fieldsOf(field.bytes))
  for (const tag of members.flat().filter(is(4, 2))) {
    if (!fieldsOf(tag.bytes).some(is(1, 2))) throw new Error('a tag without a key')
  }
  return {
    partitionKeys: texts(1),
    explicitHashKeys: texts(2),
    members: members.map(member => {
      const index = member.findLast(is(1, 0))?.value
      const data = member.findLast(is(3, 2))?.bytes
      if (index === undefined || data === undefined) throw new Error('a record without key or data')
      return { index, hashIndex: member.findLast(is(2, 0))?.value, data }
    })
  }
}

function is(number: number, type: number): (field: Field) => boolean {
  return field => field.number === number && field.type === type
}

function fieldsOf(bytes: Uint8Array): Field[] {
  const fields: Field[] = []
  const open: number[] = []
  let at = 0
  const take = (length: bigint): Uint8Array => {
    if (length > bytes.length - at) throw new Error('a length past the end')
    at += Number(length)
    return bytes.subarray(at - Number(length), at)
  }
  const varint = (): bigint => {
    let value = 0n
    for (let i = 0n; i < 10n; i++) {
      const [byte = 0] = take(1n)
      value |= BigInt(byte & 0x7f) << (7n * i)
      if (byte < 0x80) return BigInt.asUintN(64, value)
    }
    throw new Error('a varint without an end')
  }
  while (at < bytes.length) {
    const tag = varint()
    const number = Number(tag >> 3n)
    const type = Number(tag & 7n)
    if (number < 1 || number >= 2 ** 29) throw new Error('an impossible field number')
    if (type === 3) open.push(number)
    else if (type === 4) {
      if (open.pop() !== number) throw new Error('the end of another group')
    } else {
      const value = type === 0 ? varint() : 0n
      if (type > 5) throw new Error('an impossible wire type')
      const content = type === 0 ? new Uint8Array() : take(type === 1 ? 8n : type === 5 ? 4n : varint())
      if (open.length === 0) fields.push({ number, type, value, bytes: content })
    }
  }
  if (open.length > 0) throw new Error('a group without an end')
  return fields
}
