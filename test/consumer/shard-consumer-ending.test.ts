// How a ShardConsumer comes to its end: asked to stop, or at the end of its shard.
import { expect } from 'chai'
import type { Checkpointer } from '../../src/checkpoint/checkpointer.ts'
import { LeaseLostError, ServiceError, ThrottledError, WorkerStoppedError } from '../../src/model/errors.ts'
import { isFinished, type Lease } from '../../src/model/lease.ts'
import { formatPosition } from '../../src/model/sequence-number.ts'
import type { ChildShard } from '../../src/model/shard.ts'
import type { ShardEndOutcome } from '../../src/shards/shard-syncer.ts'
import { shardId } from '../support/builders.ts'
import { scripted } from '../support/flaky-store.ts'
import { gate, ShardWorld, STREAM } from './shard-world.ts'

const boom = (): never => {
  throw new Error('boom')
}

const FIRST = shardId(0)

describe('ShardConsumer', () => {
  describe('draining', () => {
    it('waits for processRecords, calls shutdownRequested while the lease is held, then releases it', async () => {
      const world = new ShardWorld()
      const [sequenceNumber = ''] = world.put('a')
      const { opened, open } = gate()
      let ownerThen: string | undefined
      const running = world.run(await world.claim(), {
        processRecords: () => opened,
        shutdownRequested: async ({ checkpointer }) => {
          ownerThen = (await world.row()).owner
          await checkpointer.checkpoint()
        }
      })
      await world.clock.advance(500)
      running.consumer.drain()
      world.put('b')
      await world.clock.advance(60_000)
      expect(running.calls()).to.deep.equal(['initialize', 'records a'])
      expect(running.tenure.isValid()).to.equal(true)
      open()
      await world.until(running)
      expect(running.calls()).to.deep.equal(['initialize', 'records a', 'shutdownRequested'])
      expect(ownerThen).to.equal('me')
      expect(await world.row()).to.not.have.property('owner')
      expect(await world.checkpoint()).to.equal(sequenceNumber)
    })

    it('while waiting for parents releases the lease and calls nothing', async () => {
      const world = new ShardWorld()
      await world.claim('other', 1)
      const running = world.run(await world.claim('me', 0, { parentShardIds: [shardId(1)] }))
      await world.clock.advance(2_500)
      running.consumer.drain()
      await world.until(running)
      expect(running.calls()).to.deep.equal([])
      expect(await world.row()).to.not.have.property('owner')
    })

    it('while halted releases the lease without asking the processor for a checkpoint, and tells it', async () => {
      const world = new ShardWorld()
      world.put('a')
      const running = world.run(await world.claim(), { processRecords: boom })
      await world.clock.advance(5_000)
      running.consumer.drain()
      await world.until(running)
      expect(running.log.slice(-4)).to.deep.equal(['> releasing', '> losing', 'leaseLost', '> stopped'])
      expect(await world.checkpoint()).to.equal('TRIM_HORIZON')
      expect(await world.row()).to.not.have.property('owner')
    })

    it('before it has begun calls nothing and releases the lease', async () => {
      const world = new ShardWorld()
      const tenure = await world.claim()
      const running = world.run(tenure)
      running.consumer.drain()
      await world.until(running)
      expect(running.calls()).to.deep.equal([])
      expect(await world.row()).to.not.have.property('owner')
    })

    it('tries shutdownRequested again, and when it gives up releases the lease and tells of its loss', async () => {
      const world = new ShardWorld()
      const running = world.run(await world.claim(), { shutdownRequested: boom })
      await world.clock.advance(500)
      running.consumer.drain()
      await world.until(running)
      expect(running.calls().filter(line => line === 'shutdownRequested')).to.have.length(3)
      expect(running.calls().at(-1)).to.equal('leaseLost')
      expect(await world.row()).to.not.have.property('owner')
    })

    it('turns into a loss if the lease goes during shutdownRequested', async () => {
      const world = new ShardWorld()
      const { opened, open } = gate()
      const running = world.run(await world.claim(), {
        shutdownRequested: async () => {
          await opened
          boom()
        }
      })
      await world.clock.advance(500)
      running.consumer.drain()
      await world.clock.advance(500)
      await world.steal()
      await world.clock.advance(20_000)
      open()
      await world.until(running)
      expect(running.calls().slice(1)).to.deep.equal(['shutdownRequested', 'shutdownRequested threw', 'leaseLost'])
      expect(await world.row()).to.include({ owner: 'thief' })
    })

    it('stops even if the table does not take the release', async () => {
      const world = new ShardWorld()
      const running = world.run(await world.claim())
      await world.clock.advance(500)
      world.store.faults = ({ name }) => (name === 'replace' ? { kind: 'refused-for-good' } : undefined)
      running.consumer.drain()
      await world.until(running)
      expect(running.tenure.hasEnded).to.equal(true)
      expect(running.log).to.include('! read for good')
    })

    it('takes no checkpoint any more once it was abandoned, even if the release fails', async () => {
      const world = new ShardWorld()
      world.put('a', 'b')
      const outcomes: unknown[] = []
      const running = world.run(await world.claim(), {
        processRecords: async ({ checkpointer, signal }) => {
          await new Promise(resolve => signal.addEventListener('abort', resolve))
          outcomes.push(signal.reason, await checkpointer.checkpoint().catch((error: unknown) => error))
          outcomes.push(await checkpointer.prepareCheckpoint().catch((error: unknown) => error))
        }
      })
      await world.clock.advance(500)
      world.store.faults = scripted({ kind: 'refused-for-good' })
      void running.consumer.abandon()
      await world.until(running)
      expect(outcomes[0]).to.be.instanceOf(WorkerStoppedError)
      for (const outcome of outcomes.slice(1)) expect(outcome).to.be.instanceOf(LeaseLostError)
      expect(outcomes).to.have.length(3)
      expect(await world.checkpoint()).to.equal('TRIM_HORIZON')
    })

    it('gives the lease back where reading on is pointless, with what was processed checkpointed', async () => {
      const world = new ShardWorld()
      const [sequenceNumber = ''] = world.put('a')
      const running = world.run(await world.claim(), { processRecords: () => {} })
      await world.clock.advance(500)
      world.kinesis.intercept = () => {
        throw new ServiceError('access-denied', 'not allowed', { retryable: false })
      }
      await world.until(running)
      expect(running.calls()).to.deep.equal(['initialize', 'records a', 'shutdownRequested'])
      expect(await world.checkpoint()).to.equal(sequenceNumber)
      expect(await world.row()).to.not.have.property('owner')
    })
  })

  describe('at the end of its shard', () => {
    it('creates the leases of the children before SHARD_END is in the row, and gives the lease back with it', async () => {
      const world = new ShardWorld()
      world.put('a', 'b')
      const childrenThen: boolean[] = []
      const { replace } = world.table
      world.table.replace = async (before, after) => {
        if (isFinished(after))
          for (const n of [1, 2]) childrenThen.push((await world.table.get(shardId(n))) !== undefined)
        return replace(before, after)
      }
      const running = world.run(await world.claim())
      world.kinesis.split(STREAM, FIRST)
      await world.until(running)
      expect(running.calls()).to.deep.equal(['initialize', 'records a b', 'shardEnded'])
      expect(childrenThen).to.deep.equal([true, true])
      const row = await world.row()
      expect(formatPosition(row.checkpoint)).to.equal('SHARD_END')
      expect(row.childShardIds).to.deep.equal([shardId(1), shardId(2)])
      expect(row).to.not.have.property('owner')
      expect(running.log).to.include(`! ended ${shardId(1)} ${shardId(2)}`)
    })

    it('calls shardEnded for a shard in which nothing was', async () => {
      const world = new ShardWorld()
      world.kinesis.split(STREAM, FIRST)
      const running = world.run(await world.claim())
      await world.until(running)
      expect(running.calls()).to.deep.equal(['initialize', 'shardEnded'])
      expect(await world.checkpoint()).to.equal('SHARD_END')
    })

    it('calls shardEnded again after it threw, and marks the shard as finished only then', async () => {
      const world = new ShardWorld()
      world.put('a')
      world.kinesis.split(STREAM, FIRST)
      const checkpoints: string[] = []
      const running = world.run(await world.claim(), {
        processRecords: () => {},
        shardEnded: async ({ checkpointer }) => {
          checkpoints.push(await world.checkpoint())
          if (checkpoints.length < 3) boom()
          await checkpointer.checkpoint()
        }
      })
      await world.until(running)
      expect(checkpoints).to.deep.equal(['TRIM_HORIZON', 'TRIM_HORIZON', 'TRIM_HORIZON'])
      expect(await world.checkpoint()).to.equal('SHARD_END')
    })

    it('halts if shardEnded throws as often as it may: the children do not start', async () => {
      const world = new ShardWorld()
      world.kinesis.split(STREAM, FIRST)
      const running = world.run(await world.claim(), { shardEnded: boom })
      await world.clock.advance(30_000)
      expect(running.consumer.state).to.equal('halted')
      expect(await world.checkpoint()).to.equal('TRIM_HORIZON')
      expect(running.tenure.isValid()).to.equal(true)
    })

    it('marks the shard as finished even if shardEnded does not checkpoint', async () => {
      const world = new ShardWorld()
      world.put('a')
      world.kinesis.split(STREAM, FIRST)
      const running = world.run(await world.claim(), { processRecords: () => {}, shardEnded: () => {} })
      await world.until(running)
      expect(await world.checkpoint()).to.equal('SHARD_END')
    })

    it('grants a checkpoint that comes after the end of the shard, without a write', async () => {
      const world = new ShardWorld()
      world.put('a')
      world.kinesis.split(STREAM, FIRST)
      const checkpointers: Checkpointer[] = []
      const running = world.run(await world.claim(), {
        processRecords: ({ checkpointer }) => void checkpointers.push(checkpointer),
        shardEnded: () => {}
      })
      await world.until(running)
      expect(checkpointers).to.have.length(1)
      await checkpointers[0]?.checkpoint()
      expect(await world.checkpoint()).to.equal('SHARD_END')
    })

    it('reads on after an end that is none, and repeats nothing', async () => {
      const world = new ShardWorld()
      world.put('a', 'b')
      world.kinesis.split(STREAM, FIRST)
      let ends = 0
      const running = world.run(
        await world.claim(),
        {},
        {
          settleShardEnd: async (_: Lease, children: readonly ChildShard[] | undefined): Promise<ShardEndOutcome> =>
            ++ends < 3 ? { kind: 'not-ended', because: 'its children are unknown' } : world.createChildren(children)
        }
      )
      await world.until(running)
      expect(running.calls()).to.deep.equal(['initialize', 'records a b', 'shardEnded'])
      expect(running.log.filter(line => line === '! read again')).to.have.length(2)
      expect(await world.checkpoint()).to.equal('SHARD_END')
    })

    it('asks for the children again after a failure that passes, and gives the lease back after another', async () => {
      const world = new ShardWorld()
      world.kinesis.split(STREAM, FIRST)
      let asked = 0
      const running = world.run(
        await world.claim(),
        {},
        {
          settleShardEnd: async () => {
            if (++asked < 3) throw new ThrottledError('slow down')
            throw new ServiceError('access-denied', 'not allowed', { retryable: false })
          }
        }
      )
      await world.until(running)
      expect(asked).to.equal(3)
      expect(running.calls()).to.deep.equal(['initialize', 'shutdownRequested'])
      expect(await world.row()).to.not.have.property('owner')
      expect(await world.checkpoint()).to.equal('TRIM_HORIZON')
    })

    it('tells what decides on the end that no children are known where the shard does not exist any more', async () => {
      const world = new ShardWorld()
      world.kinesis.split(STREAM, FIRST)
      world.kinesis.expireShard(STREAM, FIRST)
      const told: unknown[] = []
      const running = world.run(
        await world.claim(),
        {},
        {
          settleShardEnd: async (_, children) => {
            told.push(children)
            return { kind: 'ended', childShardIds: [] }
          }
        }
      )
      await world.until(running)
      expect(told).to.deep.equal([undefined])
      expect(await world.checkpoint()).to.equal('SHARD_END')
    })

    it('is finished though the answer to the last write was lost', async () => {
      const world = new ShardWorld()
      world.kinesis.split(STREAM, FIRST)
      const running = world.run(await world.claim(), {
        shardEnded: () => {
          world.store.faults = ({ name }) => {
            world.store.faults = () => undefined
            return name === 'replace' ? { kind: 'lost-answer' } : undefined
          }
        }
      })
      await world.until(running)
      expect(running.calls()).to.deep.equal(['initialize', 'shardEnded'])
      expect(running.log).to.include(`! ended ${shardId(1)} ${shardId(2)}`)
    })

    it('is not finished if the lease is lost during shardEnded', async () => {
      const world = new ShardWorld()
      world.kinesis.split(STREAM, FIRST)
      const { opened, open } = gate()
      const running = world.run(await world.claim(), { shardEnded: () => opened })
      await world.clock.advance(1_000)
      await world.steal()
      await world.clock.advance(10_000)
      open()
      await world.until(running)
      expect(running.calls()).to.deep.equal(['initialize', 'shardEnded', 'leaseLost'])
      expect(await world.row()).to.include({ owner: 'thief' })
      expect(await world.checkpoint()).to.equal('TRIM_HORIZON')
    })

    it('is finished although it was asked to stop during shardEnded', async () => {
      const world = new ShardWorld()
      world.kinesis.split(STREAM, FIRST)
      const { opened, open } = gate()
      const running = world.run(await world.claim(), { shardEnded: () => opened })
      await world.clock.advance(1_000)
      running.consumer.drain()
      await world.clock.advance(1_000)
      open()
      await world.until(running)
      expect(running.calls()).to.deep.equal(['initialize', 'shardEnded'])
      expect(await world.checkpoint()).to.equal('SHARD_END')
    })

    it('calls either shardEnded or shutdownRequested, not both, where the last write is refused for good', async () => {
      const world = new ShardWorld()
      world.kinesis.split(STREAM, FIRST)
      const running = world.run(await world.claim(), {
        shardEnded: () => {
          world.store.faults = ({ name }) => (name === 'replace' ? { kind: 'refused-for-good' } : undefined)
        }
      })
      await world.until(running)
      expect(running.calls().filter(call => call === 'shutdownRequested')).to.deep.equal([])
    })

    it('waits for its parents before it begins', async () => {
      const world = new ShardWorld()
      world.put('a')
      const [low] = world.kinesis.split(STREAM, FIRST)
      const child = await world.claim('me', 1, { parentShardIds: [FIRST] })
      const parent = await world.claim()
      const order: string[] = []
      const second = world.run(child, { initialize: () => void order.push('child begins') })
      await world.clock.advance(5_000)
      expect(low).to.equal(shardId(1))
      expect(second.consumer.state).to.equal('waiting-for-parents')
      const first = world.run(parent, { shardEnded: () => void order.push('parent ends') })
      await world.until(first)
      await world.clock.advance(1_500)
      expect(order).to.deep.equal(['parent ends', 'child begins'])
      expect(second.consumer.state).to.equal('processing')
    })

    it('gives the lease of a child back if its parents cannot be looked at, and goes on if they can be later', async () => {
      const world = new ShardWorld()
      const outcomes: (Error | boolean)[] = [
        new ThrottledError('slow down'),
        false,
        new ServiceError('access-denied', 'not allowed', { retryable: false })
      ]
      const running = world.run(
        await world.claim(),
        {},
        {
          parentsFinished: async () => {
            const outcome = outcomes.shift()
            if (outcome instanceof Error) throw outcome
            return outcome === true
          }
        }
      )
      await world.until(running)
      expect(outcomes).to.deep.equal([])
      expect(running.calls()).to.deep.equal([])
      expect(running.log.filter(line => line.startsWith('!'))).to.deep.equal(['! read again', '! read for good'])
      expect(await world.row()).to.not.have.property('owner')
    })
  })
})
