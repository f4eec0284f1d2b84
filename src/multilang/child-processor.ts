// A record processor whose methods are messages to a child process. To what calls it, it is a processor like any other: a child
// that dies is a call that failed, and the next child begins at the checkpoint.
import type { Checkpointer } from '../checkpoint/checkpointer.ts'
import { type HandlerTimeoutError, ProcessorGoneError } from '../model/errors.ts'
import type { ExtendedSequenceNumber } from '../model/sequence-number.ts'
import { positionOf, TRIM_HORIZON } from '../model/sequence-number.ts'
import { HostedProcessor, type ShardToEnter } from '../processor/hosted-processor.ts'
import type {
  InitializeInput,
  LeaseLostInput,
  ProcessRecordsInput,
  ShardEndedInput,
  ShutdownRequestedInput
} from '../processor/record-processor.ts'
import { firstAborted } from '../runtime/abort.ts'
import { checkpointWishes, endWishes, refuseWishes } from './checkpoint-wishes.ts'
import type { ChildPool } from './child-pool.ts'
import type { ChildSeat, SeatEnd, Wishes } from './child-seat.ts'
import { type ChildAction, encodeAction, encodeInitialize, encodeRecords } from './protocol-rules.ts'

/** How far the conversation with the child has come, which says what it is still told. */
type Phase = 'unknown' | 'initialized' | 'parting' | 'over'

/** Serves one shard with a child. */
export class ChildProcessor extends HostedProcessor {
  readonly #pool: ChildPool
  #seat: ChildSeat | undefined
  #entering: Promise<ChildSeat> | undefined
  #phase: Phase = 'unknown'
  /** Where the shard began with this child: what it may checkpoint again. */
  #began: ExtendedSequenceNumber = TRIM_HORIZON
  /** The last record that the child was given. */
  #delivered: ExtendedSequenceNumber | undefined
  #closed: Promise<void> | undefined

  constructor(pool: ChildPool) {
    super()
    this.#pool = pool
  }

  override get gone(): SeatEnd | undefined {
    return this.#seat?.end
  }

  override async enter({ shardId, checkpoint }: ShardToEnter, signal: AbortSignal): Promise<void> {
    if (this.#seat !== undefined) return
    this.#began = positionOf(checkpoint)
    // A call that was left behind may still wait for a seat.
    this.#entering ??= this.#pool.admit(shardId, signal).finally(() => {
      this.#entering = undefined
    })
    const seat = await this.#entering
    if (this.#closed === undefined) this.#seat = seat
    else await seat.leave()
  }

  override async initialize({ shardId }: InitializeInput): Promise<void> {
    // It is called again if the session has lapsed meanwhile: a child is told once.
    if (this.#phase !== 'unknown') return
    const line = encodeInitialize(shardId, this.#began)
    await this.#ask(shardId, 'initialize', [line], refuseWishes)
    this.#phase = 'initialized'
  }

  override async processRecords(input: ProcessRecordsInput): Promise<void> {
    const { shardId, records, millisBehindLatest, checkpointer } = input
    const last = records.at(-1)
    if (last !== undefined) this.#delivered = positionOf(last)
    const nowMs = this.#pool.clock.epochMs()
    const pieces = encodeRecords({ records, millisBehindLatest, nowMs }, this.#seat?.spokenShardId)
    await this.#ask(shardId, 'processRecords', pieces, this.#wishes(checkpointer))
    this.#pool.proved(shardId)
  }

  override async shutdownRequested({ shardId, checkpointer, signal }: ShutdownRequestedInput): Promise<void> {
    const answered = new AbortController()
    void this.#endLate(signal, answered.signal)
    try {
      await this.#tell(shardId, 'shutdownRequested', this.#wishes(checkpointer))
    } finally {
      answered.abort('answered')
    }
    // The lease is given back now; that the child hears before it ends.
    this.#phase = 'parting'
  }

  override async leaseLost({ shardId }: Pick<LeaseLostInput, 'shardId'>): Promise<void> {
    const isToHear = this.#phase === 'initialized' || this.#phase === 'parting'
    if (!isToHear || this.#seat?.end !== undefined) return
    this.#phase = 'over'
    const told = new AbortController()
    const telling = this.#tell(shardId, 'leaseLost', refuseWishes)
      .then(() => this.#seat?.finish())
      .finally(() => told.abort('told'))
    // There is nothing left that is worth waiting for, and the shard may come back at any time.
    await Promise.race([telling, this.#pool.clock.sleep(this.#pool.partingMs, told.signal)])
  }

  override async shardEnded({ shardId, checkpointer }: ShardEndedInput): Promise<void> {
    if (this.#phase === 'over') return
    const wishes = endWishes(checkpointer, { began: this.#began, delivered: this.#delivered })
    await this.#tell(shardId, 'shardEnded', wishes.carryOut)
    if (!wishes.isEndStored()) {
      throw new Error(
        'The child has answered shardEnded without a checkpoint of the end of the shard: its processor has to call checkpoint() there. It is asked again'
      )
    }
    this.#phase = 'over'
    this.#seat?.finish()
  }

  override endPlace(error: HandlerTimeoutError): unknown {
    this.#seat?.giveUp(error)
    return this.gone === undefined || this.gone.blame === 'own' ? error : this.gone.error
  }

  override close(): Promise<void> {
    this.#closed ??= this.#part()
    return this.#closed
  }

  /** A child that says nothing although its lease is gone would keep the shard from coming back here. */
  async #endLate(lost: AbortSignal, answered: AbortSignal): Promise<void> {
    const { clock, lateMs } = this.#pool
    await firstAborted([lost, answered])
    await clock.sleep(lateMs, answered)
    if (answered.aborted) return
    this.#seat?.giveUp(
      new Error(`it had not answered ${lateMs} ms after its shard was given back without waiting for it`)
    )
  }

  /** Says the last words that are due, and leaves. */
  async #part(): Promise<void> {
    const seat = this.#seat
    if (seat === undefined) return
    if (this.#phase === 'parting') await this.leaseLost({ shardId: seat.shardId }).catch(() => {})
    await seat.leave()
  }

  #wishes(checkpointer: Checkpointer): Wishes {
    return checkpointWishes(checkpointer, { began: this.#began, delivered: this.#delivered })
  }

  #tell(shardId: string, action: Exclude<ChildAction, 'initialize' | 'processRecords'>, wishes: Wishes): Promise<void> {
    return this.#ask(shardId, action, [encodeAction(action, this.#seat?.spokenShardId)], wishes)
  }

  async #ask(shardId: string, action: ChildAction, pieces: Iterable<string>, wishes: Wishes): Promise<void> {
    if (this.#seat === undefined) throw new ProcessorGoneError(shardId, 'it has not begun')
    await this.#seat.ask({ action, pieces, wishes })
  }
}
