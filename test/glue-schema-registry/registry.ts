// A registry of schemas for tests: a client that answers from a list, and is counted; and records as Java's serializer makes them.
import { readFileSync } from 'node:fs'
import { deflateSync } from 'node:zlib'
import type { GlueClient } from '@aws-sdk/client-glue'
import { ConsumedRecord } from '../../src/model/record.ts'

/** A record of the released Java serializer, and the schema that it has registered. */
export interface Vector {
  readonly name: string
  readonly format: 'AVRO' | 'JSON' | 'PROTOBUF'
  readonly schemaVersionId: string
  readonly definition: string
  readonly compressed: boolean
  /** In base64. */
  readonly record: string
}

export const VECTORS: readonly Vector[] = JSON.parse(readFileSync(new URL('./vectors.json', import.meta.url), 'utf8'))

/** The vector of a format by its name. */
export function vector(format: Vector['format'], name = 'an order', compressed = false): Vector {
  const found = VECTORS.find(each => each.format === format && each.name === name && each.compressed === compressed)
  if (found === undefined) throw new Error(`There is no vector ${name} of ${format}`)
  return found
}

/** A schema as the registry tells it; or what it refuses to tell it with. */
export type Entry = { readonly DataFormat?: string; readonly SchemaDefinition?: string } | Error

/** A client of the registry that knows some versions. */
export class StubGlue {
  readonly asked: string[] = []
  readonly entries: Map<string, Entry>
  isDestroyed = false
  /** Answers wait for this. */
  until: Promise<void> = Promise.resolve()

  constructor(entries: Readonly<Record<string, Entry>> = {}) {
    const known = VECTORS.map(({ schemaVersionId, format, definition }) => [
      schemaVersionId,
      { DataFormat: format, SchemaDefinition: definition }
    ])
    this.entries = new Map([...(known as [string, Entry][]), ...Object.entries(entries)])
  }

  get client(): GlueClient {
    return this as unknown as GlueClient
  }

  async send({ input }: { readonly input: { readonly SchemaVersionId: string } }): Promise<Entry> {
    this.asked.push(input.SchemaVersionId)
    await this.until
    const entry = this.entries.get(input.SchemaVersionId) ?? anError('EntityNotFoundException')
    if (entry instanceof Error) throw entry
    return entry
  }

  destroy(): void {
    this.isDestroyed = true
  }
}

/** An error as the SDK throws it. */
export function anError(name: string, httpStatusCode = 400): Error {
  return Object.assign(new Error(`${name} was said`), { name, $metadata: { httpStatusCode }, $fault: 'client' })
}

/** A record with a payload. */
export function aRecord(data: Uint8Array | string): ConsumedRecord {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data
  return new ConsumedRecord({ sequenceNumber: '7', partitionKey: 'key', data: bytes })
}

/** The record of a vector. */
export function recordOf({ record }: Vector): ConsumedRecord {
  return aRecord(Buffer.from(record, 'base64'))
}

/** Data with a header. */
export function withHeader(id: string, payload: Uint8Array | string, isCompressed = false): Buffer {
  const bytes = Buffer.from(payload)
  const header = Buffer.from([3, isCompressed ? 5 : 0])
  return Buffer.concat([header, Buffer.from(id.replaceAll('-', ''), 'hex'), isCompressed ? deflateSync(bytes) : bytes])
}
