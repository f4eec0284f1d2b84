// A handler whose calls overlap: each is given one record, or some of one key. Checkpoints nothing: what is settled, and up to
// where, is only known to whoever makes the calls.
import type { LaneHandler } from './handler-processor.ts'
import { type ProcessRecordsInput, type ProcessRecordsOutcome, RecordProcessor } from './record-processor.ts'

/** Serves one shard with a {@link LaneHandler}. The only processor whose processRecords may be called while it is running. */
export class LaneProcessor extends RecordProcessor {
  readonly #code: LaneHandler

  constructor(code: LaneHandler) {
    super()
    this.#code = code
  }

  /** How many records a call is given at most. */
  get recordsPerCall(): number {
    return this.#code.kind === 'each' ? 1 : Number.POSITIVE_INFINITY
  }

  override processRecords({
    records,
    ...context
  }: ProcessRecordsInput): ProcessRecordsOutcome | Promise<ProcessRecordsOutcome> {
    if (this.#code.kind === 'batch') return this.#code.handler(records, context)
    const [record] = records
    if (record === undefined) return undefined
    const { shardId, millisBehindLatest, failures, signal } = context
    return this.#code.each(record, { shardId, millisBehindLatest, failures, signal })
  }
}
