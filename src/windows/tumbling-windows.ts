// Tumbling windows as a record processor: when windows close, and how far the checkpoint follows. It never passes a record of
// a window that is not closed, so whoever has the shard next makes the windows again from the records.
import type { Checkpointer } from '../checkpoint/checkpointer.ts'
import { LeaseLostError } from '../model/errors.ts'
import type { ExtendedSequenceNumber } from '../model/sequence-number.ts'
import {
  type InitializeInput,
  type ProcessRecordsInput,
  RecordProcessor,
  type ShardEndedInput,
  type ShutdownRequestedInput
} from '../processor/record-processor.ts'
import { unlessAborted, withSignal } from '../runtime/abort.ts'
import { type ClosedMemo, encodeMemo, memoIn } from './closed-memo.ts'
import { type CountedWindows, ShardWindows, type WindowCounts } from './shard-windows.ts'
import { type ResolvedWindows, resolveWindows, type TumblingWindowsOptions } from './window-options.ts'
import { isAtOrPast } from './window-rules.ts'

/** Makes processors, as the option `processor` of a worker does, and counts what becomes of records and windows. */
export interface TumblingWindows<Value = unknown> {
  /** Makes the processor of a shard. */
  (): RecordProcessor<Value>
  /** What became of records and windows in all shards so far. */
  counts(): WindowCounts
}

const RETRY_FIRST_MS = 1_000
const RETRY_MAX_MS = 60_000

/**
 * Gathers the records of each shard in windows of time, and hands over what each window came to once it is over. For the
 * option `processor` of a worker:
 *
 *     processor: tumblingWindows({ windowMs: 60_000, open: () => new Map(), add: count, close: store })
 *
 * @throws OptionError naming the option, its value and what was expected
 */
export function tumblingWindows<State, Value = unknown>(
  options: TumblingWindowsOptions<State, Value>
): TumblingWindows<Value> {
  const resolved = resolveWindows(options)
  const counts: CountedWindows = { records: 0, late: 0, closed: 0, closeFailures: 0 }
  return Object.assign(() => new WindowProcessor(resolved, counts), { counts: () => ({ ...counts }) })
}

/** The windows of one shard for as long as this worker has it. What the clock does takes turns with the calls of the worker. */
class WindowProcessor<State> extends RecordProcessor {
  readonly #options: ResolvedWindows<State>
  readonly #counts: CountedWindows
  #shardId = ''
  #windows: ShardWindows<State> | undefined
  /** The checkpoint that is stored. */
  #stored: ExtendedSequenceNumber | undefined
  /** What is stored beside it, or is to be. */
  #memo: ClosedMemo | undefined
  #isMemoStored = true
  /** Up to where the checkpoint can follow once the memo says what is beyond. */
  #behindMemo: ExtendedSequenceNumber | undefined
  /** Ends what waits for the clock. */
  #timer = new AbortController()
  #failures = 0
  #turn: Promise<unknown> = Promise.resolve()
  #lifetime = new AbortController().signal

  constructor(options: ResolvedWindows<State>, counts: CountedWindows) {
    super()
    this.#options = options
    this.#counts = counts
  }

  override initialize(input: InitializeInput): void {
    const { shardId, fencingToken, checkpoint, subSequenceNumber, pendingCheckpoint } = input
    this.#shardId = shardId
    this.#lifetime = input.signal
    this.#stored = checkpoint === undefined ? undefined : { sequenceNumber: checkpoint, subSequenceNumber }
    this.#memo = memoIn(pendingCheckpoint, this.#stored)
    const tenure = { shardId, fencingToken, stored: this.#stored, memo: this.#memo }
    this.#windows = new ShardWindows(this.#options, this.#counts, tenure)
  }

  override async processRecords(input: ProcessRecordsInput): Promise<void> {
    const { records, checkpointer, millisBehindLatest, signal } = input
    this.#timer.abort()
    await this.#inTurn(signal, async windows => {
      await this.#storeMemo(checkpointer)
      await windows.add(records, signal)
      await this.#follow(windows, checkpointer)
    })
    // As long as there is more to read, the records say what time it is.
    if (millisBehindLatest === 0) this.#waitForClock(checkpointer)
  }

  override async shardEnded({ checkpointer, signal }: ShardEndedInput): Promise<void> {
    this.#timer.abort()
    await this.#inTurn(signal, async windows => {
      await windows.closeTo(Number.POSITIVE_INFINITY, 'shard-end', signal)
      await checkpointer.checkpoint()
    })
  }

  override async shutdownRequested({ checkpointer, signal }: ShutdownRequestedInput): Promise<void> {
    this.#timer.abort()
    // Open windows are left to whoever has the shard next, with all of their records.
    await this.#inTurn(signal, async windows => {
      await this.#storeMemo(checkpointer)
      await this.#follow(windows, checkpointer)
    })
  }

  override leaseLost(): void {
    this.#timer.abort()
    this.#windows = undefined
  }

  /** Runs `work` once nothing else does, unless the signal aborts before. */
  #inTurn(signal: AbortSignal, work: (windows: ShardWindows<State>) => Promise<void>): Promise<void> {
    const turn = this.#turn.then(async () => {
      signal.throwIfAborted()
      if (this.#windows !== undefined) await work(this.#windows)
    })
    this.#turn = turn.catch(() => {})
    return unlessAborted(turn, signal)
  }

  /** Checkpoints as far as the windows allow. */
  async #follow(windows: ShardWindows<State>, checkpointer: Checkpointer): Promise<void> {
    const { checkpoint } = windows
    if (checkpoint === undefined || isAtOrPast(this.#stored, checkpoint)) return
    await checkpointer.checkpoint(checkpoint)
    this.#stored = checkpoint
    // It is past what the memo is about, and has taken its place in the table.
    this.#memo = undefined
  }

  #waitForClock(checkpointer: Checkpointer): void {
    const windows = this.#windows
    if (windows === undefined || (windows.size === 0 && this.#isMemoStored)) return
    const { clock, idleMs } = this.#options
    const waitMs = windows.size === 0 ? 0 : windows.lastsMs + idleMs
    const retryMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(this.#failures - 1, 10))
    const timer = new AbortController()
    this.#timer = timer
    void withSignal([timer.signal, this.#lifetime], async signal => {
      await clock.sleep(this.#failures === 0 ? waitMs : retryMs, signal)
      if (!signal.aborted) await this.#closeByClock(checkpointer, timer)
    })
  }

  async #closeByClock(checkpointer: Checkpointer, timer: AbortController): Promise<void> {
    const { oldest } = this.#windows ?? {}
    try {
      await this.#inTurn(this.#lifetime, async windows => {
        // Records have come while this waited for its turn.
        if (timer.signal.aborted) return
        if (windows.size > 0) await this.#closeAll(windows, checkpointer)
        await this.#storeMemo(checkpointer)
      })
      this.#failures = 0
    } catch (error) {
      // Whoever has the shard now closes them.
      if (error instanceof LeaseLostError || this.#lifetime.aborted || this.#windows === undefined) return
      this.#failures += 1
      if (oldest !== undefined) this.#tell(error, oldest)
      if (!timer.signal.aborted) this.#waitForClock(checkpointer)
    }
  }

  async #closeAll(windows: ShardWindows<State>, checkpointer: Checkpointer): Promise<void> {
    // Nobody says that this worker still has the shard, as somebody does for a call of the processor: a write that only the
    // owner can make does. One that has slept for long must not close windows with less in them than its successor did.
    if (windows.handled !== undefined) await checkpointer.prepareCheckpoint(windows.handled, encodeMemo(this.#memo))
    const { firstOpen } = windows
    await windows.closeTo(Number.POSITIVE_INFINITY, 'complete', this.#lifetime)
    this.#memo = windows.memo
    this.#isMemoStored = false
    this.#behindMemo = firstOpen
  }

  /**
   * Stores what the clock has closed, if that is to be done. A worker that dies between the two writes leaves the windows to be
   * closed again. With lateness, its successor may then take late records of windows before those for counted ones.
   */
  async #storeMemo(checkpointer: Checkpointer): Promise<void> {
    if (this.#isMemoStored || this.#memo === undefined) return
    const position = this.#behindMemo
    if (position !== undefined && !isAtOrPast(this.#stored, position)) {
      await checkpointer.checkpoint(position)
      this.#stored = position
    }
    await checkpointer.prepareCheckpoint(this.#memo.handled, encodeMemo(this.#memo))
    this.#isMemoStored = true
  }

  #tell(error: unknown, window: { readonly startMs: number; readonly endMs: number }): void {
    try {
      this.#options.onCloseError(error, { window, shardId: this.#shardId })
    } catch {
      // It was told; what it makes of that is its own affair.
    }
  }
}
