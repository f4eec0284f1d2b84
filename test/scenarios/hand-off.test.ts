// KCL's hazards with hand-offs, by the numbers of kcl-behaviour.md section 10.2. KCL marks a lease that moves with a
// `checkpointOwner`; here the owner keeps the row until it has drained and released, and the successor waits for that. Those
// with leaders are in hand-off-leaders.test.ts.
import { expect } from 'chai'
import {
  type Checkpointer,
  LeaseLostError,
  type ProcessRecordsInput,
  RecordProcessor,
  type ShutdownRequestedInput
} from '../../src/index.ts'
import { claimed, type Lease, newLease } from '../../src/model/lease.ts'
import { TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { shardId } from '../support/builders.ts'
import {
  aFleet,
  expectBalanced,
  expectExactlyOnce,
  expectSafe,
  holderOf,
  postRogue,
  sessionOf
} from '../support/fleet.ts'
import { seeds } from '../support/seeds.ts'
import { type Member, STREAM, World } from '../support/world.ts'

const SEEDS = 2
const DRAIN_TIMEOUT_MS = 30_000

/** A worker with two shards, another one that joins, and the shard that goes to it, at the moment of its revocation. */
async function aMove(world: World, old: Member): Promise<{ heir: Member; moving: string }> {
  const heir = world.makeWorker()
  void heir.worker.start()
  while (old.events('lease:revoked').length === 0) await world.load(250)
  return { heir, moving: old.events('lease:revoked')[0]?.shardId ?? '' }
}

/** A processor that notes what it is given, and is what a test makes of it when the shard is to be given up. */
class Drained extends RecordProcessor {
  readonly #member: () => Member
  readonly #onShutdown: (input: ShutdownRequestedInput) => Promise<void>
  readonly #told: string[]

  constructor(member: () => Member, told: string[], onShutdown: (input: ShutdownRequestedInput) => Promise<void>) {
    super()
    this.#member = member
    this.#told = told
    this.#onShutdown = onShutdown
  }

  async processRecords({ records, shardId: shard }: ProcessRecordsInput): Promise<void> {
    this.#member().note(records, shard)
  }

  override async shutdownRequested(input: ShutdownRequestedInput): Promise<void> {
    this.#told.push(`shutdownRequested ${input.shardId}`)
    await this.#onShutdown(input)
  }

  override leaseLost({ shardId: shard }: { readonly shardId: string }): void {
    this.#told.push(`leaseLost ${shard}`)
  }
}

describe('a hand-off', () => {
  it('H1: lets the owner checkpoint until it has drained, and the successor begin right after the last of it', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: 1, shards: 2, seed, handlerMs: 2_000 })
      const [old] = world.members as [Member]
      const { heir, moving } = await aMove(world, old)
      const revokedAtMs = world.clock.monotonicMs()
      await world.load(30_000)
      const writes = world.history.writes.filter(({ leaseKey, atMs }) => leaseKey === moving && atMs >= revokedAtMs)
      const claim = writes.findIndex(({ after }) => after?.owner === sessionOf(heir))
      const [before, taken] = [writes.slice(0, claim), writes[claim]]
      // Nobody but the owner writes before it has let go, and every write of it lands.
      expect(
        before.map(({ before: row }) => row?.owner),
        `SEED=${seed}`
      ).to.deep.equal(before.map(() => sessionOf(old)))
      const lastWrite = before.at(-1)
      expect(lastWrite?.after, `SEED=${seed}: released`).to.not.have.property('owner')
      expect(before.length, `SEED=${seed}: a checkpoint after the revocation`).to.be.greaterThan(1)
      expect(taken?.after?.counter, `SEED=${seed}: no write in between`).to.equal((lastWrite?.after?.counter ?? 0) + 1)
      expect(taken?.after?.ownerSwitchesSinceCheckpoint, `SEED=${seed}`).to.equal(0)
      expect((taken?.atMs ?? 0) - (lastWrite?.atMs ?? 0), `SEED=${seed}: ms without an owner`).to.be.lessThan(1_300)
      await expectBalanced(world)
      await expectExactlyOnce(world)
      await world.stopAll()
    }
  })

  it('H2: reaches whoever is left when the owner dies and the successor restarts, hand-off mark of KCL or not', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: 1, shards: 2, seed, handlerMs: 4_000 })
      const [old] = world.members as [Member]
      const { heir, moving } = await aMove(world, old)
      for (const member of [old, heir]) member.crash()
      const again = world.makeWorker({ workerId: heir.worker.workerId })
      void again.worker.start()
      await world.load(40_000)
      expect(again.worker.shardIds.sort(), `SEED=${seed}`).to.deep.equal([shardId(0), shardId(1)])
      await expectSafe(world)
      await world.stopAll()

      // The row of a hand-off in a fleet of Java workers that are gone, both of them.
      const row = await world.store.get(moving)
      if (row !== undefined) await world.store.replace(row, { ...claimed(row, 'java-a'), checkpointOwner: 'java-b' })
      await world.startWorker({ leases: { mode: 'mixed' } })
      await world.load(30_000)
      expect(await world.store.get(moving), `SEED=${seed}`).to.not.have.property('checkpointOwner')
      await expectSafe(world)
      await world.stopAll()
    }
  })

  it('H3: is over as soon as its owner is known to be dead', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = await aFleet({ size: 2, shards: 4, seed, handlerMs: 20_000, settleMs: 60_000 })
      const heir = world.makeWorker()
      void heir.worker.start()
      world.putMany(100)
      await world.clock.advanceUntil(() => world.events('lease:revoked').length > 0, 60_000)
      const moving = world.events('lease:revoked')[0]?.shardId ?? ''
      const old = holderOf(world, moving)
      old.crash()
      const crashedAtMs = world.clock.monotonicMs()
      await world.clock.advanceUntil(() => heir.worker.shardIds.includes(moving), 60_000)
      expect(world.clock.monotonicMs() - crashedAtMs, `SEED=${seed}: ms`).to.be.lessThan(20_000)
      await world.clock.advance(60_000)
      await expectBalanced(world)
      await expectSafe(world)
      await world.stopAll()
    }
  })

  it('H4: of a shard that waits for its parents ends the wait, and leaves no lease that is held and not read', async () => {
    for (const seed of seeds(SEEDS)) {
      const world = new World({ seed, latencyMs: 10 })
      let isSlow = false
      const handler = async (): Promise<void> => {
        while (isSlow) await world.clock.sleep(100)
      }
      const parentOwner = await world.startWorker({ handler })
      await world.load(5_000)
      isSlow = true
      world.putMany(20)
      const [child] = world.kinesis.split(STREAM, shardId(0))
      world.putMany(20)
      const waiting = await world.startWorker()
      // A leader that is wrong: it gives out a child before its parent is finished.
      const parent = (await world.store.get(shardId(0))) as Lease
      const hashKeyRange = world.kinesis.shards(STREAM).find(shard => shard.shardId === child)?.hashKeyRange
      const { stream } = parent
      const optional = { ...(stream && { stream }), ...(hashKeyRange && { hashKeyRange }) }
      const parentShardIds = [shardId(0)]
      await world.store.create(newLease({ shardId: child, checkpoint: TRIM_HORIZON, parentShardIds, ...optional }))
      await postRogue(world, waiting, 1, [child])
      await world.clock.advance(10_000)
      expect(waiting.worker.shardIds, `SEED=${seed}`).to.deep.equal([child])
      expect(waiting.events('shard:started'), `SEED=${seed}`).to.deep.equal([])
      await postRogue(world, waiting, 2, [])
      await world.clock.advance(10_000)
      expect(waiting.worker.shardIds, `SEED=${seed}`).to.deep.equal([])
      expect(await world.store.get(child), `SEED=${seed}`).to.not.have.property('owner')
      isSlow = false
      await world.clock.advance(5_000)
      expect(parentOwner.events('shard:ended'), `SEED=${seed}`).to.have.length(1)
      await expectExactlyOnce(world)
      await world.stopAll()
    }
  })

  it('H5: is bounded where shutdownRequested never returns, and a later checkpoint of the old owner is refused', async () => {
    for (const seed of seeds(SEEDS)) {
      const told: string[] = []
      const late: Checkpointer[] = []
      const hang = async ({ checkpointer }: ShutdownRequestedInput): Promise<void> => {
        late.push(checkpointer)
        await new Promise<never>(() => {})
      }
      const member = (): Member => old
      const processor = (): RecordProcessor => new Drained(member, told, hang)
      const world = new World({ shards: 2, seed, latencyMs: 10 })
      const old = await world.startWorker({ processor })
      await world.load(20_000)
      const { heir, moving } = await aMove(world, old)
      const revokedAtMs = world.clock.monotonicMs()
      await world.load(DRAIN_TIMEOUT_MS + 10_000)
      const taken = heir.events('lease:taken').find(({ shardId: shard }) => shard === moving)
      expect((taken?.atMs ?? 0) - revokedAtMs, `SEED=${seed}: ms`).to.be.within(
        DRAIN_TIMEOUT_MS - 500,
        DRAIN_TIMEOUT_MS + 3_000
      )
      const row = await world.store.get(moving)
      const refusal = await world.await(Promise.resolve(late[0]?.checkpoint().catch((error: unknown) => error)))
      expect(refusal, `SEED=${seed}`).to.be.instanceOf(LeaseLostError)
      expect((await world.store.get(moving))?.owner, `SEED=${seed}`).to.equal(row?.owner)
      await expectSafe(world)
    }
  })

  it('H6: goes on where shutdownRequested throws: it is called again, then the lease is released and its loss told', async () => {
    for (const seed of seeds(SEEDS)) {
      const told: string[] = []
      const member = (): Member => old
      const processor = (): RecordProcessor =>
        new Drained(member, told, async () => {
          throw new Error('the disk is full')
        })
      const world = new World({ shards: 2, seed, latencyMs: 10 })
      const old = await world.startWorker({ processor })
      await world.load(20_000)
      const { heir, moving } = await aMove(world, old)
      await world.load(10_000)
      const calls = [1, 2, 3].map(() => `shutdownRequested ${moving}`)
      expect(told, `SEED=${seed}`).to.deep.equal([...calls, `leaseLost ${moving}`])
      expect(heir.worker.shardIds, `SEED=${seed}`).to.deep.equal([moving])
      await expectSafe(world)
      await world.stopAll()
    }
  })
})
