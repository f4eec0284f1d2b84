// A worker of Java KCL 3.x as the others see it, by kcl-behaviour.md sections 1.10, 1.11 and 2.4 to 2.7: publishes metrics,
// contends for the leader's lock, assigns leases by count as the leader, discovers what it was assigned, and hands leases over.
// While the version in the table says so it takes leases as KCL 2.x does.
import { isSession } from '../../src/leases/session-id.ts'
import { actualOwner, isFinished, type Lease, released } from '../../src/model/lease.ts'
import { FAILOVER_MS, JavaWorker } from './java-worker.ts'

const DISCOVER_EVERY_MS = 9_975
const ASSIGN_EVERY_MS = 20_000
const BALANCE_EVERY = 3
const PUBLISH_EVERY_MS = 30_000
const HEARTBEAT_EVERY_MS = 30_000
const LOCK_LASTS_MS = 120_000
const POLL_EVERY_MS = 60_000
const ACTIVE_S = 60
const HAND_OFF_TIMEOUT_MS = 30_000

interface Seen {
  readonly counter: number
  readonly atMs: number
  /** Until when a hand-off that is seen may take. */
  readonly patienceMs: number
  readonly owners: string
}

export class Kcl3Worker extends JavaWorker {
  /** What it did as the leader, as lines such as `assign shardId-000000000001 w1/00000000`. */
  readonly decisions: string[] = []
  #isTaking = true
  #run = 0
  #beats = 0
  #notLeaderUntilMs = Number.NEGATIVE_INFINITY
  #lockSeen: { readonly version: string; readonly atMs: number } | undefined
  #seen = new Map<string, Seen>()

  /** Whether it has the lock. */
  get isLeading(): boolean {
    return this.world.kcl.items.lock?.owner === this.name && !this.isDead
  }

  get isAlive(): boolean {
    return !this.isDead
  }

  override start(): void {
    this.every(POLL_EVERY_MS, async () => {
      const { version } = this.world.kcl.items
      this.#isTaking = version !== '3X' && version !== '3X_WITH_ROLLBACK'
    })
    super.start()
    this.every(PUBLISH_EVERY_MS, () => this.#publish())
    this.every(DISCOVER_EVERY_MS, () => this.#discover())
    this.every(ASSIGN_EVERY_MS, () => this.#lead())
    this.every(HEARTBEAT_EVERY_MS, async () => {
      if (this.isLeading) this.#beat()
    })
  }

  /** As a graceful shutdown of KCL: gives the lock back, and no lease. */
  stop(): void {
    if (this.isLeading) this.world.kcl.items.lock = undefined
    this.kill()
  }

  protected override async take(): Promise<void> {
    if (this.#isTaking) await super.take()
  }

  protected override isBeingHandedOver(current: Lease, mine: Lease): boolean {
    const isNews = mine.checkpointOwner === undefined && current.checkpointOwner === this.name
    return isNews && current.counter === mine.counter
  }

  /** What is processed is checkpointed at once, so that a lease can be handed over as soon as that is seen. */
  protected override async read(): Promise<void> {
    await super.read()
    for (const [key, { lease }] of this.held) {
      if (lease.checkpointOwner !== this.name || lease.owner === undefined) continue
      const { owner } = lease
      await this.write(key, row => ({ ...released(row), owner }))
      this.held.delete(key)
    }
  }

  async #publish(): Promise<void> {
    const { clock, kcl } = this.world
    const { version, hasLegacyTables } = kcl.items
    if (version === undefined || version === '2X' || this.isDead) return
    await kcl.publish(this.name, hasLegacyTables ? 'legacy-tables' : 'lease-table', clock.epochMs() / 1_000)
  }

  async #discover(): Promise<void> {
    if (this.#isTaking) return
    const { store, clock } = this.world
    for (const lease of (await store.list()).leases) {
      const isMine = lease.owner === this.name && lease.checkpointOwner === undefined
      if (isMine && !this.held.has(lease.leaseKey)) {
        this.held.set(lease.leaseKey, { lease, provedAtMs: clock.monotonicMs() })
      }
    }
  }

  #beat(): void {
    this.#beats++
    this.world.kcl.items.lock = { owner: this.name, version: `${this.name}-${this.#beats}` }
  }

  #hasLock(): boolean {
    const { kcl, clock } = this.world
    const nowMs = clock.monotonicMs()
    const { lock } = kcl.items
    if (lock?.owner === this.name) return true
    if (nowMs < this.#notLeaderUntilMs) return false
    if (lock !== undefined && this.#lockSeen?.version !== lock.version) {
      this.#lockSeen = { version: lock.version, atMs: nowMs }
    }
    const isFree = lock === undefined || nowMs - (this.#lockSeen?.atMs ?? nowMs) > LOCK_LASTS_MS
    if (isFree) this.#beat()
    else this.#notLeaderUntilMs = nowMs + HEARTBEAT_EVERY_MS
    return isFree
  }

  async #lead(): Promise<void> {
    if (this.#isTaking || this.isDead) return
    if (!this.#hasLock()) {
      this.#seen.clear()
      this.#run = 0
      return
    }
    const { store, clock, kcl } = this.world
    const { leases } = await store.list()
    // Whatever it decides after a pause is about what it saw before.
    await this.pass()
    const nowMs = clock.monotonicMs()
    this.#observe(leases, nowMs)
    const nowS = clock.epochMs() / 1_000
    const active = Object.values(kcl.items.published)
      .flatMap(workers => [...workers])
      .filter(([worker, atS]) => nowS - atS <= ACTIVE_S && !kcl.items.full.has(worker))
      .map(([worker]) => worker)
      .sort()
    if (active.length === 0) return
    const counts = new Map(active.map(worker => [worker, 0]))
    const isOpen = (lease: Lease): boolean =>
      actualOwner(lease) === undefined || nowMs - (this.#seen.get(lease.leaseKey)?.atMs ?? nowMs) > FAILOVER_MS
    const kept = leases.filter(lease => !isOpen(lease))
    for (const lease of kept) {
      const owner = actualOwner(lease) ?? ''
      if (counts.has(owner)) counts.set(owner, (counts.get(owner) ?? 0) + 1)
    }
    const target = active.length >= leases.length ? 1 : Math.ceil(leases.length / active.length)
    const least = (): string => [...counts].reduce((a, b) => (b[1] < a[1] ? b : a))[0]
    const give = (worker: string): string => {
      counts.set(worker, (counts.get(worker) ?? 0) + 1)
      return worker
    }
    for (const lease of leases.filter(isOpen)) await this.#assign(lease, give(least()))
    for (const lease of kept.filter(({ checkpointOwner }) => checkpointOwner !== undefined)) {
      if (nowMs > (this.#seen.get(lease.leaseKey)?.patienceMs ?? nowMs))
        await this.#assign(lease, lease.owner ?? least())
    }
    if (this.#run++ % BALANCE_EVERY === 0) await this.#balance(kept, counts, target, give)
  }

  async #balance(
    kept: readonly Lease[],
    counts: Map<string, number>,
    target: number,
    give: (worker: string) => string
  ): Promise<void> {
    for (const lease of kept.filter(({ checkpointOwner }) => checkpointOwner === undefined)) {
      const { owner = '' } = lease
      const [receiver, fewest] = [...counts].reduce((a, b) => (b[1] < a[1] ? b : a))
      const count = counts.get(owner)
      // An uneven rest stays where it is.
      if (count === undefined || count <= fewest + 1 || (count <= target && fewest >= target - 1)) continue
      counts.set(owner, count - 1)
      if (isFinished(lease)) await this.#assign(lease, give(receiver))
      else await this.#handOver(lease, give(receiver))
    }
  }

  #observe(leases: readonly Lease[], nowMs: number): void {
    const seen = new Map<string, Seen>()
    for (const lease of leases) {
      const last = this.#seen.get(lease.leaseKey)
      const owners = `${lease.owner} ${lease.checkpointOwner}`
      const patienceMs = last?.owners === owners ? last.patienceMs : nowMs + HAND_OFF_TIMEOUT_MS + FAILOVER_MS
      const atMs = last?.counter === lease.counter ? last.atMs : nowMs
      seen.set(lease.leaseKey, { counter: lease.counter, atMs, patienceMs, owners })
    }
    this.#seen = seen
  }

  /** Whether the row is still as the leader saw it: its conditions are about owners, not about the counter. */
  async #fresh({ leaseKey, owner, checkpointOwner }: Lease): Promise<Lease | undefined> {
    const row = await this.world.store.get(leaseKey)
    return row?.owner === owner && row?.checkpointOwner === checkpointOwner && !this.isDead ? row : undefined
  }

  async #assign(lease: Lease, worker: string): Promise<void> {
    const row = await this.#fresh(lease)
    if (row === undefined) return
    const after = { ...released(row), owner: worker }
    const outcome = await this.world.store.replace(row, after)
    if (outcome.kind === 'refused') return
    const atMs = this.world.clock.monotonicMs()
    const known = this.#seen.get(lease.leaseKey)
    if (known !== undefined) this.#seen.set(lease.leaseKey, { ...known, counter: after.counter, atMs })
    this.decisions.push(`assign ${lease.leaseKey} ${worker}`)
  }

  async #handOver(lease: Lease, worker: string): Promise<void> {
    const row = await this.#fresh(lease)
    if (row?.owner === undefined) return
    const outcome = await this.world.store.replace(row, { ...row, owner: worker, checkpointOwner: row.owner })
    if (outcome.kind === 'written') this.decisions.push(`hand over ${lease.leaseKey} ${worker}`)
  }

  /** How many of its decisions were about sessions of ours. */
  get decisionsForOurs(): number {
    return this.decisions.filter(line => isSession(line.slice(line.lastIndexOf(' ') + 1))).length
  }
}
