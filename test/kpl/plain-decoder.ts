// A second decoder of aggregated records for comparison: the same grammar read in the most obvious way, slowly.

interface Field {
  readonly number: number
  readonly type: number
  readonly value: bigint
  readonly bytes: Uint8Array
}

export interface PlainRecord {
  readonly partitionKey: string
  readonly explicitHashKey: string | undefined
  readonly data: Uint8Array
}

/** The user records of a message without magic and digest; an error if it does not parse or has a broken index. */
export function decodePlainly(message: Uint8Array): PlainRecord[] {
  const fields = fieldsOf(message)
  const texts = (number: number) => fields.filter(is(number, 2)).map(field => Buffer.from(field.bytes).toString())
  const partitionKeys = texts(1)
  const explicitHashKeys = texts(2)
  const members = fields.filter(is(3, 2)).map(field => fieldsOf(field.bytes))
  for (const tag of members.flat().filter(is(4, 2))) {
    if (!fieldsOf(tag.bytes).some(is(1, 2))) throw new Error('a tag without a key')
  }
  return members.map(member => {
    const index = member.findLast(is(1, 0))?.value
    const hashIndex = member.findLast(is(2, 0))?.value
    const data = member.findLast(is(3, 2))?.bytes
    const partitionKey = partitionKeys[Number(index ?? -1n)]
    const explicitHashKey = hashIndex === undefined ? undefined : explicitHashKeys[Number(hashIndex)]
    if (partitionKey === undefined || data === undefined) throw new Error('a record without key or data')
    if (hashIndex !== undefined && !/^[+-]?\d+$/.test(explicitHashKey ?? '')) throw new Error('a broken hash key')
    return { partitionKey, explicitHashKey, data }
  })
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
