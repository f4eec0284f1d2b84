// millrace local: a Kinesis and a DynamoDB on this machine, for development, until Ctrl-C.
import { whenAborted } from '../runtime/abort.ts'
import { type CommandContext, type CommandSpec, collected } from './command.ts'
import { makeStream, startDynamo, startKinesis } from './emulators.ts'
import { EXIT } from './exit-codes.ts'
import { interruptible } from './interruption.ts'
import { plural } from './text-rules.ts'
import { streamToMake, wholeNumber } from './value-rules.ts'

interface LocalFlags {
  readonly kinesisPort: string
  readonly dynamoPort: string
  readonly host: string
  readonly stream?: readonly string[]
}

/** Starts emulators. */
export const localCommand: CommandSpec = {
  name: 'local',
  summary: 'start a Kinesis and a DynamoDB on this machine, for development',
  usesAws: false,
  define: command =>
    command
      .option('--kinesis-port <port>', 'where Kinesis listens; 0 for any', '4567')
      .option('--dynamo-port <port>', 'where DynamoDB listens; 0 for any', '8000')
      .option('--host <address>', 'address that both listen on', '127.0.0.1')
      .option('-s, --stream <name:shards>', 'make this stream, such as orders:4; again for more', collected),
  run: local
}

async function local({ ports, terminal }: CommandContext, _: readonly unknown[], given: object): Promise<number> {
  const { host, ...flags } = given as LocalFlags
  const anyPort = { min: 0, max: 65_535 }
  const kinesisPort = wholeNumber('--kinesis-port', flags.kinesisPort, anyPort)
  const dynamoPort = wholeNumber('--dynamo-port', flags.dynamoPort, anyPort)
  const streams = (flags.stream ?? []).map(text => streamToMake('--stream', text))
  return interruptible(ports, async signal => {
    const kinesis = await startKinesis({ port: kinesisPort, host }, ports.clock)
    try {
      const dynamodb = await startDynamo({ port: dynamoPort, host })
      try {
        for (const stream of streams) await makeStream(kinesis.endpoint, stream, ports.clock)
        const environment = environmentOf(kinesis.endpoint, dynamodb.endpoint)
        if (terminal.isJson) {
          await terminal.json({ kinesis: kinesis.endpoint, dynamodb: dynamodb.endpoint, streams, environment })
        } else {
          const { dim, bold } = terminal.colors
          await terminal.line(dim('# Kinesis and DynamoDB are on this machine. In another terminal:'))
          for (const [name, value] of Object.entries(environment)) await terminal.line(`export ${bold(name)}=${value}`)
          for (const { streamName, shards } of streams) {
            await terminal.line(dim(`# stream ${streamName} has ${plural(shards, 'shard')}`))
          }
          await terminal.line(dim('# Everything is in memory. Ctrl-C here ends both.'))
        }
        await whenAborted(signal)
      } finally {
        await dynamodb.close()
      }
    } finally {
      await kinesis.close()
    }
    return EXIT.ok
  })
}

/** What leads the AWS SDK, and with it every command and every worker, to the two. */
function environmentOf(kinesis: string, dynamodb: string): Readonly<Record<string, string>> {
  return {
    AWS_ENDPOINT_URL_KINESIS: kinesis,
    AWS_ENDPOINT_URL_DYNAMODB: dynamodb,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    // On Node.js 20 the SDK says on standard error that it will want a later one.
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true'
  }
}
