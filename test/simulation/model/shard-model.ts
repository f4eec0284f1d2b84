// One shard in the model of the leases: computes each of its states and the steps between them once. What the shards do
// they do side by side, so that the model of all of them has little left to compute.
import {
  type Fleet,
  type Relatives,
  type ShardOptions,
  type ShardSpec,
  type ShardStep,
  stepsOfShard
} from './shard-steps.ts'
import { type Contents, type ShardWorld, ShardWorlds, type Write, withHold } from './shard-world.ts'
import { replaceRow } from './store-conditions.ts'

/** More than the lists of sessions that there can be. */
const MAX_UP_IDS = 1_000

/** The states of one shard and the steps between them, each computed once. */
export class ShardModel {
  readonly spec: ShardSpec
  readonly options: ShardOptions
  readonly initial: ShardWorld
  readonly #worlds = new ShardWorlds()
  /** By the id of the state, then by what else they depend on. */
  readonly #steps: Map<number, readonly ShardStep[]>[] = []
  readonly #dropped = new Map<number, ShardWorld>()

  constructor(spec: ShardSpec, workers: number, options: ShardOptions) {
    this.spec = spec
    this.options = options
    const row = spec.isCreated ? spec.lease : undefined
    this.initial = this.#worlds.of({ row, holds: new Array(workers).fill(undefined), late: [], done: 0 })
  }

  get leaseKey(): string {
    return this.spec.lease.leaseKey
  }

  /** The keys of parents and children, and of what else those have for parents. */
  get relativeKeys(): readonly string[] {
    const { lease, children } = this.spec
    return [...lease.parentShardIds, ...children.flatMap(child => [child.shardId, ...child.parentShardIds])]
  }

  /** How many states of this shard were met. */
  get size(): number {
    return this.#worlds.size
  }

  /** The shard once its row was created by whoever. */
  created(world: ShardWorld, lease = this.spec.lease): ShardWorld {
    return world.row === undefined ? this.#world({ ...world, row: lease }) : world
  }

  /** The shard once a worker has forgotten everything: it crashed, or its session is dead. */
  dropped(world: ShardWorld, worker: number): ShardWorld {
    if (world.holds[worker] === undefined) return world
    const key = world.id * world.holds.length + worker
    const known = this.#dropped.get(key)
    if (known !== undefined) return known
    const to = this.#world(withHold(world, worker, undefined))
    this.#dropped.set(key, to)
    return to
  }

  /** What can happen next to this shard, whatever happens to others. */
  steps(world: ShardWorld, fleet: Fleet, relatives: Relatives): readonly ShardStep[] {
    // Of the dead, only the owner matters: a mailbox may name all others, or none.
    const isOwnerDead = world.row?.owner !== undefined && fleet.dead.includes(world.row.owner)
    const key = (relatives.id * MAX_UP_IDS + fleet.upId) * 2 + (isOwnerDead ? 1 : 0)
    const known = this.#steps[world.id]?.get(key)
    if (known !== undefined) return known
    const { spec, options } = this
    const worldOf = (contents: Contents): ShardWorld => this.#world(contents)
    const steps = stepsOfShard({ spec, options, world, fleet, relatives, worldOf })
    const ofWorld = this.#steps[world.id] ?? new Map<number, readonly ShardStep[]>()
    this.#steps[world.id] = ofWorld.set(key, steps)
    return steps
  }

  #world(contents: Contents): ShardWorld {
    // The counter of a row only grows, so that a write that is behind it can do nothing any more: it is the same as lost.
    const isHopeless = ({ before }: Write): boolean => before.counter < (contents.row?.counter ?? 0)
    if (this.options.rules.replaceRow !== replaceRow || !contents.late.some(isHopeless))
      return this.#worlds.of(contents)
    return this.#worlds.of({ ...contents, late: contents.late.filter(write => !isHopeless(write)) })
  }
}
