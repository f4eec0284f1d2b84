// What goes wrong while a leader of KCL 3.x has leases handed over between its workers and ours: lost answers, deaths on either
// side, code that does not return, two leaders at once.
import { expect } from 'chai'
import { isFinished, type Lease } from '../../src/model/lease.ts'
import { expectSafe, firstCalls, openLeases, sessionOf, writeOf } from '../support/fleet.ts'
import { aKcl3Fleet, aKcl3World, expectQuiet, MIXED, sharesOf, untilSo } from '../support/kcl3-fleet.ts'
import { Kcl3Worker } from '../support/kcl3-worker.ts'
import { type Member, STREAM, type World, type WorldWorkerOptions } from '../support/world.ts'

const SEED = Number(process.env.SEED ?? 1)
const SETTLED_MS = 260_000

interface HandOff {
  readonly world: World
  readonly java: Kcl3Worker
  readonly ours: Member
}

/** Ours has four shards, and a Java worker that has just come is to have two of them. */
async function aHandOffToJava(worker: WorldWorkerOptions = {}): Promise<HandOff> {
  const world = await aKcl3World({ seed: SEED, shards: 4 })
  const ours = world.makeWorker({ ...MIXED, ...worker })
  void ours.worker.start()
  await world.load(20_000, { everyMs: 1_000 })
  expect(ours.worker.shardIds, `SEED=${SEED}: alone`).to.have.length(4)
  const java = new Kcl3Worker(world, 'java-1')
  java.start()
  return { world, java, ours }
}

async function pending(world: World): Promise<Lease[]> {
  return (await openLeases(world)).filter(({ checkpointOwner }) => checkpointOwner !== undefined)
}

/** Moves time on until a hand-off begins. Nothing is put meanwhile, so that it is not noticed at once. */
async function untilPending(world: World): Promise<Lease> {
  const begun = (): Lease | undefined =>
    world.history.writes.findLast(({ before, after }) => after?.checkpointOwner !== before?.checkpointOwner)?.after
  await world.clock.advanceUntil(() => begun()?.checkpointOwner !== undefined, 120_000)
  const lease = begun()
  if (lease === undefined) throw new Error(`SEED=${SEED}: no hand-off began`)
  return lease
}

async function expectSettled({ world, java, ours }: HandOff, shares: string): Promise<void> {
  await untilSo(world, () => sharesOf([java], [ours]).join() === shares, SETTLED_MS, `${shares} each`)
  expect(await pending(world), `SEED=${SEED}: nothing is left half handed over`).to.deep.equal([])
  await expectQuiet(world, [java])
  await expectSafe(world, { mayStray: true })
}

describe('a hand-off between Java KCL 3.x and ours', () => {
  for (const kind of ['lost-answer', 'lost-request'] as const) {
    it(`is carried out although the final write meets a ${kind}`, async () => {
      const fleet = await aHandOffToJava()
      fleet.ours.intercept = firstCalls(2, call => writeOf(call)?.before.checkpointOwner !== undefined, { kind })
      await expectSettled(fleet, '2,2')
    })
  }

  it('is carried out although the final write lands late, when somebody else has written long since', async () => {
    const fleet = await aHandOffToJava()
    const isFinal = (before: Lease, after: Lease): boolean =>
      before.checkpointOwner !== undefined && after.checkpointOwner === undefined
    fleet.ours.intercept = firstCalls(
      1,
      call => {
        const write = writeOf(call)
        return write !== undefined && isFinal(write.before, write.after)
      },
      { kind: 'late-request', landsInMs: 20_000 }
    )
    await expectSettled(fleet, '2,2')
  })

  it('ends although ours dies in the middle of it', async () => {
    const { world, java, ours } = await aHandOffToJava()
    await untilPending(world)
    ours.crash()
    await expectSettled({ world, java, ours }, '4')
  })

  it('ends although Java dies in the middle of it, with a lease that nobody reads in between', async () => {
    for (const isNext of [true, false]) {
      const world = await aKcl3World({ seed: SEED, shards: 4 })
      const java = new Kcl3Worker(world, 'java-1')
      const ours = world.makeWorker(MIXED)
      if (isNext) void ours.worker.start()
      else java.start()
      await world.load(30_000, { everyMs: 1_000 })
      if (isNext) java.start()
      else void ours.worker.start()
      const { checkpointOwner } = await untilPending(world)
      expect(checkpointOwner === 'java-1', `SEED=${SEED}: from Java`).to.equal(!isNext)
      java.kill()
      await world.load(20_000, { everyMs: 1_000 })
      await expectSettled({ world, java, ours }, '4')
    }
  })

  it('ends although ours dies between being given a lease and its first write, or never learns of it', async () => {
    const { world, javas, ours } = await aKcl3Fleet({ seed: SEED, shards: 4 })
    const [java] = javas
    if (java === undefined) throw new Error('there is one')
    const doomed = world.makeWorker(MIXED)
    doomed.intercept = call => (writeOf(call) === undefined ? undefined : { kind: 'hangs' })
    void doomed.worker.start().catch(() => {})
    await world.load(20_000, { everyMs: 1_000 })
    const session = sessionOf(doomed)
    for (const member of ours) member.crash()
    const isNamed = (): boolean => java.decisions.some(line => line.endsWith(session))
    await untilSo(world, isNamed, 120_000, 'the doomed one is given a lease')
    doomed.crash()
    await untilSo(world, () => java.shardIds.length === 4, 120_000, 'Java has everything')
    await expectQuiet(world, [java])
    await expectSafe(world, { mayStray: true })
  })

  it('does not wait longer than 30 s for code that does not return', async () => {
    let isStuck = false
    const never = new Promise<void>(() => {})
    const fleet = await aHandOffToJava({ handler: () => (isStuck ? never : Promise.resolve()) })
    await untilPending(fleet.world)
    isStuck = true
    await untilSo(fleet.world, () => fleet.java.shardIds.length > 0, 60_000, 'Java has a shard')
    expect(await pending(fleet.world)).to.have.length.below(2)
    isStuck = false
  })

  it('of a shard that ends meanwhile leaves it finished, with children that somebody reads', async () => {
    const { world, java, ours } = await aHandOffToJava({ handler: () => world.clock.sleep(2_000) })
    const { leaseKey } = await untilPending(world)
    world.kinesis.split(STREAM, leaseKey)
    const children = (): boolean => sharesOf([java], [ours]).reduce((a, b) => a + b, 0) === 5
    await untilSo(world, children, SETTLED_MS, 'all five are held')
    await untilSo(world, () => sharesOf([java], [ours]).join() === '2,3', SETTLED_MS, 'shared out')
    const parent = await world.store.get(leaseKey)
    if (parent !== undefined) expect(isFinished(parent), `SEED=${SEED}: finished`).to.equal(true)
    await expectQuiet(world, [java])
    await expectSafe(world, { mayStray: true })
  })

  it('is not fought about by two leaders: the Java one stands still, ours takes over, and the old one wakes with an old plan', async () => {
    const { world, javas, ours } = await aKcl3Fleet({ seed: SEED, shards: 6, javas: 2, ours: 2 })
    const [leader, other] = javas
    const [victim, survivor] = ours
    if (!leader || !other || !victim || !survivor) throw new Error('there are two of each')
    const held = (): number => sharesOf([other], [survivor]).reduce((a, b) => a + b, 0)
    leader.pause()
    victim.crash()
    await untilSo(world, () => held() === 6, 120_000, 'all is read by the two that are well')
    const claims = world.history.claims().length
    leader.resume()
    await world.load(200_000, { everyMs: 2_000 })
    const moves = world.history.claims().slice(claims)
    expect(sharesOf([leader, other], [survivor]), `SEED=${SEED}`).to.deep.equal([2, 2, 2])
    expect(moves.length, `SEED=${SEED}: it gets its share, and nothing goes to and fro`).to.be.at.most(4)
    await expectQuiet(world, javas)
    await expectSafe(world, { mayStray: true })
  })
})
