// A worker of Java KCL 2.x as the others see it on the lease table, by kcl-behaviour.md sections 2.2 and 2.3: renews by
// counter, takes what has not moved for the failover time, steals one lease a round, keeps finished leases. Reads the world's
// stream each second, notes it in the ledger and checkpoints at once.
import { claimed, isFinished, type Lease, newLease, renewed } from '../../src/model/lease.ts'
import { isRecordPosition, SHARD_END, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { isClosed } from '../../src/model/shard.ts'
import { deferred } from '../../src/runtime/deferred.ts'
import { type Loop, startLoop } from '../../src/runtime/loop.ts'
import { shuffled } from '../../src/runtime/random.ts'
import { STREAM, type World } from './world.ts'

/** `failoverTimeMillis` of the Java fleet. */
export const FAILOVER_MS = 10_000
const TAKE_EVERY_MS = 2 * (FAILOVER_MS + 25)
const RENEW_EVERY_MS = FAILOVER_MS / 3 - 25
const READ_EVERY_MS = 1_000

export interface Held {
  lease: Lease
  provedAtMs: number
  /** Where it reads on at LATEST, which means when the shard is opened. */
  latest?: string
}

export class JavaWorker {
  readonly name: string
  protected readonly world: World
  protected readonly held = new Map<string, Held>()
  readonly #seen = new Map<string, { readonly counter: number; readonly atMs: number }>()
  #loops: Loop[] = []
  #pause: ReturnType<typeof deferred> | undefined
  protected isDead = false
  #writing: Promise<unknown> = Promise.resolve()

  constructor(world: World, name: string) {
    this.world = world
    this.name = name
  }

  /** Shards that it holds and that are not finished. */
  get shardIds(): string[] {
    return [...this.held.values()].filter(({ lease }) => !isFinished(lease)).map(({ lease }) => lease.shardId)
  }

  start(): void {
    this.every(TAKE_EVERY_MS, () => this.take())
    this.every(RENEW_EVERY_MS, () => this.#renew())
    this.every(READ_EVERY_MS, () => this.read())
  }

  /** As SIGKILL, and as a shutdown of KCL, which gives nothing back. */
  kill(): void {
    this.isDead = true
    for (const loop of this.#loops) void loop.stop()
  }

  protected every(ms: number, run: () => Promise<void>): void {
    const { clock } = this.world
    const gated = async (): Promise<void> => {
      await this.pass()
      await run()
    }
    this.#loops.push(startLoop({ clock, run: gated, delayMs: () => ms, onError: error => this.#failed(error) }))
  }

  /** As a long collection of garbage: nothing is done until {@link resume}. */
  pause(): void {
    this.#pause ??= deferred()
  }

  resume(): void {
    this.#pause?.resolve()
    this.#pause = undefined
  }

  /** Resolves when it does not stand still. */
  protected async pass(): Promise<void> {
    await this.#pause?.promise
  }

  #failed(error: unknown): void {
    if (!this.isDead) throw error
  }

  /** Writes of one worker follow one another, as those of one lease do in KCL. */
  protected write(key: string, change: (lease: Lease) => Lease): Promise<boolean> {
    const turn = this.#writing.then(() => this.#writeNow(key, change))
    this.#writing = turn
    return turn
  }

  async #writeNow(key: string, change: (lease: Lease) => Lease): Promise<boolean> {
    const held = this.held.get(key)
    if (held === undefined || this.isDead) return false
    const sentAtMs = this.world.clock.monotonicMs()
    const after = change(held.lease)
    const outcome = await this.world.store.replace(held.lease, after)
    if (outcome.kind === 'written') Object.assign(held, { lease: after, provedAtMs: sentAtMs })
    else if (outcome.current !== undefined && this.isBeingHandedOver(outcome.current, held.lease)) {
      held.lease = outcome.current
      return this.#writeNow(key, change)
    } else this.held.delete(key)
    return outcome.kind === 'written'
  }

  /** Whether a write was refused because a leader has begun a hand-off. KCL 2.x knows none. */
  protected isBeingHandedOver(_current: Lease, _mine: Lease): boolean {
    return false
  }

  async #renew(): Promise<void> {
    const nowMs = this.world.clock.monotonicMs()
    for (const [key, { provedAtMs }] of this.held) {
      if (nowMs - provedAtMs > FAILOVER_MS) this.held.delete(key)
      else await this.write(key, renewed)
    }
  }

  protected async take(): Promise<void> {
    const { store, clock, random } = this.world
    const { leases } = await store.list()
    const nowMs = clock.monotonicMs()
    if (leases.length === 0) return this.#createLeases()
    for (const { leaseKey, counter, owner } of leases) {
      const last = this.#seen.get(leaseKey)
      const atMs = owner === undefined && last === undefined ? Number.NEGATIVE_INFINITY : nowMs
      if (last?.counter !== counter) this.#seen.set(leaseKey, { counter, atMs })
    }
    const isFree = ({ leaseKey, owner }: Lease): boolean =>
      owner === undefined || nowMs - (this.#seen.get(leaseKey)?.atMs ?? nowMs) > FAILOVER_MS
    const counts = new Map([[this.name, 0]])
    for (const { owner } of leases.filter(lease => !isFree(lease))) {
      if (owner !== undefined) counts.set(owner, (counts.get(owner) ?? 0) + 1)
    }
    const target = counts.size >= leases.length ? 1 : Math.ceil(leases.length / counts.size)
    const need = target - (counts.get(this.name) ?? 0)
    if (need <= 0) return
    const free = shuffled(leases.filter(isFree), random).slice(0, need)
    for (const lease of free.length > 0 ? free : this.#toSteal(leases, counts, target, need)) {
      const after = claimed(lease, this.name)
      const outcome = await store.replace(lease, after)
      if (outcome.kind === 'written') this.held.set(lease.leaseKey, { lease: after, provedAtMs: clock.monotonicMs() })
    }
  }

  #toSteal(leases: readonly Lease[], counts: ReadonlyMap<string, number>, target: number, need: number): Lease[] {
    const [victim, most] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a))
    if (victim === this.name || most < target) return []
    const count = Math.min(Math.max(Math.min(need, most - target), need > 1 ? 1 : 0), 1)
    return shuffled(
      leases.filter(({ owner }) => owner === victim),
      this.world.random
    ).slice(0, count)
  }

  async #createLeases(): Promise<void> {
    for (const { shardId, hashKeyRange } of this.world.kinesis.shards(STREAM).filter(shard => !isClosed(shard))) {
      await this.world.store.create(newLease({ shardId, checkpoint: TRIM_HORIZON, hashKeyRange }))
    }
  }

  protected async read(): Promise<void> {
    for (const [key, { lease }] of this.held) if (!isFinished(lease) && !this.isDead) await this.#readOne(key)
  }

  async #readOne(key: string): Promise<void> {
    const { kinesis, store, ledger, clock } = this.world
    const held = this.held.get(key)
    if (held === undefined) return
    const parents = await Promise.all(held.lease.parentShardIds.map(parent => store.get(parent)))
    if (parents.some(parent => parent !== undefined && !isFinished(parent))) return
    const { checkpoint, shardId } = held.lease
    const start = isRecordPosition(checkpoint)
      ? ({ type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: checkpoint.sequenceNumber } as const)
      : ({ type: 'TRIM_HORIZON' } as const)
    const port = kinesis.port(STREAM)
    const isLatest = checkpoint.sequenceNumber === 'LATEST'
    const latest = isLatest ? (held.latest ?? (await port.getShardIterator(shardId, { type: 'LATEST' }))) : undefined
    const answer = await port.getRecords(latest ?? (await port.getShardIterator(shardId, start)), { limit: 1_000 })
    if (answer.nextIterator !== undefined) held.latest = answer.nextIterator
    const records = answer.records.map(({ partitionKey, data }) => {
      return { partitionKey, text: () => new TextDecoder().decode(data) }
    })
    ledger.deliver(this.name, shardId, records, clock.monotonicMs())
    const last = answer.records.at(-1)
    if (last !== undefined) {
      const position = { sequenceNumber: last.sequenceNumber, subSequenceNumber: 0 }
      const at = (lease: Lease): Lease => ({ ...renewed(lease), checkpoint: position, ownerSwitchesSinceCheckpoint: 0 })
      if (!(await this.write(key, at))) return
    }
    if (answer.nextIterator === undefined) await this.#end(key, shardId)
  }

  async #end(key: string, shardId: string): Promise<void> {
    const { kinesis, store } = this.world
    const children = kinesis
      .shards(STREAM)
      .filter(shard => [shard.parentShardId, shard.adjacentParentShardId].includes(shardId))
    for (const child of children) {
      const parentShardIds = [child.parentShardId, child.adjacentParentShardId].flatMap(parent => parent ?? [])
      const { shardId: id, hashKeyRange } = child
      await store.create(newLease({ shardId: id, checkpoint: TRIM_HORIZON, hashKeyRange, parentShardIds }))
    }
    const childShardIds = children.map(child => child.shardId)
    await this.write(key, lease => ({ ...renewed(lease), checkpoint: SHARD_END, childShardIds }))
  }
}
