import { expect } from 'chai'
import type { ShardStatus } from '../../src/consumer/shard-status.ts'
import { specOf } from '../../src/metrics/metric-table.ts'
import { type GaugeFacts, gaugesOf } from '../../src/worker/gauge-rules.ts'
import { NAMES } from '../metrics/sample.ts'
import { NAMES as STREAM_NAMES } from '../support/builders.ts'

function aStatus(shardId: string, status: Partial<ShardStatus> = {}): ShardStatus {
  const shard = { shardId, ...STREAM_NAMES, leaseKey: shardId, state: 'processing', isPaused: false } as const
  return { ...shard, stall: undefined, haltedBy: undefined, lag: undefined, ...status }
}

function someFacts(facts: Partial<GaugeFacts> = {}): GaugeFacts {
  const lateness = { p99Ms: 3, maxMs: 40 }
  return { shards: [], leases: 2, bufferedBytes: 500, lateness, lead: undefined, isBreakerOpen: false, ...facts }
}

/** Gauges by name and shard. */
function standing(facts: Partial<GaugeFacts>, ...levels: readonly ('worker' | 'shard')[]): Record<string, number> {
  const readings = gaugesOf(someFacts(facts), levels)
  return Object.fromEntries(readings.map(({ name, value, shardId }) => [`${name} ${shardId ?? ''}`.trim(), value]))
}

const LAG = { millisBehindLatest: 100, oldestUnsettledMs: 90, sinceProgressMs: 80 }
const SHARDS = [
  aStatus('a', { lag: LAG, state: 'halted' }),
  aStatus('b', { lag: { ...LAG, millisBehindLatest: 7_000, sinceProgressMs: 1 }, isPaused: true }),
  aStatus('c', { state: 'waiting-for-parents', isPaused: true }),
  aStatus('d', { lag: LAG, stall: { waitingFor: 'processor', forMs: 70_000, action: 'report' } })
]

describe('gaugesOf', () => {
  it('has every gauge that there is for the worker, also without a shard', () => {
    const names = NAMES.filter(name => specOf(name).kind === 'gauge')
    const all = gaugesOf(someFacts(), ['worker'])
    expect(all.map(({ name }) => name as string).sort()).to.deep.equal([...names].sort())
    expect(all.filter(({ shardId }) => shardId !== undefined)).to.deep.equal([])
  })

  it('sums shards up, or has the worst of them', () => {
    expect(standing({ shards: SHARDS }, 'worker')).to.deep.include({
      MillisBehindLatest: 7_000,
      OldestUnsettledAge: 90,
      TimeSinceProgress: 80,
      StalledShards: 1,
      HaltedShards: 1,
      PausedShards: 2
    })
  })

  it('has each shard by itself where that is wanted, and both where both are', () => {
    const ofShards = standing({ shards: SHARDS }, 'shard')
    expect(ofShards).to.deep.include({
      'MillisBehindLatest a': 100,
      'MillisBehindLatest b': 7_000,
      'MillisBehindLatest c': 0,
      'HaltedShards a': 1,
      'HaltedShards b': 0,
      'PausedShards c': 1,
      'StalledShards d': 1
    })
    expect(ofShards).to.not.have.property('MillisBehindLatest')
    expect(ofShards).to.have.property('CurrentLeases', 2)
    const both = standing({ shards: SHARDS }, 'worker', 'shard')
    expect(both).to.deep.include({ MillisBehindLatest: 7_000, 'MillisBehindLatest a': 100 })
  })

  it('says what the leader decided, and 0 elsewhere', () => {
    const names = ['LeaderDecider:IsLeader', 'TotalLeases', 'NumWorkers', 'LeaseSpillover']
    const of = (facts: Partial<GaugeFacts>): unknown[] => names.map(name => standing(facts, 'worker')[name])
    expect(of({})).to.deep.equal([0, 0, 0, 0])
    expect(of({ lead: { leases: 30, members: 4, unassigned: 2 } })).to.deep.equal([1, 30, 4, 2])
  })

  it('says how the worker itself is doing', () => {
    expect(standing({ isBreakerOpen: true }, 'worker')).to.deep.include({
      CurrentLeases: 2,
      BufferedBytes: 500,
      EventLoopDelay: 3,
      EventLoopDelayMax: 40,
      BreakerOpen: 1
    })
  })
})
