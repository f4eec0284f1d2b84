// Deployments: scenario 20 of coordination.md section 8. Each lease moves about once, nothing is delivered twice, and nobody
// waits for long.
import { expect } from 'chai'
import { aFleet, expectBalanced, expectExactlyOnce } from '../support/fleet.ts'
import { seeds } from '../support/seeds.ts'
import type { Member, World } from '../support/world.ts'

const SEEDS = 2
const SIZE = 5
const SHARDS = 20

const generation = (number: number) => ({ leases: { generation: number } })

/** Everything from here on is the deployment. Call what is returned when it is over. */
function deployment(world: World): () => Promise<{ moves: number; mostOfOne: number; longestGapMs: number }> {
  const { history } = world
  const [before, beganAtMs] = [history.claims().length, world.clock.monotonicMs()]
  return async () => {
    await world.load(40_000)
    const claims = history.claims().slice(before)
    const perLease = new Map<string, number>()
    for (const { leaseKey } of claims) perLease.set(leaseKey, (perLease.get(leaseKey) ?? 0) + 1)
    const gaps = claims.map(({ leaseKey, atMs }) => {
      const released = history.writes.findLast(write => write.leaseKey === leaseKey && write.atMs < atMs)
      return atMs - (released?.atMs ?? beganAtMs)
    })
    return { moves: claims.length, mostOfOne: Math.max(0, ...perLease.values()), longestGapMs: Math.max(0, ...gaps) }
  }
}

async function stopped(world: World, { worker }: Member): Promise<void> {
  const stopping = worker.stop()
  while (worker.state !== 'stopped') await world.load(500)
  await stopping
}

describe('a deployment', () => {
  it('scenario 20: rolling with surge moves each lease about once', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: SIZE, shards: SHARDS, seed })
      const over = deployment(world)
      for (const old of world.members.slice()) {
        void world.makeWorker(generation(1)).worker.start()
        await world.load(3_000)
        await stopped(world, old)
      }
      const { moves, longestGapMs } = await over()
      expect(moves, `SEED=${seed}: moves`).to.be.at.most(SHARDS * 1.1)
      expect(longestGapMs, `SEED=${seed}: ms without an owner`).to.be.lessThan(1_500)
      await expectBalanced(world)
      await expectExactlyOnce(world)
      await world.stopAll()
    }
  })

  it('scenario 20: rolling without surge moves what is left over again at most', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: SIZE, shards: SHARDS, seed })
      const over = deployment(world)
      for (const old of world.members.slice()) {
        await stopped(world, old)
        void world.makeWorker(generation(1)).worker.start()
        await world.load(5_000)
      }
      const { moves, longestGapMs } = await over()
      expect(moves, `SEED=${seed}: moves`).to.be.at.most(SHARDS * 2)
      expect(longestGapMs, `SEED=${seed}: ms without an owner`).to.be.lessThan(1_500)
      await expectBalanced(world)
      await expectExactlyOnce(world)
      await world.stopAll()
    }
  })

  it('scenario 20: in place moves each lease from a worker to itself, once', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: SIZE, shards: SHARDS, seed })
      const over = deployment(world)
      const shares = new Map<string, string[]>()
      for (const old of world.members.slice()) {
        shares.set(old.worker.workerId, old.worker.shardIds.sort())
        void old.worker.stop({ restarting: true })
        await world.load(6_000)
        void world.makeWorker({ workerId: old.worker.workerId, ...generation(1) }).worker.start()
        await world.load(6_000)
      }
      const { moves } = await over()
      expect(moves, `SEED=${seed}: moves`).to.equal(SHARDS)
      for (const { worker } of world.members.slice(SIZE)) {
        expect(worker.shardIds.sort(), `SEED=${seed}: ${worker.workerId}`).to.deep.equal(shares.get(worker.workerId))
      }
      await expectExactlyOnce(world)
      await world.stopAll()
    }
  })

  it('scenario 20: blue-green moves each lease once, when the old ones stop', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: SIZE, shards: SHARDS, seed })
      const over = deployment(world)
      const claims = world.history.claims().length
      const blue = world.members.slice()
      for (let i = 0; i < SIZE; i++) void world.makeWorker(generation(1)).worker.start()
      await world.load(60_000)
      expect(world.history.claims().length - claims, `SEED=${seed}: moves while both are there`).to.equal(0)
      await Promise.all([...blue.map(({ worker }) => worker.stop()), world.load(20_000)])
      const { moves, longestGapMs } = await over()
      expect(moves, `SEED=${seed}: moves`).to.equal(SHARDS)
      expect(longestGapMs, `SEED=${seed}: ms without an owner`).to.be.lessThan(2_000)
      await expectBalanced(world)
      await expectExactlyOnce(world)
      await world.stopAll()
    }
  })

  it('scenario 20: that is aborted half-way goes back, and no lease moves more than there and back', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: SIZE, shards: SHARDS, seed })
      const over = deployment(world)
      const fresh: Member[] = []
      for (const old of world.members.slice(0, 2)) {
        const member = world.makeWorker(generation(1))
        fresh.push(member)
        void member.worker.start()
        await world.load(3_000)
        await stopped(world, old)
      }
      for (const member of fresh) {
        void world.makeWorker(generation(0)).worker.start()
        await world.load(3_000)
        await stopped(world, member)
      }
      const { moves, mostOfOne } = await over()
      expect(mostOfOne, `SEED=${seed}: moves of one lease`).to.be.at.most(3)
      expect(moves, `SEED=${seed}: moves`).to.be.at.most(SHARDS * 1.5)
      await expectBalanced(world)
      await expectExactlyOnce(world)
      await world.stopAll()
    }
  })
})
