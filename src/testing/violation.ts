// What it means that a simulated world went wrong: which invariant broke, when and where, and how to see it again.

/** An invariant that broke. */
export type ViolationKind =
  | 'lost' /** a record was put and never processed, although nothing was left to be done */
  | 'checkpoint-ahead' /** a checkpoint passed a record that was not processed */
  | 'checkpoint-back' /** a checkpoint went back */
  | 'zombie-write' /** the table took a write of a worker that did not own the lease any more */
  | 'unfenced-write' /** the table took a write that was made from an old copy of the row */
  | 'unfounded-claim' /** a lease was claimed from a session that has no death certificate */
  | 'child-early' /** a record was delivered before everything in the parents of its shard was */
  | 'order' /** two records of one key were first delivered in the wrong order */
  | 'settled-early' /** a record was settled while an earlier one of its key was not, and no call had both */
  | 'undeserved' /** a record was given up that had not failed as often as it may, or in another way than was asked for */
  | 'overlap' /** a shard, or with lanes a key, was processed twice at the same time, and no fault explains it */
  | 'without-lease' /** a delivery began although another worker owned the lease, and no fault explains it */
  | 'graceful-duplicate' /** a settled record was delivered again although its shard only changed hands gracefully */
  | 'max-leases' /** a worker held more leases than it may */

/** One violation. */
export interface Violation {
  /** Which invariant broke. */
  readonly kind: ViolationKind
  /** What happened, with the numbers. */
  readonly message: string
  /** Virtual milliseconds since the world began. */
  readonly atMs: number
  /** Of the world. */
  readonly seed: number
  /** The shard that it is about; absent: the world as a whole. */
  readonly shardId?: string
  /** What happened to the shard before, newest last: the last lines of the journal about it. */
  readonly log: readonly string[]
}

/** What a world rejects with once an invariant broke. Its message has the seed, the log and how to replay it. */
export class SimulationError extends Error {
  /** What broke, as plain data. */
  readonly violation: Violation

  constructor(violation: Violation, replay?: string) {
    super(describeViolation(violation, replay))
    this.name = 'SimulationError'
    this.violation = violation
  }
}

/** A violation in words, several lines. `replay`: the command that shows it again; default `SEED=n`. */
export function describeViolation({ kind, message, atMs, seed, log }: Violation, replay = `SEED=${seed}`): string {
  const head = `${kind} after ${(atMs / 1000).toFixed(3)} s: ${message}`
  return [head, `Replay: ${replay}`, ...(log.length > 0 ? ['What happened before:', ...log] : [])].join('\n')
}
