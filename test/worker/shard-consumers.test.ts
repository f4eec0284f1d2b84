import { expect } from 'chai'
import type { ShardConsumer } from '../../src/consumer/shard-consumer.ts'
import type { Tenure } from '../../src/leases/tenure.ts'
import { ShardConsumers } from '../../src/worker/shard-consumers.ts'

interface FakeTenure {
  readonly leaseKey: string
  readonly shardId: string
  hasEnded: boolean
  lease: { wantedBy?: string }
}

interface FakeConsumer {
  readonly tenure: FakeTenure
  readonly calls: string[]
  end(error?: unknown): Promise<void>
}

function aTenure(leaseKey: string): FakeTenure {
  return { leaseKey, shardId: leaseKey, hasEnded: false, lease: {} }
}

function aSet() {
  const made: FakeConsumer[] = []
  const done: [string, unknown][] = []
  const consumers = new ShardConsumers({
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
        abandon: async () => void calls.push('abandon')
      }
      return consumer as unknown as ShardConsumer
    },
    letGo: async (tenure, error) => void done.push([tenure.leaseKey, error]),
    done: () => {}
  })
  const adapt = (held: readonly FakeTenure[], isStopping = false): void =>
    consumers.fit(held as unknown as Tenure[], isStopping)
  return { consumers, made, done, adapt }
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

  it('drains, once, a consumer whose lease is wanted', () => {
    const { made, adapt } = aSet()
    const tenure = aTenure('a')
    adapt([tenure, aTenure('b')])
    tenure.lease = { wantedBy: 'somebody' }
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
    adapt([...held, aTenure('c')], true)
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
})
