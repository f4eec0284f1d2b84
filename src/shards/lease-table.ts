// The lease table as the shard syncer sees it: all of it, once it is certain that it belongs to the stream. Every
// write has a condition, and is told once it has landed; what to write is decided elsewhere.
import { TableMismatchError } from '../model/errors.ts'
import type { Lease, StreamIdentity } from '../model/lease.ts'
import { formatPosition } from '../model/sequence-number.ts'
import { leaseKeyOf, streamIdOf } from '../model/stream-id.ts'
import { judgeIdentity } from './identity-rules.ts'
import type { PlannedRemoval } from './plan-lease-cleanup.ts'
import type { CreationReason } from './plan-shard-sync.ts'
import { forEachOf, patiently, type SyncContext } from './sync-context.ts'

/** What to do with the leases of an earlier stream of the same name. */
export type OnRecreatedStream = 'refuse' | 'start-over'

/** How often the row of an earlier stream is removed if somebody keeps writing to it. */
const REMOVALS = 5

/** A lease that the table is to have, and what for. */
export interface LeaseToCreate {
  readonly lease: Lease
  readonly why: CreationReason | 'shard-end'
}

/** The leases of one stream in their table. Tries again what passes, and tells of each change once it has landed. */
export class LeaseTable {
  readonly #context: SyncContext
  readonly #onRecreatedStream: OnRecreatedStream
  readonly #toldOf = new Set<string>()
  readonly #isShared: boolean
  #streamId: string | undefined

  /** @param isShared whether the table has the leases of several streams, and what is written here says of which they are */
  constructor(context: SyncContext, onRecreatedStream: OnRecreatedStream, isShared = false) {
    this.#context = context
    this.#onRecreatedStream = onRecreatedStream
    this.#isShared = isShared
  }

  /** What the stream is called in the rows of a table that several share; `undefined` in the table of one. */
  get streamId(): string | undefined {
    return this.#streamId
  }

  /** From now on this is about the leases of `stream`. To be called before anything else. */
  belongTo(stream: StreamIdentity): void {
    this.#streamId = this.#isShared ? streamIdOf(stream) : undefined
  }

  /**
   * Every lease of the stream. May be a little old, unless `consistent`.
   *
   * @throws TableMismatchError if the table belongs to another stream, or to an earlier one that must not be forgotten; or if it
   *   has leases of several streams and this is an application of one, or the other way round.
   */
  async list(stream: StreamIdentity, signal: AbortSignal | undefined, consistent = false): Promise<readonly Lease[]> {
    const { leases, skipped } = await patiently(this.#context, signal, () =>
      this.#context.store.list({ consistent, signal })
    )
    for (const { key, because, problem } of skipped) {
      if (because !== 'malformed' || this.#toldOf.has(key)) continue
      this.#toldOf.add(key)
      this.#context.report({ kind: 'row-skipped', key, because, problem })
    }
    if (this.#streamId !== undefined) return this.#ofStream(leases, this.#streamId)
    const shared = leases.find(({ streamId }) => streamId !== undefined)
    if (shared !== undefined) throw this.#sharedTable(shared)
    const verdict = judgeIdentity(leases, stream)
    if (verdict.kind === 'another-stream') throw this.#anotherStream(stream.streamArn, verdict.streamArn)
    if (verdict.kind === 'ours') return leases
    if (this.#onRecreatedStream === 'refuse') throw this.#recreated(verdict.leases, stream)
    const earlier = new Set(verdict.leases.map(lease => lease.leaseKey))
    const kept = await this.#startOver(verdict.leases, stream, signal)
    return [...leases.filter(lease => !earlier.has(lease.leaseKey)), ...kept]
  }

  /** The leases of these shards as they are now, by shard id. */
  async get(shardIds: Iterable<string>, signal: AbortSignal | undefined): Promise<Map<string, Lease>> {
    const unique = [...new Set(shardIds)]
    const found = await forEachOf(unique, shardId =>
      patiently(this.#context, signal, () => this.#context.store.get(leaseKeyOf(this.#streamId, shardId), signal))
    )
    return new Map(found.flatMap(lease => (lease === undefined ? [] : [[lease.shardId, lease]])))
  }

  /**
   * Creates a lease unless there is one, or this worker may not. A worker that slept since it looked might bring back a lease
   * whose shard was finished meanwhile, and whose row was removed: it would be read again.
   */
  async create(
    { lease, why }: LeaseToCreate,
    mayCreate: () => boolean,
    signal: AbortSignal | undefined
  ): Promise<Creation> {
    const { store } = this.#context
    const outcome = await patiently(this.#context, signal, async () =>
      mayCreate() ? store.create(lease) : { kind: 'stale' as const }
    )
    if (outcome.kind !== 'written') return outcome.kind === 'stale' ? 'stale' : 'exists'
    const { leaseKey, shardId, checkpoint } = lease
    this.#context.report({ kind: 'lease-created', leaseKey, shardId, why, checkpoint: formatPosition(checkpoint) })
    return 'created'
  }

  /** Removes a lease unless it has changed. Says whether it is gone. */
  async remove({ lease, why }: PlannedRemoval, signal: AbortSignal | undefined): Promise<boolean> {
    const outcome = await patiently(this.#context, signal, () => this.#context.store.remove(lease))
    if (outcome.kind === 'refused') return false
    this.#context.report({ kind: 'lease-removed', leaseKey: lease.leaseKey, shardId: lease.shardId, why })
    return true
  }

  /** Removes the leases of the earlier stream. Returns those that somebody else has created for the present one meanwhile. */
  async #startOver(
    earlier: readonly Lease[],
    stream: StreamIdentity,
    signal: AbortSignal | undefined
  ): Promise<readonly Lease[]> {
    const kept = await forEachOf(earlier, lease => this.#removeEarlier(lease, stream, signal))
    const present = kept.flatMap(lease => lease ?? [])
    const presentKeys = new Set(present.map(lease => lease.leaseKey))
    this.#context.report({
      kind: 'stream-recreated',
      creationEpoch: stream.creationEpoch,
      removed: earlier.map(lease => lease.leaseKey).filter(key => !presentKeys.has(key))
    })
    return present
  }

  async #removeEarlier(
    lease: Lease,
    stream: StreamIdentity,
    signal: AbortSignal | undefined
  ): Promise<Lease | undefined> {
    let row = lease
    for (let attempt = 1; attempt <= REMOVALS; attempt++) {
      const before = row
      const outcome = await patiently(this.#context, signal, () => this.#context.store.remove(before))
      if (outcome.kind === 'written' || outcome.current === undefined) return undefined
      row = outcome.current
      if (row.stream !== undefined && judgeIdentity([row], stream).kind === 'ours') return row
    }
    throw new TableMismatchError(
      `${this.#name()}: the lease of ${lease.leaseKey} is of an earlier stream, but ${row.owner ?? 'somebody'} keeps ` +
        'writing to it. Stop the workers that were started before the stream was created again, then try again'
    )
  }

  #ofStream(leases: readonly Lease[], streamId: string): readonly Lease[] {
    const stray = leases.find(lease => lease.streamId === undefined)
    if (stray === undefined) return leases.filter(lease => lease.streamId === streamId)
    throw new TableMismatchError(
      `${this.#name()} holds leases of an application of one stream, such as ${stray.leaseKey}, but this worker reads ` +
        'several streams, whose leases have other keys. Give it another applicationName, or begin with streamName or streamArn'
    )
  }

  #sharedTable({ leaseKey }: Lease): TableMismatchError {
    return new TableMismatchError(
      `${this.#name()} holds leases of an application of several streams, such as ${leaseKey}, but this worker reads one ` +
        'stream, whose leases have other keys. Give it another applicationName, or name the streams with the option streams'
    )
  }

  #anotherStream(ours: string, theirs: string): TableMismatchError {
    return new TableMismatchError(
      `${this.#name()} holds leases of ${theirs}, but this worker reads ${ours}. ` +
        'An application reads one stream: give this one another applicationName'
    )
  }

  #recreated(earlier: readonly Lease[], stream: StreamIdentity): TableMismatchError {
    const earlierEpoch = earlier.find(lease => lease.stream !== undefined)?.stream?.creationEpoch
    return new TableMismatchError(
      `${this.#name()} holds ${earlier.length} leases of an earlier stream ${this.#context.kinesis.streamName} ` +
        `(created at ${earlierEpoch} s), which was deleted and created again (at ${stream.creationEpoch} s). ` +
        'Their checkpoints mean nothing in the new stream. Either give the application another applicationName or an ' +
        "empty table, or set onRecreatedStream to 'start-over', which removes them and begins at startAt"
    )
  }

  #name(): string {
    return `Lease table ${this.#context.store.tableName}`
  }
}

/** What became of a lease that was to be created. `stale`: this worker may have slept, and what it knows be old. */
export type Creation = 'created' | 'exists' | 'stale'

/** A listing in which the rows of some shards are as they were read one by one: `fresh` has those that exist, by shard id. */
export function overlaid(
  listed: readonly Lease[],
  shardIds: Iterable<string>,
  fresh: ReadonlyMap<string, Lease>
): readonly Lease[] {
  const reread = new Set(shardIds)
  return [...listed.filter(lease => !reread.has(lease.shardId)), ...fresh.values()]
}
