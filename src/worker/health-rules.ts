// How a worker is doing, in one word and shard by shard, made of what its consumers say.
import type { StallCause } from '../consumer/shard-listener.ts'
import type { ShardStatus } from '../consumer/shard-status.ts'
import type { WorkerState } from './worker-state.ts'

/** How one shard is doing in this worker. */
export interface ShardHealth {
  /** The shard that it is about. */
  readonly shardId: string
  /** Name of the stream that the shard is of. */
  readonly streamName: string
  /** `red`: somebody should look at it. */
  readonly color: 'green' | 'red'
  /** Where it is in its life, such as `processing` or `halted`. */
  readonly state: ShardStatus['state']
  /** Whether the shard is paused, on its own or with the whole worker. */
  readonly paused: boolean
  /** Why it is red. What user code threw stands in it as it is. Absent: it is green. */
  readonly reason?: string
  /** The names of the errors that it was halted by, without what they say, which may quote a payload. Absent: it is not halted. */
  readonly haltedBy?: string
}

/** How one of several streams is doing, apart from its shards. */
export interface StreamHealth {
  /** Name of the stream. */
  readonly streamName: string
  /** ARN of the stream; empty: it was given by name, and was not found yet. */
  readonly streamArn: string
  /** `red`: it cannot be found, or its shards cannot be listed; that is tried again. */
  readonly color: 'green' | 'red'
  /** Why it is red. Absent: it is green. */
  readonly reason?: string
}

/** How a worker is doing. */
export interface WorkerHealth {
  /** `red`: at least one shard or stream is, or the worker has ended with an error. */
  readonly color: 'green' | 'red'
  /** Where the worker is in its life. */
  readonly state: WorkerState
  /** Whether the whole worker is paused. */
  readonly paused: boolean
  /** The shards that this worker has leased. */
  readonly shards: readonly ShardHealth[]
  /** The streams that it reads. Absent: it reads one, without which it does not run. */
  readonly streams?: readonly StreamHealth[]
  /** What ended the worker. What user code threw stands in it as it is. Absent: nothing did. */
  readonly reason?: string
  /** The names of the errors that ended it, without what they say. Absent: nothing did. */
  readonly failedBy?: string
}

const WAITS_FOR: Readonly<Record<StallCause, string>> = {
  answer: 'Kinesis does not answer',
  throttling: 'Kinesis refuses to be read as too often',
  failures: 'calls of the processor fail',
  checkpoint: 'checkpoints cannot be written',
  processor: 'a call of the processor has been under way',
  memory: 'there is no room in memory to read on',
  'dead-letters': 'dead letters are being stored'
}

/** What keeps all calls of a worker back: so many of them have failed in a row, the last one with an error. */
export interface OpenBreaker {
  readonly failures: number
  readonly error: Error | undefined
}

/** How many errors are named of a chain of causes, which may go round in circles. */
const MAX_NAMES = 4

/** What a worker says of itself. */
export function healthOf(worker: {
  readonly state: WorkerState
  readonly isPaused: boolean
  readonly failure: Error | undefined
  /** Absent: the circuit breaker is closed, or there is none. */
  readonly breaker?: OpenBreaker | undefined
  readonly shards: readonly ShardStatus[]
  /** Absent: there is one. */
  readonly streams?: readonly StreamHealth[] | undefined
}): WorkerHealth {
  const shards = worker.shards.map(shard => shardHealth(shard, worker.breaker))
  const { state, isPaused, failure, streams } = worker
  const isRed = failure !== undefined || [...shards, ...(streams ?? [])].some(({ color }) => color === 'red')
  return {
    color: isRed ? 'red' : 'green',
    state,
    paused: isPaused,
    shards,
    ...(streams !== undefined && { streams }),
    ...(failure !== undefined && { reason: failure.message, failedBy: namesOf(failure) })
  }
}

function shardHealth(shard: ShardStatus, breaker: OpenBreaker | undefined): ShardHealth {
  const { shardId, streamName, state, isPaused, haltedBy } = shard
  const reason = whyRed(shard, breaker)
  const color = reason === undefined ? 'green' : 'red'
  const names = state === 'halted' && haltedBy !== undefined ? namesOf(haltedBy) : undefined
  const place = { shardId, streamName }
  return { ...place, color, state, paused: isPaused, ...(reason && { reason }), ...(names && { haltedBy: names }) }
}

/** What is wrong with a shard, the worst first; `undefined`: nothing. */
function whyRed(
  { state, isPaused, isSuspended, stall, haltedBy }: ShardStatus,
  breaker: OpenBreaker | undefined
): string | undefined {
  if (state === 'halted') return `halted: ${haltedBy?.message ?? 'the processor has failed too often'}`
  if (isSuspended) return 'suspended: the lease table has acknowledged no heartbeat in time'
  if (breaker !== undefined && state === 'processing' && !isPaused) {
    const last = breaker.error === undefined ? '' : `, the last with ${namesOf(breaker.error)}`
    return `held back: the circuit breaker is open after ${breaker.failures} failures in a row${last}`
  }
  return stall && `stalled: ${WAITS_FOR[stall.waitingFor]} for ${Math.round(stall.forMs / 1_000)} s`
}

/** The names of an error and of its causes, as far as they are names: what user code throws may call itself anything. */
function namesOf(error: Error): string {
  const names: string[] = []
  for (let each: unknown = error; each instanceof Error && names.length < MAX_NAMES; each = each.cause) {
    names.push(/^[\w$]{1,60}$/.test(each.name) ? each.name : 'Error')
  }
  return names.join(', caused by ')
}
