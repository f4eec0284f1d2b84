import { expect } from 'chai'
import { liveAnswer, readyAnswer, statusAnswer } from '../../src/serving/health-answer-rules.ts'
import type { ShardHealth, WorkerHealth } from '../../src/worker/health-rules.ts'

const GREEN: ShardHealth = {
  shardId: 'shardId-000000000000',
  streamName: 'orders',
  color: 'green',
  state: 'processing',
  paused: false
}
const HALTED: ShardHealth = {
  shardId: 'shardId-000000000001',
  streamName: 'orders',
  color: 'red',
  state: 'halted',
  paused: false,
  reason: 'halted: Unexpected token in "4111 1111 1111 1111"',
  haltedBy: 'ProcessorError, caused by SyntaxError'
}
const STALLED: ShardHealth = { ...GREEN, color: 'red', reason: 'stalled: Kinesis does not answer for 75 s' }

function worker(health: Partial<WorkerHealth> = {}): WorkerHealth {
  const shards = health.shards ?? [GREEN]
  const isRed = shards.some(({ color }) => color === 'red') || health.failedBy !== undefined
  return { color: isRed ? 'red' : 'green', state: 'running', paused: false, shards, ...health }
}

describe('liveAnswer', () => {
  it('is yes in every state, and whatever is wrong with shards: a restart would not cure that', () => {
    for (const state of ['idle', 'starting', 'running', 'stopping', 'stopped'] as const) {
      expect(liveAnswer(worker({ state, shards: [HALTED, STALLED] })).status, state).to.equal(200)
    }
  })

  it('is no once the worker has ended with an error', () => {
    const failure = { reason: 'no such stream: secret', failedBy: 'ServiceError' }
    expect(liveAnswer(worker({ state: 'stopping', ...failure })).status).to.equal(200)
    expect(liveAnswer(worker({ state: 'stopped', ...failure }))).to.deep.equal({
      status: 503,
      body: { live: false, state: 'stopped', reason: 'the worker has ended with ServiceError' }
    })
  })
})

describe('readyAnswer', () => {
  it('is yes while the worker runs and nothing is red, paused or not', () => {
    expect(readyAnswer(worker())).to.deep.equal({
      status: 200,
      body: { ready: true, state: 'running', color: 'green', paused: false }
    })
    expect(readyAnswer(worker({ paused: true })).status).to.equal(200)
    expect(readyAnswer(worker({ shards: [] })).status).to.equal(200)
  })

  it('is no before the worker runs and after', () => {
    for (const state of ['idle', 'starting', 'stopping', 'stopped'] as const) {
      expect(readyAnswer(worker({ state })).status, state).to.equal(503)
    }
  })

  it('is no with the reasons of each red shard, without what user code said', () => {
    const { status, body } = readyAnswer(worker({ shards: [GREEN, HALTED, STALLED] }))
    expect(status).to.equal(503)
    expect(body).to.deep.equal({
      ready: false,
      state: 'running',
      color: 'red',
      paused: false,
      shards: [
        { shardId: HALTED.shardId, reason: 'halted: ProcessorError, caused by SyntaxError' },
        { shardId: STALLED.shardId, reason: 'stalled: Kinesis does not answer for 75 s' }
      ]
    })
  })
})

describe('statusAnswer', () => {
  it('says everything but what user code said', () => {
    const failed = {
      state: 'stopped',
      reason: 'the order is "4111 1111 1111 1111"',
      failedBy: 'ProcessorError'
    } as const
    const { status, body } = statusAnswer(worker({ shards: [GREEN, HALTED], ...failed }), 'worker-1')
    expect(status).to.equal(200)
    expect(JSON.stringify(body)).to.not.include('4111')
    expect(body).to.deep.equal({
      workerId: 'worker-1',
      state: 'stopped',
      color: 'red',
      paused: false,
      reason: 'ended with ProcessorError',
      shards: [
        GREEN,
        {
          shardId: HALTED.shardId,
          streamName: 'orders',
          color: 'red',
          state: 'halted',
          paused: false,
          reason: 'halted: ProcessorError, caused by SyntaxError'
        }
      ]
    })
  })
})
