// What a worker does about what its shards tell, beside telling it on: a shard that was read says that reading works, one that
// ended has children to claim, one that cannot be read is left to others.
import type { ShardListener } from '../consumer/shard-listener.ts'
import type { KinesisPort } from '../kinesis/kinesis-port.ts'
import type { Tenure } from '../leases/tenure.ts'
import { asConsumerError, type ConsumerError } from '../model/errors.ts'
import { siblingKey } from '../model/lease.ts'
import type { FleetMember } from './fleet-member.ts'

/** Who does something about a shard. */
export interface ShardAnswers {
  readonly member: Pick<FleetMember, 'read' | 'cannotRead' | 'adopt'>
  /** Of the stream that the shard is of. */
  readonly kinesis: KinesisPort
  /** Ends the worker. */
  readonly fail: (error: ConsumerError) => void
  readonly failedInBackground: (during: string, error: unknown) => void
}

/** Told what `events` are told, and does what is to be done about it. */
export function answeringShard(events: ShardListener, tenure: Tenure, answers: ShardAnswers): ShardListener {
  const { member, kinesis, fail, failedInBackground } = answers
  return {
    ...events,
    read: report => {
      member.read(tenure, report.bytes)
      events.read(report)
    },
    failed: failure => {
      events.failed(failure)
      // Where no checkpoint can be stored, the shard is halted, and keeps its lease.
      if (failure.retryInMs !== undefined || failure.during === 'checkpoint') return
      member.cannotRead(tenure, kinesis, failure.error)
    },
    gaveUp: (error, lastResort) => {
      events.gaveUp(error, lastResort)
      if (lastResort === 'stop') fail(asConsumerError(error))
    },
    ended: childShardIds => {
      events.ended(childShardIds)
      const children = childShardIds.map(shardId => siblingKey(tenure.lease, shardId))
      member.adopt(children).catch(error => failedInBackground('claim the leases of child shards', error))
    }
  }
}
