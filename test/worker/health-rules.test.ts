import { expect } from 'chai'
import type { ShardStatus } from '../../src/consumer/shard-status.ts'
import { ProcessorError } from '../../src/model/errors.ts'
import { healthOf } from '../../src/worker/health-rules.ts'
import { NAMES } from '../support/builders.ts'

function aStatus(status: Partial<ShardStatus> = {}): ShardStatus {
  const shard = { shardId: 'shard', ...NAMES, leaseKey: 'shard', state: 'processing', isPaused: false } as const
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

  it('names the errors without what they say, which may quote a payload', () => {
    const odd = Object.assign(new Error('secret'), { name: 'the order is "secret"' })
    const cause = new SyntaxError('secret', { cause: odd })
    const failure = new ProcessorError('shard', 'processRecords', 3, cause)
    const { shards, failedBy } = healthOf({
      ...WELL,
      failure,
      shards: [aStatus({ state: 'halted', haltedBy: failure })]
    })
    expect(failedBy).to.equal('ProcessorError, caused by SyntaxError, caused by Error')
    expect(shards[0]?.haltedBy).to.equal(failedBy)
    expect(healthOf({ ...WELL, shards: [aStatus()] }).shards[0]).to.not.have.property('haltedBy')
  })

  it('comes to an end with causes that go round in circles', () => {
    const failure = new Error('round')
    failure.cause = failure
    expect(healthOf({ ...WELL, failure }).failedBy).to.equal(['Error', 'Error', 'Error', 'Error'].join(', caused by '))
  })
})
