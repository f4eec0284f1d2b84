// A handler whose calls overlap: each is given one record, or some of one key. Checkpoints nothing: what is settled, and up to
// where, is only known to whoever makes the calls.
import { BugError } from '../model/errors.ts'
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

  /** A signal is made if the handler asks for it: there may be a call for each of 100,000 records in a second. */
  override processRecords(input: ProcessRecordsInput): ProcessRecordsOutcome | Promise<ProcessRecordsOutcome> {
    const { shardId, streamName, streamArn, millisBehindLatest, failures, records } = input
    if (this.#code.kind === 'each') {
      const [record, another] = records
      if (another !== undefined) throw new BugError(`One record was to be given, and not ${records.length}`)
      const context = {
        shardId,
        streamName,
        streamArn,
        millisBehindLatest,
        failures,
        get signal() {
          return input.signal
        }
      }
      return record === undefined ? undefined : this.#code.each(record, context)
    }
    const { checkpointer, fencingToken, settle } = input
    return this.#code.handler(records, {
      shardId,
      streamName,
      streamArn,
      millisBehindLatest,
      failures,
      checkpointer,
      fencingToken,
      settle,
      get signal() {
        return input.signal
      }
    })
  }
}
