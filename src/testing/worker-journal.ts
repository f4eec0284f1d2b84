// What the journal says of the events of workers: the few that tell a story. Writes to the tables and deliveries are told by
// the tables and the processors themselves.
import { ConsumerError } from '../model/errors.ts'
import type { WorkerEventName } from '../worker/events.ts'

const TOLD: readonly WorkerEventName[] = [
  ...(['worker:started', 'worker:stopping', 'worker:stopped', 'worker:stalled'] as const),
  ...(['session:began', 'session:suspended', 'session:resumed', 'session:died'] as const),
  ...(['leader:elected', 'leader:deposed', 'fleet:planned', 'fleet:member-died', 'fleet:foreigners-found'] as const),
  ...(['lease:revoked', 'lease:lost', 'lease:neglected', 'lease:hole-found', 'stream:recreated'] as const),
  ...(['shard:started', 'shard:ended', 'shard:halted', 'shard:failed', 'processor:failed', 'error'] as const)
]

/** Names of sessions and shards, which stand in the line anyway, or are the same in every event of a worker. */
const LEFT_OUT: readonly string[] = ['leaseKey', 'shardId', 'workerId', 'streamName', 'tableName']

/** An event as a line of the journal; `undefined` if it does not stand in it. Nothing in it differs between machines. */
export function describeEvent(
  name: WorkerEventName,
  event: object
): { readonly what: string; readonly about?: string } | undefined {
  if (!TOLD.includes(name)) return undefined
  const facts = Object.entries(event)
    .filter(([key]) => !LEFT_OUT.includes(key))
    .map(([key, value]) => `${key} ${show(value)}`)
  const what = [name, ...facts].join(' ')
  const shardId = 'shardId' in event ? event.shardId : undefined
  return typeof shardId === 'string' ? { what, about: shardId } : { what }
}

function show(value: unknown): string {
  if (value instanceof ConsumerError) return value.code
  if (value instanceof Error) return 'Error'
  if (typeof value === 'number') return String(Math.round(value))
  return Array.isArray(value) ? `[${value.join(' ')}]` : String(value)
}
