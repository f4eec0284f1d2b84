// The scenarios R1 to R7 of the reference on KCL's behaviour, by name: how records are read by polling. R15 to R17, what of them
// is delivered, are in retrieval-records.test.ts; R8 to R14 are about enhanced fan-out.
import { expect } from 'chai'
import { ServiceError, StalledError, type StartPosition, ThrottledError } from '../../src/index.ts'
import type { IteratorStart } from '../../src/kinesis/kinesis-port.ts'
import { shardId } from '../support/builders.ts'
import { CallLog } from '../support/call-log.ts'
import { deliveredIds, expectOnce, putAggregate, putIntoAll } from '../support/numbered-records.ts'
import { seeds } from '../support/seeds.ts'
import { tamper } from '../support/tampered-kinesis.ts'
import { type Member, STREAM, World } from '../support/world.ts'

const SHARD = shardId(0)
const MINUTE = 60_000

/** Every call that reads a shard, from now on; `fail` decides what one of them throws. */
function watchReads(world: World, fail: (name: string) => Error | undefined = () => undefined) {
  const reads: { name: string; atMs: number; start: IteratorStart | undefined }[] = []
  world.kinesis.intercept = ({ name, start }) => {
    if (name !== 'getRecords' && name !== 'getShardIterator') return
    reads.push({ name, atMs: world.clock.monotonicMs(), start })
    const failure = fail(name)
    if (failure) throw failure
  }
  return {
    reads,
    starts: (): (IteratorStart | undefined)[] =>
      reads.filter(({ name }) => name === 'getShardIterator').map(({ start }) => start),
    gaps: (): number[] => reads.slice(1).map(({ atMs }, i) => atMs - (reads[i]?.atMs ?? 0))
  }
}

function expired(): ServiceError {
  return new ServiceError('expired-iterator', 'The iterator is too old', { retryable: false })
}

function lastNumber(world: World): string {
  return world.kinesis.records(STREAM, SHARD).at(-1)?.sequenceNumber ?? 'none'
}

/** How many records a worker has read and not yet finished, and the most of that there ever was. */
function backlogOf(member: Member): () => { now: number; most: number } {
  let read = 0
  let most = 0
  const done = (): number => member.events('batch:processed').reduce((sum, { records }) => sum + records, 0)
  member.worker.on('shard:read', ({ records }) => {
    read += records
    most = Math.max(most, read - done())
  })
  return () => ({ now: read - done(), most })
}

describe('reading by polling', () => {
  it('R1: goes on in the next owner after the last record that was done, whatever had been read ahead', async () => {
    for (const seed of seeds(5)) {
      const world = new World({ seed, latencyMs: 20 })
      const log = new CallLog(world)
      putIntoAll(world, 40)
      const first = await log.startWorker(
        {
          processRecords: async ({ checkpointer }, { clock }) => {
            await clock.sleep(700)
            await checkpointer.checkpoint()
          }
        },
        { retrieval: { maxRecords: 5 } }
      )
      const backlog = backlogOf(first)
      await world.clock.advance(3_000 + world.random.next() * 2_000)
      expect(backlog().now, `SEED=${seed}: read ahead`).to.be.greaterThan(0)
      await world.await(first.worker.stop())
      const done = deliveredIds(world)
      expect(done.length, `SEED=${seed}`).to.be.within(5, 35)
      await log.startWorker()
      await world.untilDelivered()
      expect(deliveredIds(world), `SEED=${seed}`).to.deep.equal(Array.from({ length: 40 }, (_, id) => id))
      await world.stopAll()
    }
  })

  it('R1: goes on after the last record that was handed over if it is started over at an end that was none', async () => {
    const world = new World()
    const tampering = tamper(world)
    let reads = 0
    tampering.getRecords = answer => {
      if (++reads % 3 !== 0) return answer
      const { nextIterator: _, ...end } = answer
      // It would not be believed at once if it named none.
      return {
        ...end,
        childShards: [{ shardId: shardId(7), parentShardIds: [], hashKeyRange: { start: 0n, end: 1n } }]
      }
    }
    const member = await world.startWorker({ retrieval: { maxRecords: 2 } })
    for (let tick = 0; tick < 20; tick++) {
      putIntoAll(world, 3)
      await world.clock.advance(1_000)
    }
    await world.untilDelivered()
    expect(member.events('shard:failed').filter(({ during }) => during === 'end').length).to.be.greaterThan(5)
    expectOnce(world)
    await world.stopAll()
  })

  it('R2: opens the shard again after the last record if the iterator expires', async () => {
    const world = new World()
    await world.startWorker()
    putIntoAll(world, 3)
    await world.untilDelivered()
    let expiries = 2
    const { starts } = watchReads(world, name => (name === 'getRecords' && expiries-- > 0 ? expired() : undefined))
    const last = lastNumber(world)
    putIntoAll(world, 3)
    await world.untilDelivered()
    const after = { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: last }
    expect(starts()).to.deep.equal([after, after])
    expectOnce(world)
    await world.stopAll()
  })

  // Java opens it after the record, and loses the rest of the aggregate.
  it('R2: opens the shard again at the checkpoint inside an aggregate if the iterator expires before anything was read', async () => {
    const world = new World()
    const log = new CallLog(world)
    const { sequenceNumber } = putAggregate(world, 10)
    const first = await log.startWorker({
      processRecords: async ({ records, checkpointer }) => {
        await checkpointer.checkpoint(records[6])
        first.crash()
      }
    })
    await world.clock.advance(5_000)
    let expiries = 3
    const { starts } = watchReads(world, name => (name === 'getRecords' && expiries-- > 0 ? expired() : undefined))
    const second = await log.startWorker()
    await world.clock.advance(40_000)
    expect(starts()).to.deep.equal(Array(4).fill({ type: 'AT_SEQUENCE_NUMBER', sequenceNumber }))
    expect(deliveredIds(world, { worker: second.name })).to.deep.equal([7, 8, 9])
    await world.stopAll()
  })

  for (const startAt of ['LATEST', new Date('2029-06-01T00:00:00Z'), 'TRIM_HORIZON'] satisfies StartPosition[]) {
    const name = typeof startAt === 'string' ? startAt : 'AT_TIMESTAMP'

    it(`R2: skips nothing that comes between two openings at ${name} before anything was read`, async () => {
      const world = new World()
      let expiries = 4
      const { starts } = watchReads(world, call => {
        if (call !== 'getRecords' || expiries-- <= 0) return undefined
        putIntoAll(world)
        return expired()
      })
      const member = await world.startWorker({ startAt })
      await world.clock.advance(20_000)
      expect(expiries).to.be.lessThan(0)
      expect(starts()).to.have.length(5)
      expect(new Set(starts().map(start => JSON.stringify(start))), 'one and the same place').to.have.length(1)
      expect(starts()[0]?.type).to.equal(startAt === 'TRIM_HORIZON' ? startAt : 'AT_TIMESTAMP')
      expect(deliveredIds(world)).to.deep.equal([0, 1, 2, 3])
      expect(member.events('processor:failed')).to.deep.equal([])
      await world.stopAll()
    })
  }

  it('R3: loses nothing, and throws nothing at the processor, when that has paused for more than five minutes', async () => {
    for (const minutes of [6, 30]) {
      const world = new World()
      const log = new CallLog(world)
      let pauses = 2
      const member = await log.startWorker(
        {
          processRecords: async ({ checkpointer }, { clock }) => {
            if (pauses-- > 0) await clock.sleep(minutes * MINUTE)
            await checkpointer.checkpoint()
          }
        },
        { retrieval: { maxRecords: 3 }, onProcessorError: { timeoutMs: 24 * 60 * MINUTE } }
      )
      putIntoAll(world, 10)
      for (let minute = 0; minute < 2 * minutes + 1; minute++) {
        await world.clock.advance(MINUTE)
        putIntoAll(world)
      }
      await world.untilDelivered()
      expectOnce(world)
      expect(log.calls.filter(({ hasThrown }) => hasThrown)).to.deep.equal([])
      // An iterator that has grown too old is not even tried.
      expect(member.events('shard:failed')).to.deep.equal([])
      await world.stopAll()
    }
  })

  // There is no such option: reading is always on demand, and one answer ahead.
  it('R4: reads one answer ahead of the processor and no more, on demand, each once', async () => {
    const world = new World()
    const log = new CallLog(world)
    putIntoAll(world, 12)
    const open: (() => void)[] = []
    const { reads } = watchReads(world)
    await log.startWorker(
      {
        processRecords: async ({ checkpointer }) => {
          await new Promise<void>(resolve => open.push(resolve))
          await checkpointer.checkpoint()
        }
      },
      { retrieval: { maxRecords: 3 } }
    )
    const counts: number[] = []
    for (let batch = 0; batch < 4; batch++) {
      await world.clock.advance(MINUTE / 10)
      counts.push(reads.filter(({ name }) => name === 'getRecords').length)
      open[batch]?.()
    }
    await world.clock.advance(2_000)
    expect(counts.slice(0, 3)).to.deep.equal([2, 3, 4])
    expect(log.lines({ method: 'processRecords' })).to.deep.equal([
      ...['processRecords 0 1 2', 'processRecords 3 4 5', 'processRecords 6 7 8'],
      'processRecords 9 10 11'
    ])
    await world.stopAll()
  })

  // Instead of three limits there is one: the answer that is being processed and the one that was read ahead.
  it('R5: never has more than two answers in memory, by number or by bytes, also after it was started over', async () => {
    for (const [records, size, maxRecords, most] of [
      [2_000, 1, 100, 200],
      [40, 1_048_576, 10_000, 20]
    ] as const) {
      const world = new World({ enforceLimits: true })
      const payload = new Uint8Array(size)
      for (let i = 0; i < records; i++) world.kinesis.put(STREAM, 'key', payload)
      let processed = 0
      const member = world.makeWorker({
        retrieval: { maxRecords },
        processor: () =>
          new CallLog(world).processorOf(member, {
            processRecords: async ({ records: batch, checkpointer }, { clock }) => {
              await clock.sleep(12_000)
              processed += batch.length
              await checkpointer.checkpoint()
            }
          })
      })
      const backlog = backlogOf(member)
      await world.await(member.worker.start())
      let expiries = 3
      watchReads(world, name => (name === 'getRecords' && expiries-- > 0 ? expired() : undefined))
      await world.clock.advanceUntil(() => processed >= records, 30 * MINUTE)
      await world.clock.advance(5_000)
      // The first answer may be smaller: nothing is known of the records then.
      expect(backlog().now).to.equal(0)
      expect(backlog().most, `of ${size} bytes each`).to.be.within(most * 0.9, most)
      expect(processed).to.equal(records)
      await world.stopAll()
    }
  })

  it('R6: waits for the idle time at the tip, after answers with and without records', async () => {
    for (const idleMs of [250, 1_000, 5_000]) {
      const world = new World({ enforceLimits: true })
      const { reads } = watchReads(world)
      await world.startWorker({ retrieval: { idleMs } })
      for (let tick = 0; tick < 30; tick++) {
        if (tick % 3 === 0) putIntoAll(world)
        await world.clock.advance(2_000)
      }
      await world.untilDelivered()
      const times = reads.filter(({ name }) => name === 'getRecords').map(({ atMs }) => atMs)
      const gaps = times.slice(1).map((atMs, i) => atMs - (times[i] ?? 0))
      expect(Math.min(...gaps)).to.be.at.least(idleMs)
      expect(Math.max(...gaps)).to.be.lessThan(idleMs + 1)
      await world.stopAll()
    }
  })

  const failures: [string, string, () => Error][] = [
    ['GetShardIterator', 'is throttled', () => new ThrottledError('busy')],
    ['GetRecords', 'is throttled', () => new ThrottledError('busy')],
    ['GetShardIterator', 'has no answer', () => new ServiceError('timeout', 'no answer', { retryable: true })],
    ['GetRecords', 'has no answer', () => new ServiceError('timeout', 'no answer', { retryable: true })],
    ['GetRecords', 'fails inside the service', () => new ServiceError('other', 'internal', { retryable: true })],
    ['GetRecords', 'says that the iterator has expired', expired],
    ['GetShardIterator', 'is refused', () => new ServiceError('invalid-argument', 'no', { retryable: false })],
    ['GetRecords', 'is refused', () => new ServiceError('invalid-argument', 'no', { retryable: false })],
    ['GetShardIterator', 'is not allowed', () => new ServiceError('access-denied', 'no', { retryable: false })],
    ['GetRecords', 'is not allowed', () => new ServiceError('access-denied', 'no', { retryable: false })],
    ['GetRecords', 'fails in a way that nobody knows', () => new TypeError('what is this')]
  ]
  for (const [call, how, failure] of failures) {
    it(`R6: makes no tight loop while ${call} ${how}, from the first call on, and goes on as if nothing had been`, async () => {
      const world = new World()
      let isFailing = true
      const { reads, gaps } = watchReads(world, name =>
        isFailing && name.toLowerCase() === call.toLowerCase() ? failure() : undefined
      )
      const member = await world.startWorker()
      putIntoAll(world, 3)
      await world.clock.advance(5 * MINUTE)
      const failed = reads.filter(({ name }) => name.toLowerCase() === call.toLowerCase())
      expect(failed.length, 'calls in five minutes').to.be.within(5, 110)
      const tight = failed.slice(1).filter(({ atMs }, i) => atMs - (failed[i]?.atMs ?? 0) < 100)
      expect(tight, `gaps ${gaps()}`).to.deep.equal([])
      // Beside those, the lease is given back, for nothing is read; and what tries then whether anything can be is not told.
      const events = member.events('shard:failed').filter(({ error }) => !(error instanceof StalledError))
      expect(events.length).to.be.within(failed.length / 2, failed.length)
      isFailing = false
      await world.untilDelivered(2 * MINUTE)
      expectOnce(world)
      await world.stopAll()
    })
  }

  it('R7: backs off while it is throttled, longer each time, and starts over after a success', async () => {
    for (const seed of seeds(4)) {
      const world = new World({ seed })
      const member = await world.startWorker()
      putIntoAll(world)
      await world.untilDelivered()
      const delays: (number | undefined)[][] = []
      for (let round = 0; round < 4; round++) {
        let throttled = 9
        watchReads(world, name => (name === 'getRecords' && throttled-- > 0 ? new ThrottledError('busy') : undefined))
        const before = member.events('shard:failed').length
        // An answer without records is a success, too.
        if (round % 2 === 0) putIntoAll(world)
        await world.clock.advance(2 * MINUTE)
        delays.push(
          member
            .events('shard:failed')
            .slice(before)
            .map(({ retryInMs }) => retryInMs)
        )
      }
      for (const [round, ofRound] of delays.entries()) {
        expect(ofRound, `SEED=${seed}`).to.have.length(9)
        for (const [i, delayMs] of ofRound.entries()) {
          // No longer than four seconds, however often: applications that compete leave short gaps only.
          const full = Math.min(4_000, 250 * 2 ** i)
          expect(delayMs, `SEED=${seed}: failure ${i + 1} of round ${round}`).to.be.within(full / 2, 4_500)
        }
      }
      expectOnce(world)
      await world.stopAll()
    }
  })
})
