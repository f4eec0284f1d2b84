// What a ShardConsumer must not let the user's code do to it.
import { expect } from 'chai'
import type { BatchReport } from '../../src/consumer/shard-listener.ts'
import type { ConsumedRecord } from '../../src/model/record.ts'
import { RecordProcessor } from '../../src/processor/record-processor.ts'
import { aFailurePolicy } from '../support/builders.ts'
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
    const policy = aFailurePolicy({
      attempts: Number.POSITIVE_INFINITY,
      lastResort: 'halt',
      backoff: { firstMs: 500, maxMs: 30_000 }
    })
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

  it('does not call code that failed again when the lease has run out while it waited', async () => {
    const world = new ShardWorld()
    world.put('a')
    const policy = aFailurePolicy({ attempts: 3, lastResort: 'halt', backoff: { firstMs: 80_000, maxMs: 80_000 } })
    const boom = (): never => {
      throw new Error('boom')
    }
    const running = world.run(await world.claim(), { processRecords: boom }, { policy })
    await world.clock.advance(500)
    // Nothing looks at the proof of the lease in between, as in a process that is asleep.
    running.fallAsleep()
    await world.until(running)
    expect(running.calls()).to.deep.equal(['initialize', 'records a', 'records a threw', 'leaseLost'])
  })

  it('makes one processor, however often initialize has to be called', async () => {
    const world = new ShardWorld()
    world.put('a')
    let made = 0
    const calls: string[] = []
    const processor = (): RecordProcessor => {
      made += 1
      return new (class extends RecordProcessor {
        #failures = 0
        override initialize(): void {
          calls.push('initialize')
          if (++this.#failures < 3) throw new Error('not yet')
        }
        processRecords(): void {
          calls.push('processRecords')
        }
      })()
    }
    const running = world.run(await world.claim(), {}, { processor })
    await world.clock.advance(5_000)
    expect(made).to.equal(1)
    expect(calls).to.deep.equal(['initialize', 'initialize', 'initialize', 'processRecords'])
    running.consumer.drain()
    await world.until(running)
  })

  it('does not process on when the lease has run out during a call that succeeds', async () => {
    const world = new ShardWorld()
    world.put('a')
    const running = world.run(await world.claim(), {
      processRecords: async () => {
        running.fallAsleep()
        world.put('b')
        await world.clock.sleep(60_000)
      }
    })
    await world.until(running)
    expect(running.calls()).to.deep.equal(['initialize', 'records a', 'leaseLost'])
  })

  it('reports each batch with what is in it and how long it took', async () => {
    const world = new ShardWorld()
    world.put('one', 'three')
    await world.clock.advance(2_000)
    world.put('tip')
    const batches: BatchReport[] = []
    const running = world.run(
      await world.claim(),
      { processRecords: () => world.clock.sleep(250) },
      { maxRecords: 2, batchProcessed: batch => void batches.push(batch) }
    )
    await world.clock.advance(5_000)
    expect(batches).to.deep.equal([
      { records: 2, bytes: 8, millisBehindLatest: 2_000, durationMs: 250 },
      { records: 1, bytes: 3, millisBehindLatest: 0, durationMs: 250 }
    ])
    running.consumer.drain()
    await world.until(running)
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
