// A fleet that there is only in memory, as large as one likes, which changes with each look: what the dashboard is tried on.
import type { DashboardFleet } from '../../src/dashboard/dashboard-options.ts'
import type { Hold } from '../../src/leases/order-rules.ts'
import { OperationError } from '../../src/model/errors.ts'
import type { FleetStatus, LeaseStatus, WorkerStatus } from '../../src/operate/status-rules.ts'
import { type Random, seededRandom } from '../../src/runtime/random.ts'

const SPACE = 2n ** 128n

export interface FleetShape {
  readonly shards: number
  readonly workers: number
  readonly seed?: number
  /** With a dead worker, shards that are red, a hole and a pause. */
  readonly isTroubled?: boolean
  /** With shards that were split and merged. */
  readonly isResharded?: boolean
}

/** A call of an action, as the fleet got it. */
export type Call = readonly [name: string, ...given: readonly unknown[]]

export class DashboardFleetDouble implements DashboardFleet {
  readonly calls: Call[] = []
  looks = 0
  measurements = 0
  /** What the next look fails with. */
  failure: Error | undefined
  /** What actions wait for. */
  waiting: Promise<void> = Promise.resolve()
  atMs: number
  readonly #shape: FleetShape
  readonly #random: Random
  readonly #lags: number[]
  readonly #sequences: bigint[]

  constructor(shape: FleetShape, atMs = 1_790_000_000_000) {
    this.#shape = shape
    this.atMs = atMs
    this.#random = seededRandom(shape.seed ?? 1)
    this.#lags = Array.from({ length: shape.shards }, () => Math.round(this.#random.next() ** 3 * 9_000))
    this.#sequences = Array.from({ length: shape.shards }, (_, at) => 49_645n * 10n ** 51n + BigInt(at) * 10n ** 9n)
  }

  async status(): Promise<FleetStatus> {
    this.looks += 1
    this.atMs += 2_000
    if (this.failure !== undefined) throw this.failure
    const leases = this.#leases()
    const { isTroubled = false } = this.#shape
    const workers = this.#workers(leases)
    const [leader] = workers
    const reasons = [
      ...workers.flatMap(({ workerId, reasons: why }) => why.map(reason => `${workerId}: ${reason}`)),
      ...leases.flatMap(({ shardId, reason }) => (reason === undefined ? [] : [`${shardId}: ${reason}`]))
    ]
    const holds: Hold[] = isTroubled
      ? [
          {
            id: 'pause-1',
            why: 'the database is being migrated',
            by: 'ann@ops',
            isKept: true,
            beat: 0,
            leases: [idOf(2)]
          }
        ]
      : []
    return {
      ...{ applicationName: 'click-counter', streamName: 'clicks', leaseTable: 'click-counter' },
      ...{
        controlTable: 'millrace-control',
        atMs: this.atMs,
        color: reasons.length > 0 ? 'red' : 'green',
        mode: 'solo'
      },
      ...(leader?.session !== undefined && { leader: { session: leader.session, workerId: leader.workerId, term: 3 } }),
      ...{ workers, leases, holes: [], holds, moves: [], reasons }
    }
  }

  async lag(): ReturnType<DashboardFleet['lag']> {
    this.measurements += 1
    const shards = this.#lags.map((lag, at) => {
      const isStuck = this.#shape.isTroubled === true && at === 5
      this.#lags[at] = isStuck
        ? lag + 10_000
        : Math.max(0, Math.round(lag * (0.6 + this.#random.next() * 0.7) + this.#random.next() * 300))
      return { shardId: idOf(at), lagMs: this.#lags[at] ?? 0 }
    })
    return { atMs: this.atMs, maxLagMs: Math.max(...shards.map(({ lagMs }) => lagMs)), shards }
  }

  async reset(...given: Parameters<DashboardFleet['reset']>): ReturnType<DashboardFleet['reset']> {
    await this.#act('reset', given[1], ...given)
    return { shards: [{ shardId: idOf(0), from: '1', to: 'LATEST' }], waitedMs: 4_200, atMs: this.atMs }
  }

  async release(...given: Parameters<DashboardFleet['release']>): ReturnType<DashboardFleet['release']> {
    await this.#act('release', given[0], ...given)
    return [{ shardId: idOf(0), owner: 'web-1:a' }]
  }

  async pause(...given: Parameters<DashboardFleet['pause']>): ReturnType<DashboardFleet['pause']> {
    await this.#act('pause', given[0], ...given)
    return { id: 'p', why: 'a pause', by: 'ann', isKept: true, beat: 0, leases: given[0]?.shardIds ?? 'all' }
  }

  async resume(...given: Parameters<DashboardFleet['resume']>): ReturnType<DashboardFleet['resume']> {
    await this.#act('resume', given[0], ...given)
    return 'all'
  }

  async move(...given: Parameters<DashboardFleet['move']>): ReturnType<DashboardFleet['move']> {
    await this.#act('move', given[2], ...given)
    return { shardId: given[0], to: given[1] }
  }

  async #act(
    name: string,
    options: { readonly signal?: AbortSignal } | undefined,
    ...given: readonly unknown[]
  ): Promise<void> {
    this.calls.push([name, ...given])
    const aborted = new Promise<never>((_, reject) => {
      options?.signal?.addEventListener('abort', () => reject(new OperationError('not-let-go', 'It was called off')))
    })
    await Promise.race([this.waiting, aborted])
  }

  #leases(): LeaseStatus[] {
    const { shards, workers, isTroubled = false, isResharded = false } = this.#shape
    const size = BigInt(shards)
    const parents = isResharded ? this.#parents() : []
    const open = Array.from({ length: shards }, (_, at): LeaseStatus => {
      const sequence = (this.#sequences[at] ?? 0n) + BigInt(Math.floor(this.#random.next() * 1e6))
      this.#sequences[at] = sequence
      // One shard changes hands with each look.
      const worker = at === this.looks % shards ? (at + this.looks) % workers : at % workers
      const [isPaused, isOrphaned, isUnowned] = [
        isTroubled && at === 2,
        isTroubled && at === 9,
        isTroubled && at === 14
      ]
      const state = isPaused ? 'held' : isOrphaned ? 'orphaned' : isUnowned ? 'unowned' : 'read'
      const reason = isOrphaned
        ? 'its owner web-9:dead is dead, and nobody has taken it'
        : isUnowned
          ? 'nobody has read it for 41 s'
          : undefined
      const owner = isPaused || isUnowned ? undefined : isOrphaned ? 'web-9:dead' : `${nameOf(worker)}:a${worker}`
      return {
        ...{
          shardId: idOf(at),
          state,
          color: reason === undefined ? 'green' : 'red',
          checkpoint: String(sequence),
          counter: this.looks
        },
        ...(owner !== undefined && { owner, workerId: owner.split(':')[0] ?? '' }),
        ...{ hasPendingCheckpoint: false, childShardIds: [], shard: 'open' },
        hashKeyRange: { start: String((SPACE * BigInt(at)) / size), end: String((SPACE * BigInt(at + 1)) / size - 1n) },
        parentShardIds: isResharded && parents.length > 0 ? [parents[at >> 1]?.shardId ?? ''] : [],
        ...(isPaused && { heldFor: 'the database is being migrated' }),
        ...(reason !== undefined && { reason })
      }
    })
    return [...open, ...parents].sort((a, b) => (a.shardId < b.shardId ? -1 : 1))
  }

  /** One closed shard above every two. */
  #parents(): LeaseStatus[] {
    const { shards } = this.#shape
    const half = BigInt(shards >> 1)
    return Array.from({ length: shards >> 1 }, (_, at) => ({
      ...{ shardId: idOf(100_000 + at), state: 'finished', color: 'green', checkpoint: 'SHARD_END', counter: 9 },
      ...{
        hasPendingCheckpoint: false,
        parentShardIds: [],
        childShardIds: [idOf(2 * at), idOf(2 * at + 1)],
        shard: 'closed'
      },
      hashKeyRange: { start: String((SPACE * BigInt(at)) / half), end: String((SPACE * BigInt(at + 1)) / half - 1n) }
    }))
  }

  #workers(leases: readonly LeaseStatus[]): WorkerStatus[] {
    const { workers, isTroubled = false } = this.#shape
    const owned = (session: string): number => leases.filter(({ owner }) => owner === session).length
    const living = Array.from({ length: workers }, (_, at): WorkerStatus => {
      const session = `${nameOf(at)}:a${at}`
      const reasons = isTroubled && at === 5 % workers ? [`${idOf(5)} is halted: ProcessorError in processRecords`] : []
      return {
        ...{
          workerId: nameOf(at),
          session,
          state: 'ACTIVE',
          color: reasons.length > 0 ? 'red' : 'green',
          isLeader: at === 0
        },
        ...{ leases: owned(session), silentMs: Math.round(this.#random.next() * 3_000), durationMs: 10_000 },
        ...{ generation: 1, capacity: 1, redShards: reasons.length, reasons }
      }
    })
    if (!isTroubled) return living
    const reasons = [`is dead (silent) and still owns ${owned('web-9:dead')} leases`]
    return [
      ...living,
      {
        workerId: 'web-9',
        session: 'web-9:dead',
        state: 'DEAD',
        color: 'red',
        isLeader: false,
        leases: owned('web-9:dead'),
        redShards: 0,
        reasons
      }
    ]
  }
}

/** The id of a shard. */
export function idOf(at: number): string {
  return `shardId-${String(at).padStart(12, '0')}`
}

function nameOf(at: number): string {
  return `web-${at + 1}`
}
