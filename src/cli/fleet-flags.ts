// Which fleet a command is about: the flags that say so, and the fleet that they open.
import type { Command } from 'commander'
import type { StreamSource } from '../kinesis/stream-source.ts'
import { OptionError } from '../model/errors.ts'
import { type Fleet, openFleet } from '../operate/fleet.ts'
import { consoleLogger } from '../runtime/logger.ts'
import type { ClientConfig } from './aws-flag-rules.ts'
import { type CommandContext, collected } from './command.ts'
import { interruptible } from './interruption.ts'
import { loadPeer } from './peers.ts'
import { shortShard } from './text-rules.ts'
import { fullShardId } from './value-rules.ts'

/** The flags of every command about a fleet. */
export interface FleetFlags {
  readonly stream?: string
  readonly dynamodbStream?: string
  readonly app?: string
  readonly table?: string
  readonly controlTable?: string
}

/** The flag that says which shards. */
export interface ShardFlags {
  readonly shard?: readonly string[]
}

/** Adds the flags that say which fleet. */
export function addFleetFlags(command: Command): Command {
  return command
    .option('-a, --app <name>', 'name of the application')
    .option('-s, --stream <name>', 'stream that it reads, by name or ARN')
    .option('--dynamodb-stream <table>', 'or the table whose stream it reads, by its name or the ARN of the stream')
    .option('--table <name>', 'lease table (default: the name of the application)')
    .option('--control-table <name>', 'control table (default: millrace-control)')
}

/** Adds the flag that says which shards, and means all without it. */
export function addShardFlag(command: Command): Command {
  return command.option('--shard <id>', 'only this shard, by its id or its number; again for more', collected)
}

/**
 * Does something with the fleet that flags are about, until that is done or the program is asked to end.
 *
 * @throws OptionError if they name none
 */
export function overFleet(
  context: CommandContext,
  flags: FleetFlags,
  work: (fleet: Fleet, signal: AbortSignal) => Promise<number>
): Promise<number> {
  return withFleet(context, flags, fleet => interruptible(context.ports, signal => work(fleet, signal)))
}

/**
 * Does something with the fleet that flags are about.
 *
 * @throws OptionError if they name none
 */
export async function withFleet<T>(
  { ports, clients }: CommandContext,
  flags: FleetFlags,
  work: (fleet: Fleet) => Promise<T>
): Promise<T> {
  const { app, table, controlTable } = flags
  if (app === undefined) throw new OptionError('--app', 'is missing, expected the name of the application')
  const stream = await streamOf(flags, clients.dynamodb)
  const { clock, random, workerPorts } = ports
  const { kinesis, store, control } = workerPorts
  const fleet = openFleet(
    {
      applicationName: app,
      ...stream,
      leases: {
        ...(table !== undefined && { tableName: table }),
        ...(controlTable !== undefined && { controlTableName: controlTable })
      },
      ...('source' in stream ? {} : { kinesis: clients.kinesis }),
      dynamodb: clients.dynamodb,
      logger: consoleLogger('error')
    },
    { clock, random, ...(kinesis && { kinesis }), ...(store && { store }), ...(control && { control }) }
  )
  try {
    return await work(fleet)
  } finally {
    fleet.close()
  }
}

const TABLE_NAME = /^[a-zA-Z0-9_.-]{3,255}$/

type FleetStream = { readonly streamArn: string } | { readonly streamName: string } | { readonly source: StreamSource }

/** Which stream flags mean. @throws OptionError if they name none, or two */
async function streamOf({ stream, dynamodbStream: ofTable }: FleetFlags, client: ClientConfig): Promise<FleetStream> {
  if (stream !== undefined && ofTable !== undefined) {
    throw new OptionError('--dynamodb-stream', `is ${ofTable} beside --stream, expected one of the two`)
  }
  if (ofTable !== undefined) {
    const load = () => import('../dynamodb-streams/dynamodb-stream.ts')
    const { dynamodbStream } = await loadPeer('@aws-sdk/client-dynamodb-streams', load)
    const meant = ofTable.startsWith('arn:') ? { streamArn: ofTable } : { tableName: ofTable }
    if ('tableName' in meant && !TABLE_NAME.test(ofTable)) {
      throw new OptionError(
        '--dynamodb-stream',
        `is ${JSON.stringify(ofTable)}, expected the name of a table, or an ARN`
      )
    }
    return { source: dynamodbStream(meant, { client }) }
  }
  if (stream === undefined)
    throw new OptionError('--stream', 'is missing, expected the stream that the application reads')
  return stream.startsWith('arn:') ? { streamArn: stream } : { streamName: stream }
}

/** Which shards flags mean; nothing: every one. */
export function shardIdsOf({ shard }: ShardFlags): { readonly shardIds?: readonly string[] } {
  return shard === undefined ? {} : { shardIds: shard.map(fullShardId) }
}

/** Which shards flags mean, in words. */
export function shardsInWords({ shard }: ShardFlags): string {
  if (shard === undefined) return 'all shards'
  const [first = '', ...others] = shard.map(text => shortShard(fullShardId(text)))
  return others.length === 0 ? `shard ${first}` : `shards ${[first, ...others].join(', ')}`
}
