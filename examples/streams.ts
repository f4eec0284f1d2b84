// Twenty streams in one worker and one lease table. While it runs one stream is added and one is taken away, whose shards are
// given back and whose leases are deleted a few seconds later. Kinesis and DynamoDB are emulators on this machine.
//
//   node --import tsx examples/streams.ts
//   STREAMS=5 node --import tsx examples/streams.ts
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { CreateStreamCommand, KinesisClient, PutRecordsCommand } from '@aws-sdk/client-kinesis'
import { type StreamEntry, Worker } from 'millrace'
import { SILENT_SDK } from './support/emulator-environment.ts'
import type { Endpoints } from './support/emulator-process.ts'
import { emulatorAt } from './support/emulators.ts'

const STREAMS = Number(process.env.STREAMS ?? 20)
const SHARDS = 4
// In a process of their own, so that their work does not hold up the worker's.
const emulators = fork(new URL('support/emulator-process.ts', import.meta.url), {
  env: { ...process.env, ...SILENT_SDK }
})
const [endpoints] = (await once(emulators, 'message')) as [Endpoints]
const kinesis = emulatorAt(endpoints.kinesis, async () => {})
const dynamodb = emulatorAt(endpoints.dynamodb, async () => {})
const client = new KinesisClient(kinesis.clientConfig())

/** How many records were put into each stream, and how many were processed. */
const put = new Map<string, number>()
const processed = new Map<string, number>()
let sent = 0

/** What the worker is to read: a real program would read this from a database, or from a tag of the streams. */
const wanted: StreamEntry[] = []

async function create(streamName: string): Promise<void> {
  await client.send(new CreateStreamCommand({ StreamName: streamName, ShardCount: SHARDS }))
  wanted.push({ streamName })
}

async function putInto(streamName: string, count: number): Promise<void> {
  const Records = Array.from({ length: count }, () => ({
    PartitionKey: `key-${sent++}`,
    Data: Buffer.from(streamName)
  }))
  await client.send(new PutRecordsCommand({ StreamName: streamName, Records }))
  put.set(streamName, (put.get(streamName) ?? 0) + count)
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  const giveUpAtMs = performance.now() + 60_000
  while (!isSo()) {
    if (performance.now() > giveUpAtMs) throw new Error(`Waited a minute in vain for ${what}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

const isProcessed = (): boolean => [...put].every(([name, count]) => (processed.get(name) ?? 0) >= count)
const total = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((a, b) => a + b, 0)

for (let n = 1; n <= STREAMS; n++) await create(`orders-${n}`)

const worker = new Worker({
  applicationName: 'all-orders',
  streams: {
    list: () => wanted,
    everyMs: 1_000,
    whenRemoved: { forgetAfterMs: 2_000 }
  },
  startAt: 'TRIM_HORIZON',
  shardSyncIntervalMs: 1_000,
  kinesis: kinesis.clientConfig(),
  dynamodb: dynamodb.clientConfig(),
  // One function for all of them, which is told the stream.
  handler: (records, { streamName }) => {
    processed.set(streamName, (processed.get(streamName) ?? 0) + records.length)
  }
})
const shards = new Set<string>()
worker
  .on('shard:started', ({ leaseKey }) => shards.add(leaseKey))
  .on('stream:removed', ({ streamName }) => console.log(`${streamName} is not in the list any more`))
  .on('stream:forgotten', ({ streamName, leases, why }) =>
    console.log(`${streamName} is forgotten (${why}): ${leases} leases deleted`)
  )
  .on('error', ({ error, during }) => console.error(`${during}: ${error.message}`))

await worker.start()
await until('all shards', () => shards.size === STREAMS * SHARDS)
console.log(`reading ${shards.size} shards of ${worker.health().streams?.length} streams in one worker`)
for (const name of [...wanted].map(({ streamName = '' }) => streamName)) await putInto(name, 20)
await until('the records', isProcessed)
console.log(`processed ${total(processed)} of ${total(put)} records of ${processed.size} streams`)

await create('orders-new')
await until(
  'the new stream',
  () => worker.health().shards.filter(shard => shard.streamName === 'orders-new').length === 4
)
console.log('orders-new is read, too')
await putInto('orders-new', 20)
await until('the records of the new stream', isProcessed)
console.log(`processed ${processed.get('orders-new')} of ${put.get('orders-new')} records of orders-new`)

let isForgotten = false
worker.on('stream:forgotten', () => {
  isForgotten = true
})
wanted.splice(0, 1)
await until('the end of orders-1', () => isForgotten)
await until('the end of its shards', () => worker.health().shards.every(shard => shard.streamName !== 'orders-1'))
await putInto('orders-2', 20)
await until('the records after that', isProcessed)
const left = new Set(worker.health().shards.map(({ streamName }) => streamName))
console.log(`processed ${total(processed)} of ${total(put)} records, and reading ${left.size} streams`)

await worker.stop({ graceMs: 5_000 })
client.destroy()
emulators.disconnect()
