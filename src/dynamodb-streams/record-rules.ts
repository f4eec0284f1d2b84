// A record of a DynamoDB stream: as the SDK has it, as bytes, and as a record of a shard like any other.
import type { KinesisRecord } from '../model/record.ts'
import { type AttributesJson, attributesJson, keyText } from './attribute-rules.ts'

/** A record of a stream in the JSON of the service. What it has not, is absent. */
export interface StreamRecordJson {
  readonly eventID?: string
  readonly eventName?: 'INSERT' | 'MODIFY' | 'REMOVE'
  readonly eventVersion?: string
  readonly eventSource?: string
  readonly awsRegion?: string
  readonly dynamodb?: {
    /** Epoch seconds. */
    readonly ApproximateCreationDateTime?: number
    readonly Keys?: AttributesJson
    readonly NewImage?: AttributesJson
    readonly OldImage?: AttributesJson
    readonly SequenceNumber?: string
    readonly SizeBytes?: number
    readonly StreamViewType?: string
  }
  /** Who deleted the item, if that was the service: `dynamodb.amazonaws.com` for what has outlived its time. */
  readonly userIdentity?: { readonly PrincipalId?: string; readonly Type?: string }
}

/** A record as the AWS SDK has it: with a Date and with bytes in it. */
export interface SdkStreamRecord {
  readonly eventID?: string | undefined
  readonly eventName?: string | undefined
  readonly eventVersion?: string | undefined
  readonly eventSource?: string | undefined
  readonly awsRegion?: string | undefined
  readonly dynamodb?:
    | {
        readonly ApproximateCreationDateTime?: Date | undefined
        readonly Keys?: Readonly<Record<string, object>> | undefined
        readonly NewImage?: Readonly<Record<string, object>> | undefined
        readonly OldImage?: Readonly<Record<string, object>> | undefined
        readonly SequenceNumber?: string | undefined
        readonly SizeBytes?: number | undefined
        readonly StreamViewType?: string | undefined
      }
    | undefined
  readonly userIdentity?: { readonly PrincipalId?: string | undefined; readonly Type?: string | undefined } | undefined
}

/** The record in the JSON of the service, which is exact: numbers are digits there. */
export function streamRecordJson({ dynamodb, ...rest }: SdkStreamRecord): StreamRecordJson {
  const { ApproximateCreationDateTime: createdAt, Keys, NewImage, OldImage, ...others } = dynamodb ?? {}
  return {
    ...(rest as Omit<StreamRecordJson, 'dynamodb'>),
    dynamodb: {
      ...(others as Omit<NonNullable<StreamRecordJson['dynamodb']>, 'ApproximateCreationDateTime'>),
      ...(createdAt && { ApproximateCreationDateTime: createdAt.getTime() / 1_000 }),
      ...(Keys && { Keys: attributesJson(Keys) }),
      ...(NewImage && { NewImage: attributesJson(NewImage) }),
      ...(OldImage && { OldImage: attributesJson(OldImage) })
    }
  }
}

/** Records of a shard, and how long their payloads are together. Bytes. */
export interface EncodedRecords {
  readonly records: readonly KinesisRecord[]
  readonly bytes: number
}

/**
 * Stream records as records of a shard: their payload is the JSON of the service, and their partition key is the key of the item, so
 * that what is in order by key is in order by item. All payloads lie in one piece of memory.
 */
export function encodeRecords(given: readonly SdkStreamRecord[]): EncodedRecords {
  const parts = given.map(each => {
    const json = streamRecordJson(each)
    const text = JSON.stringify(json)
    return { json, text, length: Buffer.byteLength(text) }
  })
  const bytes = parts.reduce((sum, { length }) => sum + length, 0)
  // Memory of its own, which may be handed to a thread.
  const memory = Buffer.from(new ArrayBuffer(bytes))
  let at = 0
  const records = parts.map(({ json: { dynamodb = {} }, text, length }): KinesisRecord => {
    const { Keys = {}, SequenceNumber = '', ApproximateCreationDateTime: createdAt } = dynamodb
    memory.write(text, at)
    const data = memory.subarray(at, at + length)
    at += length
    return {
      sequenceNumber: SequenceNumber,
      partitionKey: keyText(Keys),
      data,
      ...(createdAt !== undefined && { arrivedAtMs: createdAt * 1_000 })
    }
  })
  return { records, bytes }
}
