import { expect } from 'chai'
import { OptionError } from '../../src/model/errors.ts'
import { type BreakerChange, type BreakerOptions, CircuitBreaker } from '../../src/processor/circuit-breaker.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

class World {
  readonly clock = new VirtualClock()
  readonly changes: BreakerChange[] = []
  readonly breaker: CircuitBreaker
  readonly log: string[] = []

  constructor(options: BreakerOptions = {}) {
    const onChange = (change: BreakerChange): void => void this.changes.push(change)
    this.breaker = new CircuitBreaker({ failures: 2, openMs: 1_000, onChange, clock: this.clock, ...options })
  }

  /** Has as many calls fail as it takes to open. */
  async opened(): Promise<this> {
    for (let n = 0; n < 2; n++) (await this.breaker.admit()).failed(new Error(`failure ${n + 1}`))
    expect(this.breaker.state).to.equal('open')
    return this
  }

  /** A caller that waits, and notes when it is let through. */
  caller(name: string, then: 'succeeds' | 'fails' | 'is silent' = 'is silent', signal?: AbortSignal): void {
    const done = async (): Promise<void> => {
      const call = await this.breaker.admit(signal)
      this.log.push(`${name}${call.isProbe ? ' probes' : ''} at ${this.clock.monotonicMs()}`)
      if (then === 'succeeds') call.succeeded()
      if (then === 'fails') call.failed(new Error(name))
    }
    done().catch(error => this.log.push(`${name}: ${error.message}`))
  }
}

describe('CircuitBreaker', () => {
  it('lets calls through without waiting while some of them succeed', async () => {
    const { breaker, clock, changes } = new World()
    for (const fails of [true, false, true, false, true]) {
      const call = await breaker.admit()
      if (fails) call.failed(new Error('fails'))
      else call.succeeded()
    }
    expect([breaker.state, breaker.failures, clock.sleeping]).to.deep.equal(['closed', 1, 0])
    expect(changes).to.deep.equal([])
  })

  it('tells of every change, with the error and the delay', async () => {
    const world = await new World({ maxOpenMs: 10_000 }).opened()
    world.caller('first', 'fails')
    world.caller('second', 'succeeds')
    await world.clock.advance(3_000)
    expect(
      world.changes.map(({ error, ...change }) => ({ ...change, error: (error as Error | undefined)?.message }))
    ).to.deep.equal([
      { state: 'open', failures: 2, openMs: 1_000, error: 'failure 2' },
      { state: 'probing', failures: 2, error: undefined },
      { state: 'open', failures: 3, openMs: 2_000, error: 'first' },
      { state: 'probing', failures: 3, error: undefined },
      { state: 'closed', failures: 0, error: undefined }
    ])
  })

  it('lets one caller probe, the one that has waited longest, and all others through once that succeeds', async () => {
    const world = await new World().opened()
    for (let n = 0; n < 50; n++) world.caller(`caller ${n}`, n === 0 ? 'succeeds' : 'is silent')
    await world.clock.advance(999)
    expect(world.log).to.deep.equal([])
    await world.clock.advance(1)
    expect(world.log[0]).to.equal('caller 0 probes at 1000')
    expect(world.log).to.deep.equal([
      'caller 0 probes at 1000',
      ...Array.from({ length: 49 }, (_, n) => `caller ${n + 1} at 1000`)
    ])
    expect([world.breaker.waiting, world.clock.sleeping]).to.deep.equal([0, 0])
  })

  it('lets callers probe in turn, as long as they fail', async () => {
    const world = await new World().opened()
    for (const name of ['a', 'b', 'c']) world.caller(name, 'fails')
    await world.clock.advance(2_999)
    expect(world.log).to.deep.equal(['a probes at 1000', 'b probes at 2000'])
  })

  it('opens again for longer and longer, up to a limit, if asked to', async () => {
    const world = await new World({ maxOpenMs: 3_000 }).opened()
    for (const name of ['a', 'b', 'c', 'd']) world.caller(name, 'fails')
    await world.clock.advance(60_000)
    expect(world.log).to.deep.equal(['a probes at 1000', 'b probes at 3000', 'c probes at 6000', 'd probes at 9000'])
  })

  it('does not let a newcomer pass those who wait', async () => {
    const world = await new World().opened()
    world.caller('first')
    await world.clock.advance(1_000)
    world.caller('second')
    await world.clock.advance(100)
    world.caller('third')
    await world.clock.advance(60_000)
    expect(world.log.slice(0, 2)).to.deep.equal(['first probes at 1000', 'second probes at 61000'])
  })

  it('lets the first caller after its time probe at once', async () => {
    const world = await new World().opened()
    await world.clock.advance(5_000)
    expect((await world.breaker.admit()).isProbe).to.equal(true)
  })

  it('rejects with the reason of a signal that aborts, and gives the place to the next', async () => {
    const world = await new World().opened()
    const controller = new AbortController()
    world.caller('first', 'is silent', controller.signal)
    world.caller('second')
    await world.clock.advance(500)
    controller.abort(new Error('gave up'))
    await world.clock.advance(500)
    expect(world.log).to.deep.equal(['first: gave up', 'second probes at 1000'])
    expect(world.breaker.waiting).to.equal(0)
  })

  it('rejects at once if the signal has aborted, and lets nobody probe for that', async () => {
    const world = await new World().opened()
    await world.clock.advance(2_000)
    world.caller('first', 'is silent', AbortSignal.abort(new Error('too late')))
    await world.clock.settle()
    expect(world.log).to.deep.equal(['first: too late'])
    expect(world.breaker.state).to.equal('open')
  })

  it('has the next caller probe if the signal aborts in the moment in which one is let through', async () => {
    const world = await new World().opened()
    const controller = new AbortController()
    void world.clock.sleep(1_000).then(() => controller.abort(new Error('gave up')))
    world.caller('first', 'is silent', controller.signal)
    world.caller('second', 'succeeds')
    await world.clock.advance(1_000)
    expect(world.log.sort()).to.deep.equal(['first: gave up', 'second probes at 1000'])
    expect(world.breaker.waiting).to.equal(0)
  })

  it('has the next caller probe at once if a probe is dropped', async () => {
    const world = await new World().opened()
    await world.clock.advance(1_000)
    const probe = await world.breaker.admit()
    world.caller('next', 'succeeds')
    await world.clock.advance(10)
    expect(world.log).to.deep.equal([])
    probe.dropped()
    await world.clock.settle()
    expect(world.log).to.deep.equal(['next probes at 1010'])
    expect(world.breaker.state).to.equal('closed')
  })

  it('has another caller probe if nothing is heard of one, whose success still counts', async () => {
    const world = await new World({ probeMs: 5_000 }).opened()
    await world.clock.advance(1_000)
    const lost = await world.breaker.admit()
    world.caller('second')
    world.caller('third')
    await world.clock.advance(5_000)
    expect(world.log).to.deep.equal(['second probes at 6000'])
    lost.succeeded()
    await world.clock.settle()
    expect(world.log.at(-1)).to.equal('third at 6000')
    expect(world.breaker.state).to.equal('closed')
  })

  it('takes the first word of a call only, and none of calls from before it opened', async () => {
    const world = new World()
    const old = await world.breaker.admit()
    await world.opened()
    old.succeeded()
    expect(world.breaker.state).to.equal('open')
    await world.clock.advance(1_000)
    const probe = await world.breaker.admit()
    probe.failed(new Error('again'))
    probe.succeeded()
    expect(world.breaker.state).to.equal('open')
  })

  it('ignores what its listener throws', async () => {
    const world = await new World({
      onChange: () => {
        throw new Error('of the listener')
      }
    }).opened()
    world.caller('first', 'succeeds')
    await world.clock.advance(1_000)
    expect(world.breaker.state).to.equal('closed')
  })

  it('has no timer while nobody waits', async () => {
    const world = await new World().opened()
    expect(world.clock.sleeping).to.equal(0)
    const controller = new AbortController()
    world.caller('first', 'is silent', controller.signal)
    await world.clock.settle()
    expect(world.clock.sleeping).to.equal(1)
    controller.abort(new Error('gave up'))
    await world.clock.settle()
    expect(world.clock.sleeping).to.equal(0)
  })

  it('refuses options that are out of range', () => {
    for (const [options, told] of [
      [{ failures: 0 }, /failures: is 0, expected a whole number from 1 to 1,000,000/],
      [{ openMs: 1.5 }, /openMs: is 1.5/],
      [{ openMs: 5_000, maxOpenMs: 4_999 }, /maxOpenMs: is 4999, expected a whole number from 5,000/],
      [{ probeMs: '1' as unknown as number }, /probeMs: is of type string/],
      [{ onChange: 1 as unknown as () => void }, /onChange: is of type number, expected a function/]
    ] as const) {
      expect(() => new CircuitBreaker(options)).to.throw(OptionError, told)
    }
  })
})

describe('CircuitBreaker.run', () => {
  it('gives what the work gives, and counts what it throws', async () => {
    const { breaker } = new World()
    expect(await breaker.run(async () => 7)).to.equal(7)
    expect(await breaker.run(() => 8)).to.equal(8)
    for (let n = 0; n < 2; n++) {
      const failure = await breaker.run(() => Promise.reject(new Error('fails'))).catch(error => error.message)
      expect(failure).to.equal('fails')
    }
    expect(breaker.state).to.equal('open')
  })

  it('waits while it is open, and closes it by what works', async () => {
    const world = await new World().opened()
    const result = world.breaker.run(() => world.clock.monotonicMs())
    await world.clock.advance(1_000)
    expect(await result).to.equal(1_000)
    expect(world.breaker.state).to.equal('closed')
  })

  it('does not take for a failure what was interrupted, and leaves the probe to the next', async () => {
    const world = await new World().opened()
    await world.clock.advance(1_000)
    const controller = new AbortController()
    const work = async (): Promise<never> => {
      controller.abort(new Error('lease lost'))
      throw new Error('interrupted')
    }
    expect(await world.breaker.run(work, controller.signal).catch(error => error.message)).to.equal('interrupted')
    expect(world.breaker.failures).to.equal(2)
    expect((await world.breaker.admit()).isProbe).to.equal(true)
  })
})
