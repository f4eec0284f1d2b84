// lifion-kinesis as it reads fastest: no wait between reads, connections kept, payloads in JSON, which it prefers.
import { lifionKinesis } from '../peers.ts'
import { streamNameOf } from '../source/streams.ts'
import { CREDENTIALS, REGION } from './client-options.ts'
import type { Load } from './contender.ts'
import type { Meter } from './meter.ts'

/** It claims shards one after another; with these few a core is busy. */
const SHARDS = 4
/** What it makes of a payload: parsed, so that its length can only be told from its text. */
const JSON_FRAME = '{"text":""}'.length

/** Runs a consumer that touches every record. */
export async function runLifion(load: Load, meter: Meter): Promise<void> {
  const Kinesis = lifionKinesis()
  const client = { region: REGION, credentials: CREDENTIALS }
  const consumer = new Kinesis({
    ...client,
    endpoint: load.http1,
    streamName: streamNameOf(load.payload, SHARDS),
    consumerGroup: 'bench',
    createStreamIfNeeded: false,
    dynamoDb: { ...client, endpoint: load.dynamodb, tableName: 'bench' },
    initialPositionInStream: 'TRIM_HORIZON',
    limit: 10_000,
    pollDelay: 0,
    noRecordsPollDelay: 250,
    shouldDeaggregate: load.payload === 'kpl'
  })
  consumer.on('error', error => {
    console.error(error)
    process.exit(1)
  })
  consumer.on('data', ({ records }) => {
    let touched = 0
    for (const { partitionKey, data } of records) touched += partitionKey.length + data.text.length + JSON_FRAME
    meter.add(records.length, touched)
  })
  await consumer.startConsumer()
}
