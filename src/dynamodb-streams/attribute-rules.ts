// Values of DynamoDB as they are on the wire, and as JavaScript has them.

/** A value as DynamoDB writes it in JSON: one member, which names the type. Binary values are in base64. */
export type AttributeJson =
  | { readonly S: string }
  | { readonly N: string }
  | { readonly B: string }
  | { readonly SS: readonly string[] }
  | { readonly NS: readonly string[] }
  | { readonly BS: readonly string[] }
  | { readonly M: AttributesJson }
  | { readonly L: readonly AttributeJson[] }
  | { readonly BOOL: boolean }
  | { readonly NULL: boolean }

/** Attributes by name, as DynamoDB writes them in JSON. */
export interface AttributesJson {
  readonly [name: string]: AttributeJson
}

/**
 * What numbers become. `number` (default): a number, and a bigint where it is whole and a number is not exact, as the document
 * client does. `bigint`: whole ones a bigint, others a number. `string`: the digits, as DynamoDB has them. A function: what it
 * makes of those.
 */
export type NumberForm = 'number' | 'bigint' | 'string' | ((digits: string) => unknown)

/** Attributes as JavaScript has them. */
export function plainAttributes(attributes: AttributesJson, numbers: NumberForm): Record<string, unknown> {
  const entries = Object.entries(attributes).map(([name, value]) => [name, plainValue(value, numbers)] as const)
  // Not by assignment: an attribute may be called `__proto__`.
  return Object.fromEntries(entries)
}

/** A value as JavaScript has it: sets as a Set, binary values as bytes. @throws TypeError if it has no type that is known */
export function plainValue(value: AttributeJson, numbers: NumberForm): unknown {
  if ('S' in value) return value.S
  if ('N' in value) return plainNumber(value.N, numbers)
  if ('BOOL' in value) return value.BOOL
  if ('NULL' in value) return null
  if ('M' in value) return plainAttributes(value.M, numbers)
  if ('L' in value) return value.L.map(each => plainValue(each, numbers))
  if ('B' in value) return bytesOf(value.B)
  if ('SS' in value) return new Set(value.SS)
  if ('NS' in value) return new Set(value.NS.map(each => plainNumber(each, numbers)))
  if ('BS' in value) return new Set(value.BS.map(bytesOf))
  throw new TypeError(`A value of DynamoDB has the type ${Object.keys(value).join()}, which is not known`)
}

function plainNumber(digits: string, numbers: NumberForm): unknown {
  if (typeof numbers === 'function') return numbers(digits)
  if (numbers === 'string') return digits
  const isWhole = /^-?\d+$/.test(digits)
  const number = Number(digits)
  return isWhole && (numbers === 'bigint' || !Number.isSafeInteger(number)) ? BigInt(digits) : number
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(Buffer.from(base64, 'base64'))
}

/** A value as the AWS SDK has it, with bytes in it and perhaps members that are undefined, as it is on the wire. */
export function attributeJson(value: object): AttributeJson {
  const [type, content] = Object.entries(value).find(([, content]) => content !== undefined) ?? []
  switch (type) {
    case 'B':
      return { B: base64Of(content as Uint8Array) }
    case 'BS':
      return { BS: (content as readonly Uint8Array[]).map(base64Of) }
    case 'M':
      return { M: attributesJson(content as Record<string, object>) }
    case 'L':
      return { L: (content as readonly object[]).map(attributeJson) }
    default:
      return { [String(type)]: content } as unknown as AttributeJson
  }
}

/** Attributes as the AWS SDK has them, as they are on the wire. */
export function attributesJson(attributes: Readonly<Record<string, object>>): AttributesJson {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, attributeJson(value)]))
}

/** The key attributes of an item in one form, whatever order they came in: which item it is, in words. */
export function keyText(keys: AttributesJson): string {
  const sorted = Object.entries(keys).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return JSON.stringify(Object.fromEntries(sorted))
}

function base64Of({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64')
}
