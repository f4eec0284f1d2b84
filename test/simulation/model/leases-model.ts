// The model of the leases: two workers, their sessions, and the shards that they share, under a leader that may write
// anything at any moment. There is no time in it: whatever may be late may be late for ever.
import type { Member } from '../../../src/leases/control-store.ts'
import type { Lease } from '../../../src/model/lease.ts'
import { type Model, Numbers, type TakeStep } from './explorer.ts'
import { newcomer, sessionOf } from './sessions.ts'
import { ShardModel } from './shard-model.ts'
import type { Fleet, Relatives, ShardOptions, ShardSpec } from './shard-steps.ts'
import type { ShardWorld } from './shard-world.ts'
import { certified, joined } from './store-conditions.ts'

/** What there is, and how much of it. */
export interface LeasesSetting extends ShardOptions {
  readonly name: string
  readonly shards: readonly ShardSpec[]
  /** Rows that are there and never change, such as that of a parent which is finished. */
  readonly fixedRows: readonly Lease[]
  /** By worker: how many sessions it has at most, one after another. */
  readonly sessions: readonly number[]
}

interface Worker {
  /** Number of its newest session, from 1. */
  readonly began: number
  /** Crashed, or told that its session is dead; and not back yet. */
  readonly isDown: boolean
}

/** Workers, and the items of their sessions. */
interface Sessions extends Fleet {
  readonly id: number
  readonly workers: readonly Worker[]
  readonly members: ReadonlyMap<string, Member>
}

/** A state of everything. */
export interface LeasesWorld {
  readonly fleet: Sessions
  readonly shards: readonly ShardWorld[]
}

interface FleetStep {
  readonly to: Sessions
  readonly label: string
  /** The worker that loses what it held. */
  readonly drops?: number
  readonly violation?: string
}

/** Bits of a fingerprint for the sessions; the shards share the other 52. */
const FLEET_BITS = 10
const BITS = 52
/** More than the rows of one shard that can be told apart. */
const MAX_ROW_IDS = 1_000

/** The states of workers and shards, and the steps between them. */
export class LeasesModel implements Model<LeasesWorld> {
  readonly name: string
  readonly initial: LeasesWorld
  readonly #setting: LeasesSetting
  readonly #shards: readonly ShardModel[]
  readonly #fleets = new Map<string, Sessions>()
  readonly #fleetSteps = new Map<number, readonly FleetStep[]>()
  /** By shard, the others that it is told of. */
  readonly #related: readonly (readonly number[])[]
  readonly #relatives = new Map<number, Relatives>()
  readonly #ups = new Numbers()
  readonly #shardLimit: number

  constructor(setting: LeasesSetting) {
    const { name, shards, sessions } = setting
    const workers = sessions.length
    this.name = name
    this.#setting = setting
    this.#shards = shards.map(spec => new ShardModel(spec, workers, setting))
    this.#related = this.#shards.map(({ leaseKey, relativeKeys }) =>
      this.#shards.flatMap((other, index) =>
        other.leaseKey !== leaseKey && relativeKeys.includes(other.leaseKey) ? index : []
      )
    )
    this.#shardLimit = 2 ** Math.floor((BITS - FLEET_BITS) / shards.length)
    const none: Worker = { began: 0, isDown: true }
    const members = new Map<string, Member>()
    let fleet = this.#fleet(new Array(workers).fill(none), members)
    for (let worker = 0; worker < workers; worker++) fleet = this.#begun(fleet, worker)
    this.initial = { fleet, shards: this.#shards.map(({ initial }) => initial) }
  }

  /** How many states each shard alone, and the sessions alone, were met in. */
  get parts(): readonly number[] {
    return [this.#fleets.size, ...this.#shards.map(({ size }) => size)]
  }

  fingerprint({ fleet, shards }: LeasesWorld): number {
    let print = fleet.id
    if (print >= 2 ** FLEET_BITS) throw new RangeError(`${this.name}: too many states of the sessions`)
    for (const { id } of shards) {
      if (id >= this.#shardLimit) throw new RangeError(`${this.name}: too many states of a shard`)
      print = print * this.#shardLimit + id
    }
    return print
  }

  steps({ fleet, shards }: LeasesWorld, take: TakeStep<LeasesWorld>): void {
    for (const { to, label, drops, violation } of this.#stepsOfFleet(fleet)) {
      take({ fleet: to, shards: drops === undefined ? shards : this.#dropped(shards, drops) }, label, violation)
    }
    for (const [index, model] of this.#shards.entries()) {
      const shard = shards[index] as ShardWorld
      if (shard.row === undefined) {
        const label = `somebody who lists the shards creates the lease of ${model.leaseKey}`
        take({ fleet, shards: replaced(shards, index, model.created(shard)) }, label)
      }
      for (const { to, label, creates, violation } of model.steps(shard, fleet, this.#relativesOf(index, shards))) {
        if (creates === undefined) take({ fleet, shards: replaced(shards, index, to) }, label, violation)
        else take({ fleet, shards: this.#withRow(shards, creates) }, label)
      }
    }
  }

  #dropped(shards: readonly ShardWorld[], worker: number): ShardWorld[] {
    return shards.map((shard, index) => this.#shards[index]?.dropped(shard, worker) ?? shard)
  }

  #withRow(shards: readonly ShardWorld[], lease: Lease): ShardWorld[] {
    const isOf = (index: number): boolean => this.#shards[index]?.leaseKey === lease.leaseKey
    return shards.map((shard, index) => (isOf(index) ? (this.#shards[index]?.created(shard, lease) ?? shard) : shard))
  }

  /** The rows of parents and children as they are now. Their counters mean nothing to another shard. */
  #relativesOf(index: number, shards: readonly ShardWorld[]): Relatives {
    const related = this.#related[index] as readonly number[]
    let key = index
    for (const other of related) key = key * MAX_ROW_IDS + (shards[other] as ShardWorld).rowId
    const known = this.#relatives.get(key)
    if (known !== undefined) return known
    const rows = [...this.#setting.fixedRows, ...related.flatMap(other => shards[other]?.row ?? [])]
    const relatives = { id: this.#relatives.size, rows: new Map(rows.map(row => [row.leaseKey, row])) }
    this.#relatives.set(key, relatives)
    return relatives
  }

  #stepsOfFleet(fleet: Sessions): readonly FleetStep[] {
    const known = this.#fleetSteps.get(fleet.id)
    if (known !== undefined) return known
    const steps = this.#allFleetSteps(fleet)
    this.#fleetSteps.set(fleet.id, steps)
    return steps
  }

  #allFleetSteps(fleet: Sessions): FleetStep[] {
    const steps: FleetStep[] = []
    fleet.workers.forEach(({ began, isDown }, worker) => {
      if (isDown && began < (this.#setting.sessions[worker] ?? 0)) {
        steps.push({ to: this.#begun(fleet, worker), label: `w${worker + 1} begins session ${began + 1}` })
      }
      if (!isDown) steps.push(...this.#stepsOfWorker(fleet, worker))
    })
    for (const [session, member] of fleet.members) {
      const { item, answer } = certified(member, member.hb, 'silent')
      if (answer && item) {
        const to = this.#fleet(fleet.workers, new Map([...fleet.members, [session, item]]))
        steps.push({ to, label: `${session} gets a death certificate` })
      }
      steps.push(...this.#lateWritesOf(fleet, member))
    }
    return steps
  }

  #stepsOfWorker(fleet: Sessions, worker: number): FleetStep[] {
    const session = fleet.sessions[worker]
    const member = session === undefined ? undefined : fleet.members.get(session)
    if (member === undefined) return []
    const workers = fleet.workers.map((other, index) => (index === worker ? { ...other, isDown: true } : other))
    const to = this.#fleet(workers, fleet.members)
    const crash = { to, label: `${session} crashes`, drops: worker }
    const { answer } = this.#setting.rules.beaten(member, member, member.hb + 1)
    if (answer.kind === 'alive') return [crash]
    return [crash, { to, label: `${session} hears that it is dead`, drops: worker }]
  }

  /** A heartbeat or a joining that was on its way for long. Whatever it is, the dead stay dead. */
  #lateWritesOf(fleet: Sessions, member: Member): FleetStep[] {
    if (member.dead === undefined) return []
    const late = [this.#setting.rules.beaten(member, member, member.hb + 1), joined(member, member)]
    return late.flatMap(({ item, answer }) => {
      if (item === member && answer.kind === 'dead') return []
      const violation = `a heartbeat of ${member.session} was accepted after its death certificate`
      return { to: fleet, label: `a late heartbeat of ${member.session} arrives`, violation }
    })
  }

  #begun(fleet: Sessions, worker: number): Sessions {
    const began = (fleet.workers[worker]?.began ?? 0) + 1
    const session = sessionOf(worker, began)
    const { item } = joined(undefined, newcomer(session))
    const workers = fleet.workers.map((other, index) => (index === worker ? { began, isDown: false } : other))
    return this.#fleet(workers, new Map([...fleet.members, ...(item ? [[session, item] as const] : [])]))
  }

  #fleet(workers: readonly Worker[], members: ReadonlyMap<string, Member>): Sessions {
    const sessions = workers.map(({ began, isDown }, worker) => (isDown ? undefined : sessionOf(worker, began)))
    const dead = [...members.values()].filter(member => member.dead !== undefined).map(({ session }) => session)
    const text = `${workers.map(({ began, isDown }) => [began, isDown])} ${dead.sort()}`
    let fleet = this.#fleets.get(text)
    if (fleet === undefined) {
      const upId = this.#ups.of(sessions.join())
      fleet = { id: this.#fleets.size, workers, members, sessions, upId, dead }
      this.#fleets.set(text, fleet)
    }
    return fleet
  }
}

function replaced(shards: readonly ShardWorld[], index: number, shard: ShardWorld): ShardWorld[] {
  const copy = shards.slice()
  copy[index] = shard
  return copy
}
