import { expect } from 'chai'
import { type CallOutcome, callUser, type Hold, type UserCall } from '../../src/consumer/user-call.ts'
import { LeaseLostError } from '../../src/model/errors.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aFailurePolicy, NAMES } from '../support/builders.ts'
import { Heart } from '../support/heart.ts'

/** A call that is made at once, unless its hold has lapsed. */
function aCall(call: UserCall['call'], { attempts = 3, isLapsed = false } = {}) {
  const clock = new VirtualClock()
  const heart = new Heart(clock)
  if (isLapsed) heart.lapse()
  const hold: Hold = {
    get lapse() {
      return heart.proof.lapse
    },
    whenValid: signal => heart.proof.whenProved(signal)
  }
  const interrupt = new AbortController()
  const failed: string[] = []
  let outcome: CallOutcome | undefined
  const done = callUser({
    place: { shardId: 'shard', ...NAMES },
    method: 'processRecords',
    call,
    hold,
    policy: aFailurePolicy({ attempts, lastResort: 'stop', backoff: { firstMs: 100, maxMs: 1_000 } }),
    limitMs: 900_000,
    giveUp: new AbortController().signal,
    interrupt: interrupt.signal,
    clock,
    random: seededRandom(1),
    failed: (error, retryInMs) => failed.push(`${error.attempt} ${retryInMs === undefined ? 'for good' : 'again'}`)
  }).then(value => {
    outcome = value
  })
  return { clock, heart, interrupt, failed, done, outcome: () => outcome }
}

const boom = (): never => {
  throw new Error('boom')
}

describe('callUser', () => {
  it('is done with the first call that succeeds', async () => {
    let calls = 0
    const world = aCall(() => {
      calls += 1
      if (calls < 3) boom()
    })
    await world.clock.advance(1_000)
    expect(world.outcome()).to.deep.include({ kind: 'done' })
    expect(calls).to.equal(3)
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

  it('does not call where the proof has run out again between the resumption and its turn', async () => {
    const calls: string[] = []
    const clock = new VirtualClock()
    const heart = new Heart(clock)
    heart.lapse()
    const giveUp = new AbortController().signal
    const rest = {
      place: { shardId: 's', ...NAMES },
      method: 'm',
      limitMs: 900_000,
      giveUp,
      clock,
      random: seededRandom(1),
      failed: () => {}
    }
    const policy = aFailurePolicy({ backoff: { firstMs: 1, maxMs: 1 } })
    const hold: Hold = {
      get lapse() {
        return heart.proof.lapse
      },
      whenValid: signal => heart.proof.whenProved(signal)
    }
    const interrupt = new AbortController()
    const call = (name: string) => (): void => {
      calls.push(name)
      // Code that blocks the event loop until the proof has run out.
      if (name === 'first') heart.lapse()
    }
    const both = ['first', 'second'].map(name =>
      callUser({ ...rest, hold, policy, interrupt: interrupt.signal, call: call(name) })
    )
    await clock.settle()
    heart.beat()
    await clock.settle()
    expect(calls).to.deep.equal(['first'])
    interrupt.abort()
    await Promise.all(both)
  })

  it('does not call at all when it is interrupted before', async () => {
    const interrupt = AbortSignal.abort()
    const clock = new VirtualClock()
    const giveUp = new AbortController().signal
    const rest = {
      place: { shardId: 's', ...NAMES },
      method: 'm',
      limitMs: 900_000,
      giveUp,
      clock,
      random: seededRandom(1),
      failed: () => {}
    }
    const policy = aFailurePolicy({ backoff: { firstMs: 1, maxMs: 1 } })
    const hold: Hold = { lapse: AbortSignal.abort(), whenValid: () => expect.fail('asked') }
    expect(await callUser({ ...rest, hold, policy, interrupt, call: () => expect.fail('called') })).to.deep.equal({
      kind: 'interrupted'
    })
  })

  it('cuts the wait before the next attempt short when it is interrupted', async () => {
    const world = aCall(boom, { attempts: 10 })
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
    const world = aCall(() => Promise.reject('a string'), { attempts: 1 })
    await world.done
    const outcome = world.outcome()
    expect(outcome?.kind === 'gave-up' && outcome.error.message).to.contain('a string')
  })

  describe('whose hold has lapsed', () => {
    it('does not call until the hold is valid', async () => {
      let calls = 0
      const world = aCall(() => void calls++, { isLapsed: true })
      await world.clock.advance(60_000)
      expect(calls).to.equal(0)
      world.heart.beat()
      await world.done
      expect(world.outcome()).to.deep.equal({ kind: 'done' })
      expect(calls).to.equal(1)
    })

    it('is interrupted while it waits, without a call', async () => {
      const world = aCall(() => expect.fail('called'), { isLapsed: true })
      await world.clock.advance(1_000)
      world.interrupt.abort()
      await world.done
      expect(world.outcome()).to.deep.equal({ kind: 'interrupted' })
    })

    it('waits before the next attempt too, however long ago that was due', async () => {
      const made: number[] = []
      const world = aCall(() => {
        made.push(world.clock.monotonicMs())
        if (made.length === 1) boom()
      })
      await world.clock.settle()
      world.heart.lapse()
      await world.clock.advance(60_000)
      expect(made).to.deep.equal([0])
      world.heart.beat()
      await world.done
      expect(made).to.deep.equal([0, 60_000])
      expect(world.failed).to.deep.equal(['1 again'])
    })
  })

  describe('during which the hold lapses', () => {
    /** A call that the test ends by hand, each time it is made. */
    function aSlowCall() {
      const made: number[] = []
      const ends: { resolve(): void; reject(error: unknown): void }[] = []
      const world = aCall(() => {
        made.push(made.length)
        return new Promise<void>((resolve, reject) => void ends.push({ resolve, reject }))
      })
      const end = async (error?: unknown): Promise<void> => {
        const { resolve, reject } = ends.at(-1) ?? expect.fail('not called')
        if (error === undefined) resolve()
        else reject(error)
        await world.clock.settle()
      }
      return { ...world, made, end }
    }

    it('counts as not made though it returns, and is made again once the hold is valid', async () => {
      const world = aSlowCall()
      await world.clock.settle()
      world.heart.lapse()
      await world.end()
      await world.clock.advance(60_000)
      expect(world.outcome()).to.equal(undefined)
      expect(world.made).to.deep.equal([0])
      world.heart.beat()
      await world.clock.settle()
      expect(world.made).to.deep.equal([0, 1])
      await world.end()
      expect(world.outcome()).to.deep.equal({ kind: 'done' })
    })

    it('counts as not failed though it throws: no attempt is used up, and nobody is told', async () => {
      const world = aSlowCall()
      await world.clock.settle()
      for (let lapse = 0; lapse < 5; lapse++) {
        world.heart.lapse()
        await world.end(new Error('aborted'))
        world.heart.beat()
        await world.clock.settle()
      }
      expect(world.failed).to.deep.equal([])
      expect(world.made).to.have.length(6)
      await world.end()
      expect(world.outcome()).to.deep.equal({ kind: 'done' })
    })

    it('is made again though the hold is valid again before it returns', async () => {
      const world = aSlowCall()
      await world.clock.settle()
      world.heart.lapse()
      world.heart.beat()
      await world.end()
      expect(world.outcome()).to.equal(undefined)
      expect(world.made).to.have.length(2)
      await world.end()
      expect(world.outcome()).to.deep.equal({ kind: 'done' })
    })

    it('keeps count of the failures before and after it', async () => {
      const world = aSlowCall()
      const failures = async (): Promise<void> => {
        await world.end(new Error('boom'))
        await world.clock.advance(1_000)
      }
      await world.clock.settle()
      await failures()
      world.heart.lapse()
      await world.end()
      world.heart.beat()
      await world.clock.settle()
      await failures()
      await failures()
      expect(world.made).to.have.length(4)
      expect(world.failed).to.deep.equal(['1 again', '2 again', '3 for good'])
      expect(world.outcome()).to.deep.include({ kind: 'gave-up' })
    })

    for (const [how, error] of [
      ['returns', undefined],
      ['throws', new Error('aborted')],
      ['finds the lease lost', new LeaseLostError('lease', 'other has it')]
    ] as const) {
      it(`is interrupted, without blame, if it ${how} after the interruption`, async () => {
        const world = aSlowCall()
        await world.clock.settle()
        world.heart.lapse()
        world.interrupt.abort()
        await world.end(error)
        expect(world.outcome()).to.deep.equal({ kind: 'interrupted' })
        expect(world.failed).to.deep.equal([])
      })
    }
  })
})
