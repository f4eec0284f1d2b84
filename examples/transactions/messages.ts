// What the worker processes and their parent tell each other.

/** What a worker process is started with, as JSON in its first argument. */
export interface WorkerAssignment {
  readonly workerId: string
  readonly streamName: string
  readonly applicationName: string
  readonly databaseFile: string
  readonly leaseDurationMs: number
  readonly naive: boolean
}

/** From a worker process to its parent. */
export type WorkerMessage =
  | { readonly kind: 'started' }
  /** A shard begins. `isAhead`: at a position that the database had, and the lease table had not. */
  | { readonly kind: 'loaded'; readonly isAhead: boolean }
  /** Something that a person should see. */
  | { readonly kind: 'problem'; readonly text: string }

/** From the parent to a worker process. `die`: as soon as a transaction is committed, before the lease table is written. */
export type ParentMessage = 'stop' | 'die'
