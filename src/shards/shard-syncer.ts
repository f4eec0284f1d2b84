// Keeps the lease table in line with the shards of the stream: lists both, asks for a plan, carries it out, tells.
// Decides nothing itself, and never touches a lease that somebody holds.
import type { KinesisPort } from '../kinesis/kinesis-port.ts'
import type { LeaseStore } from '../leases/lease-store.ts'
import { BugError, ServiceError, TableMismatchError } from '../model/errors.ts'
import type { HashKeyRange } from '../model/hash-key-range.ts'
import { isFinished, type Lease, type StreamIdentity } from '../model/lease.ts'
import { type ChildShard, parentsOf, type Shard } from '../model/shard.ts'
import type { StartPosition } from '../model/start-position.ts'
import { streamIdOf } from '../model/stream-id.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Random } from '../runtime/random.ts'
import { couldBeOf, isOf } from './identity-rules.ts'
import { type Creation, LeaseTable, type LeaseToCreate, type OnRecreatedStream, overlaid } from './lease-table.ts'
import { judgeParents } from './parent-rules.ts'
import { planShardEnd, type ShardEndFacts, type ShardEndPlan } from './plan-shard-end.ts'
import { planShardSync, type SyncFacts, type SyncPlan, wavesOf } from './plan-shard-sync.ts'
import { formatRange, relativesOf, shardGraph } from './shard-graph.ts'
import { SharedRun } from './shared-run.ts'
import { type FoundStream, findStream, listOpenAt, listWholeStream } from './stream-lookup.ts'
import { forEachOf, type Guard, type SyncContext } from './sync-context.ts'
import type { SyncReport } from './sync-report.ts'

/** What the shards of a stream are compared with the lease table by: both, where to begin, and who is told. */
export interface ShardSyncerOptions {
  readonly kinesis: KinesisPort
  readonly store: LeaseStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Where to begin in shards that no lease leads to. */
  readonly startAt: StartPosition
  /**
   * What to do when the stream was deleted and created again under the same name: `refuse` to work with the leases of the
   * earlier stream, or `start-over`, which removes them. Default `refuse`.
   */
  readonly onRecreatedStream?: OnRecreatedStream
  /**
   * Whether several streams share the lease table. A stream that was created again is another one there: the syncer of the
   * earlier one finds it no more. Default false.
   */
  readonly isTableShared?: boolean
  /** Whether a stream that has no lease is to get some: false for one that is about to be forgotten, or was. Default: it is. */
  readonly mayBegin?: () => boolean
  /**
   * Whether nobody can have taken this worker's place since a look began: its session is the same, and proved to live. What it
   * returns is asked before each creation of a lease. Default: always.
   */
  readonly guard?: Guard
  /** Told what happened, after it happened. Must not throw. */
  readonly report: (event: SyncReport) => void
}

/** What became of a shard that seemed to have been read to its end. */
export type ShardEndOutcome =
  /** The leases of the children exist: now SHARD_END may be written. */
  | { readonly kind: 'ended'; readonly childShardIds: readonly string[] }
  /** Read on from the same position, or ask again later. */
  | { readonly kind: 'not-ended'; readonly because: string }

/** What a comparison came to. */
interface Comparison {
  readonly plan: SyncPlan
  /** Whether some of it has to be planned anew. */
  readonly isStale: boolean
}

/** For so long after finding the stream it is not looked at again: a fleet that starts has few calls a second for that. */
const FOUND_LATELY_MS = 10_000

/** Keeps the leases of a stream in line with its shards, on behalf of one worker. Has to be opened first. */
export class ShardSyncer {
  readonly #context: SyncContext
  readonly #logger: Logger
  readonly #startAt: StartPosition
  readonly #mayBegin: () => boolean
  readonly #table: LeaseTable
  readonly #syncs = new SharedRun(signal => this.#syncNow(signal))
  readonly #remembered = new Map<string, Lease>()
  #stream: StreamIdentity | undefined
  /** The stream as it was found; until the first sync, which need not look again. */
  #found: StreamIdentity | undefined
  /** What time it was at the service when the stream was last found, and by our monotonic clock. Milliseconds. */
  #heard: { readonly serviceMs: number; readonly atMs: number } | undefined
  #holesTold = ''
  #isFresh = false

  constructor(options: ShardSyncerOptions) {
    const { kinesis, store, clock, random, logger, startAt, onRecreatedStream = 'refuse', report } = options
    const { guard = () => () => true, isTableShared = false, mayBegin = () => true } = options
    this.#mayBegin = mayBegin
    const retried = (error: unknown, inMs: number): void =>
      logger.warn({ err: error, inMs }, 'a call for the comparison of shards and leases is made again')
    this.#context = { kinesis, store, clock, random, report, retried, guard }
    this.#logger = logger
    this.#startAt = startAt
    this.#table = new LeaseTable(this.#context, onRecreatedStream, isTableShared)
  }

  /**
   * Finds the stream, waiting while it is being created. {@link open} does so, too, if this was not called before.
   *
   * @throws ServiceError `not-found` if there is no such stream.
   */
  async find(signal?: AbortSignal): Promise<FoundStream> {
    const found = await findStream(this.#context, signal)
    this.#found = found.identity
    this.#heard = { serviceMs: found.nowMs, atMs: this.#context.clock.monotonicMs() }
    return found
  }

  /** Whether the lease table was empty when it was opened: the application begins. */
  get isFresh(): boolean {
    return this.#isFresh
  }

  /** What time it is at the service, in whole epoch milliseconds, as far as it was heard; by our own clock before that. */
  serviceTimeMs(): number {
    const { clock } = this.#context
    if (this.#heard === undefined) return Math.floor(clock.epochMs())
    return Math.floor(this.#heard.serviceMs + clock.monotonicMs() - this.#heard.atMs)
  }

  /**
   * Finds the stream and makes sure that the lease table belongs to it. May be called again, for example after an error.
   *
   * @throws ServiceError `not-found` if there is no such stream.
   * @throws TableMismatchError if the leases are of another stream, or of an earlier one and that is to be refused.
   */
  async open(signal?: AbortSignal): Promise<StreamIdentity> {
    const { identity: stream } = this.#foundLately() ?? (await this.find(signal))
    this.#table.belongTo(stream)
    const leases = await this.#table.list(stream, signal)
    const sayNothing = leases.every(lease => lease.stream === undefined && lease.streamId === undefined)
    if (leases.length > 0 && sayNothing) {
      const shards = await listWholeStream(this.#context, signal)
      if (!couldBeOf(leases, shards)) throw this.#foreignTable(leases, stream)
    }
    this.#isFresh = leases.length === 0
    this.#stream = stream
    return stream
  }

  /** The stream as it was opened; `undefined`: it was not. */
  get stream(): StreamIdentity | undefined {
    return this.#stream
  }

  /** Opens it as the stream that a lease is of: it need not be found for that lease to be served. Does nothing once it is open. */
  assume(stream: StreamIdentity): void {
    if (this.#stream !== undefined) return
    this.#table.belongTo(stream)
    this.#stream = stream
  }

  /**
   * Brings the lease table in line with the shards, and resolves with what was to be done. Calls made while a sync is under
   * way share the one that follows it.
   *
   * @throws ServiceError if the stream is gone, or its shards cannot be listed; TableMismatchError if it was created again.
   */
  sync(signal?: AbortSignal): Promise<SyncPlan> {
    return this.#syncs.ask(signal)
  }

  /**
   * Keeps the last state of a lease whose row vanished while this worker held it. The next sync that finds it missing
   * brings it back.
   */
  remember(lease: Lease): void {
    const earlier = this.#remembered.get(lease.shardId)
    if (earlier === undefined || earlier.counter <= lease.counter) this.#remembered.set(lease.shardId, lease)
  }

  /**
   * Makes certain that a shard has ended, and that each of its children has a lease. To be called once every record of the
   * shard has been processed; not before this resolves with `ended` may SHARD_END be written to `lease`. `children`: as the
   * last answer of GetRecords named them, if it did.
   */
  async settleShardEnd(
    lease: Lease,
    children: readonly ChildShard[] | undefined,
    signal?: AbortSignal
  ): Promise<ShardEndOutcome> {
    const stream = this.#openStream()
    const mayCreate = this.#context.guard()
    const named = (children ?? []).flatMap(child => [child.shardId, ...child.parentShardIds])
    const leases = await this.#table.get(named, signal)
    const facts = { lease, stream, leases, ...(children !== undefined && { children }) }
    let plan: ShardEndPlan = planShardEnd(facts)
    if (plan.kind === 'list-shards') plan = await this.#planWithListing(facts, signal)
    if (plan.kind === 'sync-first') {
      await this.sync(signal)
      plan = await this.#planWithListing(facts, signal)
    }
    if (plan.kind === 'list-shards') throw new BugError(`The end of ${lease.shardId} cannot be settled with a listing`)
    if (plan.kind !== 'end') return { kind: 'not-ended', because: plan.because }
    const creations = await forEachOf(plan.create, child =>
      this.#create({ lease: child, why: 'shard-end' }, mayCreate, signal)
    )
    if (creations.includes('stale'))
      return { kind: 'not-ended', because: 'this worker may have slept since it looked at its children' }
    return { kind: 'ended', childShardIds: plan.childShardIds }
  }

  /** Whether a shard may be read: each of its parents has been, as the table says now (strongly consistent). */
  async parentsFinished(lease: Lease, signal?: AbortSignal): Promise<boolean> {
    const remembered = lease.parentShardIds.flatMap(id => this.#remembered.get(id) ?? [])
    const rows = await this.#table.get(lease.parentShardIds, signal)
    const parents = new Map([...remembered.map(parent => [parent.shardId, parent] as const), ...rows])
    const verdict = judgeParents(lease, parents)
    if (verdict.kind !== 'list-shards') return verdict.kind === 'finished'
    const shards = await listWholeStream(this.#context, signal)
    return judgeParents(lease, parents, shards).kind === 'finished'
  }

  async #planWithListing(facts: ShardEndFacts, signal: AbortSignal | undefined): Promise<ShardEndPlan> {
    const shards = await listWholeStream(this.#context, signal)
    const listed = await this.#table.list(facts.stream, signal)
    const relatives = relativesOf(shardGraph(shards), facts.lease.shardId)
    const leases = overlaid(listed, relatives, await this.#table.get(relatives, signal))
    return planShardEnd({ ...facts, shards, leases: new Map(leases.map(lease => [lease.shardId, lease])) })
  }

  async #syncNow(signal: AbortSignal): Promise<SyncPlan> {
    const { plan, isStale } = await this.#compare(signal)
    if (!isStale) return plan
    throw new ServiceError('other', 'This worker may have slept since it looked at shards and leases', {
      retryable: true
    })
  }

  async #compare(signal: AbortSignal): Promise<Comparison> {
    const stream = this.#openStream()
    const mayCreate = this.#context.guard()
    const nowMs = await this.#checkEpoch(stream, signal)
    const shards = await listWholeStream(this.#context, signal)
    const listed = await this.#table.list(stream, signal)
    const leases = await this.#withoutVanished(listed, shards, stream, signal)
    if (leases.length === 0 && !this.#mayBegin()) return { plan: { create: [], remove: [], holes: [] }, isStale: false }
    const facts = {
      shards,
      leases,
      stream,
      streamId: this.#table.streamId,
      startAt: this.#startAt,
      nowMs,
      remembered: new Map(this.#remembered)
    }
    const informed = await this.#withBeginning(facts, signal)
    const plan = await this.#confirmed(informed, planShardSync(informed), signal)
    const { created, isStale } = await this.#carryOut(plan, mayCreate, signal)
    // While no lease has ever been held, missing ones are those that another worker is about to create, too.
    if (leases.some(lease => lease.counter > 0)) await this.#tellHoles(informed, plan, created, signal)
    return { plan, isStale }
  }

  /** Makes sure that the stream is the one it was, and resolves with the time at the service. */
  async #checkEpoch(stream: StreamIdentity, signal: AbortSignal): Promise<number> {
    const { identity, nowMs } = this.#foundLately() ?? (await this.find(signal))
    this.#found = undefined
    const { streamArn, creationEpoch } = identity
    const { streamId } = this.#table
    if (streamId !== undefined && streamIdOf(identity) === streamId) return nowMs
    if (streamArn === stream.streamArn && creationEpoch === stream.creationEpoch) return nowMs
    const problem =
      `Stream ${this.#context.kinesis.streamName} was deleted and created again while this worker ran (${streamArn} at ` +
      `${creationEpoch} s instead of ${stream.streamArn} at ${stream.creationEpoch} s)`
    if (streamId !== undefined) throw new ServiceError('not-found', problem, { retryable: false })
    throw new TableMismatchError(`${problem}. Start the worker again`)
  }

  /** Asks which shards were open when reading began, if that is longer ago than now and something begins there. */
  async #withBeginning(facts: SyncFacts, signal: AbortSignal): Promise<SyncFacts> {
    const begins = planShardSync(facts).create.filter(({ why }) => why !== 'rebuilt')
    const beginsAtMs = begins.find(({ lease }) => lease.startTimestampMs !== undefined)?.lease.startTimestampMs
    if (beginsAtMs === undefined || (facts.startAt === 'LATEST' && beginsAtMs === facts.nowMs)) return facts
    return { ...facts, openAtStart: await listOpenAt(this.#context, beginsAtMs, signal) }
  }

  /**
   * The part of a plan that holds after the table was read strongly consistent, and then the rows next to those that are to be
   * created, one by one. A listing of the table is neither new nor of one moment: it may show a parent that is finished and
   * not the children created before that, or miss rows that were removed because later generations had begun, and those too.
   */
  async #confirmed(facts: SyncFacts, plan: SyncPlan, signal: AbortSignal): Promise<SyncPlan> {
    if (plan.create.length === 0 && plan.remove.length === 0) return plan
    const graph = shardGraph(facts.shards)
    const ids = new Set(plan.create.flatMap(({ lease }) => relativesOf(graph, lease.shardId)))
    const listed = await this.#table.list(facts.stream, signal, true)
    const leases = overlaid(listed, ids, await this.#table.get(ids, signal))
    const confirmed = planShardSync({ ...facts, leases })
    const asked = new Set(plan.create.map(({ lease }) => lease.leaseKey))
    return { ...confirmed, create: confirmed.create.filter(({ lease }) => asked.has(lease.leaseKey)) }
  }

  /** Resolves with the keys of the leases that were created, and whether others were not because this worker may have slept. */
  async #carryOut(
    plan: SyncPlan,
    mayCreate: () => boolean,
    signal: AbortSignal
  ): Promise<{ readonly created: readonly string[]; readonly isStale: boolean }> {
    const created: string[] = []
    for (const wave of wavesOf(plan.create)) {
      const outcomes = await forEachOf(wave, planned => this.#create(planned, mayCreate, signal))
      created.push(...wave.filter((_, index) => outcomes[index] === 'created').map(({ lease }) => lease.leaseKey))
      // Children must not come before their parents.
      if (outcomes.includes('stale')) return { created, isStale: true }
    }
    const removals = await forEachOf(plan.remove, planned => this.#table.remove(planned, signal))
    const removed = plan.remove.filter((_, index) => removals[index]).map(({ lease }) => lease.leaseKey)
    if (created.length + removed.length > 0) {
      this.#logger.info({ created, removed }, 'Brought the lease table in line with the shards')
    }
    return { created, isStale: false }
  }

  /** Unless it is stale, its row is there afterwards. */
  async #create(planned: LeaseToCreate, mayCreate: () => boolean, signal: AbortSignal | undefined): Promise<Creation> {
    const creation = await this.#table.create(planned, mayCreate, signal)
    if (creation !== 'stale') this.#remembered.delete(planned.lease.shardId)
    return creation
  }

  async #tellHoles(facts: SyncFacts, plan: SyncPlan, repaired: readonly string[], signal: AbortSignal): Promise<void> {
    const ranges = (await this.#confirmedHoles(facts, plan, repaired, signal)).map(formatRange)
    const isNew = ranges.join() !== this.#holesTold
    this.#holesTold = ranges.join()
    if (ranges.length === 0 || (!isNew && repaired.length === 0)) return
    this.#logger.warn({ ranges, repaired }, 'No lease covered a part of the stream')
    this.#context.report({ kind: 'hole-found', ranges, repaired })
  }

  /**
   * The holes that were there before `repaired` were created. Rows of a listing that are old, each by itself, show holes that
   * never were: those that would be news are looked for again in one that is not.
   */
  async #confirmedHoles(
    facts: SyncFacts,
    { holes }: SyncPlan,
    repaired: readonly string[],
    signal: AbortSignal
  ): Promise<readonly HashKeyRange[]> {
    const areTold = holes.map(formatRange).join() === this.#holesTold
    if (holes.length === 0 || (areTold && repaired.length === 0)) return holes
    const leases = await this.#table.list(facts.stream, signal, true)
    return planShardSync({ ...facts, leases: leases.filter(({ leaseKey }) => !repaired.includes(leaseKey)) }).holes
  }

  /**
   * The table, in which the rows of remembered leases are as they are now: an older listing would show them still, or not
   * yet again. What is back, or cannot matter any more, is forgotten.
   */
  async #withoutVanished(
    listed: readonly Lease[],
    shards: readonly Shard[],
    stream: StreamIdentity,
    signal: AbortSignal
  ): Promise<readonly Lease[]> {
    const vanished = [...this.#remembered.keys()]
    const rows = await this.#table.get(vanished, signal)
    const ids = new Set(shards.flatMap(shard => [shard.shardId, ...parentsOf(shard)]))
    for (const [shardId, lease] of this.#remembered) {
      const isForeign = lease.stream !== undefined && !isOf(lease, stream)
      if (rows.has(shardId) || isForeign || (isFinished(lease) && !ids.has(shardId))) this.#remembered.delete(shardId)
    }
    return overlaid(listed, vanished, rows)
  }

  /** The stream as it was found, with the time at the service now; `undefined` if that is too long ago. */
  #foundLately(): FoundStream | undefined {
    if (this.#found === undefined || this.#heard === undefined) return undefined
    const agoMs = this.#context.clock.monotonicMs() - this.#heard.atMs
    return agoMs < FOUND_LATELY_MS ? { identity: this.#found, nowMs: this.serviceTimeMs() } : undefined
  }

  #openStream(): StreamIdentity {
    if (this.#stream === undefined) throw new BugError('The shard syncer was used before it was opened')
    return this.#stream
  }

  #foreignTable(leases: readonly Lease[], stream: StreamIdentity): TableMismatchError {
    return new TableMismatchError(
      `Lease table ${this.#context.store.tableName} holds ${leases.length} leases, such as ${leases[0]?.leaseKey}, but ` +
        `none of a shard of ${stream.streamArn}. It seems to belong to another application: use another applicationName`
    )
  }
}
