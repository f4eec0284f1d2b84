// What a worker tells its fleet of the shards that are not well: with its heartbeat, so that whoever looks at the control table
// sees it without asking the worker.
import type { Troubles } from '../leases/control-store.ts'
import type { ShardHealth } from './health-rules.ts'

/** How many shards are told one by one. A heartbeat should stay small. */
const MOST_TOLD = 10
/** How long a reason may be. Characters. */
const LONGEST_REASON = 60

/**
 * The red shards and their reasons, in the order of their names, which are ids unless `nameOf` says otherwise; the reasons in short, and in words of ours: what errors of the user
 * say may quote payloads, and stays in the log of the worker. `undefined`: none is red.
 */
export function troublesOf(
  shards: readonly ShardHealth[],
  nameOf: (shard: ShardHealth) => string = ({ shardId }) => shardId
): Troubles | undefined {
  const red = shards.filter(({ color }) => color === 'red')
  if (red.length === 0) return undefined
  const told = [...red].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1)).slice(0, MOST_TOLD)
  return {
    count: red.length,
    reasons: Object.fromEntries(told.map(shard => [nameOf(shard), inShort(reasonOf(shard))]))
  }
}

/** What a shard is called where several streams have shards of the same ids. */
export function troubleName({ streamName, shardId }: Pick<ShardHealth, 'streamName' | 'shardId'>): string {
  return `${streamName}/${shardId}`
}

function reasonOf({ state, reason = '', haltedBy = 'failures of its processor' }: ShardHealth): string {
  // What the user threw, where it is known: the rest is our wrapping.
  return state === 'halted' ? `halted by ${haltedBy.replace(/^ProcessorError, caused by /, '')}` : reason
}

function inShort(reason: string): string {
  const line = reason.replace(/\s+/g, ' ').trim()
  return line.length > LONGEST_REASON ? `${line.slice(0, LONGEST_REASON - 1)}…` : line || 'red'
}
