// A table that is shared with KCL 3.x while anything happens, drawn from a seed: kills, pauses, stops, new workers of both kinds,
// splits, lost calls, and the Java fleet changing its version back and forth. `SEEDS=100` for more of it.
import { expect } from 'chai'
import { actualOwner, isFinished } from '../../src/model/lease.ts'
import { isClosed } from '../../src/model/shard.ts'
import { expectSafe, openLeases, sessionOf } from '../support/fleet.ts'
import { aKcl3World, MIXED } from '../support/kcl3-fleet.ts'
import { Kcl3Worker } from '../support/kcl3-worker.ts'
import { seeds } from '../support/seeds.ts'
import { type Member, STREAM, type World } from '../support/world.ts'

const STEPS = 10
const VERSIONS = ['2X', 'UPGRADE_FROM_2X', '3X_WITH_ROLLBACK', '3X'] as const

/** A fleet of both kinds, and what may happen to it. */
class RandomFleet {
  readonly world: World
  readonly javas: Kcl3Worker[] = []

  constructor(world: World) {
    this.world = world
  }

  get livingJavas(): Kcl3Worker[] {
    return this.javas.filter(({ isAlive }) => isAlive)
  }

  get ours(): Member[] {
    return this.world.members.filter(({ isAlive, worker }) => isAlive && worker.state === 'running')
  }

  addJava(): void {
    const java = new Kcl3Worker(this.world, `java-${this.javas.length + 1}`)
    this.javas.push(java)
    java.start()
  }

  addOurs(): void {
    const { clock, random } = this.world
    const member = this.world.makeWorker({ ...MIXED, handler: () => clock.sleep(random.next() * 3_000) })
    void member.worker.start().catch(() => {})
  }

  /** One thing happens. */
  step(): void {
    const { world } = this
    const { random, clock, kinesis, kcl } = world
    const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(random.next() * items.length)]
    const [java, ours] = [pick(this.livingJavas), pick(this.ours)]
    const later = (maxMs: number): Promise<void> => clock.sleep(random.next() * maxMs)
    const happenings: (() => unknown)[] = [
      () => ours?.crash(),
      () => this.ours.length < 4 && this.addOurs(),
      () => java?.kill(),
      () => this.livingJavas.length < 3 && this.addJava(),
      () => {
        ours?.pause()
        void later(60_000).then(() => ours?.isAlive && ours.resume())
      },
      () => {
        java?.pause()
        void later(120_000).then(() => java?.resume())
      },
      () => {
        const open = pick(kinesis.shards(STREAM).filter(shard => !isClosed(shard)))
        if (open !== undefined && kinesis.shards(STREAM).length < 10) kinesis.split(STREAM, open.shardId)
      },
      () => Object.assign(kcl.items, { version: pick(VERSIONS) }),
      () => void ours?.worker.stop()
    ]
    pick(happenings)?.()
  }

  /** Everybody is well again, and somebody of ours is there. */
  recover(): void {
    this.world.failureRate = 0
    for (const java of this.javas) java.resume()
    for (const member of this.world.members) if (member.isAlive) member.resume()
    if (this.ours.length === 0) this.addOurs()
  }
}

describe('a lease table that is shared with Java KCL 3.x while anything happens', () => {
  it('settles: every shard is read by somebody who lives, nothing is missing, and nothing moves', async () => {
    for (const seed of seeds(1)) {
      const world = await aKcl3World({ seed, hasIndex: seed % 3 !== 0 })
      const fleet = new RandomFleet(world)
      for (let i = 0; i < 2; i++) fleet.addJava()
      await world.load(30_000, { everyMs: 1_000 })
      for (let i = 0; i < 2; i++) fleet.addOurs()
      await world.load(60_000, { everyMs: 1_000 })
      for (let step = 0; step < STEPS; step++) {
        world.failureRate = world.random.next() < 0.5 ? 0.08 : 0
        fleet.step()
        await world.load(5_000 + world.random.next() * 60_000, { everyMs: 1_000 })
      }
      fleet.recover()
      await world.load(420_000, { everyMs: 2_000 })
      await expectSafe(world, { mayStray: true })

      const open = await openLeases(world)
      const living = new Set([...fleet.livingJavas.map(({ name }) => name), ...fleet.ours.map(sessionOf)])
      expect([...living], `SEED=${seed}: owners`).to.include.members(open.map(lease => actualOwner(lease) ?? 'nobody'))
      const held = [
        ...fleet.livingJavas.flatMap(java => java.shardIds),
        ...fleet.ours.flatMap(one => one.worker.shardIds)
      ]
      expect(held.sort(), `SEED=${seed}: held`).to.deep.equal(open.map(({ leaseKey }) => leaseKey).sort())
      const claims = world.history.claims().length
      await world.load(150_000, { everyMs: 5_000 })
      const moves = world.history.claims().slice(claims)
      expect(
        moves.filter(({ after }) => after !== undefined && !isFinished(after)),
        `SEED=${seed}: moves in quiet minutes`
      ).to.deep.equal([])
    }
  })
})
