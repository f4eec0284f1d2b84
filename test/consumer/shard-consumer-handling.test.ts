// What a ShardConsumer must not let the user's code do to it.
import { expect } from 'chai'
import type { ConsumedRecord } from '../../src/model/record.ts'
import { ShardWorld } from './shard-world.ts'

describe('ShardConsumer', () => {
  it('gives a processor that empties its array and then throws the same records again', async () => {
    const world = new ShardWorld()
    const sequenceNumbers = world.put('a', 'b', 'c', 'd')
    const done: string[] = []
    let failures = 0
    const running = world.run(await world.claim(), {
      processRecords: ({ records, checkpointer }) => {
        const mine = records as ConsumedRecord[]
        for (let record = mine.shift(); record !== undefined; record = mine.shift()) {
          if (record.text() === 'c' && failures++ < 2) throw new Error('not c')
          done.push(record.text())
        }
        return checkpointer.checkpoint()
      }
    })
    await world.clock.advance(5_000)
    expect(done.join('')).to.equal('ababababcd'.slice(2))
    expect(await world.checkpoint()).to.equal(sequenceNumbers.at(-1))
    running.consumer.drain()
    await world.until(running)
  })

  it('does not keep a shard from its successor while shutdownRequested fails, whatever the attempts', async () => {
    const world = new ShardWorld()
    const policy = {
      attempts: Number.POSITIVE_INFINITY,
      lastResort: 'halt',
      backoff: { firstMs: 500, maxMs: 30_000 }
    } as const
    const boom = (): never => {
      throw new Error('boom')
    }
    const running = world.run(await world.claim(), { shutdownRequested: boom }, { policy })
    await world.clock.advance(1_000)
    running.consumer.drain()
    await world.clock.advance(3_000)
    expect(running.isDone()).to.equal(true)
    expect(await world.row()).to.not.have.property('owner')
  })

  it('gives each call a signal of its own', async () => {
    const world = new ShardWorld()
    world.put('a')
    const signals: AbortSignal[] = []
    const running = world.run(await world.claim(), {
      initialize: ({ signal }) => void signals.push(signal),
      processRecords: ({ signal }) => void signals.push(signal)
    })
    await world.clock.advance(2_000)
    world.put('b')
    await world.clock.advance(2_000)
    expect(new Set(signals).size).to.equal(3)
    running.consumer.drain()
    await world.until(running)
  })

  it('gives initialize a signal that lives as long as the processor', async () => {
    const world = new ShardWorld()
    const signals: AbortSignal[] = []
    const running = world.run(await world.claim(), { initialize: ({ signal }) => void signals.push(signal) })
    await world.clock.advance(2_000)
    expect(signals.map(signal => signal.aborted)).to.deep.equal([false])
    running.consumer.drain()
    await world.until(running)
    expect(signals.map(signal => signal.aborted)).to.deep.equal([true])
  })

  it('gives up at once on a factory that makes no processor', async () => {
    const world = new ShardWorld()
    const running = world.run(await world.claim(), {}, { processor: () => ({}) as never })
    await world.clock.advance(100)
    expect(running.consumer.state).to.equal('halted')
    expect(running.log).to.include('! gave up initialize after 1')
    running.consumer.drain()
    await world.until(running)
  })
})
