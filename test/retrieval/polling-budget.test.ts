// How a PollingRetriever keeps to the budget of bytes: what it asks for, when it waits, and how it goes on.
import { expect } from 'chai'
import { ServiceError } from '../../src/model/errors.ts'
import { ByteBudget } from '../../src/retrieval/byte-budget.ts'
import { PollingRetriever } from '../../src/retrieval/polling-retriever.ts'
import type { RetrievedRecords } from '../../src/retrieval/retriever.ts'
import { ShardPaces } from '../../src/retrieval/shard-paces.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { RetrieverWorld, type RetrieverWorldOptions, STREAM } from './retriever-world.ts'

const KIB = 1024
const MIB = 1024 * KIB
const HORIZON = { type: 'TRIM_HORIZON' } as const

/** A world with a backlog of records of one size. */
function aBacklog(records: number, bytes: number, options: RetrieverWorldOptions = {}): RetrieverWorld {
  const world = new RetrieverWorld(HORIZON, { maxRecords: 10_000, ...options })
  const data = new Uint8Array(bytes)
  for (let count = 0; count < records; count++) world.kinesis.put(STREAM, 'key', data)
  return world
}

function limitsOf(world: RetrieverWorld): (number | undefined)[] {
  return world.calls.filter(({ name }) => name === 'getRecords').map(({ limit }) => limit)
}

describe('PollingRetriever, within a budget of bytes', () => {
  it('always asks for as many records as may be where there is plenty of memory', async () => {
    const world = aBacklog(2_000, 48 * KIB, { maxShardBytes: 64 * MIB })
    for (let read = 0; read < 5; read++) await world.next()
    expect(new Set(limitsOf(world))).to.deep.equal(new Set([10_000]))
  })

  it('asks for one record first where there is little, then for as many as fit', async () => {
    const world = aBacklog(2_000, 10 * KIB, { maxBytes: 4 * MIB, maxShardBytes: 2 * MIB })
    for (let read = 0; read < 5; read++) {
      await world.next()
      expect(world.budget.heldBytes).to.be.at.most(2 * MIB)
    }
    const [first, second, third] = limitsOf(world)
    expect([first, second]).to.deep.equal([1, 16])
    expect(third).to.be.within(40, 90)
  })

  it('learns soon that records have become small again', async () => {
    const world = aBacklog(10, 200 * KIB, { maxBytes: 8 * MIB, maxShardBytes: 8 * MIB })
    for (let count = 0; count < 5_000; count++) world.put('small')
    while (world.reports.reduce((sum, { records }) => sum + records, 0) < 5_010) await world.next()
    expect(world.clock.monotonicMs()).to.be.below(6_000)
  })

  it('goes on with records that are larger than the budget, one at a time', async () => {
    const world = aBacklog(5, 3 * MIB, { maxBytes: MIB, maxShardBytes: MIB })
    for (let read = 0; read < 5; read++) {
      expect(await world.next()).to.have.length(3 * MIB)
      expect(world.budget.heldBytes).to.be.at.most(MIB)
    }
    await world.clock.advance(10_000)
    expect(world.budget.heldBytes).to.equal(0)
  })

  it('holds what was handed on until it is given back, and nothing between reads at the tip', async () => {
    const world = new RetrieverWorld(HORIZON, { isSettledAtOnce: false })
    world.put('a')
    await world.next()
    await world.clock.advance(1_500)
    expect(world.budget.heldBytes).to.be.within(1, KIB)
    for (const { release } of world.unsettled) release()
    for (const { release } of world.unsettled) release()
    expect(world.budget.heldBytes).to.equal(0)
  })

  it('holds as much memory as an answer is said to keep', async () => {
    const options = { isSettledAtOnce: false }
    const world = new RetrieverWorld(HORIZON, options, undefined, answer => ({ ...answer, memoryBytes: 5 * MIB }))
    world.put('a')
    await world.next()
    await world.clock.advance(1_500)
    expect(world.budget.heldBytes).to.equal(5 * MIB)
  })

  it('holds as much memory as user records take too, from then on already when an answer comes', async () => {
    const world = aBacklog(4, 100 * KIB, { maxRecords: 2, isSettledAtOnce: false })
    await world.next()
    await world.clock.advance(1_500)
    const [first, ahead] = [world.unsettled[0], 200 * KIB + 960]
    expect(world.budget.heldBytes).to.equal(2 * ahead)
    first?.takenApart(4_000)
    expect(world.budget.heldBytes).to.equal(2 * ahead + 4_000 * 96)
    first?.release()
    expect(world.budget.heldBytes).to.equal(ahead)
    await world.next()
    world.unsettled[1]?.takenApart(2_000)
    expect(world.budget.heldBytes).to.be.within(ahead + 2_000 * 96, ahead + 2_000 * 96 + 100 * KIB)
  })

  it('says that it lacks room while it waits for some', async () => {
    const world = aBacklog(200, 100 * KIB, { maxBytes: MIB, maxShardBytes: MIB })
    expect(world.retriever.lacksRoom).to.equal(false)
    const { taken } = await takeAll(world)
    expect(world.retriever.lacksRoom).to.equal(true)
    for (const { release } of taken) release()
    await world.clock.advance(1_000)
    expect(world.retriever.lacksRoom).to.equal(false)
  })

  it('gives back what a read that failed has held', async () => {
    const world = aBacklog(1, KIB)
    let failures = 0
    world.fault = ({ name }) => {
      if (name === 'getRecords' && ++failures <= 4) throw new ServiceError('other', 'no', { retryable: true })
    }
    await world.next()
    await world.clock.advance(5_000)
    expect(world.retries).to.have.length(4)
    expect(world.budget.heldBytes).to.equal(0)
  })

  it('reads the next answer while one is processed, but no further', async () => {
    const world = aBacklog(1_000, 50 * KIB, { isSettledAtOnce: false })
    await world.next()
    await world.clock.advance(60_000)
    expect(world.reports).to.have.length(2)
  })

  it('waits when there is no room, and goes on at once when there is', async () => {
    const world = aBacklog(1_000, 50 * KIB, { maxBytes: 32 * MIB, maxShardBytes: 16 * MIB })
    const { taken, next } = await takeAll(world)
    expect(world.budget.heldBytes).to.be.within(8 * MIB, 16 * MIB)
    for (const { release } of taken) release()
    const atMs = world.clock.monotonicMs()
    await world.clock.advanceUntil(() => next.isOver)
    expect(world.clock.monotonicMs() - atMs).to.be.below(1_000)
    expect(world.retries).to.deep.equal([])
  })

  it('opens the shard again after a wait of more than five minutes, and tells nobody of an error', async () => {
    const world = aBacklog(200, 100 * KIB, { maxBytes: MIB, maxShardBytes: MIB })
    for (let wait = 0; wait < 3; wait++) {
      const { taken, next } = await takeAll(world)
      await world.clock.advance(310_000)
      for (const { release } of taken) release()
      await world.clock.advance(1_000)
      expect(next.isOver).to.equal(true)
      for (const { release } of taken) release()
    }
    expect(world.starts().length).to.be.above(3)
    expect(world.retries).to.deep.equal([])
  })

  it('can be closed while it waits for room; only what was handed on counts then, until it is released', async () => {
    const world = aBacklog(200, 100 * KIB, { maxBytes: MIB, maxShardBytes: MIB })
    const { taken, next } = await takeAll(world)
    expect(world.budget.heldBytes).to.be.above(0)
    world.retriever.close()
    await world.clock.advance(0)
    expect(next.isOver).to.equal(true)
    expect(world.budget.heldBytes).to.be.within(taken.length, MIB)
    for (const { release } of taken) release()
    expect(world.budget.heldBytes).to.equal(0)
    await world.clock.advance(60_000)
    expect(world.clock.sleeping).to.equal(0)
  })
})

/** Takes what there is until nothing comes for a minute, gives nothing back, and goes on waiting. */
async function takeAll({ retriever, clock }: RetrieverWorld) {
  const taken: RetrievedRecords[] = []
  for (;;) {
    const next = { isOver: false }
    retriever.next(new AbortController().signal).then(
      retrieved => {
        next.isOver = true
        if (retrieved.kind === 'records') taken.push(retrieved)
      },
      () => {
        next.isOver = true
      }
    )
    await clock.advance(60_000)
    if (!next.isOver) return { taken, next }
  }
}

describe('Many PollingRetrievers of one budget', () => {
  const SHARDS = 64
  const RECORD = new Uint8Array(64 * KIB)
  const MAX_BYTES = 256 * MIB

  /** 64 shards with 12.5 MiB each, and what is handed on of them. */
  function aFleet() {
    const clock = new VirtualClock(undefined, { settlingTurns: 1 })
    const kinesis = new FakeKinesis({ clock })
    kinesis.createStream(STREAM, SHARDS)
    const random = seededRandom(1)
    const paces = new ShardPaces({ idleMs: 250, otherApplications: 0, clock, random })
    const budget = new ByteBudget({ maxBytes: MAX_BYTES, maxShardBytes: 32 * MIB })
    const blocked: (() => void)[] = []
    const readAtMs = new Map<string, number>()
    let isBlocked = true
    const whenDone = () => (isBlocked ? new Promise<void>(resolve => blocked.push(resolve)) : Promise.resolve())
    const retrievers = kinesis.shards(STREAM).map(({ shardId, hashKeyRange }) => {
      for (let count = 0; count < 200; count++) {
        kinesis.put(STREAM, 'key', RECORD, { explicitHashKey: hashKeyRange.start })
      }
      const port = kinesis.port(STREAM)
      const retriever = new PollingRetriever({
        kinesis: port,
        shardId,
        start: HORIZON,
        maxRecords: 10_000,
        pace: paces.open(shardId),
        allowance: budget.open(),
        clock,
        random,
        listener: { onRead: () => readAtMs.set(shardId, clock.monotonicMs()), onRetry: () => {} }
      })
      const run = async () => {
        for (;;) {
          const retrieved = (await retriever.next(new AbortController().signal)) as RetrievedRecords
          await whenDone()
          retrieved.release()
        }
      }
      run().catch(() => {})
      return retriever
    })
    const unblock = (): void => {
      isBlocked = false
      for (const resolve of blocked) resolve()
    }
    return { clock, budget, retrievers, readAtMs, unblock, blocked }
  }

  it('hold no more than there is while nothing is processed, go on within a second, and give back all in the end', async () => {
    const { clock, budget, retrievers, readAtMs, unblock, blocked } = aFleet()
    let most = 0
    for (let second = 0; second < 60; second++) {
      await clock.advance(1_000)
      most = Math.max(most, budget.heldBytes)
    }
    await clock.advance(240_000)
    expect(blocked.length).to.equal(SHARDS)
    expect(most).to.be.within(MAX_BYTES / 2, MAX_BYTES)
    const unblockedAtMs = clock.monotonicMs()
    unblock()
    await clock.advance(1_000)
    expect([...readAtMs.values()].filter(atMs => atMs >= unblockedAtMs)).to.have.length(SHARDS)
    for (const retriever of retrievers) retriever.close()
    expect(budget.heldBytes).to.equal(0)
  })
})
