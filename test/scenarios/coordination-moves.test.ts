// Leases that move: scenarios 17 to 20 of coordination.md section 8.
import { expect } from 'chai'
import { LeaseLostError, type ProcessRecordsInput, RecordProcessor } from '../../src/index.ts'
import {
  aFleet,
  expectBalanced,
  expectExactlyOnce,
  expectSafe,
  holderOf,
  kindOfWrite,
  sessionOf
} from '../support/fleet.ts'
import { seeds } from '../support/seeds.ts'
import { type Member, STREAM, World } from '../support/world.ts'

const SEEDS = 2
const DRAIN_TIMEOUT_MS = 30_000

/** Deliveries of a shard before everything in its parents was delivered. */
function aheadOfParents({ kinesis, ledger }: World): string[] {
  const ids = (shardId: string): number[] =>
    kinesis.records(STREAM, shardId).map(({ data }) => Number(new TextDecoder().decode(data)))
  return ledger.aheadOfParents(kinesis.shards(STREAM), ids)
}

/** Until a lease is revoked by somebody: of whom, and which. */
async function untilRevoked(world: World): Promise<{ old: Member; moving: string }> {
  while (world.events('lease:revoked').length === 0) await world.load(250)
  const moving = world.events('lease:revoked')[0]?.shardId ?? ''
  return { old: holderOf(world, moving), moving }
}

describe('coordination of leases that move', () => {
  it('scenario 17: two workers with the same id are two members, and share', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: 2, shards: 6, seed, worker: { workerId: 'twin' } })
      const [first, second] = world.members as [Member, Member]
      expect(sessionOf(first), `SEED=${seed}`).to.not.equal(sessionOf(second))
      await world.load(60_000)
      expect(world.history.claims(), `SEED=${seed}: claims`).to.have.length(6)
      expect(world.events('session:died'), `SEED=${seed}`).to.deep.equal([])
      await expectExactlyOnce(world)
      first.crash()
      await world.load(30_000)
      expect(second.worker.shardIds, `SEED=${seed}`).to.have.length(6)
      await expectSafe(world)
      await world.stopAll()
    }
  })

  it('scenario 18: a lease whose owner crashes while it drains gets to its successor', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: 2, shards: 6, seed, handlerMs: 6_000, settleMs: 60_000 })
      const heir = world.makeWorker()
      void heir.worker.start()
      const { old, moving } = await untilRevoked(world)
      old.crash()
      await world.load(30_000)
      expect(holderOf(world, moving), `SEED=${seed}`).to.equal(heir)
      await world.load(60_000)
      await expectBalanced(world)
      await expectSafe(world)
      await world.stopAll()
    }
  })

  it('scenario 18: a lease whose processor never returns gets to its successor after the time to drain', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = new World({ shards: 4, seed, latencyMs: 10 })
      const late: (() => Promise<unknown>)[] = []
      let isStuck = false
      class Stuck extends RecordProcessor {
        async processRecords({ records, shardId: shard, checkpointer }: ProcessRecordsInput): Promise<void> {
          if (!isStuck) {
            first.note(records, shard)
            return checkpointer.checkpoint()
          }
          late.push(() => checkpointer.checkpoint(records.at(-1)).catch((error: unknown) => error))
          await new Promise<never>(() => {})
        }
      }
      const first = await world.startWorker({ processor: () => new Stuck() })
      await world.load(20_000)
      isStuck = true
      const heir = world.makeWorker()
      void heir.worker.start()
      await untilRevoked(world)
      const revokedAtMs = world.clock.monotonicMs()
      await world.load(DRAIN_TIMEOUT_MS + 15_000)
      const [taken] = heir.events('lease:taken')
      expect((taken?.atMs ?? 0) - revokedAtMs, `SEED=${seed}: ms`).to.be.within(
        DRAIN_TIMEOUT_MS - 500,
        DRAIN_TIMEOUT_MS + 4_000
      )
      expect(heir.worker.shardIds, `SEED=${seed}`).to.have.length(2)
      const outcomes = await world.await(Promise.all(late.map(checkpoint => checkpoint())))
      expect(outcomes.filter(outcome => outcome instanceof LeaseLostError).length, `SEED=${seed}: refused`).to.equal(2)
      expect(world.history.violations(), `SEED=${seed}`).to.deep.equal([])
    }
  })

  for (const hasLanded of [false, true]) {
    it(`scenario 18: a lease whose successor crashes as it claims (the claim ${hasLanded ? 'lands' : 'is lost'}) is read on`, async () => {
      for (const seed of seeds(SEEDS)) {
        const world = await aFleet({ size: 2, shards: 6, seed, handlerMs: 1_000 })
        const heir = world.makeWorker()
        let claiming: string | undefined
        heir.intercept = call => {
          if (kindOfWrite(call) !== 'claim') return undefined
          claiming ??= (call.args[0] as { leaseKey: string }).leaseKey
          heir.crash()
          return hasLanded ? undefined : { kind: 'hangs' }
        }
        void heir.worker.start()
        while (claiming === undefined) await world.load(250)
        const crashedAtMs = world.clock.monotonicMs()
        const shard = claiming
        await world.clock.advanceUntil(() =>
          world.members.some(({ isAlive, worker }) => isAlive && worker.shardIds.includes(shard))
        )
        expect(world.clock.monotonicMs() - crashedAtMs, `SEED=${seed}: ms`).to.be.lessThan(20_000)
        await world.load(40_000)
        await expectBalanced(world)
        await expectExactlyOnce(world)
        await world.stopAll()
      }
    })
  }

  it('scenario 19: a shard that is split while it is handed off is ended by one of the two, and its children follow', async () => {
    for (const seed of seeds(SEEDS * 2)) {
      const world = await aFleet({ size: 2, shards: 4, seed, handlerMs: 3_000 })
      void world.makeWorker({ handler: () => world.clock.sleep(1_000) }).worker.start()
      const { moving } = await untilRevoked(world)
      await world.load(world.random.next() * 6_000)
      world.kinesis.split(STREAM, moving)
      await world.load(60_000)
      await expectExactlyOnce(world)
      expect(aheadOfParents(world), `SEED=${seed}: ahead of parents`).to.deep.equal([])
      expect(
        world.events('shard:ended').map(({ shardId }) => shardId),
        `SEED=${seed}`
      ).to.deep.equal([moving])
      await expectBalanced(world)
      await world.stopAll()
    }
  })

  it('scenario 19: a shard merged from those of two workers, one of which crashes, begins once both are finished', async () => {
    for (const seed of seeds(SEEDS * 2)) {
      const world = await aFleet({ size: 3, shards: 3, seed, handlerMs: 2_000 })
      const open = world.kinesis.shards(STREAM).sort((a, b) => (a.hashKeyRange.start < b.hashKeyRange.start ? -1 : 1))
      const [left = '', right = ''] = open.map(({ shardId }) => shardId)
      const victim = holderOf(world, world.random.next() < 0.5 ? left : right)
      await world.load(2_000)
      const child = world.kinesis.merge(STREAM, left, right)
      await world.load(world.random.next() * 6_000)
      victim.crash()
      await world.load(60_000)
      await expectSafe(world)
      expect(aheadOfParents(world), `SEED=${seed}: ahead of parents`).to.deep.equal([])
      expect(
        world.ledger.deliveries.some(({ shardId }) => shardId === child),
        `SEED=${seed}: read`
      ).to.equal(true)
      await expectBalanced(world)
      await world.stopAll()
    }
  })
})
