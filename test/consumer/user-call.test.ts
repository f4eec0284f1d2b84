import { expect } from 'chai'
import { type CallOutcome, callUser, type UserCall } from '../../src/consumer/user-call.ts'
import { LeaseLostError } from '../../src/model/errors.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

function aCall(call: UserCall['call'], attempts = 3) {
  const clock = new VirtualClock()
  const interrupt = new AbortController()
  const failed: string[] = []
  let outcome: CallOutcome | undefined
  const done = callUser({
    shardId: 'shard',
    method: 'processRecords',
    call,
    policy: { attempts, lastResort: 'stop', backoff: { firstMs: 100, maxMs: 1_000 } },
    interrupt: interrupt.signal,
    clock,
    random: seededRandom(1),
    failed: (error, retryInMs) => failed.push(`${error.attempt} ${retryInMs === undefined ? 'for good' : 'again'}`)
  }).then(value => {
    outcome = value
  })
  return { clock, interrupt, failed, done, outcome: () => outcome }
}

const boom = (): never => {
  throw new Error('boom')
}

describe('callUser', () => {
  it('is done with the first call that succeeds', async () => {
    const seen: number[] = []
    const world = aCall(failures => {
      seen.push(failures)
      if (failures < 2) boom()
    })
    await world.clock.advance(1_000)
    expect(world.outcome()).to.deep.equal({ kind: 'done' })
    expect(seen).to.deep.equal([0, 1, 2])
    expect(world.failed).to.deep.equal(['1 again', '2 again'])
  })

  it('gives up after the last attempt, with the error that names shard, method and attempt', async () => {
    const world = aCall(async () => boom())
    await world.clock.advance(1_000)
    const outcome = world.outcome()
    expect(outcome).to.deep.include({ kind: 'gave-up', lastResort: 'stop' })
    expect(outcome?.kind === 'gave-up' && outcome.error).to.include({
      shardId: 'shard',
      method: 'processRecords',
      attempt: 3,
      message: 'processRecords of shard failed (attempt 3): boom'
    })
    expect(world.failed).to.deep.equal(['1 again', '2 again', '3 for good'])
  })

  it('does not call at all when it is interrupted before', async () => {
    const interrupt = AbortSignal.abort()
    const clock = new VirtualClock()
    const rest = { shardId: 's', method: 'm', clock, random: seededRandom(1), failed: () => {} }
    const policy = { attempts: 3, lastResort: 'halt', backoff: { firstMs: 1, maxMs: 1 } } as const
    expect(await callUser({ ...rest, policy, interrupt, call: () => expect.fail('called') })).to.deep.equal({
      kind: 'interrupted'
    })
  })

  it('cuts the wait before the next attempt short when it is interrupted', async () => {
    const world = aCall(boom, 10)
    await world.clock.settle()
    world.interrupt.abort()
    await world.done
    expect(world.outcome()).to.deep.equal({ kind: 'interrupted' })
    expect(world.failed).to.deep.equal(['1 again'])
    expect(world.clock.sleeping).to.equal(0)
  })

  it('waits for a call under way when it is interrupted, and counts it as done if it succeeds', async () => {
    let open: () => void = () => {}
    const world = aCall(() => new Promise(resolve => (open = resolve)))
    await world.clock.settle()
    world.interrupt.abort()
    await world.clock.advance(60_000)
    expect(world.outcome()).to.equal(undefined)
    open()
    await world.done
    expect(world.outcome()).to.deep.equal({ kind: 'done' })
  })

  it('tells of a failure that comes after the interruption, but tries no more', async () => {
    const world = aCall(async () => {
      await Promise.resolve()
      world.interrupt.abort()
      boom()
    })
    await world.done
    expect(world.outcome()).to.deep.equal({ kind: 'interrupted' })
    expect(world.failed).to.deep.equal(['1 for good'])
  })

  it('does not blame the processor for the loss of the lease', async () => {
    const world = aCall(async () => {
      await Promise.resolve()
      world.interrupt.abort()
      throw new LeaseLostError('lease', 'other has it')
    })
    await world.done
    expect(world.failed).to.deep.equal([])
  })

  it('takes anything that is thrown', async () => {
    const world = aCall(() => Promise.reject('a string'), 1)
    await world.done
    const outcome = world.outcome()
    expect(outcome?.kind === 'gave-up' && outcome.error.message).to.contain('a string')
  })
})
