import { expect } from 'chai'
import { CheckpointRefusedError, LeaseLostError } from '../../src/model/errors.ts'
import type { Lease } from '../../src/model/lease.ts'
import type { InitializeInput } from '../../src/processor/record-processor.ts'
import { aPosition, shardId } from '../support/builders.ts'
import { gate, ShardWorld } from './shard-world.ts'

const boom = (): never => {
  throw new Error('boom')
}

describe('ShardConsumer', () => {
  describe('delivering', () => {
    it('initializes, then delivers everything in order and checkpoints as the processor says', async () => {
      const world = new ShardWorld()
      world.put('a', 'b')
      const running = world.run(await world.claim())
      await world.clock.advance(500)
      const [last = ''] = world.put('c')
      await world.clock.advance(3_000)
      expect(running.calls()).to.deep.equal(['initialize', 'records a b', 'records c'])
      expect(await world.checkpoint()).to.equal(last)
    })

    it('delivers exactly the rest of an aggregate after a restart inside it', async () => {
      const world = new ShardWorld()
      world.put('before')
      const sequenceNumber = world.putAggregate('0', '1', '2', '3', '4', '5', '6', '7')
      world.put('after')
      const first = world.run(await world.claim(), {
        processRecords: async ({ records, checkpointer }) => {
          await checkpointer.checkpoint(records.find(record => record.text() === '5'))
          await new Promise(() => {})
        }
      })
      await world.clock.advance(1_000)
      expect(await world.checkpoint()).to.equal(`${sequenceNumber}#5`)
      void first.consumer.abandon()
      await world.clock.advance(100)
      const second = world.run(await world.claim('next'))
      await world.clock.advance(1_000)
      expect(second.delivered()).to.deep.equal(['6', '7', 'after'])
    })

    it('delivers exactly the rest after a restart at any record of plain and aggregated ones', async () => {
      const texts = ['a', 'b', 'c0', 'c1', 'c2', 'd', 'e0', 'e1', 'f']
      for (const [index, text] of texts.entries()) {
        const world = new ShardWorld()
        world.put('a', 'b')
        world.putAggregate('c0', 'c1', 'c2')
        world.put('d')
        world.putAggregate('e0', 'e1')
        world.put('f')
        const first = world.run(await world.claim(), {
          processRecords: ({ records, checkpointer }) => checkpointer.checkpoint(records[index])
        })
        await world.clock.advance(500)
        first.consumer.drain()
        // The default of shutdownRequested would checkpoint the rest as well.
        await first.consumer.abandon()
        await world.until(first)
        const second = world.run(await world.claim('next'))
        await world.clock.advance(500)
        expect(second.delivered(), `after ${text}`).to.deep.equal(texts.slice(index + 1))
      }
    })

    it('tells the processor where it begins, and what was prepared before', async () => {
      const world = new ShardWorld()
      const [sequenceNumber = ''] = world.put('a')
      const pending = { position: aPosition(sequenceNumber), state: new Uint8Array([7]) }
      let told: InitializeInput | undefined
      const tenure = await world.claim('me', 0, {
        checkpoint: aPosition(sequenceNumber, 2),
        pendingCheckpoint: pending
      })
      world.run(tenure, {
        initialize: input => {
          told = input
        }
      })
      await world.clock.advance(100)
      expect(told).to.include({ shardId: shardId(0), checkpoint: sequenceNumber, subSequenceNumber: 2 })
      expect(told?.pendingCheckpoint).to.deep.equal(pending)
    })

    it('says that there is no checkpoint where the row has a sentinel', async () => {
      const world = new ShardWorld()
      let told: InitializeInput | undefined
      world.run(await world.claim(), {
        initialize: input => {
          told = input
        }
      })
      await world.clock.advance(100)
      expect(told).to.include({ checkpoint: undefined, subSequenceNumber: 0, pendingCheckpoint: undefined })
    })

    it('moves on past a batch of which nothing is left to deliver', async () => {
      const world = new ShardWorld(2)
      const stray = (2n ** 127n + 5n).toString()
      const { aggregate } = await import('../../src/kpl/aggregate.ts')
      const data = new Uint8Array(1)
      const record = aggregate([
        { partitionKey: 'x', explicitHashKey: stray, data },
        { partitionKey: 'y', explicitHashKey: stray, data }
      ])
      const { sequenceNumber } = world.kinesis.put('orders', 'a', record.data, { explicitHashKey: '5' })
      const { hashKeyRange } = world.kinesis.shards('orders')[0] ?? {}
      const tenure = await world.claim('me', 0, { ...(hashKeyRange && { hashKeyRange }) })
      const running = world.run(tenure, {}, { outOfRange: 'drop-aggregate' })
      await world.clock.advance(2_500)
      expect(running.calls()).to.deep.equal(['initialize'])
      expect(running.log).to.include('! odd 2 0')
      running.consumer.drain()
      await world.until(running)
      expect(await world.checkpoint()).to.equal(`${sequenceNumber}#1`)
    })

    it('counts user records that are out of range, and delivers them by default', async () => {
      const world = new ShardWorld(2)
      const { aggregate } = await import('../../src/kpl/aggregate.ts')
      const at = (hashKey: bigint, text: string) => ({
        partitionKey: 'x',
        explicitHashKey: hashKey.toString(),
        data: new TextEncoder().encode(text)
      })
      const record = aggregate([at(1n, 'in'), at(2n ** 127n + 1n, 'out')])
      world.kinesis.put('orders', 'a', record.data, { explicitHashKey: '1' })
      const { hashKeyRange } = world.kinesis.shards('orders')[0] ?? {}
      const running = world.run(await world.claim('me', 0, { ...(hashKeyRange && { hashKeyRange }) }))
      await world.clock.advance(500)
      expect(running.delivered()).to.deep.equal(['in', 'out'])
      expect(running.log).to.include('! odd 1 0')
    })
  })

  describe('a processor that throws', () => {
    it('is given the same batch again until it succeeds, and nothing is skipped', async () => {
      const world = new ShardWorld()
      world.put('a', 'b')
      const failures: number[] = []
      const running = world.run(await world.claim(), {
        processRecords: input => {
          failures.push(input.failures)
          return input.failures < 2 ? boom() : input.checkpointer.checkpoint()
        }
      })
      await world.clock.advance(900)
      world.put('c')
      await world.clock.advance(4_000)
      const batch = 'records a b'
      const [again, lastAgain] = [`${batch} threw`, 'records c threw']
      expect(running.calls().slice(0, 6)).to.deep.equal(['initialize', batch, again, batch, again, batch])
      expect(running.calls().slice(6)).to.deep.equal(['records c', lastAgain, 'records c', lastAgain, 'records c'])
      expect(failures).to.deep.equal([0, 1, 2, 0, 1, 2])
    })

    it('is not given again what it has checkpointed before it threw', async () => {
      const world = new ShardWorld()
      world.put('a', 'b', 'c', 'd')
      const running = world.run(await world.claim(), {
        processRecords: async ({ records, checkpointer, failures }) => {
          if (failures > 0) return checkpointer.checkpoint()
          await checkpointer.checkpoint(records[1])
          boom()
        }
      })
      await world.clock.advance(2_000)
      expect(running.calls()).to.deep.equal(['initialize', 'records a b c d', 'records a b c d threw', 'records c d'])
    })

    it('halts its shard when it gives up: nothing is skipped, the lease is kept, the checkpoint stays before', async () => {
      const world = new ShardWorld()
      const [first = ''] = world.put('a')
      const running = world.run(await world.claim(), {
        processRecords: ({ records, checkpointer }) =>
          records[0]?.text() === 'poison' ? boom() : checkpointer.checkpoint()
      })
      await world.clock.advance(500)
      world.put('poison', 'c')
      await world.clock.advance(60_000)
      expect(running.consumer.state).to.equal('halted')
      expect(running.log.slice(-2)).to.deep.equal(['! gave up processRecords after 3', '> halted'])
      expect(running.tenure.isValid()).to.equal(true)
      expect(await world.checkpoint()).to.equal(first)
      expect(running.delivered().filter(text => text === 'c')).to.have.length(3)
    })

    it('does not hold up another shard', async () => {
      const world = new ShardWorld(2)
      const puts = Array.from({ length: 20 }, (_, index) => world.kinesis.put('orders', `key ${index}`, `${index}`))
      const halting = world.run(await world.claim('me', 0), { processRecords: boom })
      const other = world.run(await world.claim('me', 1))
      await world.clock.advance(10_000)
      expect(halting.consumer.state).to.equal('halted')
      expect(other.delivered()).to.have.length(puts.filter(put => put.shardId === shardId(1)).length)
    })

    it('is drained without another try', async () => {
      const world = new ShardWorld()
      world.put('a')
      const running = world.run(await world.claim(), { processRecords: boom })
      await world.clock.advance(10)
      running.consumer.drain()
      await world.clock.settle()
      await world.until(running)
      expect(running.calls()).to.deep.equal(['initialize', 'records a', 'records a threw', 'shutdownRequested'])
      expect(await world.row()).to.not.have.property('owner')
      expect(await world.checkpoint()).to.equal('TRIM_HORIZON')
    })

    it('in initialize is initialized again before it is given anything', async () => {
      const world = new ShardWorld()
      world.put('a')
      let tries = 0
      const running = world.run(await world.claim(), { initialize: () => (++tries < 3 ? boom() : undefined) })
      await world.clock.advance(3_000)
      expect(running.calls().filter(line => line === 'initialize')).to.have.length(3)
      expect(running.delivered()).to.deep.equal(['a'])
    })

    it('in initialize as often as it may halts the shard, and is told of the end when drained', async () => {
      const world = new ShardWorld()
      world.put('a')
      const running = world.run(await world.claim(), { initialize: boom })
      await world.clock.advance(5_000)
      expect(running.consumer.state).to.equal('halted')
      running.consumer.drain()
      await world.until(running)
      expect(running.calls().at(-1)).to.equal('leaseLost')
      expect(running.delivered()).to.deep.equal([])
      expect(await world.row()).to.not.have.property('owner')
    })

    it('when it is made counts as a failure of initialize', async () => {
      const world = new ShardWorld()
      const running = world.run(await world.claim(), {}, { processor: boom })
      await world.clock.advance(5_000)
      expect(running.consumer.state).to.equal('halted')
      expect(running.log.filter(line => line.startsWith('! initialize'))).to.have.length(3)
    })

    it('in leaseLost ends all the same', async () => {
      const world = new ShardWorld()
      const running = world.run(await world.claim(), { leaseLost: boom })
      await world.clock.advance(500)
      running.tenure.abandon('enough')
      await world.until(running)
      expect(running.calls()).to.deep.equal(['initialize', 'leaseLost', 'leaseLost threw'])
      expect(running.log).to.include('! leaseLost 1 false')
    })
  })

  describe('losing the lease', () => {
    it('calls leaseLost once and delivers no more', async () => {
      const world = new ShardWorld()
      world.put('a')
      const running = world.run(await world.claim())
      await world.clock.advance(500)
      await world.steal()
      world.put('b')
      await world.until(running)
      expect(running.calls().filter(line => line === 'leaseLost')).to.have.length(1)
      expect(running.calls().at(-1)).to.equal('leaseLost')
    })

    it('waits for processRecords to return before leaseLost, and refuses its late checkpoint', async () => {
      const world = new ShardWorld()
      world.put('a')
      const { opened, open } = gate()
      let late: unknown
      let wasAborted = false
      const running = world.run(await world.claim(), {
        processRecords: async ({ checkpointer, signal }) => {
          await opened
          wasAborted = signal.aborted
          late = await checkpointer.checkpoint().catch((error: unknown) => error)
        }
      })
      await world.clock.advance(500)
      await world.steal()
      world.put('b')
      await world.clock.advance(20_000)
      expect(running.calls()).to.deep.equal(['initialize', 'records a'])
      open()
      await world.until(running)
      expect(running.calls()).to.deep.equal(['initialize', 'records a', 'leaseLost'])
      expect(late).to.be.instanceOf(LeaseLostError)
      expect(wasAborted).to.equal(true)
      expect(await world.checkpoint()).to.equal('TRIM_HORIZON')
      expect(await world.row()).to.include({ owner: 'thief' })
    })

    it('is noticed before the next delivery after ten minutes asleep', async () => {
      const world = new ShardWorld()
      const running = world.run(await world.claim())
      await world.clock.advance(1_500)
      running.fallAsleep()
      world.kinesis.intercept = () => world.clock.sleep(600_000)
      await world.clock.advance(1_000)
      world.put('a')
      world.kinesis.intercept = undefined
      await world.until(running)
      expect(running.calls()).to.deep.equal(['initialize', 'leaseLost'])
    })

    it('while waiting for parents calls nothing', async () => {
      const world = new ShardWorld()
      await world.claim('other', 1)
      const running = world.run(await world.claim('me', 0, { parentShardIds: [shardId(1)] }))
      await world.clock.advance(5_000)
      running.tenure.abandon('enough')
      await world.until(running)
      expect(running.calls()).to.deep.equal([])
    })

    it('during initialize is told once that has returned', async () => {
      const world = new ShardWorld()
      const { opened, open } = gate()
      const running = world.run(await world.claim(), { initialize: () => opened })
      await world.clock.advance(100)
      await world.steal()
      await world.clock.advance(20_000)
      expect(running.calls()).to.deep.equal(['initialize'])
      open()
      await world.until(running)
      expect(running.calls()).to.deep.equal(['initialize', 'leaseLost'])
    })

    it('while halted is told', async () => {
      const world = new ShardWorld()
      world.put('a')
      const running = world.run(await world.claim(), { processRecords: boom })
      await world.clock.advance(5_000)
      await world.steal()
      await world.until(running)
      expect(running.calls().at(-1)).to.equal('leaseLost')
      expect(await world.row()).to.include({ owner: 'thief' })
    })

    it('by being abandoned releases the lease at once; user code that never returns is never joined by another call', async () => {
      const world = new ShardWorld()
      world.put('a')
      let later: Promise<unknown> | undefined
      const { opened, open } = gate()
      const running = world.run(await world.claim(), {
        processRecords: async ({ checkpointer }) => {
          await opened
          later = checkpointer.checkpoint().catch((error: unknown) => error)
          await new Promise(() => {})
        }
      })
      await world.clock.advance(500)
      await running.consumer.abandon()
      expect(await world.row()).to.not.have.property('owner')
      open()
      await world.clock.advance(60_000)
      expect(await later).to.be.instanceOf(LeaseLostError)
      expect(running.calls()).to.deep.equal(['initialize', 'records a'])
      expect(running.isDone()).to.equal(false)
    })
  })

  it('refuses a checkpoint ahead of what was delivered, and one behind what is stored', async () => {
    const world = new ShardWorld()
    const [a = '', b = ''] = world.put('a', 'b')
    const refusals: unknown[] = []
    const running = world.run(await world.claim(), {
      processRecords: async ({ checkpointer }) => {
        const ahead = aPosition(BigInt(b) + 1n)
        refusals.push(await checkpointer.checkpoint(ahead).catch((error: unknown) => error))
        await checkpointer.checkpoint()
        refusals.push(await checkpointer.checkpoint(aPosition(a)).catch((error: unknown) => error))
      }
    })
    await world.clock.advance(500)
    expect(running.delivered()).to.deep.equal(['a', 'b'])
    expect(refusals.map(error => (error as CheckpointRefusedError).because)).to.deep.equal(['ahead', 'behind'])
    for (const refusal of refusals) expect(refusal).to.be.instanceOf(CheckpointRefusedError)
    expect(((await world.row()) as Lease).checkpoint).to.deep.equal(aPosition(b))
  })
})
