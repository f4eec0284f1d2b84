// The scenarios C1 to C8 of the reference on KCL's behaviour, by name: what a checkpoint may say, and who may still make one.
import { expect } from 'chai'
import {
  type Checkpointer,
  CheckpointRefusedError,
  type ConsumedRecord,
  ConsumerError,
  type InitializeInput,
  LeaseLostError,
  ServiceError,
  type StartPosition
} from '../../src/index.ts'
import type { Lease } from '../../src/model/lease.ts'
import { comparePositions, formatPosition } from '../../src/model/sequence-number.ts'
import { aPosition, shardId } from '../support/builders.ts'
import { CallLog, type Script } from '../support/call-log.ts'
import { deliveredIds, expectOnce, putAggregate } from '../support/numbered-records.ts'
import { seeds } from '../support/seeds.ts'
import { STREAM, World } from '../support/world.ts'

const SHARD = shardId(0)

async function rowOf(world: World, leaseKey = SHARD): Promise<Lease> {
  const row = await world.store.get(leaseKey)
  if (row === undefined) throw new Error(`${leaseKey} has no row`)
  return row
}

/** How a wish for a checkpoint came out: `granted`, or why not in a word. */
async function outcomeOf(wish: Promise<unknown>): Promise<string> {
  return wish.then(
    () => 'granted',
    (error: unknown) => {
      if (error instanceof CheckpointRefusedError) return error.because
      return error instanceof ConsumerError ? error.code : 'thrown'
    }
  )
}

/** For each record in turn: makes its checkpoint, and then asks for that of every record. */
async function askForAll(records: readonly ConsumedRecord[], checkpointer: Checkpointer): Promise<string[][]> {
  const table: string[][] = []
  for (const record of records) {
    await checkpointer.checkpoint(record)
    const row: string[] = []
    for (const [at, other] of records.entries()) {
      // What comes later would be granted, and stored.
      if (at <= table.length) row.push(await outcomeOf(checkpointer.checkpoint(other)))
    }
    table.push(row)
  }
  return table
}

describe('checkpoints', () => {
  for (const startAt of ['TRIM_HORIZON', 'LATEST', new Date('2029-01-01T00:00:00Z')] satisfies StartPosition[]) {
    const name = typeof startAt === 'string' ? startAt : 'AT_TIMESTAMP'

    it(`C1: checkpoints are ordered by number, then by place, all after ${name}, and garbage is none`, async () => {
      const world = new World()
      const log = new CallLog(world)
      const outcomes: Record<string, unknown> = {}
      await log.startWorker(
        {
          processRecords: async ({ records, checkpointer }) => {
            outcomes.table = await askForAll(records, checkpointer)
            const last = records.at(-1) ?? aPosition('none')
            const next = [
              aPosition(last.sequenceNumber, last.subSequenceNumber + 1),
              aPosition(BigInt(last.sequenceNumber) + 1n)
            ]
            outcomes.ahead = await Promise.all(next.map(at => outcomeOf(checkpointer.checkpoint(at))))
            const words = [
              'TRIM_HORIZON',
              'LATEST',
              'AT_TIMESTAMP',
              'SHARD_END',
              'garbage',
              '',
              '-1',
              `0${last.sequenceNumber}`
            ]
            outcomes.words = await Promise.all(words.map(word => outcomeOf(checkpointer.checkpoint(aPosition(word)))))
          },
          shardEnded: async ({ checkpointer }) => {
            outcomes.atEnd = await outcomeOf(checkpointer.checkpoint(aPosition(1)))
          }
        },
        { startAt }
      )
      putAggregate(world, 3)
      world.put('key')
      putAggregate(world, 2)
      await world.clock.advance(5_000)
      world.kinesis.split(STREAM, SHARD)
      await world.clock.advance(5_000)
      expect(log.lines({ shardId: SHARD })).to.deep.equal(['initialize', 'processRecords 0 1 2 3 4 5', 'shardEnded'])
      const behind = (count: number): string[] => Array.from({ length: count }, () => 'behind')
      expect(outcomes).to.deep.equal({
        table: [0, 1, 2, 3, 4, 5].map(before => [...behind(before), 'granted']),
        ahead: ['ahead', 'ahead'],
        words: Array.from({ length: 8 }, () => 'malformed'),
        atEnd: 'behind'
      })
      // What is in the table cannot be garbage here: the row would be left alone as a broken one. Comparing throws as in KCL.
      expect(() => comparePositions(aPosition('garbage'), aPosition(1))).to.throw(RangeError)
      expect(formatPosition((await rowOf(world)).checkpoint)).to.equal('SHARD_END')
      await world.stopAll()
    })
  }

  it('C2: a checkpoint behind the stored one or ahead of what was delivered is refused, an equal one granted, without a write', async () => {
    const world = new World()
    const log = new CallLog(world)
    const outcomes: string[] = []
    const counters: number[] = []
    world.putMany(3)
    await log.startWorker({
      processRecords: async ({ records, checkpointer }) => {
        const [first, second, third] = records
        if (first === undefined || second === undefined || third === undefined) throw new Error('three are needed')
        const ask = async (at: { sequenceNumber: string; subSequenceNumber: number }): Promise<void> => {
          outcomes.push(await outcomeOf(checkpointer.checkpoint(at)))
          outcomes.push(await outcomeOf(checkpointer.prepareCheckpoint(at)))
          counters.push((await rowOf(world)).counter)
        }
        await checkpointer.checkpoint(second)
        counters.push((await rowOf(world)).counter)
        await ask(first)
        await ask(aPosition(BigInt(third.sequenceNumber) + 1n))
        await ask(second)
      }
    })
    await world.clock.advance(5_000)
    expect(outcomes).to.deep.equal(['behind', 'behind', 'ahead', 'ahead', 'granted', 'granted'])
    expect(new Set(counters), `counters ${counters}`).to.have.length(1)
    expect((await rowOf(world)).pendingCheckpoint).to.equal(undefined)
    expect((await rowOf(world)).checkpoint).to.deep.equal(
      aPosition(world.kinesis.records(STREAM, SHARD)[1]?.sequenceNumber ?? '')
    )
    await world.stopAll()
  })

  for (const how of ['crashes', 'stops'] as const) {
    it(`C3: the next owner goes on at the checkpoint inside an aggregate, after the first ${how}`, async () => {
      for (const place of [0, 5, 8, 9]) {
        const world = new World()
        const log = new CallLog(world)
        const { sequenceNumber } = putAggregate(world, 10)
        const first = await log.startWorker({
          processRecords: async ({ records, failures, checkpointer }) => {
            if (failures === 0) await checkpointer.checkpoint(records[place])
            if (how === 'crashes') first.crash()
            else throw new Error('no further')
          },
          shutdownRequested: () => {}
        })
        await world.clock.advance(5_000)
        expect((await rowOf(world)).checkpoint, `${place}`).to.deep.equal(aPosition(sequenceNumber, place))
        if (how === 'stops') await world.await(first.worker.stop())
        const next = world.put('key')
        const second = await log.startWorker()
        await world.clock.advance(40_000)
        const rest = Array.from({ length: 9 - place }, (_, i) => place + 1 + i)
        expect(deliveredIds(world, { worker: second.name }), `after ${place}`).to.deep.equal([...rest, next])
        await world.stopAll()
      }
    })
  }

  for (const then of ['makes its own checkpoint', 'checkpoints another record', 'makes the prepared one'] as const) {
    it(`C4: a prepared checkpoint is told to the next owner, and is settled once that ${then}`, async () => {
      const world = new World()
      const log = new CallLog(world)
      const state = Uint8Array.of(7, 0, 255)
      const told: InitializeInput[] = []
      world.putMany(6)
      const first = await log.startWorker({
        processRecords: async ({ records, checkpointer }) => {
          await checkpointer.checkpoint(records[0])
          await checkpointer.prepareCheckpoint(records[3], state)
          first.crash()
        }
      })
      await world.clock.advance(5_000)
      const numbers = world.kinesis.records(STREAM, SHARD).map(record => record.sequenceNumber)
      const late: string[] = []
      await log.startWorker({
        initialize: input => void told.push(input),
        processRecords: async ({ records, checkpointer }) => {
          const pending = told[0]?.pendingCheckpoint?.position ?? aPosition('none')
          if (then === 'makes its own checkpoint') return checkpointer.checkpoint()
          if (then === 'checkpoints another record') return checkpointer.checkpoint(records[0])
          // The prepared checkpoint of a dead owner is made by naming it; one of its own by the object that preparing gave.
          const prepared = await checkpointer.prepareCheckpoint(pending)
          await prepared.checkpoint()
          late.push(await outcomeOf(checkpointer.checkpoint(records[0])))
        }
      })
      await world.clock.advance(40_000)
      const [input] = told
      expect(input?.checkpoint).to.equal(numbers[0])
      expect(input?.pendingCheckpoint).to.deep.equal({ position: aPosition(numbers[3] ?? ''), state })
      // What is pending does not affect where reading begins.
      expect(log.lines({ worker: 'w2', method: 'processRecords' })).to.deep.equal(['processRecords 1 2 3 4 5'])
      const row = await rowOf(world)
      expect(row.pendingCheckpoint).to.equal(undefined)
      const at = { 'makes its own checkpoint': 5, 'checkpoints another record': 1, 'makes the prepared one': 3 }[then]
      expect(row.checkpoint).to.deep.equal(aPosition(numbers[at] ?? ''))
      expect(late).to.deep.equal(then === 'makes the prepared one' ? ['behind'] : [])
      await world.stopAll()
    })
  }

  // In Java a shard whose shardEnded does not checkpoint is not ended, and neither is one whose last record was checkpointed
  // before; shardEnded is then called for ever. Here returning from it is what ends the shard.
  const lastOf = (world: World) => aPosition(world.kinesis.records(STREAM, SHARD).at(-1)?.sequenceNumber ?? 'none')
  const endings: Record<string, (world: World) => Script> = {
    'without a checkpoint': () => ({ shardEnded: () => {} }),
    'with a bare checkpoint': () => ({ shardEnded: ({ checkpointer }) => checkpointer.checkpoint() }),
    'with a checkpoint of the last record': world => ({
      processRecords: () => {},
      shardEnded: ({ checkpointer }) => checkpointer.checkpoint(lastOf(world))
    }),
    'with one of the last record, which was checkpointed before': world => ({
      shardEnded: ({ checkpointer }) => checkpointer.checkpoint(lastOf(world))
    })
  }

  for (const [how, scriptOf] of Object.entries(endings)) {
    it(`C5: a shard is ended once shardEnded has returned ${how}`, async () => {
      const world = new World()
      const log = new CallLog(world)
      await log.startWorker(scriptOf(world))
      world.putMany(4)
      await world.clock.advance(5_000)
      world.kinesis.split(STREAM, SHARD)
      world.putMany(4)
      await world.clock.advance(10_000)
      expect(log.lines({ shardId: SHARD })).to.deep.equal(['initialize', 'processRecords 0 1 2 3', 'shardEnded'])
      expect(formatPosition((await rowOf(world)).checkpoint)).to.equal('SHARD_END')
      expectOnce(world)
      await world.stopAll()
    })
  }

  it('C5: a shardEnded that throws is called again, and SHARD_END is not stored before it has returned', async () => {
    const world = new World()
    const log = new CallLog(world)
    const stored: string[] = []
    await log.startWorker({
      shardEnded: async ({ checkpointer }) => {
        await checkpointer.checkpoint()
        stored.push(formatPosition((await rowOf(world)).checkpoint))
        if (stored.length < 4) throw new Error('not yet')
      }
    })
    world.putMany(4)
    await world.clock.advance(5_000)
    world.kinesis.split(STREAM, SHARD)
    world.putMany(4)
    await world.clock.advance(20_000)
    expect(log.lines({ shardId: SHARD, method: 'shardEnded' })).to.deep.equal([
      ...['shardEnded threw', 'shardEnded threw', 'shardEnded threw'],
      'shardEnded'
    ])
    const last = world.kinesis.records(STREAM, SHARD).at(-1)?.sequenceNumber
    expect(stored).to.deep.equal([last, last, last, last])
    expect(formatPosition((await rowOf(world)).checkpoint)).to.equal('SHARD_END')
    const endedAtMs = log.which({ method: 'shardEnded' }).at(-1)?.endedAtMs ?? Number.POSITIVE_INFINITY
    const children = log.which({ method: 'initialize' }).filter(call => call.shardId !== SHARD)
    expect(children).to.have.length(2)
    expect(children.every(({ atMs }) => atMs >= endedAtMs)).to.equal(true)
    expectOnce(world)
    await world.stopAll()
  })

  it('C6: a shard in which nothing was is told of its end, and goes from its start to SHARD_END', async () => {
    const world = new World()
    const log = new CallLog(world)
    const [low, high] = world.kinesis.split(STREAM, SHARD)
    world.putMany(4)
    await log.startWorker()
    await world.clock.advance(10_000)
    expect(log.lines({ shardId: SHARD })).to.deep.equal(['initialize', 'shardEnded'])
    const checkpoints = world.history.writes
      .filter(({ leaseKey }) => leaseKey === SHARD)
      .map(({ after }) => after && formatPosition(after.checkpoint))
    expect(new Set(checkpoints)).to.deep.equal(new Set(['TRIM_HORIZON', 'SHARD_END']))
    expect((await rowOf(world)).childShardIds).to.deep.equal([low, high])
    expectOnce(world)
    await world.stopAll()
  })

  it('C7: an owner that lost the lease between delivery and checkpoint is refused, and the next begins at the old one', async () => {
    for (const seed of seeds(5)) {
      const world = new World({ seed, latencyMs: 20 })
      const log = new CallLog(world)
      const late: string[] = []
      const first = await log.startWorker({
        processRecords: async ({ records, checkpointer }) => {
          if (records.some(record => record.text() === '5')) await first.clock.sleep(2_000)
          late.push(await outcomeOf(checkpointer.checkpoint(records.at(-1))))
        }
      })
      world.putMany(5)
      await world.untilDelivered()
      await world.clock.advance(2_000)
      const old = (await rowOf(world)).checkpoint
      expect(late, `SEED=${seed}`).to.deep.equal(['granted'])
      world.putMany(5)
      await world.untilDelivered()
      first.pause()
      const second = await log.startWorker()
      await world.clock.advance(60_000)
      expect(deliveredIds(world, { worker: second.name }), `SEED=${seed}`).to.deep.equal([5, 6, 7, 8, 9])
      const taken = second.events('lease:taken')[0]
      expect(taken?.checkpoint, `SEED=${seed}`).to.equal(formatPosition(old))
      const row = await rowOf(world)
      first.resume()
      await world.clock.advance(30_000)
      expect(late, `SEED=${seed}`).to.deep.equal(['granted', LeaseLostError.code])
      expect(log.lines({ worker: first.name }).at(-1), `SEED=${seed}`).to.equal('leaseLost')
      expect((await rowOf(world)).checkpoint, `SEED=${seed}`).to.deep.equal(row.checkpoint)
      expect(world.history.violations(), `SEED=${seed}`).to.deep.equal([])
      await world.stopAll()
    }
  })

  // Point-in-time recovery and the index of KCL 3.x are no part of how Millrace works: only the table can be missing.
  it('C8: a lease table that is deleted ends the workers with an error that says so, instead of calls for ever', async () => {
    for (const seed of seeds(3)) {
      const world = new World({ seed, shards: 4, latencyMs: 20 })
      const log = new CallLog(world)
      const met: unknown[] = []
      const script: Script = {
        processRecords: ({ checkpointer }) =>
          checkpointer.checkpoint().catch((error: unknown) => {
            met.push(error)
            throw error
          })
      }
      const members = [await log.startWorker(script), await log.startWorker(script)]
      await world.load(60_000)
      expect(world.loads(), `SEED=${seed}`).to.deep.equal([2, 2])
      const goneAtMs = world.clock.monotonicMs()
      const calls: number[] = []
      const gone = new ServiceError('not-found', 'Lease table app does not exist', { retryable: false })
      for (const member of members) {
        member.intercept = ({ service }) => {
          if (service !== 'leases') return undefined
          calls.push(world.clock.monotonicMs() - goneAtMs)
          return { kind: 'fails', error: gone }
        }
      }
      const ends = members.map(({ worker }) => worker.finished.catch((error: unknown) => error))
      await world.load(5_000)
      expect(met.length, `SEED=${seed}`).to.be.greaterThan(0)
      expect(
        met.every(error => error === gone),
        `SEED=${seed}`
      ).to.equal(true)
      expect(await world.await(Promise.all(ends)), `SEED=${seed}`).to.deep.equal([gone, gone])
      // Each shard tries its checkpoint ten times in a minute or two; beside that, a worker that leads looks once a minute.
      expect(calls.length, `SEED=${seed}: calls at ${calls}`).to.be.lessThan(60)
      expect(world.clock.monotonicMs() - goneAtMs, `SEED=${seed}`).to.be.lessThan(130_000)
      expect(world.clock.sleeping, `SEED=${seed}`).to.equal(0)
    }
  })
})
