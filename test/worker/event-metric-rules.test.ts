import { expect } from 'chai'
import { specOf } from '../../src/metrics/metric-table.ts'
import { ProcessorError, ServiceError } from '../../src/model/errors.ts'
import { readingsOf } from '../../src/worker/event-metric-rules.ts'
import type { WorkerEventName, WorkerEvents } from '../../src/worker/events.ts'

const shard = { leaseKey: 'a', shardId: 'a', streamName: 'orders' }
const error = new ServiceError('other', 'boom', { retryable: true })

/** What an event says, as `Name value`, or `Name value of a`. */
function said<Name extends WorkerEventName>(name: Name, event: WorkerEvents[Name]): string[] {
  return readingsOf(name, event).map(reading => {
    const isCount = 'value' in reading
    expect(specOf(reading.name).kind).to.equal(isCount ? 'counter' : 'timer')
    const isOfShard = reading.shardId !== undefined
    expect(specOf(reading.name).level).to.equal(isOfShard ? 'shard' : 'worker')
    return `${reading.name} ${isCount ? reading.value : reading.durationMs}${isOfShard ? ` of ${reading.shardId}` : ''}`
  })
}

describe('readingsOf', () => {
  it('counts records, bytes and time of a batch', () => {
    const batch = { ...shard, records: 3, bytes: 40, millisBehindLatest: 1, durationMs: 12 }
    expect(said('batch:processed', batch)).to.deep.equal([
      ...['RecordsProcessed 3 of a', 'DataBytesProcessed 40 of a', 'RecordProcessor.processRecords.Time 12 of a']
    ])
  })

  it('counts what is read, and nothing of an empty answer', () => {
    const read = { ...shard, records: 3, bytes: 40, millisBehindLatest: 1 }
    expect(said('shard:read', read)).to.deep.equal(['RecordsRead 3 of a', 'DataBytesRead 40 of a'])
    expect(said('shard:read', { ...read, records: 0, bytes: 0 })).to.deep.equal([])
  })

  it('counts what becomes of records', () => {
    expect(said('records:suppressed', { ...shard, records: 2 })).to.deep.equal(['DuplicatesSuppressed 2 of a'])
    const undecodable = {
      reason: 'not-json',
      action: 'skip',
      error: undefined as never,
      first: '1',
      last: '2'
    } as const
    expect(said('record:undecodable', { ...shard, records: 4, ...undecodable })).to.deep.equal([
      'RecordsUndecodable 4 of a'
    ])
    const given = { ...shard, records: 5, error, first: '1', last: '2' }
    expect(said('records:given-up', { ...given, how: 'skip' })).to.deep.equal(['RecordsSkipped 5 of a'])
    expect(said('records:given-up', { ...given, how: 'dead-letter' })).to.deep.equal(['RecordsDeadLettered 5 of a'])
    expect(said('shard:odd-records', { ...shard, outOfRange: 0, corrupt: 2 })).to.deep.equal(['RecordsCorrupt 2 of a'])
    expect(said('shard:odd-records', { ...shard, outOfRange: 1, corrupt: 0 })).to.deep.equal([
      'RecordsOutOfRange 1 of a'
    ])
  })

  it('counts failures of your code, of letters, of reads and of checkpoints, and of nothing else beside the shard', () => {
    const failed = { ...shard, error: new ProcessorError('a', 'processRecords', 1, error), attempt: 1 }
    expect(said('processor:failed', { ...failed, retryInMs: 5, action: 'retry' })).to.deep.equal([
      'ProcessorFailures 1 of a'
    ])
    expect(said('dead-letter:failed', { ...shard, error, retryInMs: 5 })).to.deep.equal(['DeadLetterFailures 1 of a'])
    const failure = { ...shard, error, retryInMs: 5, failures: 2 }
    const during = ['read', 'checkpoint', 'parents', 'end', 'release'] as const
    expect(during.map(each => said('shard:failed', { ...failure, during: each }))).to.deep.equal([
      ...[['ReadFailures 1 of a'], ['CheckpointFailures 1 of a'], [], [], []]
    ])
    const change = { ...shard, error, retryInMs: 5 }
    expect(said('shard:retrieval-changed', { ...change, mode: 'polling' })).to.deep.equal(['PollingFallbacks 1 of a'])
    expect(said('shard:retrieval-changed', { ...change, mode: 'fan-out' })).to.deep.equal([])
    expect(said('error', { error, during: 'x' })).to.deep.equal(['BackgroundFailures 1'])
  })

  it('counts what becomes of leases, shards and sessions', () => {
    expect(said('checkpoint:stored', { ...shard, position: '7', durationMs: 9 })).to.deep.equal([
      'UpdateLease.Time 9 of a'
    ])
    expect(said('lease:taken', { ...shard, why: 'child', checkpoint: '7' })).to.deep.equal(['TakenLeases 1'])
    expect(said('lease:lost', { ...shard, because: 'x' })).to.deep.equal(['LostLeases 1'])
    expect(said('lease:revoked', shard)).to.deep.equal(['RevokedLeases 1'])
    expect(said('lease:released', shard)).to.deep.equal(['ReleasedLeases 1'])
    expect(said('lease:created', { ...shard, why: 'x', checkpoint: '7' })).to.deep.equal(['CreatedLeases 1'])
    expect(said('lease:removed', { ...shard, why: 'x' })).to.deep.equal(['RemovedLeases 1'])
    expect(said('lease:hole-found', { streamName: 'orders', ranges: [], repaired: [] })).to.deep.equal(['LeaseHoles 1'])
    expect(said('shard:ended', { ...shard, childShardIds: [] })).to.deep.equal(['ShardsEnded 1'])
    expect(said('session:suspended', {})).to.deep.equal(['SessionSuspensions 1'])
    expect(said('session:died', { session: 'x', how: 'silent' })).to.deep.equal(['SessionDeaths 1'])
  })

  it('says nothing of other events', () => {
    expect(said('shard:paused', shard)).to.deep.equal([])
    expect(said('worker:stalled', { forMs: 5 })).to.deep.equal([])
  })
})
