// Payloads in Avro, by avsc: read with the schema that they were written with, and, if there is one, made what a reader's schema
// says.
import { messageOf, OptionError } from '../model/errors.ts'
import { peerPackage } from '../model/peer-package.ts'
import load, { type Package } from './avsc-package.cts'
import { inexact, type Longs, type PayloadDecoder, PayloadError } from './payload-decoder.ts'

/** What Avro is decoded with. */
export interface AvroOptions {
  /** The schema that values are to follow, as JSON or as its text. Absent: the one they were written with. */
  readonly readerSchema: string | object | undefined
  readonly longs: Longs
}

type Avro = Pick<Package, 'Type' | 'types'>
type AvroType = InstanceType<Package['Type']>

/** Makes decoders for schemas. */
export class AvroDecoders {
  readonly #avro: Avro
  readonly #options: AvroOptions
  readonly #reader: AvroType | undefined

  /** @throws OptionError if the schema of the reader is none; an Error with code `MODULE_NOT_FOUND` if avsc is not there */
  constructor(options: AvroOptions) {
    this.#avro = peerPackage<Avro>('millrace/glue-schema-registry', 'avsc', load)
    this.#options = options
    const { readerSchema } = options
    try {
      if (readerSchema !== undefined) this.#reader = this.#typeOf(parsed(readerSchema))
    } catch (cause) {
      throw new OptionError('readerSchema', `is no schema of Avro: ${messageOf(cause)}`, { cause })
    }
  }

  /** What decodes payloads that were written with a schema. @throws PayloadError if it is none, or the reader's does not go with it */
  for(definition: string): PayloadDecoder {
    const writer = this.#tried('bad-schema', 'its schema is none of Avro', () => this.#typeOf(JSON.parse(definition)))
    const reader = this.#reader
    if (reader === undefined) return payload => this.#read(() => writer.fromBuffer(bufferOf(payload)))
    const mismatch = 'its schema cannot be read as readerSchema says'
    const resolver = this.#tried('schema-mismatch', mismatch, () => reader.createResolver(writer))
    return payload => this.#read(() => reader.fromBuffer(bufferOf(payload), resolver))
  }

  #typeOf(schema: unknown): AvroType {
    const { Type, types } = this.#avro
    if (this.#options.longs === 'number') return Type.forSchema(schema as never)
    return Type.forSchema(schema as never, { registry: { long: types.LongType.__with(BIGINT) } })
  }

  #read(read: () => unknown): unknown {
    try {
      return read()
    } catch (cause) {
      if (/precision loss/.test(messageOf(cause))) throw inexact(cause)
      throw new PayloadError('bad-payload', 'its bytes are no Avro of its schema', { cause })
    }
  }

  #tried<T>(reason: string, problem: string, work: () => T): T {
    try {
      return work()
    } catch (cause) {
      throw new PayloadError(reason, `${problem}: ${messageOf(cause)}`, { cause })
    }
  }
}

/** How avsc is told to make numbers of 64 bits. */
const BIGINT = {
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const buffer = Buffer.alloc(8)
    buffer.writeBigInt64LE(value)
    return buffer
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (a: bigint, b: bigint) => (a === b ? 0 : a < b ? -1 : 1)
}

function parsed(schema: string | object): unknown {
  return typeof schema === 'string' ? JSON.parse(schema) : schema
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
