// What a worker's health is told as: whether it lives, whether it is ready, and its status. Never a payload: what user code
// threw may quote one, so of errors only the names are told.
import type { ShardHealth, WorkerHealth } from '../worker/health-rules.ts'

/** An answer before it is written. */
export interface HealthAnswer {
  readonly status: 200 | 503
  readonly body: object
}

/**
 * Whether the process should go on. It should unless its worker has ended with an error: what a restart cures. That Kinesis or
 * DynamoDB are away, or that a shard is halted, a restart does not cure.
 */
export function liveAnswer({ state, failedBy }: WorkerHealth): HealthAnswer {
  const isOver = state === 'stopped' && failedBy !== undefined
  return isOver
    ? { status: 503, body: { live: false, state, reason: `the worker has ended with ${failedBy}` } }
    : { status: 200, body: { live: true, state } }
}

/** Whether the worker does its work: it runs, and none of its shards and streams is red. With the reasons, one by one, if not. */
export function readyAnswer(health: WorkerHealth): HealthAnswer {
  const { state, color, paused, failedBy } = health
  const isReady = state === 'running' && color === 'green'
  const shards = health.shards
    .filter(shard => shard.color === 'red')
    .map(shard => ({ shardId: shard.shardId, reason: reasonOf(shard) }))
  const reason = failedBy === undefined ? undefined : `the worker has ended with ${failedBy}`
  const streams = (health.streams ?? [])
    .filter(stream => stream.color === 'red')
    .map(stream => ({ streamName: stream.streamName, reason: stream.reason }))
  const red = { ...(shards.length > 0 && { shards }), ...(streams.length > 0 && { streams }) }
  const body = { ready: isReady, state, color, paused, ...(reason && { reason }), ...red }
  return { status: isReady ? 200 : 503, body }
}

/** Everything that is known about the worker. Always 200: whoever asks for it wants to read it. */
export function statusAnswer(health: WorkerHealth, workerId: string | undefined): HealthAnswer {
  const { state, color, paused, failedBy } = health
  const shards = health.shards.map(shard => {
    const { shardId, streamName, color: shardColor, state: shardState, paused: isPaused } = shard
    const reason = reasonOf(shard)
    return { shardId, streamName, color: shardColor, state: shardState, paused: isPaused, ...(reason && { reason }) }
  })
  const reason = failedBy === undefined ? undefined : `ended with ${failedBy}`
  return {
    status: 200,
    body: {
      ...(workerId !== undefined && { workerId }),
      ...{ state, color, paused, ...(reason && { reason }), shards },
      ...(health.streams !== undefined && { streams: health.streams })
    }
  }
}

function reasonOf({ reason, haltedBy }: ShardHealth): string | undefined {
  return haltedBy === undefined ? reason : `halted: ${haltedBy}`
}
