// Whoever waits for records at an emulator, in a process of its own: notes for each record how long ago it was put.
import { setTimeout as sleep } from 'node:timers/promises'
import {
  DescribeStreamConsumerCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  ListShardsCommand,
  PutRecordCommand,
  RegisterStreamConsumerCommand,
  SubscribeToShardCommand
} from '@aws-sdk/client-kinesis'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { answerParent } from '../child-side.ts'
import { CREDENTIALS, REGION } from '../contenders/client-options.ts'
import { loadLibrary } from '../library.ts'
import { lifionKinesis } from '../peers.ts'

/** Who waits. The floors are the emulator's own: what it takes if one asks at once, or listens all the time. */
export type SubjectName = 'floor' | 'millrace' | 'lifion-kinesis' | 'fan-out floor' | 'millrace fan-out'

/** Where, and for what. */
export interface LatencySetup {
  readonly subject: SubjectName
  readonly library: string
  readonly kinesis: string
  readonly dynamodb: string
  readonly streamName: string
}

/** What the process can be asked. */
export interface LatencyQuestions {
  /** To wait for records. */
  start(setup: LatencySetup): Promise<void>
  /** Floor only: to put a record and read it at once. Milliseconds. */
  putAndRead(): Promise<number>
  /** The latencies since this was asked last. Milliseconds. */
  take(): number[]
  /** Events that say that something is not as it was asked for. */
  complaints(): string[]
}

const latencies: number[] = []
const complaints = new Set<string>()
let putAndRead = (): Promise<number> => Promise.reject(new Error('Only the floor puts and reads'))

function note(sentAtMs: unknown): void {
  if (typeof sentAtMs === 'number') latencies.push(performance.timeOrigin + performance.now() - sentAtMs)
}

function noteData(data: Uint8Array | undefined): void {
  if (data !== undefined) note(JSON.parse(Buffer.from(data).toString()).sentAtMs)
}

function clientOf({ kinesis }: LatencySetup): KinesisClient {
  const requestHandler = new NodeHttpHandler({ httpAgent: { keepAlive: true, maxSockets: 64 } })
  return new KinesisClient({ endpoint: kinesis, region: REGION, credentials: CREDENTIALS, requestHandler })
}

async function startFloor(setup: LatencySetup): Promise<void> {
  const client = clientOf(setup)
  const StreamName = setup.streamName
  const { Shards = [] } = await client.send(new ListShardsCommand({ StreamName }))
  const start = { StreamName, ShardId: Shards[0]?.ShardId, ShardIteratorType: 'LATEST' as const }
  let { ShardIterator } = await client.send(new GetShardIteratorCommand(start))
  putAndRead = async () => {
    const beganMs = performance.now()
    await client.send(new PutRecordCommand({ StreamName, PartitionKey: 'floor', Data: Buffer.from('{}') }))
    for (;;) {
      const answer = await client.send(new GetRecordsCommand({ ShardIterator }))
      ShardIterator = answer.NextShardIterator
      if (answer.Records?.length) return performance.now() - beganMs
    }
  }
}

async function startFanOutFloor(setup: LatencySetup): Promise<void> {
  const client = clientOf(setup)
  const StreamName = setup.streamName
  const summary = await client.send(new DescribeStreamSummaryCommand({ StreamName }))
  const consumer = { StreamARN: summary.StreamDescriptionSummary?.StreamARN, ConsumerName: 'floor' }
  await client.send(new RegisterStreamConsumerCommand(consumer))
  let ConsumerARN: string | undefined
  for (let status: string | undefined; status !== 'ACTIVE'; await sleep(50)) {
    const { ConsumerDescription } = await client.send(new DescribeStreamConsumerCommand(consumer))
    status = ConsumerDescription?.ConsumerStatus
    ConsumerARN = ConsumerDescription?.ConsumerARN
  }
  const { Shards = [] } = await client.send(new ListShardsCommand({ StreamName }))
  const start = { ConsumerARN, ShardId: Shards[0]?.ShardId, StartingPosition: { Type: 'LATEST' as const } }
  const { EventStream } = await client.send(new SubscribeToShardCommand(start))
  const listen = async (): Promise<void> => {
    for await (const event of EventStream ?? []) {
      for (const { Data } of event.SubscribeToShardEvent?.Records ?? []) noteData(Data)
    }
  }
  listen().catch(error => complaints.add(String(error)))
}

async function startMillrace(setup: LatencySetup): Promise<void> {
  const { Worker, memoryLeaseStore } = await loadLibrary(setup.library)
  const worker = new Worker({
    streamName: setup.streamName,
    applicationName: 'bench',
    startAt: 'LATEST',
    kinesis: { endpoint: setup.kinesis, region: REGION, credentials: CREDENTIALS },
    ...(setup.subject === 'millrace fan-out' && { retrieval: { mode: 'fan-out' } }),
    leases: { store: memoryLeaseStore() },
    handler: records => {
      for (const { data } of records) noteData(data)
    }
  })
  const watched = worker as { on(name: string, listener: (event: Record<string, unknown>) => void): unknown }
  watched.on('error', ({ error }) => complaints.add(String(error)))
  watched.on('shard:retrieval-changed', ({ mode, error }) => complaints.add(`read by ${mode} because of ${error}`))
  await worker.start()
}

async function startLifion({ kinesis, dynamodb, streamName }: LatencySetup): Promise<void> {
  const Kinesis = lifionKinesis()
  const client = { region: REGION, credentials: CREDENTIALS }
  const consumer = new Kinesis({
    ...client,
    endpoint: kinesis,
    streamName,
    consumerGroup: 'bench',
    createStreamIfNeeded: false,
    dynamoDb: { ...client, endpoint: dynamodb, tableName: `bench-${streamName}` }
  })
  consumer.on('error', error => complaints.add(String(error)))
  consumer.on('data', ({ records }) => {
    for (const { data } of records) note(data.sentAtMs)
  })
  await consumer.startConsumer()
}

const STARTS: Readonly<Record<SubjectName, (setup: LatencySetup) => Promise<void>>> = {
  floor: startFloor,
  millrace: startMillrace,
  'millrace fan-out': startMillrace,
  'lifion-kinesis': startLifion,
  'fan-out floor': startFanOutFloor
}

answerParent<LatencyQuestions>({
  start: setup => STARTS[setup.subject](setup),
  putAndRead: () => putAndRead(),
  take: () => latencies.splice(0),
  complaints: () => [...complaints]
})
