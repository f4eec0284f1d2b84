// Fleets of workers of Java KCL 3.x and of ours on one lease table, and what must be true of them.
import { expect } from 'chai'
import { newLease } from '../../src/model/lease.ts'
import { TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { Kcl3Worker } from './kcl3-worker.ts'
import { type Member, STREAM, World, type WorldWorkerOptions } from './world.ts'

export const MIXED = { leases: { mode: 'mixed' } } as const

export interface Kcl3FleetOptions {
  readonly seed: number
  /** Default 6. */
  readonly shards?: number
  /** How many Java workers there are, the first of which leads. Default 1. */
  readonly javas?: number
  /** How many workers of ours join them. Default 1. */
  readonly ours?: number
  readonly hasIndex?: boolean
  readonly worker?: WorldWorkerOptions
}

export interface Kcl3Fleet {
  readonly world: World
  readonly javas: readonly Kcl3Worker[]
  readonly ours: readonly Member[]
}

/** A world with the leases of its stream, unowned, and a Java fleet that says it is at `version`. */
export async function aKcl3World(options: Pick<Kcl3FleetOptions, 'seed' | 'shards' | 'hasIndex'>): Promise<World> {
  const { seed, shards = 6, hasIndex = true } = options
  const world = new World({ shards, seed, latencyMs: 10 })
  Object.assign(world.kcl.items, { version: '3X', hasIndex })
  for (const { shardId, hashKeyRange } of world.kinesis.shards(STREAM)) {
    await world.store.create(newLease({ shardId, hashKeyRange, checkpoint: TRIM_HORIZON }))
  }
  return world
}

/** Java workers that had everything, and workers of ours that joined them. All have had time to share. */
export async function aKcl3Fleet(options: Kcl3FleetOptions): Promise<Kcl3Fleet> {
  const { javas: javaCount = 1, ours: ourCount = 1, worker } = options
  const world = await aKcl3World(options)
  const javas: Kcl3Worker[] = []
  for (let i = 1; i <= javaCount; i++) {
    const java = new Kcl3Worker(world, `java-${i}`)
    javas.push(java)
    java.start()
    await world.load(5_000)
  }
  await world.load(30_000, { everyMs: 1_000 })
  const ours = Array.from({ length: ourCount }, () => world.makeWorker({ ...MIXED, ...worker }))
  for (const member of ours) void member.worker.start()
  await world.load(140_000, { everyMs: 2_000 })
  return { world, javas, ours }
}

/** How many shards each holds that is alive, ascending. */
export function sharesOf(javas: readonly Kcl3Worker[], ours: readonly Member[]): number[] {
  return [
    ...javas.filter(({ isAlive }) => isAlive).map(({ shardIds }) => shardIds.length),
    ...ours.filter(({ isAlive }) => isAlive).map(({ worker }) => worker.shardIds.length)
  ].sort((a, b) => a - b)
}

/** Nobody takes anything from anybody for two minutes, in which a Java leader balances twice, and it decides nothing. */
export async function expectQuiet(world: World, javas: readonly Kcl3Worker[]): Promise<void> {
  const decisions = (): string[] => javas.flatMap(java => java.decisions)
  const [claims, decided] = [world.history.claims().length, decisions().length]
  await world.load(130_000, { everyMs: 5_000 })
  expect(world.history.claims().slice(claims), `SEED=${world.seed}: moves in two quiet minutes`).to.deep.equal([])
  expect(decisions().slice(decided), `SEED=${world.seed}: decisions in two quiet minutes`).to.deep.equal([])
}

/** Moves time on, under load, until it is so. Returns how long that took in milliseconds. */
export async function untilSo(world: World, isSo: () => boolean, maxMs: number, what: string): Promise<number> {
  const sinceMs = world.clock.monotonicMs()
  while (!isSo()) {
    const takenMs = world.clock.monotonicMs() - sinceMs
    expect(takenMs, `SEED=${world.seed}: ${what} after`).to.be.lessThan(maxMs)
    await world.load(1_000, { everyMs: 1_000 })
  }
  return world.clock.monotonicMs() - sinceMs
}
