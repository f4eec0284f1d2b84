// One shard in one child: asks one thing after another, carries out the checkpoints that the child wants meanwhile, and waits for
// its status. How checkpoints are made is known to whoever asks.
import { messageOf, ProcessorGoneError } from '../model/errors.ts'
import type { Blame } from '../processor/hosted-processor.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { ChildMessage } from './answer-rules.ts'
import { errorNameOf } from './error-name-rules.ts'
import { type CheckpointReply, type ChildAction, encodeReply } from './protocol-rules.ts'

/** A position that a child wants to checkpoint; null where it does not say one. */
export type CheckpointWish = Omit<CheckpointReply, 'error'>

/** Carries out what a child wishes to checkpoint. Rejects with why it is not stored. */
export type Wishes = (wish: CheckpointWish) => Promise<void>

/** Something that a child is asked to do. */
export interface Request {
  readonly action: ChildAction
  /** The line, in pieces. */
  readonly pieces: Iterable<string>
  readonly wishes: Wishes
}

/** What a child has answered with. */
export type Status = Extract<ChildMessage, { readonly kind: 'status' }>

/** The child that a seat is in. */
export interface SeatHost {
  readonly pid: number
  /** Whether messages have to say which shard they are about. */
  readonly isShared: boolean
  write(pieces: Iterable<string>, progressed?: () => void): Promise<void>
  /** The child is of no use any more, because of what it did for this seat. */
  broken(seat: ChildSeat, because: string, cause?: unknown): void
  /** The child has answered `initialize`, and how many shards it says that it can serve at once. Counts once for a child. */
  answered(maxShards: number | undefined): void
  leave(seat: ChildSeat): Promise<void>
}

/** What is known of a seat whose child is gone. */
export interface SeatEnd {
  readonly error: ProcessorGoneError
  readonly blame: Blame
}

/** What seats need beside their child. */
export interface SeatSettings {
  readonly clock: Clock
  readonly logger: Logger
  /** How long a child may be silent that is expected to say something. Milliseconds; undefined: for ever. */
  readonly answerTimeoutMs: number | undefined
}

interface Pending {
  readonly action: ChildAction
  readonly resolve: (status: Status) => void
  readonly reject: (error: ProcessorGoneError) => void
}

/** So much a child may say about a shard before what it said earlier is dealt with. One that waits for its answers says one thing. */
const MAX_UNHEARD = 1_000

/** The conversation about one shard. */
export class ChildSeat {
  readonly shardId: string
  readonly #host: SeatHost
  readonly #settings: SeatSettings
  #pending: Pending | undefined
  #asked: Promise<unknown> = Promise.resolve()
  /** Of the last request: a child that has answered may still want what it was given then to be checkpointed. */
  #wishes: Wishes | undefined
  #heard: Promise<void> = Promise.resolve()
  #unheard = 0
  #silence: AbortController | undefined
  #end: SeatEnd | undefined
  #isFinished = false

  constructor(shardId: string, host: SeatHost, settings: SeatSettings) {
    this.shardId = shardId
    this.#host = host
    this.#settings = settings
  }

  /** Process id of the child. */
  get pid(): number {
    return this.#host.pid
  }

  /** Why the child is not there any more. `undefined`: it is. */
  get end(): SeatEnd | undefined {
    return this.#end
  }

  /** Whether the child has answered all that it is ever asked about this shard, and may end by itself. */
  get isFinished(): boolean {
    return this.#isFinished
  }

  /** Nothing more is asked. */
  finish(): void {
    this.#isFinished = true
  }

  /** What the child has not answered yet. */
  get waitsFor(): ChildAction | undefined {
    return this.#pending?.action
  }

  /** Resolves once the child has answered what it was asked last, or is gone. */
  get whenAnswered(): Promise<unknown> {
    return this.#asked
  }

  /** The shard, where messages have to say which one it is. */
  get spokenShardId(): string | undefined {
    return this.#host.isShared ? this.shardId : undefined
  }

  /**
   * Asks for something, and resolves with the status of the child. Nothing else is asked meanwhile.
   *
   * @throws ProcessorGoneError if the child ends, says something else, or is silent for too long
   */
  ask({ action, pieces, wishes }: Request): Promise<Status> {
    if (this.#end !== undefined) return Promise.reject(this.#end.error)
    this.#wishes = wishes
    const asked = new Promise<Status>((resolve, reject) => {
      this.#pending = { action, resolve, reject }
      this.#expect()
      void this.#host.write(pieces, () => {
        if (this.#silence !== undefined) this.#expect()
      })
    })
    this.#asked = asked.catch(() => {})
    return asked
  }

  /** The child has said something about this shard. What it says is dealt with one after another, as it was said. */
  hear(message: Extract<ChildMessage, { readonly kind: 'status' | 'checkpoint' }>): void {
    if (this.#end !== undefined) return
    this.#unheard += 1
    if (this.#unheard > MAX_UNHEARD) {
      this.#host.broken(this, `it has said ${MAX_UNHEARD} things without waiting for an answer`)
      return
    }
    this.#heard = this.#heard
      .then(() => this.#answer(message))
      .finally(() => {
        this.#unheard -= 1
      })
  }

  /** The child is gone. What it was asked is not answered any more. */
  ended(because: string, blame: Blame, cause?: unknown): void {
    if (this.#end !== undefined) return
    const action = this.#pending === undefined ? '' : ` during ${this.#pending.action}`
    const error = new ProcessorGoneError(
      this.shardId,
      `child process ${this.pid}${action}: ${because}`,
      cause === undefined ? {} : { cause }
    )
    this.#end = { error, blame }
    this.#expectNothing()
    this.#pending?.reject(error)
    this.#pending = undefined
  }

  /** The call under way takes too long: its child is ended. */
  giveUp(cause: Error): void {
    this.#host.broken(this, messageOf(cause), cause)
  }

  /** Leaves the child, which ends if this was its last shard. Resolves when it has, or lives on for others. */
  async leave(): Promise<void> {
    await this.#host.leave(this)
  }

  async #answer(message: Extract<ChildMessage, { readonly kind: 'status' | 'checkpoint' }>): Promise<void> {
    if (this.#end !== undefined) return
    this.#expectNothing()
    if (message.kind === 'checkpoint') await this.#checkpoint(message)
    else this.#settle(message)
    if (this.#pending !== undefined && this.#end === undefined) this.#expect()
  }

  async #checkpoint({ sequenceNumber, subSequenceNumber }: CheckpointWish): Promise<void> {
    let error: string | null = null
    try {
      await this.#wishes?.({ sequenceNumber, subSequenceNumber })
    } catch (cause) {
      error = errorNameOf(cause)
      const { shardId, pid } = this
      this.#settings.logger.info({ shardId, pid, answer: error, err: cause }, 'a child was refused a checkpoint')
    }
    await this.#host.write([encodeReply({ sequenceNumber, subSequenceNumber, error }, this.spokenShardId)])
  }

  #settle(status: Status): void {
    const pending = this.#pending
    const { shardId, pid } = this
    if (pending === undefined) {
      const { responseFor } = status
      this.#settings.logger.warn({ shardId, pid, responseFor }, 'a child answered what it was not asked')
      return
    }
    if (status.responseFor !== pending.action) {
      const said = status.responseFor === undefined ? 'nothing' : JSON.stringify(status.responseFor.slice(0, 40))
      this.#host.broken(this, `it answered ${said}, expected the status of ${pending.action}`)
      return
    }
    this.#pending = undefined
    if (pending.action === 'initialize') this.#host.answered(status.maxShards)
    pending.resolve(status)
  }

  /** The time begins in which the child has to say something. */
  #expect(): void {
    const { answerTimeoutMs, clock } = this.#settings
    this.#expectNothing()
    if (answerTimeoutMs === undefined) return
    const silence = new AbortController()
    this.#silence = silence
    void clock.sleep(answerTimeoutMs, silence.signal).then(() => {
      if (!silence.signal.aborted) this.#host.broken(this, `it has said nothing for ${answerTimeoutMs} ms`)
    })
  }

  #expectNothing(): void {
    this.#silence?.abort('heard')
    this.#silence = undefined
  }
}
