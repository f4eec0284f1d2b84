// How a ShardConsumer begins and ends while its session cannot be proved.
import { expect } from 'chai'
import { CheckpointRefusedError, LeaseLostError } from '../../src/model/errors.ts'
import { isFinished } from '../../src/model/lease.ts'
import { shardId } from '../support/builders.ts'
import { VALID_MS } from '../support/heart.ts'
import { gate, type Script, ShardWorld, STREAM } from './shard-world.ts'
import { aShardOf, ended, failureOf, workOn } from './suspension-world.ts'

const FIRST = shardId(0)

describe('ShardConsumer', () => {
  describe('suspended during initialize', () => {
    it('initializes again before it delivers anything', async () => {
      const { opened, open } = gate()
      const { world, running } = await aShardOf(['a'], { initialize: () => opened })
      world.heart.lapse()
      open()
      await world.clock.advance(20_000)
      expect(running.calls()).to.deep.equal(['initialize'])
      world.heart.beat()
      await world.clock.advance(1_000)
      expect(running.calls()).to.deep.equal(['initialize', 'initialize', 'records a'])
    })

    it('does not abort the signal that lives as long as the processor', async () => {
      const signals: AbortSignal[] = []
      const { world } = await aShardOf([], { initialize: ({ signal }) => void signals.push(signal) })
      world.heart.lapse()
      await world.clock.advance(1_000)
      world.die()
      expect(signals.map(({ reason }) => reason instanceof LeaseLostError)).to.deep.equal([true])
    })

    it('tells of the loss when the session dies', async () => {
      const { opened, open } = gate()
      const { world, running } = await aShardOf(['a'], { initialize: () => opened })
      world.heart.lapse()
      world.die()
      open()
      expect(await ended(world, running)).to.deep.equal(['initialize', 'leaseLost'])
    })
  })

  describe('suspended during shardEnded', () => {
    /** A shard at whose end the processor waits for the gate. */
    async function anEnd(shardEnded?: Script['shardEnded']) {
      const world = new ShardWorld(1, 'solo')
      const [sequenceNumber = ''] = world.put('a')
      world.kinesis.split(STREAM, FIRST)
      const { opened, open } = gate()
      const script: Script = { processRecords: () => {}, shardEnded: shardEnded ?? (() => opened) }
      const running = world.run(await world.claim(), script)
      await world.clock.advance(2_000)
      expect(running.calls()).to.deep.equal(['initialize', 'records a', 'shardEnded'])
      return { world, running, open, sequenceNumber }
    }

    it('marks the shard as finished only after a call that was not interrupted', async () => {
      const { world, running, open } = await anEnd()
      world.heart.lapse()
      open()
      await world.clock.advance(20_000)
      expect(isFinished(await world.row())).to.equal(false)
      world.heart.beat()
      expect(await ended(world, running)).to.deep.equal(['initialize', 'records a', 'shardEnded', 'shardEnded'])
      expect(isFinished(await world.row())).to.equal(true)
    })

    it('refuses the bare checkpoint of a call that was interrupted, though all was processed before', async () => {
      const refusals: unknown[] = []
      const { world, running } = await anEnd(async ({ checkpointer, signal }) => {
        if (refusals.length > 0) return
        await new Promise(resolve => signal.addEventListener('abort', resolve))
        refusals.push(await failureOf(checkpointer.checkpoint()))
      })
      world.heart.lapse()
      await world.clock.advance(1_000)
      expect(refusals.map(error => error instanceof CheckpointRefusedError && error.because)).to.deep.equal(['void'])
      expect(await world.checkpoint()).to.equal('TRIM_HORIZON')
      world.heart.beat()
      await world.until(running)
      expect(await world.checkpoint()).to.equal('SHARD_END')
    })

    it('does not mark the shard as finished when the session dies', async () => {
      const { world, running, open } = await anEnd()
      world.heart.lapse()
      world.die()
      open()
      expect((await ended(world, running)).at(-1)).to.equal('leaseLost')
      expect(isFinished(await world.row())).to.equal(false)
    })

    it('stores the end of the shard though the session lapses once shardEnded has returned', async () => {
      const world = new ShardWorld(1, 'solo')
      world.kinesis.split(STREAM, FIRST)
      world.store.faults = ({ name }) => (name === 'replace' ? { kind: 'none', delayMs: 5_000 } : undefined)
      const running = world.run(await world.claim(), { shardEnded: () => {} })
      await world.clock.advance(2_000)
      world.heart.lapse()
      expect(await ended(world, running)).to.deep.equal(['initialize', 'shardEnded'])
      expect(isFinished(await world.row())).to.equal(true)
    })

    it('waits for the session before it calls shardEnded', async () => {
      const { world, running } = await aShardOf(['a'])
      world.heart.lapse()
      world.kinesis.split(STREAM, FIRST)
      await world.clock.advance(30_000)
      expect(running.calls()).to.deep.equal(['initialize', 'records a'])
      world.heart.beat()
      expect(await ended(world, running)).to.deep.equal(['initialize', 'records a', 'shardEnded'])
    })
  })

  describe('suspended and asked to drain', () => {
    it('waits for the session before it calls shutdownRequested', async () => {
      const { world, running, sequenceNumbers } = await aShardOf(['a'], { processRecords: () => {} })
      world.heart.lapse()
      running.consumer.drain()
      await world.clock.advance(30_000)
      expect(running.calls()).to.deep.equal(['initialize', 'records a'])
      expect(running.consumer.state).to.equal('draining')
      world.heart.beat()
      expect(await ended(world, running)).to.deep.equal(['initialize', 'records a', 'shutdownRequested'])
      expect(await world.checkpoint()).to.equal(sequenceNumbers[0])
      expect(await world.row()).to.not.have.property('owner')
    })

    it('leaves a batch that was interrupted to the next owner, and blames nobody', async () => {
      const done: string[] = []
      const { world, running, sequenceNumbers } = await aShardOf(['a', 'b', 'c'], it => ({
        processRecords: async input => {
          await input.checkpointer.checkpoint(input.records[0])
          await workOn(input, it, done)
        }
      }))
      world.heart.silence()
      await world.clock.advance(VALID_MS)
      running.consumer.drain()
      world.heart.beat()
      expect((await ended(world, running)).slice(-2)).to.deep.equal(['records a b c threw', 'shutdownRequested'])
      expect(running.log.filter(line => line.startsWith('!'))).to.deep.equal([])
      expect(await world.checkpoint()).to.equal(sequenceNumbers[0])
      const next = world.run(await world.claim('next'))
      await world.clock.advance(1_000)
      expect(next.delivered()).to.deep.equal(['b', 'c'])
    })

    it('before it has initialized gives the lease back at once, and calls nothing', async () => {
      const world = new ShardWorld(1, 'solo')
      world.heart.lapse()
      const running = world.run(await world.claim())
      await world.clock.advance(2_000)
      expect(running.consumer.state).to.equal('initializing')
      running.consumer.drain()
      expect(await ended(world, running)).to.deep.equal([])
      expect(await world.row()).to.not.have.property('owner')
    })

    it('makes shutdownRequested again that was interrupted, and refuses its bare checkpoint', async () => {
      const refusals: unknown[] = []
      const { world, running, sequenceNumbers } = await aShardOf(['a'], {
        processRecords: () => {},
        shutdownRequested: async ({ checkpointer, signal }) => {
          if (refusals.length > 0) return checkpointer.checkpoint()
          await new Promise(resolve => signal.addEventListener('abort', resolve))
          refusals.push(await failureOf(checkpointer.checkpoint()))
        }
      })
      running.consumer.drain()
      await world.clock.advance(1_000)
      world.heart.lapse()
      await world.clock.advance(20_000)
      expect(await world.row()).to.include({ owner: 'me' })
      expect(refusals).to.have.length(1)
      world.heart.beat()
      expect((await ended(world, running)).slice(2)).to.deep.equal(['shutdownRequested', 'shutdownRequested'])
      expect(await world.checkpoint()).to.equal(sequenceNumbers[0])
    })

    it('during shutdownRequested tells of the loss when the session dies', async () => {
      const { opened, open } = gate()
      const { world, running } = await aShardOf(['a'], { shutdownRequested: () => opened })
      running.consumer.drain()
      await world.clock.advance(1_000)
      world.heart.lapse()
      world.die()
      open()
      expect((await ended(world, running)).slice(2)).to.deep.equal(['shutdownRequested', 'leaseLost'])
    })
  })

  describe('suspended and abandoned', () => {
    it('gives the lease back at once, and tells the processor once its call has returned', async () => {
      const { opened, open } = gate()
      const late: unknown[] = []
      const { world, running } = await aShardOf(['a'], {
        processRecords: async ({ records, checkpointer }) => {
          await opened
          late.push(await failureOf(checkpointer.checkpoint()))
          late.push(await failureOf(checkpointer.checkpoint(records[0])))
        }
      })
      world.heart.lapse()
      await running.consumer.abandon()
      expect(await world.row()).to.not.have.property('owner')
      open()
      expect(await ended(world, running)).to.deep.equal(['initialize', 'records a', 'leaseLost'])
      for (const error of late) expect(error).to.be.instanceOf(LeaseLostError)
    })

    it('refuses what comes later as lost though the lease cannot be given back', async () => {
      const late: unknown[] = []
      const { world, running } = await aShardOf(['a'], {
        processRecords: async ({ checkpointer, signal }) => {
          await new Promise(resolve => signal.addEventListener('abort', resolve))
          await world.clock.sleep(1_000)
          late.push(await failureOf(checkpointer.checkpoint()))
        }
      })
      world.heart.lapse()
      world.store.faults = ({ name }) => (name === 'replace' ? { kind: 'none', delayMs: 5_000 } : undefined)
      void running.consumer.abandon()
      await world.clock.advance(2_000)
      expect(late).to.have.length(1)
      expect(late[0]).to.be.instanceOf(LeaseLostError)
      await world.until(running)
    })

    it('calls nothing any more that was waiting for the session', async () => {
      const { world, running } = await aShardOf(['a'])
      world.heart.lapse()
      world.put('b')
      await world.clock.advance(5_000)
      await running.consumer.abandon()
      world.heart.beat()
      expect(await ended(world, running)).to.deep.equal(['initialize', 'records a', 'leaseLost'])
    })
  })

  it('in mixed mode loses a lease that runs out while the session is suspended', async () => {
    const world = new ShardWorld(1, 'mixed')
    const running = world.run(await world.claim())
    await world.clock.advance(500)
    world.heart.lapse()
    world.put('a')
    running.fallAsleep()
    await world.clock.advance(60_000)
    expect(running.isDone()).to.equal(false)
    world.heart.beat()
    expect(await ended(world, running)).to.deep.equal(['initialize', 'leaseLost'])
  })
})
