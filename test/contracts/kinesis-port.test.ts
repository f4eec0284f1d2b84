// Runs the contract of the Kinesis port on the fake and on both emulators, through the SDK.
import { DeleteStreamCommand, KinesisClient } from '@aws-sdk/client-kinesis'
import { sdkKinesis } from '../../src/kinesis/sdk-kinesis.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { type Emulator, sharedKinesalite, sharedKinesisLocal } from '../support/emulators.ts'
import {
  createStream,
  mergeShards,
  putRecord,
  putRecords,
  splitShard,
  uniqueName,
  untilDeleted
} from '../support/streams.ts'
import { describeKinesisPort } from './kinesis-port.contract.ts'
import type { KinesisWorld } from './kinesis-world.ts'

function fakeWorld(): KinesisWorld {
  const clock = new VirtualClock()
  const kinesis = new FakeKinesis({ clock })
  return {
    port: stream => kinesis.port('streamArn' in stream ? stream.streamArn : stream.streamName),
    createStream: async (shardCount, name = uniqueName()) => {
      kinesis.createStream(name, shardCount)
      return name
    },
    deleteStream: async name => kinesis.deleteStream(name),
    put: async (name, records) =>
      records.map(({ partitionKey, data, ...options }) => kinesis.put(name, partitionKey, data, options)),
    split: async (name, shardId) => {
      kinesis.split(name, shardId)
    },
    merge: async (name, shardId, adjacentShardId) => {
      kinesis.merge(name, shardId, adjacentShardId)
    },
    epochMs: () => clock.epochMs(),
    pass: ms => clock.advance(ms)
  }
}

async function emulatorWorld(emulator: Emulator, requestTimeoutMs: number, wire?: 'cbor'): Promise<KinesisWorld> {
  const client = new KinesisClient(emulator.clientConfig())
  return {
    port: stream => sdkKinesis({ stream, client, clock: systemClock, requestTimeoutMs, ...(wire && { wire }) }),
    createStream: (shardCount, name) => createStream(client, shardCount, name),
    deleteStream: async name => {
      await client.send(new DeleteStreamCommand({ StreamName: name }))
      await untilDeleted(client, name)
    },
    put: async (name, records) => {
      const [only] = records
      return only !== undefined && records.length === 1
        ? [await putRecord(client, name, only)]
        : putRecords(client, name, records)
    },
    split: (name, shardId) => splitShard(client, name, shardId),
    merge: (name, shardId, adjacentShardId) => mergeShards(client, name, shardId, adjacentShardId),
    epochMs: () => systemClock.epochMs(),
    pass: ms => systemClock.sleep(ms)
  }
}

describeKinesisPort('FakeKinesis', async () => fakeWorld(), {})

const KINESALITE = {
  'by-arn': 'it knows no StreamARN',
  'filter-before-split': 'it ignores shard filters',
  'filter-after-split': 'it ignores shard filters',
  'filter-before-creation': 'it ignores shard filters',
  'start-at-timestamp-at-tip': 'it never answers if no record has arrived since the time',
  behind: 'it says 0 as long as the shard is open',
  'end-split-children': 'it names no children',
  'end-merge-children': 'it names no children'
}

const KINESIS_LOCAL = {
  'filter-before-creation': 'it lists all shards for a time before the stream',
  'refuse-number-of-other-shard': 'it does not check which shard a sequence number is of',
  'refuse-number-of-earlier-stream': 'it takes a sequence number of an earlier stream',
  'refuse-garbage': 'its error has no type'
}

// A short deadline, because it never answers some calls.
describeKinesisPort('kinesalite', async () => emulatorWorld(await sharedKinesalite(), 3_000), KINESALITE)

describeKinesisPort('kinesis-local', async () => emulatorWorld(await sharedKinesisLocal(), 15_000), KINESIS_LOCAL)

// Both have a CBOR that differs from that of AWS. Whether they end up being spoken to in JSON or not, nothing else may differ.
describeKinesisPort(
  'kinesalite in CBOR',
  async () => emulatorWorld(await sharedKinesalite(), 3_000, 'cbor'),
  KINESALITE
)

describeKinesisPort(
  'kinesis-local in CBOR',
  async () => emulatorWorld(await sharedKinesisLocal(), 15_000, 'cbor'),
  KINESIS_LOCAL
)
