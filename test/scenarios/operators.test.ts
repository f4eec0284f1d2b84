// Operators who act at awkward moments: right after one another, at the same time, or killed half-way. What they were told holds,
// and no record is left out.
import { expect } from 'chai'
import { OperationError } from '../../src/model/errors.ts'
import { type DeliveryCall, simulate, type World } from '../../src/testing/index.ts'
import type { WorkerOptions } from '../../src/worker/options.ts'
import { isRepeated, seeds } from '../support/seeds.ts'

const STREAM = 'clicks'
const OPTIONS: WorkerOptions = {
  streamName: STREAM,
  applicationName: 'counter',
  startAt: 'TRIM_HORIZON',
  handler: () => {}
}
const shard = (number: number): string => `shardId-${String(number).padStart(12, '0')}`

/** A fleet that runs, and what it delivers. */
async function aFleet(
  seed: number,
  { shards = 4, rowReset = () => {} }: { shards?: number; rowReset?: () => void } = {}
) {
  const calls: (DeliveryCall & { readonly atMs: number })[] = []
  const world: World = simulate({
    seed,
    faults: 'calm',
    leaseWritten: ({ kind, isWritten }) => {
      if (kind === 'reset' && isWritten) rowReset()
    },
    delivered: call => void calls.push({ ...call, atMs: world.clock.monotonicMs() })
  })
  world.kinesis.createStream(STREAM, shards)
  for (let count = 0; count < 3; count++) world.launch(OPTIONS)
  const rows = () => [...world.application(OPTIONS).tables.leases.values()]
  await world.until(() => rows().length === shards && rows().every(({ owner }) => owner !== undefined))
  const load = async (ms: number): Promise<void> => {
    for (let atMs = 0; atMs < ms; atMs += 500) {
      for (let index = 0; index < 8; index++) world.kinesis.put(STREAM, `user-${index}`, 'x')
      await world.advance(500)
    }
  }
  await load(15_000)
  const owner = (number: number) =>
    rows()
      .find(({ shardId }) => shardId === shard(number))
      ?.owner?.split('/')[0]
  /** Waits for a promise while there is load. */
  const underLoad = async <T>(promise: Promise<T>): Promise<T> => {
    let isOver = false
    const over = (): void => {
      isOver = true
    }
    promise.then(over, over)
    while (!isOver) await load(500)
    return promise
  }
  return { world, calls, rows, load, owner, underLoad, nowMs: () => world.clock.monotonicMs() }
}

describe('a pause', () => {
  /** What the fleet is in the middle of when the pause is ordered, or soon after. */
  const moments: Record<string, (fleet: Awaited<ReturnType<typeof aFleet>>) => Promise<void>> = {
    'a move': async ({ world, owner, load }) => {
      const to = ['w1', 'w2', 'w3'].find(name => name !== owner(0)) ?? 'w1'
      void world
        .operator(OPTIONS, { name: 'other' })
        .fleet.move(shard(0), to)
        .catch(() => {})
      await load(Math.floor(world.random.next() * 14) * 500)
    },
    'a resume': async ({ world, load }) => {
      const { fleet } = world.operator(OPTIONS, { name: 'other' })
      await world.await(fleet.pause({ shardIds: [shard(0)] }))
      await load(5_000)
      await world.await(fleet.resume())
      await load(Math.floor(world.random.next() * 8) * 500)
    },
    'a change of the leader': async ({ world, load }) => {
      const { leader } = await world.await(world.operator(OPTIONS, { name: 'other' }).fleet.status())
      const leading = world.workers.find(({ name }) => name === leader?.workerId) ?? expect.fail('nobody leads')
      world.crash(leading)
      await load(Math.floor(world.random.next() * 40) * 500)
    },
    'a worker that starts, and one that stops': async ({ world, load }) => {
      world.launch(OPTIONS)
      await load(Math.floor(world.random.next() * 20) * 500)
      void world.workers[0]?.stop()
    }
  }

  for (const [what, begin] of Object.entries(moments)) {
    it(`in the middle of ${what} is over only when nobody reads the shard any more`, async function () {
      this.timeout(120_000)
      for (const seed of seeds(4)) {
        const fleet = await aFleet(seed)
        const { world, calls, load, underLoad, nowMs } = fleet
        await begin(fleet)
        await underLoad(world.operator(OPTIONS).fleet.pause({ shardIds: [shard(0)] }))
        const pausedAtMs = nowMs()
        await load(30_000)
        const late = calls.filter(({ shardId, atMs }) => shardId === shard(0) && atMs > pausedAtMs)
        expect(
          late.map(({ atMs }) => atMs - pausedAtMs),
          `SEED=${seed}: delivered after the pause, ms`
        ).to.deep.equal([])
        await world.await(world.operator(OPTIONS, { name: 'third' }).fleet.resume())
        await world.untilProcessed()
        world.assertSound()
      }
    })
  }

  it('of a shard whose parent is about to end keeps it from whoever finishes the parent', async () => {
    for (const seed of seeds(4)) {
      const { world, calls, load, underLoad, nowMs } = await aFleet(seed)
      const children = world.split(STREAM, shard(0))
      await load(Math.floor(world.random.next() * 6) * 500)
      // All of them, as the children have no leases to name yet.
      await underLoad(world.operator(OPTIONS).fleet.pause())
      const pausedAtMs = nowMs()
      await load(30_000)
      expect(
        calls.filter(({ atMs }) => atMs > pausedAtMs).map(({ shardId }) => shardId),
        `SEED=${seed}`
      ).to.deep.equal([])
      await world.await(world.operator(OPTIONS, { name: 'third' }).fleet.resume())
      await world.untilProcessed()
      expect(calls.some(({ shardId }) => children.includes(shardId))).to.equal(true)
      world.assertSound()
    }
  })
})

describe('resets of several operators', () => {
  it('come one after the other: every shard begins where the last one said', async () => {
    for (const seed of seeds(4)) {
      const { world, rows, load, underLoad } = await aFleet(seed)
      const times = [world.clock.epochMs() - 8_000, world.clock.epochMs() - 4_000].map(ms => new Date(ms))
      const ended: number[] = []
      const resets = times.map(async (time, index) => {
        await world.clock.sleep(Math.floor(world.random.next() * 3_000))
        const { shards } = await world.operator(OPTIONS, { name: `operator-${index}` }).fleet.reset(time)
        ended.push(index)
        return shards.map(({ to }) => to)
      })
      const told = await underLoad(Promise.all(resets))
      for (const [index, to] of told.entries()) {
        expect(to, `SEED=${seed}`).to.deep.equal(Array.from({ length: 4 }, () => times[index]?.toISOString()))
      }
      const last = times[ended.at(-1) ?? 0]?.getTime() ?? 0
      for (const { startTimestampMs, checkpoint } of rows()) {
        if (checkpoint.sequenceNumber === 'AT_TIMESTAMP') expect(startTimestampMs, `SEED=${seed}`).to.equal(last)
      }
      await load(20_000)
      await world.untilProcessed()
      world.assertSound()
    }
  })

  it('can be killed anywhere and run again: nothing is lost, and the second one has its way', async function () {
    this.timeout(120_000)
    /** How many rows each had written when it was killed. */
    const written = new Set<number>()
    for (const seed of seeds(6)) {
      // Some are killed at a row, the others at any time: before the hold, while owners drain, when all is written.
      const killAt = seed % 2 === 0 ? 1 + ((seed / 2) % 4) : Number.POSITIVE_INFINITY
      let rows = 0
      let isKilled = false
      const kill = (): void => {
        if (!isKilled) killed.crash()
        isKilled = true
      }
      const rowReset = (): void => {
        if (!isKilled) rows += 1
        if (rows >= killAt) kill()
      }
      const { world, load, underLoad } = await aFleet(seed, { rowReset })
      const time = new Date(world.clock.epochMs() - 6_000)
      const killed = world.operator(OPTIONS, { name: 'killed' })
      void killed.fleet.reset(time).catch(() => {})
      await load(Number.isFinite(killAt) ? 20_000 : Math.floor(world.random.next() * 16) * 500)
      kill()
      written.add(rows)
      const { shards } = await underLoad(world.operator(OPTIONS, { name: 'again' }).fleet.reset(time))
      expect(shards, `SEED=${seed}`).to.have.length(4)
      await load(20_000)
      await world.untilProcessed()
      world.assertSound()
    }
    if (!isRepeated) expect([...written], 'half-way').to.include.members([2, 3])
  })

  it('says what is done and what is not when it is interrupted half-way', async () => {
    for (const seed of seeds(3)) {
      const { world, load, underLoad } = await aFleet(seed)
      const interruption = new AbortController()
      const { fleet } = world.operator(OPTIONS)
      const resetting = fleet.reset('TRIM_HORIZON', { signal: interruption.signal }).then(
        () => undefined,
        (error: unknown) => error
      )
      await load(Math.floor(world.random.next() * 8) * 500)
      interruption.abort(new Error('Ctrl-C'))
      const error = await underLoad(resetting)
      if (error === undefined) continue
      expect(error).to.be.instanceOf(OperationError).and.have.property('because', 'interrupted')
      expect((error as Error).message).to.match(/goes on as before|Nothing is lost/)
      expect((await world.await(fleet.status())).holds).to.deep.equal([])
      await load(15_000)
      await world.untilProcessed()
      world.assertSound()
    }
  })
})
