// Code that runs in the threads of a pool, for tests. The first record of a batch says what to do with it; what a thread
// finds out goes back as the state of a prepared checkpoint.
import { threadId, workerData } from 'node:worker_threads'
import type { Checkpointer } from '../../src/checkpoint/checkpointer.ts'
import { CheckpointRefusedError, LeaseLostError } from '../../src/model/errors.ts'
import type { ConsumedRecord } from '../../src/model/record.ts'
import {
  type InitializeInput,
  type LeaseLostInput,
  type LoadCheckpointInput,
  type ProcessRecordsInput,
  type ProcessRecordsOutcome,
  RecordProcessor,
  type SaveCheckpointInput
} from '../../src/processor/record-processor.ts'
import { whenAborted } from '../../src/runtime/abort.ts'

/** Makes a processor, as the export of a user's module does. */
export const processor = (data: unknown): RecordProcessor =>
  data === 'keeps positions' ? new Keeping(data) : new Scripted(data)

class Scripted extends RecordProcessor {
  readonly #data: unknown
  #told: unknown
  #checkpointer: Checkpointer | undefined
  #signal: AbortSignal | undefined

  constructor(data: unknown) {
    super()
    this.#data = data
  }

  override initialize({ signal, ...told }: InitializeInput): void {
    this.#told = told
    this.#signal = signal
  }

  override async processRecords(input: ProcessRecordsInput): Promise<ProcessRecordsOutcome> {
    const { records, checkpointer, signal, settle } = input
    const what = records[0]?.text() ?? ''
    const steps: Readonly<Record<string, () => unknown>> = {
      report: () => this.#report(input),
      'throw at first': () => {
        if (input.failures > 0) return this.#report(input)
        throw Object.assign(new TypeError('not yet', { cause: new RangeError('too far') }), { code: 'E_TEST' })
      },
      'checkpoint one, then throw': async () => {
        if (input.failures > 0) return this.#report(input)
        await checkpointer.checkpoint(records[0])
        throw new Error('after the first')
      },
      checkpoint: () => checkpointer.checkpoint(),
      'settle the second and the last, then throw': () => {
        settle(records[1] as ConsumedRecord)
        settle({ sequenceNumber: records.at(-1)?.sequenceNumber ?? '', subSequenceNumber: 0 })
        throw new Error('after them')
      },
      'settle the second, then exit': () => {
        settle(records[1] as ConsumedRecord)
        process.exit(3)
      },
      'settle the second, then compute for ever': () => {
        settle(records[1] as ConsumedRecord)
        void checkpointer.checkpoint()
        for (;;);
      },
      'settle another one': () => settle({ sequenceNumber: '77', subSequenceNumber: 7 }),
      'name the second': () => ({ failed: new Set([records[1]]) }),
      'name a number': () => ({ failed: 7 }),
      'checkpoint and say what comes of it': async () => {
        const error = await checkpointer.checkpoint(records[0]).catch(thrown => thrown)
        const is = [error instanceof LeaseLostError, error instanceof CheckpointRefusedError]
        await tell(checkpointer, { is, code: error.code, because: error.because, message: error.message })
        throw error
      },
      'prepare, then make': async () => {
        const state = Buffer.from('xxstatexx').subarray(2, 7)
        const prepared = await checkpointer.prepareCheckpoint(records[0], state)
        await prepared.checkpoint()
      },
      'keep the checkpointer': () => {
        this.#checkpointer = checkpointer
      },
      'use the one that was kept': () => this.#checkpointer?.checkpoint(),
      'compute until the signal aborts': () => {
        while (!signal.aborted);
        throw signal.reason
      },
      'compute until it throws': () => {
        for (;;) signal.throwIfAborted()
      },
      'wait until the signal aborts': async () => {
        await whenAborted(signal)
        throw signal.reason
      },
      'wait until the signal of initialize aborts': () => this.#signal && whenAborted(this.#signal),
      'compute for ever': () => {
        for (;;);
      },
      'compute for ever, a little later': async () => {
        await new Promise(resolve => setImmediate(resolve))
        void checkpointer.checkpoint()
        for (;;);
      },
      'never return': () => new Promise(() => {}),
      exit: () => process.exit(3),
      'throw where nobody catches': () => {
        setImmediate(() => {
          throw new RangeError('nobody catches this')
        })
        return new Promise(() => {})
      },
      'eat memory': () => {
        const eaten: unknown[] = []
        for (;;) eaten.push(new Array(100_000).fill({}))
      }
    }
    return (await steps[what]?.()) as ProcessRecordsOutcome
  }

  override async leaseLost({ shardId }: LeaseLostInput): Promise<void> {
    throw new Error(`${shardId} was told`)
  }

  async #report({ records, checkpointer, signal, settle: _, ...input }: ProcessRecordsInput): Promise<void> {
    const seen = records.map(record => ({
      data: record.text(),
      partitionKey: record.partitionKey,
      sequenceNumber: record.sequenceNumber
    }))
    await tell(checkpointer, {
      ...input,
      isAborted: signal.aborted,
      seen,
      threadId,
      workerData,
      data: this.#data,
      told: this.#told
    })
  }
}

/** Keeps one position, of which it says with which token it was saved. */
class Keeping extends Scripted {
  #kept: { sequenceNumber: string; subSequenceNumber: number } | undefined

  override async loadCheckpoint({ fencingToken }: LoadCheckpointInput) {
    if (fencingToken === 0) throw new LeaseLostError('shard', 'there is a higher token')
    return this.#kept
  }

  override async saveCheckpoint({ position, fencingToken }: SaveCheckpointInput): Promise<void> {
    this.#kept = { sequenceNumber: position.sequenceNumber, subSequenceNumber: fencingToken }
  }
}

async function tell(checkpointer: Checkpointer, what: unknown): Promise<void> {
  await checkpointer.prepareCheckpoint(undefined, Buffer.from(JSON.stringify(what)))
}
