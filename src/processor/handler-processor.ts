// A plain function as a record processor: returning means done and checkpoints, throwing means again.
import type { ConsumedRecord } from '../model/record.ts'
import { type ProcessRecordsInput, RecordProcessor } from './record-processor.ts'

/** What a handler is told beside the records. */
export type HandlerContext = Omit<ProcessRecordsInput, 'records'>

/**
 * Processes a batch. When it returns, or its promise resolves, the batch is done and is checkpointed; when it throws, the
 * batch is delivered again.
 */
export type Handler = (records: readonly ConsumedRecord[], context: HandlerContext) => void | Promise<void>

/**
 * Serves one shard with a handler, and checkpoints each batch that it has returned from. Where only the checkpoint
 * failed, the handler is not called again for it.
 */
export class HandlerProcessor extends RecordProcessor {
  readonly #handler: Handler
  /** Whether the batch at hand is handled, and only its checkpoint is missing. */
  #isHandled = false

  constructor(handler: Handler) {
    super()
    this.#handler = handler
  }

  override async processRecords({ records, ...context }: ProcessRecordsInput): Promise<void> {
    if (context.failures === 0) this.#isHandled = false
    if (!this.#isHandled) {
      await this.#handler(records, context)
      // Once its signal has aborted the handler may have returned early, and is called again for what it has left undone.
      this.#isHandled = !context.signal.aborted
    }
    await context.checkpointer.checkpoint()
  }
}
