// `millrace/dynamodb-streams`: the stream of a DynamoDB table as the source of a worker, and its records as changes of items.
import type { KinesisPort } from '../kinesis/kinesis-port.ts'
import type { SourceContext, StreamSource } from '../kinesis/stream-source.ts'
import { OptionError } from '../model/errors.ts'
import { checkOptions, shown } from '../model/option-rules.ts'
import { type DynamoDBStreamsClientOption, StreamsCalls } from './sdk-streams-calls.ts'
import { MAX_RECORDS, StreamsPort } from './sdk-streams-port.ts'
import { checkTableStream, type TableStream } from './shard-rules.ts'

export type { StreamSource } from '../kinesis/stream-source.ts'
export type { AttributeJson, AttributesJson, NumberForm } from './attribute-rules.ts'
export {
  type Change,
  type ChangeBase,
  type ChangeOptions,
  changeOf,
  type InsertChange,
  type ModifyChange,
  type RemoveChange
} from './change.ts'
export type { StreamRecordJson } from './record-rules.ts'
export type { DynamoDBStreamsClientOption } from './sdk-streams-calls.ts'
export type { TableStream } from './shard-rules.ts'

/** How the stream of a table is reached. */
export interface DynamodbStreamOptions {
  /** A client of the AWS SDK to use as it is, or the configuration of one. Default: what the environment says, in the region of the ARN. */
  readonly client?: DynamoDBStreamsClientOption
}

/**
 * The wait between reads at the tip of a shard. Each read is paid for, and a partition of a table is read by as many shards as it has:
 * one at a time. Milliseconds.
 */
const IDLE_MS = 1_000

/**
 * The stream of a DynamoDB table, as the option `source` of a worker. The payload of each record is the stream record in the JSON of
 * the service, which {@link changeOf} reads; its partition key is the key of the item, so that `concurrency` by key keeps the order of
 * the changes of each item.
 *
 * @throws OptionError
 */
export function dynamodbStream(stream: TableStream, options: DynamodbStreamOptions = {}): StreamSource {
  checkOptions(stream, ['tableName', 'streamArn'], 'stream')
  checkOptions(options, ['client'])
  const { tableName, streamArn } = checkTableStream(stream)
  const { client } = options
  if (client !== undefined && (typeof client !== 'object' || client === null || Array.isArray(client))) {
    throw new OptionError('client', `is ${shown(client)}, expected a DynamoDBStreamsClient or its configuration`)
  }
  return {
    streamName: tableName,
    traits: {
      maxRecords: MAX_RECORDS,
      idleMs: IDLE_MS,
      bytesPerSecond: Number.POSITIVE_INFINITY,
      beginsByTime: true
    },
    open: ({ clock, random, requestTimeoutMs, lost }: SourceContext): KinesisPort => {
      const region = streamArn?.split(':')[3]
      const calls = new StreamsCalls({ tableName, client, region, clock, requestTimeoutMs })
      return new StreamsPort({ tableName, streamArn, calls, clock, random, lost })
    }
  }
}
