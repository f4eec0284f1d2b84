// Fleets of workers in a world: started and balanced, asked who leads, and held to what must be true of every fleet.
import { expect } from 'chai'
import type { Mailbox } from '../../src/leases/control-store.ts'
import { isFinished, type Lease } from '../../src/model/lease.ts'
import type { CallFate, WorldCall } from './call-fates.ts'
import type { Delivery } from './deliveries.ts'
import { type Member, World, type WorldOptions, type WorldWorkerOptions } from './world.ts'

export interface FleetOptions extends WorldOptions {
  /** Default 2. */
  readonly size?: number
  readonly worker?: WorldWorkerOptions
  /** How long the handler takes for each batch. Milliseconds, default 0. */
  readonly handlerMs?: number
  /** How long the fleet has to share out the shards. Milliseconds, default 20,000. */
  readonly settleMs?: number
}

/** A world whose workers were started together, under load, and have shared out the shards. */
export async function aFleet(options: FleetOptions = {}): Promise<World> {
  const { size = 2, worker = {}, handlerMs = 0, settleMs = 20_000, ...rest } = options
  const world = new World({ latencyMs: 10, ...rest })
  const handler = (): Promise<void> => world.clock.sleep(handlerMs)
  for (let i = 0; i < size; i++) {
    void world.makeWorker({ ...(handlerMs > 0 && { handler }), ...worker }).worker.start()
  }
  await world.load(settleMs)
  const shards = (await openLeases(world)).length
  const shares = Array.from({ length: size }, (_, i) => Math.floor((shards + i) / size))
  expect(world.loads(), `SEED=${world.seed}: shared out`).to.deep.equal(shares)
  return world
}

/** The session that a worker has or had last. Rejects if it never had one. */
export function sessionOf(member: Member): string {
  const began = member.events('session:began').at(-1)
  expect(began, `a session of ${member.name}`).to.not.equal(undefined)
  return began?.session ?? ''
}

/** The worker that the lock names. */
export async function leaderOf(world: World): Promise<Member> {
  const lock = await world.control.leader({ consistent: true })
  const leader = world.members.find(member =>
    member.events('session:began').some(({ session }) => session === lock?.who)
  )
  if (leader === undefined) throw new Error(`SEED=${world.seed}: ${lock?.who ?? 'nobody'} leads`)
  return leader
}

/** The living workers that do not lead. */
export async function followersOf(world: World): Promise<Member[]> {
  const leader = await leaderOf(world)
  return world.members.filter(member => member !== leader && member.isAlive && member.worker.state === 'running')
}

/** The worker that holds a shard. */
export function holderOf(world: World, shardId: string): Member {
  const holder = world.members.find(({ isAlive, worker }) => isAlive && worker.shardIds.includes(shardId))
  if (holder === undefined) throw new Error(`SEED=${world.seed}: nobody holds ${shardId}`)
  return holder
}

/** A follower that holds something, and what. */
export async function holdingFollower(world: World): Promise<{ member: Member; shardId: string }> {
  const member = (await followersOf(world)).find(({ worker }) => worker.shardIds.length > 0)
  const [shardId] = member?.worker.shardIds ?? []
  if (member === undefined || shardId === undefined) throw new Error(`SEED=${world.seed}: no follower holds a shard`)
  return { member, shardId }
}

/** The rows of the lease table whose shards are not finished. */
export async function openLeases(world: World): Promise<readonly Lease[]> {
  return (await world.store.list({ consistent: true })).leases.filter(lease => !isFinished(lease))
}

/** Deliveries by a worker while another one had claimed the shard after it. None may be, whatever happens, with good clocks. */
export function strays(world: World): Delivery[] {
  const byShard = new Map<string, { readonly worker: string; readonly atMs: number }[]>()
  for (const taken of world.events('lease:taken')) {
    byShard.set(taken.shardId, [...(byShard.get(taken.shardId) ?? []), taken])
  }
  return world.ledger.deliveries.filter(({ shardId, worker, atMs }) => {
    const last = byShard.get(shardId)?.findLast(event => event.atMs < atMs)
    return last !== undefined && last.worker !== worker
  })
}

/** What holds whatever happens: no write breaks the protocol, nothing is missing or out of order, nobody delivers astray. */
export async function expectSafe(world: World, options: { readonly mayStray?: boolean } = {}): Promise<void> {
  await world.untilDelivered()
  const { ledger, history, seed } = world
  expect(history.violations(), `SEED=${seed}: violations`).to.deep.equal([])
  expect(ledger.missing(), `SEED=${seed}: missing`).to.deep.equal([])
  expect(ledger.outOfOrder(), `SEED=${seed}: out of order`).to.deep.equal([])
  if (options.mayStray !== true) expect(strays(world), `SEED=${seed}: strays`).to.deep.equal([])
}

/** {@link expectSafe}, and nothing was delivered twice. */
export async function expectExactlyOnce(world: World): Promise<void> {
  await expectSafe(world)
  expect(world.ledger.duplicates(), `SEED=${world.seed}: duplicates`).to.deep.equal([])
}

/** Every unfinished lease is held, and no two workers differ by more than one. */
export async function expectBalanced(world: World): Promise<void> {
  const loads = world.loads()
  const [fewest = 0, most = 0] = [loads[0], loads.at(-1)]
  expect(most - fewest, `SEED=${world.seed}: ${loads}`).to.be.at.most(1)
  const held = loads.reduce((a, b) => a + b, 0)
  expect(held, `SEED=${world.seed}: held, of ${loads}`).to.equal((await openLeases(world)).length)
}

/** From `sinceMs` until the shard is delivered from by another worker than `than`. Milliseconds; Infinity: it was not. */
export function servedElsewhereAfterMs(world: World, shardId: string, than: Member, sinceMs: number): number {
  const next = world.ledger.deliveries.find(
    delivery => delivery.shardId === shardId && delivery.atMs > sinceMs && delivery.worker !== than.name
  )
  return (next?.atMs ?? Number.POSITIVE_INFINITY) - sinceMs
}

/** The leases that a call of `replace` is about, before and after. Absent: it is another call. */
export function writeOf({ service, name, args }: WorldCall): { before: Lease; after: Lease } | undefined {
  if (service !== 'leases' || name !== 'replace') return undefined
  const [before, after] = args as [Lease, Lease]
  return { before, after }
}

/** What kind of write of a lease a call is. Absent: it is none. */
export function kindOfWrite(call: WorldCall): 'claim' | 'checkpoint' | 'release' | 'renewal' | undefined {
  const write = writeOf(call)
  if (write === undefined) return undefined
  const { before, after } = write
  if (after.owner === undefined) return 'release'
  if (after.owner !== before.owner) return 'claim'
  return after.checkpoint === before.checkpoint ? 'renewal' : 'checkpoint'
}

/** The first `count` calls that `isMeant` meet `fate`, those after them none. */
export function firstCalls(
  count: number,
  isMeant: (call: WorldCall) => boolean,
  fate: CallFate
): (call: WorldCall) => CallFate | undefined {
  let left = count
  return call => (left > 0 && isMeant(call) && left-- > 0 ? fate : undefined)
}

/** Writes a mailbox as a leader would that nobody elected, in a term above all others. `number`: its number among them, from 1. */
export async function postRogue(
  world: World,
  member: Member,
  number: number,
  leases: readonly string[],
  content: Partial<Mailbox> = {}
): Promise<void> {
  const session = sessionOf(member)
  const nothing = { mode: 'solo', wait: [], dead: [], steal: [], evt: 0 } as const
  const mailbox = { ...nothing, session, ver: 1_000 + number, term: 1_000, leases, ...content }
  expect(await world.control.post(mailbox), `SEED=${world.seed}: the rogue mailbox is posted`).to.equal(true)
}
