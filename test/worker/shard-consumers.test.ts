import { expect } from 'chai'
import type { ShardConsumer } from '../../src/consumer/shard-consumer.ts'
import type { Tenure } from '../../src/leases/tenure.ts'
import { OptionError } from '../../src/model/errors.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import type { ConsumerWish } from '../../src/worker/plan-consumers.ts'
import { ShardConsumers } from '../../src/worker/shard-consumers.ts'

const DRAIN_TIMEOUT_MS = 30_000
const RUNNING: ConsumerWish = { mayStart: true, drainAll: false }
const HANDING_OVER: ConsumerWish = { mayStart: false, drainAll: false }
const STOPPING: ConsumerWish = { mayStart: false, drainAll: true }

interface FakeTenure {
  readonly leaseKey: string
  readonly shardId: string
  hasEnded: boolean
  isRevoked: boolean
}

interface FakeConsumer {
  readonly tenure: FakeTenure
  readonly calls: string[]
  end(error?: unknown): Promise<void>
}

function aTenure(leaseKey: string): FakeTenure {
  return { leaseKey, shardId: leaseKey, hasEnded: false, isRevoked: false }
}

function aSet() {
  const clock = new VirtualClock()
  const made: FakeConsumer[] = []
  const done: [string, unknown][] = []
  const told: string[] = []
  const consumers = new ShardConsumers({
    clock,
    drainTimeoutMs: DRAIN_TIMEOUT_MS,
    stallMs: 60_000,
    makeConsumer: tenure => {
      const calls: string[] = []
      let settle: { resolve(): void; reject(error: unknown): void } | undefined
      const running = new Promise<void>((resolve, reject) => {
        settle = { resolve, reject }
      })
      made.push({
        tenure: tenure as unknown as FakeTenure,
        calls,
        end: async error => {
          if (error === undefined) settle?.resolve()
          else settle?.reject(error)
          await new Promise(resolve => setImmediate(resolve))
        }
      })
      const consumer = {
        tenure,
        run: () => running,
        drain: () => calls.push('drain'),
        abandon: async () => void calls.push('abandon'),
        pause: () => calls.push('pause'),
        resume: () => calls.push('resume'),
        lookAfter: () => calls.push('look'),
        get status() {
          return { shardId: tenure.shardId }
        }
      }
      return consumer as unknown as ShardConsumer
    },
    letGo: async (tenure, error) => {
      done.push([tenure.leaseKey, error])
      told.push(`let go ${tenure.leaseKey} busy ${consumers.isBusy(tenure.leaseKey)}`)
    },
    done: () => told.push('done')
  })
  const adapt = (held: readonly FakeTenure[], wish = RUNNING): void => consumers.fit(held as unknown as Tenure[], wish)
  /** One consumer, which is asked to drain because its lease is revoked. */
  const drainOne = (): FakeConsumer => {
    const tenure = aTenure('a')
    adapt([tenure])
    tenure.isRevoked = true
    adapt([tenure])
    return made[0] ?? expect.fail('nothing was made')
  }
  return { clock, consumers, made, done, told, adapt, drainOne }
}

describe('ShardConsumers', () => {
  it('starts one consumer for each lease held, and not another one', () => {
    const { consumers, made, adapt } = aSet()
    const held = [aTenure('a'), aTenure('b')]
    adapt(held)
    adapt(held)
    expect(made.map(({ tenure }) => tenure)).to.deep.equal(held)
    expect(consumers.shardIds()).to.deep.equal(['a', 'b'])
    expect(consumers.isBusy('a')).to.equal(true)
    expect(consumers.isBusy('c')).to.equal(false)
  })

  it('drains, once, a consumer whose lease is revoked', () => {
    const { made, adapt } = aSet()
    const tenure = aTenure('a')
    adapt([tenure, aTenure('b')])
    tenure.isRevoked = true
    adapt([tenure])
    adapt([tenure])
    expect(made.map(({ calls }) => calls)).to.deep.equal([['drain'], []])
  })

  it('waits for an earlier hold of the same lease to be wound up', async () => {
    const { consumers, made, done, adapt } = aSet()
    const before = aTenure('a')
    adapt([before])
    before.hasEnded = true
    const after = aTenure('a')
    adapt([after])
    expect(made).to.have.length(1)
    expect(consumers.isBusy('a')).to.equal(true)
    await made[0]?.end()
    expect(done).to.deep.equal([['a', undefined]])
    expect(consumers.isBusy('a')).to.equal(false)
    adapt([after])
    expect(made[1]?.tenure).to.equal(after)
  })

  it('tells when a consumer broke, and goes on without it', async () => {
    const { consumers, made, done, adapt } = aSet()
    adapt([aTenure('a')])
    await made[0]?.end('broken')
    expect(done).to.deep.equal([['a', 'broken']])
    await consumers.whenIdle()
  })

  it('starts nothing while stopping, and is idle once the last consumer has ended', async () => {
    const { consumers, made, adapt } = aSet()
    const held = [aTenure('a'), aTenure('b')]
    adapt(held)
    adapt([...held, aTenure('c')], STOPPING)
    expect(made.map(({ calls }) => calls)).to.deep.equal([['drain'], ['drain']])
    let isIdle = false
    const idle = consumers.whenIdle().then(() => {
      isIdle = true
    })
    await made[0]?.end()
    expect(isIdle).to.equal(false)
    await made[1]?.end('broken')
    await idle
  })

  it('abandons those that are left', async () => {
    const { consumers, made, adapt } = aSet()
    adapt([aTenure('a'), aTenure('b')])
    await made[0]?.end()
    await consumers.abandonAll()
    expect(made.map(({ calls }) => calls)).to.deep.equal([[], ['abandon']])
    expect(consumers.shardIds()).to.deep.equal(['b'])
  })

  it('counts a shard as busy until it has been let go of, and tells when it is not any more', async () => {
    const { made, told, adapt } = aSet()
    adapt([aTenure('a')])
    await made[0]?.end()
    expect(told).to.deep.equal(['let go a busy true', 'done'])
  })

  it('starts nothing and drains what is revoked while others are being found for the rest', () => {
    const { made, adapt } = aSet()
    const held = [aTenure('a'), aTenure('b')]
    adapt(held)
    adapt([...held, aTenure('c')], HANDING_OVER)
    expect(made.map(({ calls }) => calls)).to.deep.equal([[], []])
    for (const tenure of held) tenure.isRevoked = tenure.leaseKey === 'a'
    adapt(held, HANDING_OVER)
    expect(made.map(({ calls }) => calls)).to.deep.equal([['drain'], []])
  })

  it('pauses and resumes one shard, or all of them and those to come', () => {
    const { consumers, made, adapt } = aSet()
    const held = [aTenure('a'), aTenure('b')]
    adapt(held)
    consumers.pause('a')
    consumers.resume('a')
    expect(consumers.isPaused).to.equal(false)
    consumers.pause(undefined)
    adapt([...held, aTenure('c')])
    expect(consumers.isPaused).to.equal(true)
    consumers.resume(undefined)
    adapt([...held, aTenure('d')])
    expect(made.map(({ calls }) => calls)).to.deep.equal([
      ['pause', 'resume', 'pause', 'resume'],
      ['pause', 'resume'],
      ['pause', 'resume'],
      []
    ])
    expect(consumers.statuses.map(({ shardId }) => shardId)).to.deep.equal(['a', 'b', 'c', 'd'])
  })

  it('pauses nothing that is not held here, or not any more', () => {
    const { consumers, adapt } = aSet()
    const tenure = aTenure('a')
    adapt([tenure])
    tenure.hasEnded = true
    for (const shardId of ['a', 'z', '', 5 as unknown as string]) {
      expect(() => consumers.pause(shardId)).to.throw(OptionError, /shardId: is .*, expected one of the shards/)
      expect(() => consumers.resume(shardId)).to.throw(OptionError)
    }
    consumers.pause(undefined)
  })

  it('looks after its shards now and then, until it is closed', async () => {
    const { clock, consumers, made, adapt } = aSet()
    adapt([aTenure('a')])
    consumers.watch()
    consumers.watch()
    await clock.advance(15_000)
    expect(made[0]?.calls).to.deep.equal(['look', 'look', 'look'])
    consumers.close()
    await clock.advance(60_000)
    expect(made[0]?.calls).to.have.length(3)
    expect(clock.sleeping).to.equal(0)
  })

  describe('a shard that moves to another worker', () => {
    it('is given back without the processor when that takes too long to drain', async () => {
      const { clock, consumers, drainOne } = aSet()
      const { calls, end } = drainOne()
      await clock.advance(DRAIN_TIMEOUT_MS - 1)
      expect(calls).to.deep.equal(['drain'])
      await clock.advance(1)
      expect(calls).to.deep.equal(['drain', 'abandon'])
      // Its code may be running still.
      expect(consumers.isBusy('a')).to.equal(true)
      await end()
      expect(consumers.isBusy('a')).to.equal(false)
    })

    for (const error of [undefined, 'broken']) {
      it(`is not waited for once it has ${error ?? 'drained'}`, async () => {
        const { clock, drainOne } = aSet()
        const { calls, end } = drainOne()
        await end(error)
        expect(clock.sleeping).to.equal(0)
        await clock.advance(DRAIN_TIMEOUT_MS)
        expect(calls).to.deep.equal(['drain'])
      })
    }

    it('is left to the grace of the worker if that has begun to stop', async () => {
      const { clock, adapt, drainOne } = aSet()
      const { calls } = drainOne()
      adapt([], HANDING_OVER)
      await clock.advance(DRAIN_TIMEOUT_MS)
      expect(calls).to.deep.equal(['drain'])
    })

    it('has no timeout of its own where every shard is drained', async () => {
      const { clock, made, adapt } = aSet()
      const held = [aTenure('a')]
      adapt(held)
      adapt(held, STOPPING)
      expect(clock.sleeping).to.equal(0)
      await clock.advance(DRAIN_TIMEOUT_MS)
      expect(made.map(({ calls }) => calls)).to.deep.equal([['drain']])
    })
  })
})
