// millrace lag: how far an application is behind, measured from outside; for autoscalers and alarms.

import { isSession, workerIdOf } from '../leases/session-id.ts'
import type { LagReport } from '../operate/lag.ts'
import type { CommandContext, CommandSpec } from './command.ts'
import { EXIT } from './exit-codes.ts'
import { addFleetFlags, addShardFlag, type FleetFlags, overFleet, type ShardFlags, shardIdsOf } from './fleet-flags.ts'
import { tableLines } from './tables.ts'
import { duration, printable, shortShard } from './text-rules.ts'
import { durationMs } from './value-rules.ts'

interface LagFlags extends FleetFlags, ShardFlags {
  readonly max?: string
}

/** Measures the lag. */
export const lagCommand: CommandSpec = {
  name: 'lag',
  summary: 'measure how far an application is behind, from outside, whatever its workers say',
  usesAws: true,
  define: command =>
    addShardFlag(addFleetFlags(command)).option(
      '--max <duration>',
      'end with 3 if a shard is further behind, such as 5m'
    ),
  run: lag
}

async function lag(context: CommandContext, _: readonly unknown[], given: object): Promise<number> {
  const flags = given as LagFlags
  const { terminal } = context
  const maxMs = flags.max === undefined ? Number.POSITIVE_INFINITY : durationMs('--max', flags.max)
  return overFleet(context, flags, async (fleet, signal) => {
    const report = await fleet.lag({ ...shardIdsOf(flags), signal })
    if (terminal.isJson) await terminal.json(report)
    else for (const line of lagLines(report, terminal.colors.dim)) await terminal.line(line)
    if (report.shards.some(({ lagMs }) => lagMs === undefined)) return EXIT.failed
    return (report.maxLagMs ?? 0) > maxMs ? EXIT.red : EXIT.ok
  })
}

function lagLines({ maxLagMs, shards }: LagReport, dim: (text: string) => string): string[] {
  if (shards.length === 0) return ['There is no shard to read.']
  const columns = [{ title: 'shard', align: 'right' }, { title: 'lag', align: 'right' }, { title: 'worker' }] as const
  const rows = shards.map(({ shardId, lagMs, owner, problem }) => [
    shortShard(shardId),
    lagMs === undefined ? '-' : duration(lagMs),
    printable(problem ?? (owner === undefined ? '-' : isSession(owner) ? workerIdOf(owner) : owner))
  ])
  const most = maxLagMs === undefined ? [] : ['', `${duration(maxLagMs)} behind at most`]
  return [...tableLines(columns, rows, dim), ...most]
}
