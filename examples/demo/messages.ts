// What the worker processes and their parent tell each other.
import type { LedgerRow } from './ledger.ts'

/** What a worker process is started with, as JSON in its first argument. */
export interface WorkerAssignment {
  readonly workerId: string
  readonly streamName: string
  readonly applicationName: string
  readonly leaseDurationMs: number
  readonly ledgerFile: string
}

/** Events of a worker that the demo shows. */
export type ShownEvent =
  | 'lease:taken'
  | 'lease:revoked'
  | 'lease:released'
  | 'lease:lost'
  | 'shard:started'
  | 'shard:ended'

/** From a worker process to its parent. */
export type WorkerMessage =
  | { readonly kind: 'started' }
  | {
      readonly kind: 'event'
      readonly name: ShownEvent
      readonly shardId: string
      readonly atNs: string
      readonly why?: string
    }
  /** Records were processed, and are in the ledger. `left`: how many of their batch are still to come. */
  | {
      readonly kind: 'processed'
      readonly shardId: string
      readonly rows: readonly LedgerRow[]
      readonly left: number
    }
  /** Something that a person should see. */
  | { readonly kind: 'problem'; readonly text: string }

/** From the parent to a worker process. */
export type ParentMessage = 'stop'
