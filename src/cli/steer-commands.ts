// millrace release, pause, resume and move: who reads which shard, as an operator wants it.
import { workerIdOf } from '../leases/session-id.ts'
import type { CommandSpec } from './command.ts'
import { addFleetFlags, addShardFlag, type ShardFlags, shardIdsOf, shardsInWords } from './fleet-flags.ts'
import { type OperationFlags, operate } from './fleet-operation.ts'
import { plural, shortShard } from './text-rules.ts'
import { fullShardId } from './value-rules.ts'

interface SteerFlags extends OperationFlags, ShardFlags {
  readonly why?: string
}

/** Has leases given back. */
export const releaseCommand: CommandSpec = {
  name: 'release',
  summary: 'have shards drained, checkpointed and given back; then they are given out again',
  usesAws: true,
  define: command =>
    addShardFlag(addFleetFlags(command))
      .option('--timeout <duration>', 'how long to wait until they are let go of (default: 2m)')
      .option('-y, --yes', 'do not ask'),
  run: async (context, _, given) => {
    const flags = given as SteerFlags
    const what = `This has ${shardsInWords(flags)} of ${flags.app} drained and given back. They are given out again at once.`
    return operate(context, flags, what, async (fleet, options) => {
      const givenBack = await fleet.release({ ...shardIdsOf(flags), ...options })
      return {
        result: { released: givenBack },
        lines: [`${plural(givenBack.length, 'lease')} given back${givenBack.length === 0 ? ': nobody had any' : ''}`]
      }
    })
  }
}

/** Keeps shards from everybody. */
export const pauseCommand: CommandSpec = {
  name: 'pause',
  summary: 'have shards drained and checkpointed, and read by nobody until resume',
  usesAws: true,
  define: command =>
    addShardFlag(addFleetFlags(command))
      .option('--why <reason>', 'for others to see in the status')
      .option('--timeout <duration>', 'how long to wait until they are let go of (default: 2m)')
      .option('-y, --yes', 'do not ask'),
  run: async (context, _, given) => {
    const flags = given as SteerFlags
    const what = `This stops the reading of ${shardsInWords(flags)} by ${flags.app}, until millrace resume.`
    return operate(context, flags, what, async (fleet, options) => {
      const hold = await fleet.pause({
        ...shardIdsOf(flags),
        ...options,
        ...(flags.why !== undefined && { why: flags.why })
      })
      return { result: { paused: hold.leases, hold }, lines: [`${shardsInWords(flags)} paused`] }
    })
  }
}

/** Ends pauses. */
export const resumeCommand: CommandSpec = {
  name: 'resume',
  summary: 'end pauses: shards are given out and read again',
  usesAws: true,
  define: command => addShardFlag(addFleetFlags(command)),
  run: async (context, _, given) => {
    const flags = given as SteerFlags
    return operate(context, flags, undefined, async (fleet, { signal }) => {
      const resumed = await fleet.resume({ ...shardIdsOf(flags), signal })
      const shards = resumed === 'all' ? 'all shards' : plural(resumed.length, 'shard')
      return { result: { resumed }, lines: [resumed.length === 0 ? 'nothing was paused' : `${shards} resumed`] }
    })
  }
}

/** Sends a shard to a worker. */
export const moveCommand: CommandSpec = {
  name: 'move',
  summary: 'send a shard to a worker, once',
  usesAws: true,
  define: command =>
    addFleetFlags(
      command
        .argument('<shard>', 'id of the shard, or its number')
        .argument('<worker>', 'id of the worker that is to have it')
    ).option('--timeout <duration>', 'how long to wait until it is there (default: 2m)'),
  run: async (context, [shard, worker], given) => {
    const flags = given as SteerFlags
    return operate(context, flags, undefined, async (fleet, options) => {
      const moved = await fleet.move(fullShardId(String(shard)), String(worker), options)
      const from = moved.from === undefined ? '' : ` from ${workerIdOf(moved.from)}`
      return { result: moved, lines: [`shard ${shortShard(moved.shardId)} moved${from} to ${String(worker)}`] }
    })
  }
}
