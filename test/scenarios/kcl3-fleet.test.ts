// Millrace workers and such of Java KCL 3.x on one lease table, by kcl-behaviour.md section 10.7 (M2 to M5). The Java workers
// are modelled as the others see them: by what they write into the tables.
import { expect } from 'chai'
import { isFinished } from '../../src/model/lease.ts'
import { shardId } from '../support/builders.ts'
import { expectSafe, sessionOf } from '../support/fleet.ts'
import { Kcl3Worker } from '../support/kcl3-worker.ts'
import { seeds } from '../support/seeds.ts'
import { type Member, STREAM, World } from '../support/world.ts'

const SEEDS = 2
const SHARDS = 6
const MIXED = { leases: { mode: 'mixed' } } as const
const ALL = [...Array(SHARDS).keys()].map(shardId)

interface Kcl3World {
  readonly world: World
  readonly java: Kcl3Worker
  readonly ours: Member
}

/** A Java leader of 3.x that had everything, and a worker of ours that joined it. Both have had time to share. */
async function aKcl3Fleet(seed: number, { hasIndex = true } = {}): Promise<Kcl3World> {
  const world = new World({ shards: SHARDS, seed, latencyMs: 10 })
  Object.assign(world.kcl.items, { version: '3X', hasIndex })
  await createLeases(world)
  const java = new Kcl3Worker(world, 'java-1')
  java.start()
  await world.load(60_000)
  expect(java.shardIds, `SEED=${seed}: all with Java`).to.have.length(SHARDS)
  const ours = world.makeWorker(MIXED)
  void ours.worker.start()
  await world.load(180_000, { everyMs: 1_000 })
  return { world, java, ours }
}

async function createLeases(world: World): Promise<void> {
  const starter = new Kcl3Worker(world, 'starter')
  const { version } = world.kcl.items
  world.kcl.items.version = undefined
  starter.start()
  await world.clock.advance(100)
  starter.kill()
  world.kcl.items.version = version
}

async function expectQuiet(world: World, java: Kcl3Worker): Promise<void> {
  const [claims, decisions] = [world.history.claims().length, java.decisions.length]
  await world.load(300_000, { everyMs: 5_000 })
  expect(world.history.claims().length - claims, `SEED=${world.seed}: moves in five quiet minutes`).to.equal(0)
  expect(java.decisions.length - decisions, `SEED=${world.seed}: decisions in five quiet minutes`).to.equal(0)
}

describe('a lease table that is shared with Java KCL 3.x', () => {
  for (const hasIndex of [true, false]) {
    it(`M2: is shared out by the Java leader, ${hasIndex ? 'with' : 'without'} an index over owners, and stays so`, async () => {
      for (const seed of seeds(SEEDS)) {
        const { world, java, ours } = await aKcl3Fleet(seed, { hasIndex })
        expect([java.shardIds.length, ours.worker.shardIds.length], `SEED=${seed}`).to.deep.equal([3, 3])
        expect(
          ours.events('lease:taken').map(({ why }) => why),
          `SEED=${seed}`
        ).to.deep.equal(Array(3).fill('assigned'))
        await expectQuiet(world, java)
        await expectSafe(world)
        expect(world.ledger.duplicates(), `SEED=${seed}: handed over without duplicates`).to.deep.equal([])
      }
    })
  }
})
