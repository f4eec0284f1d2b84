// Payloads in Protocol Buffers, by protobufjs. Which message of its schema a payload is stands before it, as a varint: the place
// of the message among all those of the file, nested ones included, in the order of their full names. Fields that are maps count:
// each has a message of its own for its entries, whether the schema shows it or not.
import type { Field, MapField, Message, Namespace, NamespaceBase, Root, Type } from 'protobufjs'
import { messageOf } from '../model/errors.ts'
import { peerPackage } from '../model/peer-package.ts'
import { type Longs, longOf, type PayloadDecoder, PayloadError } from './payload-decoder.ts'
import load, { type Package } from './protobufjs-package.cts'

/** What Protocol Buffers are decoded with. */
export interface ProtobufOptions {
  readonly longs: Longs
  /** Whether fields keep the names of the schema, such as `order_id`; otherwise it is `orderId`. */
  readonly keepCase: boolean
}

/** A message of a schema; `undefined`: entries of a map, which are never sent alone. */
interface IndexedMessage {
  readonly name: string
  readonly type: Type | undefined
}

/** Makes decoders for schemas. */
export class ProtobufDecoders {
  readonly #protobuf: Package
  readonly #keepCase: boolean
  readonly #reader: MessageReader

  /** @throws an Error with code `MODULE_NOT_FOUND` if protobufjs is not there */
  constructor({ longs, keepCase }: ProtobufOptions) {
    this.#protobuf = peerPackage<Package>('millrace/glue-schema-registry', 'protobufjs', load)
    this.#keepCase = keepCase
    this.#reader = new MessageReader(longs)
  }

  /** What decodes payloads that were written with a schema. @throws PayloadError if it is none */
  for(definition: string): PayloadDecoder {
    const messages = this.#messagesOf(definition)
    return payload => this.#read(payload, messages)
  }

  #messagesOf(definition: string): readonly IndexedMessage[] {
    const { Root, parse, common, Type, MapField } = this.#protobuf
    try {
      const root: Root = new Root()
      const { imports = [], weakImports = [] } = parse(definition, root, { keepCase: this.#keepCase })
      const found: IndexedMessage[] = []
      collect(root, found, { Type, MapField })
      for (const file of [...imports, ...weakImports]) {
        const known = common.get(file)
        if (known === null) throw new Error(`it imports ${file}, which the registry does not have`)
        if (known.nested !== undefined) root.addJSON(known.nested)
      }
      root.resolveAll()
      return found.sort((a, b) => (a.name < b.name ? -1 : 1))
    } catch (cause) {
      throw new PayloadError('bad-schema', `its schema is none of Protocol Buffers: ${messageOf(cause)}`, { cause })
    }
  }

  #read(payload: Uint8Array, messages: readonly IndexedMessage[]): unknown {
    const reader = this.#protobuf.Reader.create(payload)
    const type = this.#typeAt(reader, messages)
    let message: Message
    try {
      message = type.decode(reader)
    } catch (cause) {
      throw new PayloadError('bad-payload', `its bytes are no ${type.fullName.slice(1)} of its schema`, { cause })
    }
    return this.#reader.read(message, type)
  }

  #typeAt(reader: InstanceType<Package['Reader']>, messages: readonly IndexedMessage[]): Type {
    let index: number | undefined
    try {
      index = reader.uint32()
    } catch {
      // There is not even a whole number.
    }
    const type = index === undefined ? undefined : messages[index]?.type
    if (type !== undefined) return type
    throw new PayloadError(
      'bad-payload',
      `it does not say which of the ${messages.length} messages of its schema it is`
    )
  }
}

/** Notes every message in a part of a schema, with those that are made for the entries of maps. */
function collect(part: NamespaceBase, into: IndexedMessage[], classes: Pick<Package, 'Type' | 'MapField'>): void {
  for (const nested of part.nestedArray) {
    if (nested instanceof classes.Type) {
      into.push({ name: nested.fullName, type: nested })
      for (const field of nested.fieldsArray) {
        if (field instanceof classes.MapField) {
          into.push({ name: `${nested.fullName}.${entryName(field.name)}`, type: undefined })
        }
      }
    }
    if ('nestedArray' in nested) collect(nested as Namespace, into, classes)
  }
}

/** What the message for the entries of a map is called, as the compiler of Protocol Buffers has it. */
function entryName(field: string): string {
  const camel = field.replace(/_+(.?)/g, (_, letter: string) => letter.toUpperCase())
  return `${camel.charAt(0).toUpperCase()}${camel.slice(1)}Entry`
}

/** Makes plain objects of messages: enums by name, maps as objects, and what has a default and is not there with that. */
class MessageReader {
  readonly #longs: Longs

  constructor(longs: Longs) {
    this.#longs = longs
  }

  read(message: Message, type: Type): Record<string, unknown> {
    const has = message as unknown as Readonly<Record<string, unknown>>
    const entries: [string, unknown][] = []
    for (const field of type.fieldsArray) {
      const isThere = Object.hasOwn(has, field.name)
      if (!isThere && !field.repeated && !field.map && field.hasPresence) continue
      entries.push([field.name, this.#fieldOf(field, has[field.name])])
    }
    // Whatever a name is, it becomes a property of this object.
    return Object.fromEntries(entries)
  }

  #fieldOf(field: Field, value: unknown): unknown {
    if (field.map) {
      const entries = Object.entries(Object(value)).map(([key, each]) => [
        keyOf(field as unknown as MapField, key),
        this.#single(field, each)
      ])
      return Object.fromEntries(entries)
    }
    if (!field.repeated) return this.#single(field, value)
    const all = ((value ?? []) as unknown[]).map(each => this.#single(field, each))
    if (!isOfMapEntries(field)) return all
    return Object.fromEntries((all as { key: unknown; value: unknown }[]).map(({ key, value }) => [String(key), value]))
  }

  #single(field: Field, value: unknown): unknown {
    const { resolvedType } = field
    if (resolvedType !== null && 'fieldsArray' in resolvedType) return this.read(value as Message, resolvedType)
    if (resolvedType !== null) return resolvedType.valuesById[value as number] ?? value
    if (field.bytes) return Uint8Array.from(value as Uint8Array)
    return isLong(value) ? longOf(bigintOf(value), this.#longs) : value
  }
}

/** The key of an entry. Those of 64 bits are kept as eight characters, one for each byte, the least significant first. */
function keyOf({ keyType }: MapField, key: string): string {
  if (!/64$/.test(keyType) || key.length !== 8) return key
  const bytes = Buffer.from(key, 'latin1')
  return String(/^(uint|fixed)64$/.test(keyType) ? bytes.readBigUInt64LE() : bytes.readBigInt64LE())
}

/** Whether the schema shows the messages of a map: the registry's own serializers write it so. */
function isOfMapEntries({ resolvedType }: Field): boolean {
  return resolvedType !== null && 'fieldsArray' in resolvedType && resolvedType.getOption('map_entry') === true
}

interface LongLike {
  readonly high: number
  readonly low: number
  readonly unsigned: boolean
}

function isLong(value: unknown): value is LongLike {
  return typeof value === 'object' && value !== null && 'high' in value && 'low' in value
}

function bigintOf({ high, low, unsigned }: LongLike): bigint {
  const bits = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
  return unsigned ? bits : BigInt.asIntN(64, bits)
}
