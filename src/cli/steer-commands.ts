// millrace release, pause, resume and move: who reads which shard, as an operator wants it.
import { workerIdOf } from '../leases/session-id.ts'
import type { CommandContext, CommandSpec } from './command.ts'
import { confirmed } from './confirmation.ts'
import { EXIT } from './exit-codes.ts'
import {
  addFleetFlags,
  addShardFlag,
  type FleetFlags,
  progressTeller,
  type ShardFlags,
  shardIdsOf,
  shardsInWords,
  withFleet
} from './fleet-flags.ts'
import { interruptible } from './interruption.ts'
import { plural, shortShard } from './text-rules.ts'
import { durationMs, fullShardId } from './value-rules.ts'

interface SteerFlags extends FleetFlags, ShardFlags {
  readonly timeout?: string
  readonly why?: string
  readonly yes?: boolean
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
    return steer(context, flags, what, async (fleet, options) => {
      const givenBack = await fleet.release({ ...shardIdsOf(flags), ...options })
      return {
        result: { released: givenBack },
        text: `${plural(givenBack.length, 'lease')} given back${givenBack.length === 0 ? ': nobody had any' : ''}`
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
    return steer(context, flags, what, async (fleet, options) => {
      const hold = await fleet.pause({
        ...shardIdsOf(flags),
        ...options,
        ...(flags.why !== undefined && { why: flags.why })
      })
      return { result: { paused: hold.leases, hold }, text: `${shardsInWords(flags)} paused` }
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
    return steer(context, flags, undefined, async (fleet, { signal }) => {
      const resumed = await fleet.resume({ ...shardIdsOf(flags), signal })
      const shards = resumed === 'all' ? 'all shards' : plural(resumed.length, 'shard')
      return { result: { resumed }, text: resumed.length === 0 ? 'nothing was paused' : `${shards} resumed` }
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
    return steer(context, flags, undefined, async (fleet, options) => {
      const moved = await fleet.move(fullShardId(String(shard)), String(worker), options)
      const from = moved.from === undefined ? '' : ` from ${workerIdOf(moved.from)}`
      return { result: moved, text: `shard ${shortShard(moved.shardId)} moved${from} to ${String(worker)}` }
    })
  }
}

type SteeredFleet = Parameters<Parameters<typeof withFleet>[2]>[0]

interface SteerOptions {
  readonly signal: AbortSignal
  readonly timeoutMs?: number
  readonly onProgress: ReturnType<typeof progressTeller>
}

/** Asks, does it, and says what was done. */
async function steer(
  context: CommandContext,
  flags: SteerFlags,
  what: string | undefined,
  work: (fleet: SteeredFleet, options: SteerOptions) => Promise<{ readonly result: object; readonly text: string }>
): Promise<number> {
  const { ports, terminal } = context
  const timeoutMs = flags.timeout === undefined ? undefined : durationMs('--timeout', flags.timeout)
  return withFleet(context, flags, async fleet => {
    if (what !== undefined && !(await confirmed(context, what, flags))) {
      terminal.remark('Nothing was done.')
      return EXIT.failed
    }
    return interruptible(ports, async signal => {
      const { result, text } = await work(fleet, {
        signal,
        ...(timeoutMs !== undefined && { timeoutMs }),
        onProgress: progressTeller(context)
      })
      if (terminal.isJson) await terminal.json(result)
      else await terminal.line(text)
      return EXIT.ok
    })
  })
}
