// What becomes of a shard whose processor is gone, as one that lived in a thread can be; and of what was read for nobody.
import { expect } from 'chai'
import { ProcessorGoneError } from '../../src/model/errors.ts'
import { aFailurePolicy, shardId } from '../support/builders.ts'
import { type Script, ShardWorld } from './shard-world.ts'

function goneError(): ProcessorGoneError {
  return new ProcessorGoneError(shardId(0), 'it ended')
}

/** A processor that is gone the first few times that it sees a record, and checkpoints what it is given otherwise. */
function goneAt(text: string, times: number): Script {
  let left = times
  return {
    processRecords: async ({ records, checkpointer }) => {
      for (const record of records) {
        if (record.text() === text && left-- > 0) throw goneError()
        await checkpointer.checkpoint(record)
      }
    }
  }
}

describe('ShardConsumer, when its processor is gone', () => {
  it('makes another one, and has it given everything after the checkpoint', async () => {
    const world = new ShardWorld()
    world.put('a', 'b', 'c')
    const running = world.run(await world.claim(), goneAt('b', 1))
    await world.clock.advance(5_000)
    expect(running.calls()).to.deep.equal([
      'initialize',
      ...['records a b c', 'records a b c threw'],
      'initialize',
      'records b c'
    ])
    expect(running.log).to.include('! processRecords 1 true').and.to.include('> initializing')
    world.put('d')
    await world.clock.advance(5_000)
    expect(running.delivered().at(-1)).to.equal('d')
    running.consumer.drain()
    await world.until(running)
    expect(world.budget.heldBytes).to.equal(0)
  })

  it('waits longer each time, and halts the shard when too many have gone without settling a batch', async () => {
    const world = new ShardWorld()
    world.put('a', 'b')
    const running = world.run(await world.claim(), goneAt('b', 100))
    await world.clock.advance(60_000)
    expect(running.consumer.state).to.equal('halted')
    expect(running.log.filter(line => line.startsWith('! '))).to.deep.equal([
      '! processRecords 1 true',
      '! processRecords 2 true',
      '! processRecords 3 false',
      '! gave up processRecords after 3'
    ])
    expect(world.budget.heldBytes).to.equal(0)
    running.consumer.drain()
    await world.until(running)
    expect(await world.row()).to.not.have.property('owner')
  })

  it('counts anew once a batch is settled', async () => {
    const world = new ShardWorld()
    world.put('a')
    let calls = 0
    const running = world.run(await world.claim(), {
      processRecords: ({ checkpointer }) => {
        if (++calls % 3 !== 0) throw goneError()
        return checkpointer.checkpoint()
      }
    })
    for (const text of ['b', 'c', 'd']) {
      await world.clock.advance(5_000)
      world.put(text)
    }
    await world.clock.advance(5_000)
    expect(running.consumer.state).to.equal('processing')
    expect(running.delivered().at(-1)).to.equal('d')
    running.consumer.drain()
    await world.until(running)
  })

  it('gives the lease back at once if that is found out at the shutdown', async () => {
    const world = new ShardWorld()
    const policy = aFailurePolicy({ attempts: 10, lastResort: 'halt', backoff: { firstMs: 30_000, maxMs: 30_000 } })
    const shutdownRequested = (): never => {
      throw goneError()
    }
    const running = world.run(await world.claim(), { shutdownRequested }, { policy })
    await world.clock.advance(1_000)
    const atMs = world.clock.monotonicMs()
    running.consumer.drain()
    await world.until(running)
    expect(world.clock.monotonicMs() - atMs).to.be.below(1_000)
    expect(running.log).to.include('! shutdownRequested 1 false').and.to.include('> releasing')
    expect(await world.row()).to.not.have.property('owner')
  })

  it('drains without asking anybody while it waits for the next one', async () => {
    const world = new ShardWorld()
    const policy = aFailurePolicy({ attempts: 10, lastResort: 'halt', backoff: { firstMs: 30_000, maxMs: 30_000 } })
    world.put('a')
    const running = world.run(await world.claim(), goneAt('a', 100), { policy })
    await world.clock.advance(2_000)
    running.consumer.drain()
    await world.clock.advance(1_000)
    expect(running.isDone()).to.equal(true)
    expect(running.calls()).to.not.include('shutdownRequested')
    expect(await world.row()).to.not.have.property('owner')
  })
})

describe('ShardConsumer, as far as memory goes', () => {
  const boom = (): never => {
    throw new Error('boom')
  }

  it('holds nothing while it is halted', async () => {
    const world = new ShardWorld()
    world.put('a', 'b', 'c', 'd')
    const running = world.run(await world.claim(), { processRecords: boom }, { maxRecords: 2 })
    await world.clock.advance(60_000)
    expect(running.consumer.state).to.equal('halted')
    expect(world.budget.heldBytes).to.equal(0)
    running.consumer.drain()
    await world.until(running)
  })

  it('holds nothing ahead while it drains', async () => {
    const world = new ShardWorld()
    world.put('a', 'b', 'c', 'd')
    let heldBytes: number | undefined
    const running = world.run(
      await world.claim(),
      {
        processRecords: async ({ checkpointer }) => {
          await world.clock.sleep(2_000)
          await checkpointer.checkpoint()
        },
        shutdownRequested: async () => {
          await world.clock.sleep(1_000)
          heldBytes = world.budget.heldBytes
        }
      },
      { maxRecords: 2 }
    )
    await world.clock.advance(1_000)
    expect(world.budget.heldBytes).to.be.above(0)
    running.consumer.drain()
    await world.until(running)
    expect(heldBytes).to.equal(0)
  })

  it('counts what the processor has for as long as it has it, whatever becomes of the lease', async () => {
    const world = new ShardWorld()
    world.put('a')
    const running = world.run(await world.claim(), { processRecords: () => world.clock.sleep(30_000) })
    await world.clock.advance(2_000)
    const heldBytes = world.budget.heldBytes
    world.die()
    await world.clock.advance(1_000)
    expect(heldBytes).to.be.above(0)
    expect(world.budget.heldBytes).to.be.within(1, heldBytes)
    await world.until(running)
    expect(world.budget.heldBytes).to.equal(0)
  })
})
