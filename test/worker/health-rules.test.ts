import { expect } from 'chai'
import type { ShardStatus } from '../../src/consumer/shard-status.ts'
import { healthOf } from '../../src/worker/health-rules.ts'

function aStatus(status: Partial<ShardStatus> = {}): ShardStatus {
  const shard = { shardId: 'shard', leaseKey: 'shard', state: 'processing', isPaused: false } as const
  return { ...shard, stall: undefined, haltedBy: undefined, lag: undefined, ...status }
}

const WELL = { state: 'running', isPaused: false, failure: undefined, shards: [] } as const

describe('healthOf', () => {
  it('is green without shards, and with shards that are processed or paused', () => {
    expect(healthOf(WELL)).to.deep.equal({ color: 'green', state: 'running', paused: false, shards: [] })
    const { color, shards } = healthOf({ ...WELL, shards: [aStatus(), aStatus({ isPaused: true })] })
    expect(color).to.equal('green')
    expect(shards.map(each => each.paused)).to.deep.equal([false, true])
  })

  it('is red, and says why, with a shard that is halted or stands still', () => {
    for (const [status, reason] of [
      [{ state: 'halted', haltedBy: new Error('boom') }, 'halted: boom'],
      [{ state: 'halted' }, 'halted: the processor has failed too often'],
      [
        { stall: { waitingFor: 'answer', forMs: 61_234, action: 'restart' } },
        'stalled: Kinesis does not answer for 61 s'
      ]
    ] as const) {
      const health = healthOf({ ...WELL, shards: [aStatus(), aStatus(status)] })
      expect(health.color).to.equal('red')
      expect(health.shards.map(({ color }) => color)).to.deep.equal(['green', 'red'])
      expect(health.shards[1]?.reason).to.equal(reason)
    }
  })

  it('is red with the error that ended the worker', () => {
    const health = healthOf({ ...WELL, state: 'stopped', failure: new Error('no such stream') })
    expect(health).to.deep.include({ color: 'red', state: 'stopped', reason: 'no such stream' })
  })
})
