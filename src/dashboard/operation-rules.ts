// How far an operation is, and what it came to, in words.
import { workerIdOf } from '../leases/session-id.ts'
import type { OperationProgress } from '../operate/fleet-context.ts'
import type { ResetReport } from '../operate/reset.ts'
import { count, duration, namedShards, oneLine, plural, shortShard } from './wording-rules.ts'

/** How many shards are named with those who still have them. */
const NAMED = 3

/** How far it is. */
export function tellProgress({ step, left }: OperationProgress): string {
  if (step === 'writing') return `writing ${plural(left.length, 'lease')}`
  if (step === 'done') return 'done'
  const some = left.slice(0, NAMED).map(({ shardId, owner }) => {
    return owner === undefined ? shortShard(shardId) : `${shortShard(shardId)} (${workerIdOf(owner)})`
  })
  const more = left.length > NAMED ? ` and ${count(left.length - NAMED)} more` : ''
  return oneLine(`waiting for ${left.length === 1 ? 'shard' : 'shards'} ${some.join(', ')}${more}`)
}

/** What a reset came to. */
export function tellReset({ shards, waitedMs }: ResetReport): string {
  return `${plural(shards.length, 'shard')} begin${shards.length === 1 ? 's' : ''} again; everybody had let go after ${duration(waitedMs)}`
}

/** What a release came to. */
export function tellRelease(givenBack: readonly unknown[]): string {
  return givenBack.length === 0 ? 'nobody had any of them' : `${plural(givenBack.length, 'shard')} given back`
}

/** What a pause came to. */
export function tellPause({ leases }: { readonly leases: 'all' | readonly string[] }): string {
  return leases === 'all' ? 'all shards are paused' : `${namedShards(leases)} paused`
}

/** What the end of pauses came to. */
export function tellResume(resumed: 'all' | readonly string[]): string {
  if (resumed === 'all') return 'all shards are given out again'
  return resumed.length === 0 ? 'none of them was paused' : `${namedShards(resumed)} given out again`
}

/** What a move came to. */
export function tellMove({
  shardId,
  from,
  to
}: {
  readonly shardId: string
  readonly from?: string
  readonly to: string
}): string {
  const origin = from === undefined ? '' : ` from ${workerIdOf(from)}`
  return oneLine(`shard ${shortShard(shardId)} went${origin} to ${to}`)
}
