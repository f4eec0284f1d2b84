// The streams that a worker reads, as the rest of it sees them: which one a lease is of, and all of them compared with the
// lease table. Here is the usual case, one stream; several are in many-streams.ts.
import type { Tenure } from '../leases/tenure.ts'
import type { Lease } from '../model/lease.ts'
import type { StreamHealth } from './health-rules.ts'
import type { WorkerStream } from './worker-stream.ts'

/** The comparison of shards and leases, of whatever streams there are. */
export interface TableSync {
  /** Whether the application begins: some stream had no lease when the table was opened. */
  readonly isFresh: boolean
  /** What time it is at the service, in whole epoch milliseconds. */
  serviceTimeMs(): number
  /** Compares, and resolves with what the leader has to look at the leases for, if anything: those created, to begin with. */
  sync(signal?: AbortSignal): Promise<{ readonly create: readonly unknown[] }>
  /** Keeps the last state of a lease whose row vanished while this worker held it, for the next comparison. */
  remember(lease: Lease): void
}

/** The streams of one worker. */
export interface StreamSet extends TableSync {
  /** What the streams are called, for events and metrics. */
  readonly label: string
  /** How the streams are doing, where there are several. */
  readonly health: readonly StreamHealth[] | undefined
  /** The stream that a lease is of. */
  of(lease: Lease): WorkerStream
  /** Finds the streams. @throws ServiceError if none of them can be read */
  find(signal: AbortSignal): Promise<unknown>
  /** Makes sure that the lease table is theirs. @throws TableMismatchError */
  open(signal: AbortSignal): Promise<unknown>
  /** Whether the fleet is to hold a lease: it is not of a stream whose leases are about to be deleted. */
  isWanted(lease: Lease): boolean
  /** The worker runs: looks after the streams from now on. */
  watch(): void
  /** Says which leases are held, so that there are connections for them. */
  expect(held: readonly Tenure[]): void
  /** Lets go of everything. */
  close(): void
}

/** The one stream of a worker. */
export class OneStream implements StreamSet {
  readonly health = undefined
  readonly #stream: WorkerStream

  constructor(stream: WorkerStream) {
    this.#stream = stream
  }

  get label(): string {
    return this.#stream.names.streamName
  }

  get isFresh(): boolean {
    return this.#stream.syncer.isFresh
  }

  of(): WorkerStream {
    return this.#stream
  }

  find(signal: AbortSignal): Promise<unknown> {
    return this.#stream.syncer.find(signal)
  }

  open(signal: AbortSignal): Promise<unknown> {
    return this.#stream.syncer.open(signal)
  }

  serviceTimeMs(): number {
    return this.#stream.syncer.serviceTimeMs()
  }

  sync(signal?: AbortSignal): ReturnType<TableSync['sync']> {
    return this.#stream.syncer.sync(signal)
  }

  remember(lease: Lease): void {
    this.#stream.syncer.remember(lease)
  }

  isWanted(): boolean {
    return true
  }

  watch(): void {}

  expect(held: readonly Tenure[]): void {
    this.#stream.ports.expectShards(held.length)
  }

  close(): void {
    this.#stream.close()
  }
}
