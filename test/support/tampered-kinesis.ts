// Kinesis answers of a world that are changed on their way: cut short, inconsistent, or without what they should have.
import type { KinesisPort, ShardFilter } from '../../src/kinesis/kinesis-port.ts'
import type { RecordsAnswer } from '../../src/model/records-answer.ts'
import type { Shard } from '../../src/model/shard.ts'
import { readIterator } from '../../src/testing/fake-iterator.ts'
import type { World } from './world.ts'

/** What becomes of answers. May be changed at any time; what is left out passes as it is. */
export interface Tampering {
  listShards?: ((shards: Shard[], filter: ShardFilter | undefined) => Shard[]) | undefined
  getRecords?: ((answer: RecordsAnswer, shardId: string) => RecordsAnswer) | undefined
}

/** Changes the answers to every worker that is made in `world` from now on. */
export function tamper(world: World, tampering: Tampering = {}): Tampering {
  throughPort(world, port => ({
    ...port,
    listShards: async options => {
      const shards = await port.listShards(options)
      return tampering.listShards?.(shards, options?.filter) ?? shards
    },
    getRecords: async (iterator, options) => {
      const answer = await port.getRecords(iterator, options)
      return tampering.getRecords?.(answer, readIterator(iterator)?.shardId ?? '') ?? answer
    }
  }))
  return tampering
}

/** Has every worker that is made in `world` from now on reach Kinesis through what `change` makes of the port. */
export function throughPort(world: World, change: (port: KinesisPort) => KinesisPort): void {
  const { kinesis } = world
  const portOf = kinesis.port.bind(kinesis)
  kinesis.port = streamName => {
    const port = change(portOf(streamName))
    // An object of its own: a world looks at the methods that a port itself has, not at those of its class.
    return {
      streamName: port.streamName,
      describeStream: options => port.describeStream(options),
      listShards: options => port.listShards(options),
      getShardIterator: (shardId, start, options) => port.getShardIterator(shardId, start, options),
      getRecords: (iterator, options) => port.getRecords(iterator, options),
      close: () => port.close()
    }
  }
}
