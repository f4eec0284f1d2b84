// What a user would write first: GetRecords through the AWS SDK, in a loop over the shards, and aws-kinesis-agg for what
// producers have aggregated. With the handler that the SDK chooses, with the one to choose, and with everything tuned.
import {
  type _Record,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  type KinesisClientConfig,
  ListShardsCommand
} from '@aws-sdk/client-kinesis'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { aggOfAws } from '../peers.ts'
import { streamNameOf } from '../source/streams.ts'
import { CREDENTIALS, LOOP_SHARDS, LOOPS, REGION } from './client-options.ts'
import type { Load } from './contender.ts'
import { LeanProtocol } from './lean-protocol.ts'
import type { Meter } from './meter.ts'

/** How the SDK is set up: over HTTP/1.1 with connections kept, as it comes, or with all that makes it faster. */
export type Setup = 'http1' | 'default' | 'best'

/** Reads in loops until the process ends. */
export async function runBareLoop(load: Load, meter: Meter, setup: Setup): Promise<void> {
  const client = clientOf(load, setup)
  const touch = load.payload !== 'kpl' ? touchRecords : setup === 'best' ? touchAggregatesFast() : touchAggregates()
  const streamName = streamNameOf(load.payload, LOOP_SHARDS)
  const iterators = await openShards(client, streamName)
  const loop = async (own: (string | undefined)[]): Promise<void> => {
    for (let i = 0; ; i = (i + 1) % own.length) {
      const answer = await client.send(new GetRecordsCommand({ ShardIterator: own[i], Limit: 10_000 }))
      own[i] = answer.NextShardIterator
      const { records, touched } = touch(answer.Records ?? [])
      meter.add(records, touched)
    }
  }
  for (let i = 0; i < LOOPS; i++) {
    loop(iterators.filter((_, shard) => shard % LOOPS === i)).catch(fail)
  }
}

/** A loop that fails would leave the others to be measured as if nothing had happened. */
function fail(error: unknown): never {
  console.error(error)
  process.exit(1)
}

function clientOf(load: Load, setup: Setup): KinesisClient {
  const common: KinesisClientConfig = { endpoint: load.http1, region: REGION, credentials: CREDENTIALS }
  if (setup === 'default') return new KinesisClient({ ...common, endpoint: load.http2 })
  const requestHandler = new NodeHttpHandler({ httpAgent: { keepAlive: true, maxSockets: 256 } })
  if (setup === 'http1') return new KinesisClient({ ...common, requestHandler })
  // A logger without methods keeps the SDK from copying every answer for it.
  const logger = {} as NonNullable<KinesisClientConfig['logger']>
  return new KinesisClient({ ...common, requestHandler, logger, protocol: LeanProtocol })
}

async function openShards(client: KinesisClient, streamName: string): Promise<(string | undefined)[]> {
  const { Shards = [] } = await client.send(new ListShardsCommand({ StreamName: streamName }))
  return Promise.all(
    Shards.map(async ({ ShardId }) => {
      const start = { StreamName: streamName, ShardId, ShardIteratorType: 'TRIM_HORIZON' as const }
      const { ShardIterator } = await client.send(new GetShardIteratorCommand(start))
      return ShardIterator
    })
  )
}

/** How many user records there were, and how long their keys and data are. */
interface Touched {
  readonly records: number
  readonly touched: number
}

function touchRecords(records: readonly _Record[]): Touched {
  let touched = 0
  for (const { PartitionKey, Data } of records) touched += (PartitionKey?.length ?? 0) + (Data?.length ?? 0)
  return { records: records.length, touched }
}

/** With aws-kinesis-agg as one would write it: given the records as the SDK has them. Its results are left in base64. */
function touchAggregates(): (records: readonly _Record[]) => Touched {
  const { deaggregateSync } = aggOfAws()
  return kinesisRecords => {
    let records = 0
    let touched = 0
    for (const { PartitionKey = '', SequenceNumber = '', Data = new Uint8Array(0) } of kinesisRecords) {
      deaggregateSync({ PartitionKey, SequenceNumber, Data }, true, (error, users = []) => {
        if (error) throw error
        records += users.length
        for (const user of users as unknown as { PartitionKey: string; Data: string }[]) {
          touched += user.PartitionKey.length + Buffer.byteLength(user.Data, 'base64')
        }
      })
    }
    return { records, touched }
  }
}

/** With aws-kinesis-agg as it is fastest: given bytes under the names of the older SDK, which spares it from renaming. */
function touchAggregatesFast(): (records: readonly _Record[]) => Touched {
  const { deaggregateSync } = aggOfAws()
  return kinesisRecords => {
    let records = 0
    let touched = 0
    for (const { PartitionKey = '', SequenceNumber = '', Data } of kinesisRecords) {
      const record = { partitionKey: PartitionKey, sequenceNumber: SequenceNumber, data: Data ?? new Uint8Array(0) }
      deaggregateSync(record, true, (error, users = []) => {
        if (error) throw error
        records += users.length
        for (const { partitionKey, data } of users) touched += partitionKey.length + Buffer.byteLength(data, 'base64')
      })
    }
    return { records, touched }
  }
}
