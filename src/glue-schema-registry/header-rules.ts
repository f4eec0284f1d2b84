// What stands before the payload of a record that was made with AWS Glue Schema Registry: the grammar of its header.
//
//     record  := version compression schema-version-id payload
//     version := 3                     one byte
//     compression := 0 | 5             one byte: none, or zlib, of the payload
//     schema-version-id                a UUID, 16 bytes, the most significant first

/** The header of a record. */
export interface GlueHeader {
  /** The id of the version of the schema that the payload was written with. */
  readonly schemaVersionId: string
  /** Whether the payload is compressed, by zlib. */
  readonly isCompressed: boolean
}

/** How long a header is. Bytes. */
export const HEADER_BYTES = 18

const VERSION = 3
const UNCOMPRESSED = 0
const ZLIB = 5

/** The header that data begins with; `undefined`: with none. */
export function headerOf(data: Uint8Array): GlueHeader | undefined {
  if (data.length < HEADER_BYTES || data[0] !== VERSION) return undefined
  const compression = data[1]
  if (compression !== UNCOMPRESSED && compression !== ZLIB) return undefined
  const digits = Buffer.from(data.buffer, data.byteOffset + 2, 16).toString('hex')
  const parts = [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)]
  return { schemaVersionId: parts.join('-'), isCompressed: compression === ZLIB }
}
