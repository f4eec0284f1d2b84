// Runs the contract of the port of enhanced fan-out on the fake, over HTTP/2 on the server of the tests, and over HTTP/1.1 on
// an emulator.
import { DescribeStreamSummaryCommand, KinesisClient } from '@aws-sdk/client-kinesis'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import type { FanOutPort } from '../../src/kinesis/fan-out-port.ts'
import { sdkFanOut } from '../../src/kinesis/sdk-fan-out.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import { fasterClock } from '../kinesis/fan-out-world.ts'
import { sharedKinesisLocal } from '../support/emulators.ts'
import { type FanOutServer, startFanOutServer } from '../support/fan-out-server.ts'
import { createStream, putRecord, splitShard, uniqueName } from '../support/streams.ts'
import { describeFanOutPort, type FanOutContractWorld } from './fan-out.contract.ts'

type Hands = Pick<FanOutContractWorld, 'createStream' | 'streamArn' | 'put' | 'split'>

function handsOn(kinesis: FakeKinesis): Hands {
  return {
    createStream: async shardCount => {
      const name = uniqueName()
      kinesis.createStream(name, shardCount)
      return name
    },
    streamArn: async name => (await kinesis.port(name).describeStream()).streamArn,
    put: async (name, data) => kinesis.put(name, 'key', data).sequenceNumber,
    split: async (name, shardId) => {
      kinesis.split(name, shardId)
    }
  }
}

/** Time there runs faster, so that five seconds do not take five seconds. */
const TIMES = 20

function fakeWorld(): FanOutContractWorld {
  const clock = fasterClock(TIMES)
  const kinesis = new FakeKinesis({ clock })
  return {
    ...handsOn(kinesis),
    port: stream => kinesis.fanOut('streamArn' in stream ? stream.streamArn : stream.streamName),
    epochMs: () => clock.epochMs(),
    pass: ms => clock.sleep(ms)
  }
}

const servers: FanOutServer[] = []
const ports: FanOutPort[] = []

function opened(port: FanOutPort): FanOutPort {
  ports.push(port)
  return port
}

async function serverWorld(): Promise<FanOutContractWorld> {
  const clock = fasterClock(TIMES)
  const server = await startFanOutServer({ clock })
  servers.push(server)
  const client = { ...server.clientConfig(), requestHandler: new NodeHttpHandler() }
  return {
    ...handsOn(server.kinesis),
    port: stream => opened(sdkFanOut({ stream, client, clock: systemClock, http2: true })),
    epochMs: () => clock.epochMs(),
    pass: ms => clock.sleep(ms)
  }
}

async function kinesisLocalWorld(): Promise<FanOutContractWorld> {
  const emulator = await sharedKinesisLocal()
  const client = new KinesisClient(emulator.clientConfig())
  const streamArn = async (name: string): Promise<string> => {
    const { StreamDescriptionSummary } = await client.send(new DescribeStreamSummaryCommand({ StreamName: name }))
    return StreamDescriptionSummary?.StreamARN ?? ''
  }
  return {
    createStream: shardCount => createStream(client, shardCount),
    streamArn,
    put: async (name, data) => (await putRecord(client, name, { partitionKey: 'key', data })).sequenceNumber,
    split: (name, shardId) => splitShard(client, name, shardId),
    port: stream => opened(sdkFanOut({ stream, client, clock: systemClock })),
    epochMs: () => systemClock.epochMs(),
    pass: ms => systemClock.sleep(ms)
  }
}

describeFanOutPort('FakeKinesis', async () => fakeWorld(), {})
describeFanOutPort('the server of the tests, over HTTP/2', serverWorld, {})
describeFanOutPort(
  'kinesis-local, over HTTP/1.1',
  kinesisLocalWorld,
  { end: 'it sends no children, and never ends', 'unknown-shard': 'it takes any shard' },
  { together: true }
)

after(async () => {
  for (const port of ports) port.close()
  await Promise.all(servers.map(server => server.close()))
})
