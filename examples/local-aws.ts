// Kinesis and DynamoDB on this machine, to try the other examples on: creates a stream and puts a record twice a second.
// Run: node --import tsx examples/local-aws.ts [stream name, default orders]
import { setTimeout as sleep } from 'node:timers/promises'
import { CreateStreamCommand, KinesisClient, PutRecordCommand } from '@aws-sdk/client-kinesis'
import { emulatorVariables, SILENT_SDK } from './support/emulator-environment.ts'
import { startDynalite, startKinesalite } from './support/emulators.ts'

Object.assign(process.env, SILENT_SDK)
const StreamName = process.argv[2] ?? 'orders'
const [kinesis, dynamodb] = await Promise.all([startKinesalite(), startDynalite()])
const client = new KinesisClient(kinesis.clientConfig())
await client.send(new CreateStreamCommand({ StreamName, ShardCount: 2 }))

console.log('# Paste this into another terminal. Ctrl-C here stops both services.')
const variables = emulatorVariables({ kinesis: kinesis.endpoint, dynamodb: dynamodb.endpoint })
for (const [name, value] of Object.entries({ ...variables, STREAM_NAME: StreamName })) {
  console.log(`export ${name}=${value}`)
}

for (let order = 1; ; order++) {
  await sleep(500)
  const Data = new TextEncoder().encode(`order ${order}`)
  await client.send(new PutRecordCommand({ StreamName, PartitionKey: `customer-${order % 7}`, Data }))
}
