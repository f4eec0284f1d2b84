// Calls of the user's code that take too long: what they may still say, and that nothing is lost or done in the wrong order.
import { expect } from 'chai'
import {
  CheckpointRefusedError,
  type ConsumedRecord,
  HandlerTimeoutError,
  type ProcessRecordsInput,
  RecordProcessor
} from '../../src/index.ts'
import type { Member, WorldWorkerOptions } from '../support/world.ts'
import { PoisonWorld, range } from './poison-world.ts'

const TIMEOUT_MS = 5_500
/** How long a call that does not heed its signal is waited for. */
const LEAVE_BEHIND_MS = 5_000
const PATIENCE = { attempts: 4, backoffMs: 100, maxBackoffMs: 100, timeoutMs: TIMEOUT_MS }

const refusal = (error: unknown): unknown => (error instanceof CheckpointRefusedError ? error.because : error)

function timeouts(member: Member): { atMs: number; isLeftBehind: boolean }[] {
  return member.events('processor:failed').map(({ atMs, error }) => {
    expect(error.cause).to.be.instanceOf(HandlerTimeoutError)
    return { atMs, isLeftBehind: (error.cause as HandlerTimeoutError).isLeftBehind }
  })
}

describe('a call that takes too long', () => {
  it('and returns early because its signal aborts has settled nothing, and is made again', async () => {
    const poisoned = new PoisonWorld()
    const { clock } = poisoned.world
    poisoned.putMany(10)
    const done = new Set<number>()
    const handler = async (records: readonly ConsumedRecord[], { signal }: { signal: AbortSignal }): Promise<void> => {
      poisoned.begin(records)
      for (const number of poisoned.numbersOf(records)) {
        await clock.sleep(1_000)
        if (signal.aborted) return
        done.add(number)
      }
    }
    const member = await poisoned.world.startWorker({ handler, onProcessorError: PATIENCE })
    await clock.advance(60_000)
    expect(poisoned.calls).to.deep.equal(Array(4).fill(range(0, 10)))
    expect(timeouts(member).map(({ isLeftBehind }) => isLeftBehind)).to.deep.equal([false, false, false, false])
    expect(done.size).to.equal(5)
    expect(await poisoned.checkpoint()).to.equal('TRIM_HORIZON')
    expect(poisoned.health(member)).to.equal('red halted')
    await poisoned.world.stopAll()
  })

  it('has settled what it said was settled, and the rest is delivered again', async () => {
    const poisoned = new PoisonWorld()
    const { clock } = poisoned.world
    poisoned.putMany(12)
    const member = await poisoned.world.startWorker({
      onProcessorError: PATIENCE,
      handler: async (records, { signal, settle }) => {
        poisoned.begin(records)
        for (const record of records) {
          await clock.sleep(1_000)
          if (signal.aborted) return
          settle(record)
        }
      }
    })
    await clock.advance(60_000)
    expect(poisoned.calls).to.deep.equal([range(0, 12), range(5, 12), range(10, 12)])
    expect(timeouts(member).map(({ isLeftBehind }) => isLeftBehind)).to.deep.equal([false, false])
    expect(await poisoned.checkpoint()).to.equal(11)
    await poisoned.world.stopAll()
  })

  it('and ends within five seconds may checkpoint a record by its name, and nothing by a bare checkpoint()', async () => {
    const poisoned = new PoisonWorld()
    const { clock } = poisoned.world
    poisoned.putMany(6)
    const answers: unknown[] = []
    class Late extends RecordProcessor {
      override async processRecords({ records, checkpointer }: ProcessRecordsInput): Promise<void> {
        poisoned.begin(records)
        if (poisoned.calls.length > 1) return checkpointer.checkpoint()
        await clock.sleep(TIMEOUT_MS + LEAVE_BEHIND_MS - 1_000)
        answers.push(await checkpointer.checkpoint().catch(refusal))
        answers.push(await checkpointer.prepareCheckpoint().catch(refusal))
        answers.push(await checkpointer.checkpoint(records[1]).catch(refusal))
      }
    }
    const member = await poisoned.world.startWorker({ processor: () => new Late(), onProcessorError: PATIENCE })
    await clock.advance(30_000)
    expect(answers).to.deep.equal(['void', 'void', undefined])
    expect(poisoned.calls).to.deep.equal([range(0, 6), range(2, 6)])
    expect(timeouts(member).map(({ isLeftBehind }) => isLeftBehind)).to.deep.equal([false])
    expect(await poisoned.checkpoint()).to.equal(5)
    await poisoned.world.stopAll()
  })

  it('and does not end is left behind: it can checkpoint and settle nothing, and does not settle the next one', async () => {
    const poisoned = new PoisonWorld()
    const { clock } = poisoned.world
    poisoned.putMany(6)
    const answers: unknown[] = []
    let beganMs = 0
    class LeftBehind extends RecordProcessor {
      override async processRecords({ records, checkpointer, settle, signal }: ProcessRecordsInput): Promise<void> {
        poisoned.begin(records)
        if (poisoned.calls.length > 1) {
          await clock.sleep(5_000)
          throw new Error('not yet')
        }
        beganMs = clock.monotonicMs()
        const prepared = await checkpointer.prepareCheckpoint(records[3])
        await clock.sleep(TIMEOUT_MS + LEAVE_BEHIND_MS + 2_000)
        expect(signal.aborted).to.equal(true)
        settle(records[0] as ConsumedRecord)
        answers.push(await checkpointer.checkpoint().catch(refusal))
        answers.push(await checkpointer.checkpoint(records[1]).catch(refusal))
        answers.push(await checkpointer.prepareCheckpoint(records[1]).catch(refusal))
        answers.push(await prepared.checkpoint().catch(refusal))
      }
    }
    const member = await poisoned.world.startWorker({ processor: () => new LeftBehind(), onProcessorError: PATIENCE })
    await clock.advance(5_000)
    expect(beganMs).to.be.greaterThan(0)
    await clock.advance(beganMs + TIMEOUT_MS + LEAVE_BEHIND_MS - clock.monotonicMs() + 500)
    expect(timeouts(member)).to.deep.equal([{ atMs: beganMs + TIMEOUT_MS + LEAVE_BEHIND_MS, isLeftBehind: true }])
    await clock.advance(60_000)
    expect(answers).to.deep.equal(['void', 'void', 'void', 'void'])
    expect(poisoned.calls).to.deep.equal(Array(4).fill(range(0, 6)))
    expect(await poisoned.checkpoint()).to.equal('TRIM_HORIZON')
    expect(poisoned.health(member)).to.equal('red halted')
    await poisoned.world.stopAll()
  })

  it('does not make its shard red for ever once it is left behind', async () => {
    const poisoned = new PoisonWorld()
    const { clock } = poisoned.world
    poisoned.putMany(3)
    const member = await poisoned.world.startWorker({
      watchdog: { stallMs: 20_000 },
      onProcessorError: { ...PATIENCE, timeoutMs: 30_000 },
      handler: records => {
        poisoned.begin(records)
        return poisoned.calls.length === 1 ? new Promise(() => {}) : undefined
      }
    })
    await clock.advance(30_000)
    expect(member.worker.health().shards[0]?.reason).to.match(
      /^stalled: a call of the processor has been under way for 2\d s$/
    )
    const stalls = member.events('shard:stalled').map(({ waitingFor, action }) => `${waitingFor} ${action}`)
    expect(stalls).to.deep.equal(['processor report'])
    await clock.advance(15_000)
    expect(poisoned.calls).to.have.length(2)
    expect(poisoned.health(member)).to.equal('green processing')
    expect(member.events('shard:progressed')).to.have.length(1)
    await clock.advance(120_000)
    expect(poisoned.health(member)).to.equal('green processing')
    expect(member.events('shard:stalled')).to.have.length(1)
    await poisoned.world.stopAll()
  })

  const ways: readonly (readonly [string, WorldWorkerOptions])[] = [
    ['each', { concurrency: { perShard: 4 } }],
    ['a handler in lanes', { concurrency: { perShard: 4 } }]
  ]
  for (const [how, options] of ways) {
    it(`in ${how} holds up its key alone, and is called again in order`, async () => {
      const poisoned = new PoisonWorld()
      const { clock } = poisoned.world
      poisoned.putMany(40, 0, index => `key-${index % 10}`)
      const isHung = new Set([3])
      const call = async (records: readonly ConsumedRecord[]): Promise<void> => {
        const numbers = poisoned.begin(records)
        const hung = numbers.find(number => isHung.delete(number))
        if (hung !== undefined) await clock.sleep(TIMEOUT_MS + LEAVE_BEHIND_MS + 200)
        await clock.sleep(10)
        poisoned.succeed(numbers)
      }
      const member = await poisoned.world.startWorker({
        ...{ ...options, onProcessorError: PATIENCE },
        ...(how === 'each' ? { each: record => call([record]) } : { handler: call })
      })
      await clock.advance(5_000)
      const others = range(0, 40).filter(number => number % 10 !== 3)
      expect(poisoned.timesSettled(others)).to.deep.equal(others.map(() => 1))
      expect(await poisoned.checkpoint()).to.equal(2)
      await clock.advance(30_000)
      expect(timeouts(member).map(({ isLeftBehind }) => isLeftBehind)).to.deep.equal([true])
      const ofKey = poisoned.calls.flat().filter(number => number % 10 === 3)
      const once = [3, 13, 23, 33]
      expect(ofKey).to.deep.equal(how === 'each' ? [3, ...once] : [...once, ...once])
      expect(await poisoned.checkpoint()).to.equal(39)
      expect(poisoned.health(member)).to.equal('green processing')
      await poisoned.world.stopAll()
    })
  }

  it('in initialize fails like any other, and holds up neither the other shards nor the stop', async () => {
    const poisoned = new PoisonWorld({ shards: 2 })
    const { clock } = poisoned.world
    class Hung extends RecordProcessor {
      override initialize({ shardId }: { shardId: string }): Promise<void> | undefined {
        return shardId.endsWith('0') ? new Promise(() => {}) : undefined
      }
      override processRecords({ records, checkpointer }: ProcessRecordsInput): Promise<void> {
        poisoned.begin(records)
        return checkpointer.checkpoint()
      }
    }
    poisoned.putMany(3, 0)
    poisoned.putMany(3, 1)
    const member = await poisoned.world.startWorker({ processor: () => new Hung(), onProcessorError: PATIENCE })
    await clock.advance(60_000)
    expect(poisoned.calls).to.deep.equal([[3, 4, 5]])
    expect(timeouts(member)).to.have.length(4)
    expect([poisoned.health(member, 0), poisoned.health(member, 1)]).to.deep.equal(['red halted', 'green processing'])
    const atMs = clock.monotonicMs()
    await poisoned.world.stopAll()
    expect(clock.monotonicMs() - atMs).to.be.lessThan(5_000)
  })
})
