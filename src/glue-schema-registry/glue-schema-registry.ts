// Decodes records that were made with AWS Glue Schema Registry: the header, the compression, and JSON, Avro or Protocol Buffers by
// the schema in the registry. The entry point "millrace/glue-schema-registry".
import type { GlueClient, GlueClientConfig } from '@aws-sdk/client-glue'
import { type CallPorts, SYSTEM_PORTS } from '../dead-letters/service-call.ts'
import { asDecodeFunction, type Decode, type Decoder, validated } from '../decoding/decoder.ts'
import type { StandardSchemaV1 } from '../decoding/standard-schema.ts'
import { messageOf, OptionError, RecordUndecodableError } from '../model/errors.ts'
import { checkOptions, shown } from '../model/option-rules.ts'
import type { ConsumedRecord } from '../model/record.ts'
import { AvroDecoders } from './avro-payloads.ts'
import { HEADER_BYTES, headerOf } from './header-rules.ts'
import { inflate } from './inflate.ts'
import { asRecordError, decodeJson, type Longs, type PayloadDecoder, PayloadError } from './payload-decoder.ts'
import { ProtobufDecoders } from './protobuf-payloads.ts'
import { SchemaVersions } from './schema-versions.ts'

/** Options of {@link glueSchemaRegistry}. */
export interface GlueSchemaRegistryOptions<Value = unknown> {
  /** A client of the AWS SDK to use as it is, or what to configure one with. Default: what the environment says. */
  readonly client?: GlueClient | GlueClientConfig
  /** How long one call to the registry may take. Milliseconds, 100 to 3,600,000; default 30,000. */
  readonly requestTimeoutMs?: number
  /** How many versions of schemas are kept; those that were used longest ago go first. 1 to 100,000; default 1,000. */
  readonly maxSchemas?: number
  /** For how long a version that the registry does not have is not asked for again. Milliseconds, 0 to 86,400,000; default 30,000. */
  readonly unknownForMs?: number
  /** How large a payload that is compressed may be once it is not. Bytes, 1,024 to 1,073,741,824; default 16,777,216. */
  readonly maxBytes?: number
  /** What decodes records that have no header: anything that option `decode` takes. Default: they cannot be decoded. */
  readonly withoutHeader?: Decode<Value>
  /** Judges what was decoded, and says what type it is of: a schema of zod, valibot, arktype and others. Default: none. */
  readonly schema?: StandardSchemaV1<Value>
  /** Avro: the schema that values are to follow, as an object or as JSON. Default: the one that each was written with. */
  readonly readerSchema?: string | object
  /**
   * Avro and Protocol Buffers: numbers of 64 bits as `number` (default), where a record with one that is not exact cannot be decoded,
   * or as `bigint`.
   */
  readonly longs?: 'number' | 'bigint'
  /** Protocol Buffers: names of fields as `camelCase` (default), or `as-written` in the schema. */
  readonly fieldNames?: 'camelCase' | 'as-written'
}

/** A decoder that holds a client of the registry, and the versions of schemas that it has met. */
export interface GlueSchemaRegistryDecoder<Value = unknown> extends Decoder<Value> {
  /** Lets connections go, if the client is the decoder's own. A worker never calls it. */
  close(): void
}

const OPTIONS: readonly string[] = [
  ...['client', 'requestTimeoutMs', 'maxSchemas', 'unknownForMs', 'maxBytes', 'withoutHeader', 'schema'],
  ...['readerSchema', 'longs', 'fieldNames']
]

/**
 * Decodes records that were made with AWS Glue Schema Registry, for option `decode` of a worker. One decoder can serve many
 * workers, which then share the schemas that it has looked up.
 *
 * @throws OptionError if an option is out of its range
 */
export function glueSchemaRegistry<Value = unknown>(
  options: GlueSchemaRegistryOptions<Value> = {},
  ports: CallPorts = SYSTEM_PORTS
): GlueSchemaRegistryDecoder<Value> {
  checkOptions(options, OPTIONS)
  return new GlueDecoder(options, ports)
}

class GlueDecoder<Value> implements GlueSchemaRegistryDecoder<Value> {
  readonly #versions: SchemaVersions
  readonly #maxBytes: number
  readonly #withoutHeader: Decoder<Value>['decode'] | undefined
  readonly #schema: StandardSchemaV1<Value> | undefined
  readonly #longs: Longs
  readonly #fieldNames: 'camelCase' | 'as-written'
  readonly #readerSchema: string | object | undefined
  #avro: AvroDecoders | undefined
  #protobuf: ProtobufDecoders | undefined

  constructor(options: GlueSchemaRegistryOptions<Value>, ports: CallPorts) {
    const { client, withoutHeader, schema, readerSchema } = options
    this.#maxBytes = inRange('maxBytes', options.maxBytes, [1_024, 2 ** 30], 16_777_216)
    this.#longs = oneOf('longs', options.longs, ['number', 'bigint'])
    this.#fieldNames = oneOf('fieldNames', options.fieldNames, ['camelCase', 'as-written'])
    this.#readerSchema = readerSchema
    if (readerSchema !== undefined && typeof readerSchema !== 'string' && Object(readerSchema) !== readerSchema) {
      throw new OptionError('readerSchema', `is ${shown(readerSchema)}, expected a schema of Avro`)
    }
    if (schema !== undefined) asDecodeFunction('schema', schema)
    if (schema !== undefined && Object(schema)['~standard'] === undefined) {
      throw new OptionError('schema', `is ${shown(schema)}, expected a schema such as those of zod`)
    }
    this.#schema = schema
    this.#withoutHeader =
      withoutHeader === undefined ? undefined : asDecodeFunction<Value>('withoutHeader', withoutHeader)
    this.#versions = new SchemaVersions(
      {
        client,
        requestTimeoutMs: inRange('requestTimeoutMs', options.requestTimeoutMs, [100, 3_600_000], 30_000),
        maxSchemas: inRange('maxSchemas', options.maxSchemas, [1, 100_000], 1_000),
        unknownForMs: inRange('unknownForMs', options.unknownForMs, [0, 86_400_000], 30_000),
        decoderOf: (format, definition) => this.#decoderOf(format, definition)
      },
      ports
    )
  }

  decode(record: ConsumedRecord): Value | Promise<Value> {
    const { data } = record
    const header = headerOf(data)
    if (header === undefined) return this.#decodePlain(record)
    try {
      const decode = this.#versions.decoderFor(header.schemaVersionId)
      const read = (known: PayloadDecoder): Value | Promise<Value> =>
        this.#judged(record, known(this.#payloadOf(data, header.isCompressed)))
      if (typeof decode === 'function') return read(decode)
      return decode.then(read).catch(thrown => {
        throw asRecordError(record, thrown)
      })
    } catch (thrown) {
      throw asRecordError(record, thrown)
    }
  }

  close(): void {
    this.#versions.close()
  }

  #decodePlain(record: ConsumedRecord): Value | Promise<Value> {
    if (this.#withoutHeader !== undefined) return this.#withoutHeader(record)
    const problem = `its ${record.byteLength} bytes do not begin with a header of AWS Glue Schema Registry`
    throw new RecordUndecodableError(record, 'no-header', problem)
  }

  #payloadOf(data: Uint8Array, isCompressed: boolean): Uint8Array {
    const payload = data.subarray(HEADER_BYTES)
    return isCompressed ? inflate(payload, this.#maxBytes) : payload
  }

  #judged(record: ConsumedRecord, value: unknown): Value | Promise<Value> {
    const schema = this.#schema
    return schema === undefined ? (value as Value) : validated(record, schema['~standard'].validate(value))
  }

  #decoderOf(format: string, definition: string): PayloadDecoder {
    const longs = this.#longs
    switch (format) {
      case 'JSON':
        return decodeJson
      case 'AVRO': {
        const readerSchema = this.#readerSchema
        this.#avro ??= installed(() => new AvroDecoders({ readerSchema, longs }))
        return this.#avro.for(definition)
      }
      case 'PROTOBUF': {
        const keepCase = this.#fieldNames === 'as-written'
        this.#protobuf ??= installed(() => new ProtobufDecoders({ longs, keepCase }))
        return this.#protobuf.for(definition)
      }
      default:
        throw new PayloadError('bad-schema', `its schema is of format ${format}, expected JSON, AVRO or PROTOBUF`)
    }
  }
}

/** A package that is not there is no fault of a record. */
function installed<T>(make: () => T): T {
  try {
    return make()
  } catch (cause) {
    if (Object(cause).code !== 'MODULE_NOT_FOUND') throw cause
    throw new OptionError('decode', messageOf(cause), { cause })
  }
}

function inRange(option: string, value: unknown, [min, max]: readonly [number, number], byDefault: number): number {
  if (value === undefined) return byDefault
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
  throw new OptionError(option, `is ${shown(value)}, expected a whole number from ${min} to ${max}`)
}

/** One of a few words; the first is the default. */
function oneOf<T extends string>(option: string, value: unknown, words: readonly [T, ...T[]]): T {
  const word = words.find(candidate => candidate === (value ?? words[0]))
  if (word !== undefined) return word
  throw new OptionError(option, `is ${shown(value)}, expected ${words.map(each => `'${each}'`).join(' or ')}`)
}
