// What a ShardConsumer does while its session cannot be proved: it delivers nothing, keeps the lease, and counts no call as
// done that may have been cut short.
import { expect } from 'chai'
import { CheckpointRefusedError, LeaseLostError } from '../../src/model/errors.ts'
import { HandlerProcessor } from '../../src/processor/handler-processor.ts'
import type { ProcessRecordsInput } from '../../src/processor/record-processor.ts'
import { aFailurePolicy, shardId } from '../support/builders.ts'
import { VALID_MS } from '../support/heart.ts'
import { gate, ShardWorld } from './shard-world.ts'
import { aShardOf, ended, failureOf, workOn } from './suspension-world.ts'

describe('ShardConsumer', () => {
  describe('suspended between two batches', () => {
    it('delivers the next batch when the session is proved again, and keeps the lease meanwhile', async () => {
      const { world, running } = await aShardOf(['a'])
      world.heart.silence()
      await world.clock.advance(VALID_MS)
      world.put('b')
      await world.clock.advance(600_000)
      expect(running.calls()).to.deep.equal(['initialize', 'records a'])
      expect(running.tenure.hasEnded).to.equal(false)
      expect(await world.row()).to.include({ owner: 'me' })
      world.heart.beat()
      world.put('c')
      await world.clock.advance(2_000)
      expect(running.delivered()).to.deep.equal(['a', 'b', 'c'])
    })

    it('finds out before the next delivery, though nobody else has looked since', async () => {
      const { world, running } = await aShardOf([])
      running.fallAsleep()
      world.heart.silence()
      world.kinesis.intercept = () => world.clock.sleep(600_000)
      await world.clock.advance(1_000)
      world.put('a')
      world.kinesis.intercept = undefined
      await world.clock.advance(700_000)
      expect(world.heart.told).to.deep.equal(['lapsed'])
      expect(running.calls()).to.deep.equal(['initialize'])
      world.heart.beat()
      await world.clock.advance(2_000)
      expect(running.delivered()).to.deep.equal(['a'])
    })

    it('loses the lease when the session turns out to be dead, and delivers no more', async () => {
      const { world, running } = await aShardOf(['a'])
      world.heart.lapse()
      world.put('b')
      await world.clock.advance(20_000)
      world.die()
      expect(await ended(world, running)).to.deep.equal(['initialize', 'records a', 'leaseLost'])
    })

    it('begins nothing while it waits for its parents, and begins when both are so far', async () => {
      const world = new ShardWorld(1, 'solo')
      await world.claim('other', 1)
      const running = world.run(await world.claim('me', 0, { parentShardIds: [shardId(1)] }))
      world.heart.lapse()
      const parent = await world.row(1)
      await world.table.remove(parent)
      await world.clock.advance(30_000)
      expect(running.calls()).to.deep.equal([])
      world.heart.beat()
      await world.clock.advance(2_000)
      expect(running.calls()).to.deep.equal(['initialize'])
    })
  })

  describe('suspended during processRecords', () => {
    it('aborts the signal of the call at the moment the proof runs out', async () => {
      let abortedAtMs: number | undefined
      const { world } = await aShardOf(['a'], {
        processRecords: async ({ signal }) => {
          await new Promise(resolve => signal.addEventListener('abort', resolve))
          abortedAtMs = world.clock.monotonicMs()
        }
      })
      world.heart.silence()
      await world.clock.advance(60_000)
      expect(abortedAtMs).to.equal(500 + VALID_MS)
    })

    it('delivers to a processor that ignores its signal the rest again, after what it checkpointed by record', async () => {
      const { opened, open } = gate()
      const given: string[] = []
      const { world, running, sequenceNumbers } = await aShardOf(['a', 'b', 'c', 'd'], {
        processRecords: async ({ records, checkpointer }) => {
          given.push(records.map(record => record.text()).join(''))
          if (given.length > 1) return checkpointer.checkpoint()
          await checkpointer.checkpoint(records[0])
          await opened
          // Done while it was suspended: the row takes it, since nobody else has claimed the lease.
          await checkpointer.checkpoint(records[1])
        }
      })
      world.heart.lapse()
      open()
      await world.clock.advance(30_000)
      expect(given).to.deep.equal(['abcd'])
      expect(await world.checkpoint()).to.equal(sequenceNumbers[1])
      world.heart.beat()
      await world.clock.advance(1_000)
      expect(given).to.deep.equal(['abcd', 'cd'])
      expect(await world.checkpoint()).to.equal(sequenceNumbers[3])
      expect(running.log.filter(line => line.startsWith('!'))).to.deep.equal([])
    })

    it('does not call again a processor that has checkpointed all of it by record', async () => {
      const { opened, open } = gate()
      const { world, running } = await aShardOf(['a', 'b'], {
        processRecords: async ({ records, checkpointer }) => {
          await opened
          await checkpointer.checkpoint(records.at(-1))
        }
      })
      world.heart.lapse()
      open()
      await world.clock.advance(1_000)
      world.heart.beat()
      world.put('c')
      await world.clock.advance(2_000)
      expect(running.calls()).to.deep.equal(['initialize', 'records a b', 'records c'])
    })

    it('loses nothing of a processor that returns early and checkpoints all the same', async () => {
      const done: string[] = []
      const { world, running, sequenceNumbers } = await aShardOf(['a', 'b', 'c', 'd'], it => ({
        processRecords: input => workOn(input, it, done)
      }))
      world.heart.silence()
      await world.clock.advance(VALID_MS + 20_000)
      expect(done).to.deep.equal(['a', 'b'])
      expect(running.calls()).to.deep.equal(['initialize', 'records a b c d', 'records a b c d threw'])
      expect(await world.checkpoint()).to.equal('TRIM_HORIZON')
      world.heart.beat()
      await world.clock.advance(20_000)
      expect(done).to.deep.equal(['a', 'b', 'a', 'b', 'c', 'd'])
      expect(await world.checkpoint()).to.equal(sequenceNumbers[3])
      expect(running.log.filter(line => line.startsWith('!'))).to.deep.equal([])
    })

    it('says to a bare checkpoint of such a call why it is refused, and takes one that names a record', async () => {
      const refusals: unknown[] = []
      const { opened, open } = gate()
      const { world, sequenceNumbers } = await aShardOf(['a', 'b'], {
        processRecords: async ({ records, checkpointer }) => {
          const prepared = await checkpointer.prepareCheckpoint()
          await opened
          refusals.push(await failureOf(checkpointer.checkpoint()))
          refusals.push(await failureOf(checkpointer.prepareCheckpoint()))
          refusals.push(await failureOf(prepared.checkpoint()))
          await checkpointer.checkpoint(records[0])
        }
      })
      world.heart.lapse()
      open()
      await world.clock.advance(1_000)
      expect(refusals).to.have.length(3)
      for (const refusal of refusals)
        expect(refusal).to.be.instanceOf(CheckpointRefusedError).and.include({ because: 'void' })
      expect(await world.checkpoint()).to.equal(sequenceNumbers[0])
    })

    it('makes the call again though the session was proved again before it returned', async () => {
      const { opened, open } = gate()
      const aborted: boolean[] = []
      const { world, running } = await aShardOf(['a'], {
        processRecords: async ({ checkpointer, signal }) => {
          await opened
          aborted.push(signal.aborted)
          await checkpointer.checkpoint()
        }
      })
      world.heart.lapse()
      world.heart.beat()
      await world.clock.advance(5_000)
      expect(running.calls()).to.deep.equal(['initialize', 'records a'])
      open()
      await world.clock.advance(1_000)
      expect(running.calls()).to.deep.equal(['initialize', 'records a', 'records a threw', 'records a'])
      expect(aborted).to.deep.equal([true, false])
    })

    it('counts no failure, however often it lapses, and gives up no sooner', async () => {
      const failures: number[] = []
      const { world, running } = await aShardOf(['a'], {
        processRecords: async input => {
          failures.push(input.failures)
          if (failures.length > 5) return input.checkpointer.checkpoint()
          await new Promise((_, reject) => input.signal.addEventListener('abort', reject))
        }
      })
      for (let lapse = 0; lapse < 5; lapse++) {
        world.heart.lapse()
        await world.clock.advance(1_000)
        world.heart.beat()
        await world.clock.advance(1_000)
      }
      expect(failures).to.deep.equal([0, 0, 0, 0, 0, 0])
      expect(running.log.filter(line => line.startsWith('!'))).to.deep.equal([])
      expect(running.consumer.state).to.equal('processing')
    })

    it('counts as done what returned before anybody found out: its work was not cut short', async () => {
      const { opened, open } = gate()
      const { world, running, sequenceNumbers } = await aShardOf(['a'], {
        processRecords: async ({ checkpointer }) => {
          await opened
          await checkpointer.checkpoint()
        }
      })
      running.fallAsleep()
      world.heart.silence()
      await world.clock.advance(600_000)
      open()
      await world.clock.advance(1_000)
      expect(await world.checkpoint()).to.equal(sequenceNumbers[0])
      world.heart.beat()
      world.put('b')
      await world.clock.advance(2_000)
      expect(running.calls()).to.deep.equal(['initialize', 'records a', 'records b'])
    })

    it('tells of the loss when the session dies, and refuses what comes later as lost', async () => {
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
      await world.clock.advance(10_000)
      world.die()
      await world.clock.advance(10_000)
      expect(running.calls()).to.deep.equal(['initialize', 'records a'])
      open()
      expect(await ended(world, running)).to.deep.equal(['initialize', 'records a', 'leaseLost'])
      expect(late).to.have.length(2)
      for (const error of late) expect(error).to.be.instanceOf(LeaseLostError)
      expect(await world.checkpoint()).to.equal('TRIM_HORIZON')
    })

    it('delivers nothing here any more when the session dies after the call has returned', async () => {
      const { world, running } = await aShardOf(['a', 'b'], {
        processRecords: ({ signal }) => new Promise(resolve => signal.addEventListener('abort', () => resolve()))
      })
      world.heart.lapse()
      await world.clock.advance(10_000)
      world.die()
      world.heart.beat()
      expect(await ended(world, running)).to.deep.equal(['initialize', 'records a b', 'leaseLost'])
      expect(running.log.filter(line => line.startsWith('!'))).to.deep.equal([])
    })

    it('does not call again before the lapse is over what has failed before', async () => {
      const boom = (): never => {
        throw new Error('boom')
      }
      const policy = aFailurePolicy({ attempts: 3, lastResort: 'halt', backoff: { firstMs: 2_000, maxMs: 2_000 } })
      const { world, running } = await aShardOf(['a'], { processRecords: boom }, { policy })
      world.heart.lapse()
      await world.clock.advance(60_000)
      expect(running.calls()).to.deep.equal(['initialize', 'records a', 'records a threw'])
      world.heart.beat()
      await world.clock.advance(5_000)
      expect(running.consumer.state).to.equal('halted')
      expect(running.log).to.include('! gave up processRecords after 3')
    })

    it('grants the checkpoint that a call which was done before the lapse makes later', async () => {
      const inputs: ProcessRecordsInput[] = []
      const { world, sequenceNumbers } = await aShardOf(['a'], { processRecords: input => void inputs.push(input) })
      world.heart.lapse()
      await inputs[0]?.checkpointer.checkpoint()
      expect(await world.checkpoint()).to.equal(sequenceNumbers[0])
    })

    it('calls a handler again that returned early, also one that had failed before', async () => {
      const done: string[] = []
      let calls = 0
      const world = new ShardWorld(1, 'solo')
      const sequenceNumbers = world.put('a', 'b')
      const processor = (): HandlerProcessor =>
        new HandlerProcessor(async (records, { signal }) => {
          if (++calls === 1) throw new Error('boom')
          for (const record of records) {
            await world.clock.sleep(3_000, signal)
            if (signal.aborted) return
            done.push(record.text())
          }
        })
      world.run(await world.claim(), {}, { processor })
      await world.clock.advance(4_500)
      expect(done).to.deep.equal(['a'])
      world.heart.lapse()
      await world.clock.advance(1_000)
      world.heart.beat()
      await world.clock.advance(10_000)
      expect(done).to.deep.equal(['a', 'a', 'b'])
      expect(await world.checkpoint()).to.equal(sequenceNumbers[1])
    })
  })
})
