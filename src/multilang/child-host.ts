// One child with the shards that it serves, mostly one: hands what it says to the shard that it is about, and ends all of them
// when it is of no use any more.
import type { Logger } from '../runtime/logger.ts'
import { type ChildMessage, parseAnswer } from './answer-rules.ts'
import { Child, type ChildSettings } from './child-process.ts'
import { ChildSeat, type SeatHost, type SeatSettings } from './child-seat.ts'
import type { ChildLine } from './line-splitter.ts'

/** What a child is started with. */
export interface HostSettings extends ChildSettings, SeatSettings {
  /** How many shards a child may serve that says that it can. */
  readonly shardsPerChild: number
}

/** The death of a child that nobody has asked to end. */
export interface ChildDeath {
  readonly pid: number
  /** The shards that it served. */
  readonly shardIds: readonly string[]
  /** What had not been answered yet, by shard. */
  readonly during: Readonly<Record<string, string>>
  readonly because: string
}

/** Who is told of what becomes of a child. */
export interface HostListener {
  /** Told once, before its shards hear of it. */
  died(host: ChildHost, death: ChildDeath): void
  /** It has ended. */
  ended(host: ChildHost): void
  /** Whether it serves several shards is known from here on. */
  answered(isShared: boolean): void
  /** It may have more room than before, or is known to have none. */
  changed(): void
}

/** What of a line that is no message is logged. Characters. */
const SHOWN = 500

/** A child, and the shards in it. */
export class ChildHost implements SeatHost {
  readonly #listener: HostListener
  readonly #settings: HostSettings
  readonly #logger: Logger
  readonly #seats = new Map<string, ChildSeat>()
  /** Those that nobody asks any more, and whose last question is not answered yet. */
  readonly #left = new Set<ChildSeat>()
  #child: Child | undefined
  #maxShards: number | undefined
  #isAnswered = false
  #isOver = false

  private constructor(settings: HostSettings, listener: HostListener) {
    this.#settings = settings
    this.#logger = settings.logger
    this.#listener = listener
  }

  /** Starts a child. Rejects as {@link Child.start} does. */
  static async start(settings: HostSettings, listener: HostListener): Promise<ChildHost> {
    const host = new ChildHost(settings, listener)
    const child = await Child.start(settings, {
      said: line => host.#hear(line),
      broke: because => host.#end(because)
    })
    host.#child = child
    void child.gone.then(() => listener.ended(host))
    return host
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Whether the child has said that it serves several shards. */
  get isShared(): boolean {
    return this.#maxShards !== undefined
  }

  /** Whether the child has not answered its first `initialize` yet, so that it is not known what it can. */
  get isUnknown(): boolean {
    return !this.#isAnswered && !this.#isOver
  }

  /** The shards in it. */
  get shardIds(): readonly string[] {
    return [...this.#seats.values()].filter(seat => !this.#left.has(seat)).map(({ shardId }) => shardId)
  }

  /** Whether it may serve this shard as well: not one of which it still owes an answer from when it had it before. */
  hasRoomFor(shardId: string): boolean {
    const isFull = this.#seats.size >= Math.min(this.#settings.shardsPerChild, this.#maxShards ?? 0)
    return !(this.#isOver || isFull || this.#seats.has(shardId))
  }

  /** A seat for a shard. */
  seat(shardId: string): ChildSeat {
    const seat = new ChildSeat(shardId, this, this.#settings)
    this.#seats.set(shardId, seat)
    return seat
  }

  answered(maxShards = 1): void {
    if (this.#isAnswered) return
    this.#isAnswered = true
    if (Math.min(maxShards, this.#settings.shardsPerChild) > 1) this.#maxShards = maxShards
    this.#listener.answered(this.isShared)
    this.#listener.changed()
  }

  async write(pieces: Iterable<string>, progressed?: () => void): Promise<void> {
    await this.#child?.write(pieces, progressed)
  }

  broken(seat: ChildSeat, because: string, cause?: unknown): void {
    this.#end(because, seat, cause)
    this.#child?.kill()
  }

  async leave(seat: ChildSeat): Promise<void> {
    this.#left.add(seat)
    // One that is of no use may still work at what it was given: nothing begins anew before it has ended.
    if (this.#isOver || this.shardIds.length === 0) await this.close()
    else if (seat.waitsFor === undefined) this.#vacate(seat)
    else void seat.whenAnswered.then(() => this.#vacate(seat))
  }

  #vacate(seat: ChildSeat): void {
    this.#left.delete(seat)
    this.#seats.delete(seat.shardId)
    this.#listener.changed()
  }

  /** Lets the child end, whoever is in it. Resolves when it has. */
  async close(): Promise<void> {
    this.#isOver = true
    this.#listener.changed()
    await this.#child?.close()
    this.#endSeats('it was asked to end')
  }

  /** Ends the child at once. */
  kill(): void {
    this.#isOver = true
    this.#child?.kill()
    this.#endSeats('it was ended')
  }

  #endSeats(because: string): void {
    for (const seat of this.#seats.values()) seat.ended(because, 'nobody')
  }

  #hear(line: ChildLine): void {
    const message: ChildMessage = line.isCut ? { kind: 'noise', because: 'it is too long' } : parseAnswer(line.text)
    if (message.kind === 'blank') return
    if (message.kind === 'noise') {
      this.#skip(line.text, message.because)
      return
    }
    const seat = this.#seatOf(message.shardId)
    if (seat !== undefined) {
      seat.hear(message)
    } else if (message.shardId === undefined && this.#seats.size > 1) {
      this.#end(`it said ${message.kind} and not of which of its shards`)
      this.#child?.kill()
    } else this.#skip(line.text, 'it is about none of the shards of the child')
  }

  /** Whoever serves one shard need not say which. */
  #seatOf(shardId: string | undefined): ChildSeat | undefined {
    if (shardId !== undefined && this.isShared) return this.#seats.get(shardId)
    return this.#seats.size === 1 || !this.isShared ? [...this.#seats.values()][0] : undefined
  }

  #skip(line: string, because: string): void {
    const { pid, shardIds } = this
    this.#logger.info({ pid, shardIds, because, line: line.slice(0, SHOWN) }, 'a line of a child is no message')
  }

  /** The child is of no use any more: because of one seat, if it is known which, or of whichever waited for an answer alone. */
  #end(because: string, culprit?: ChildSeat, cause?: unknown): void {
    if (this.#isOver) return
    this.#isOver = true
    const seats = [...this.#seats.values()]
    const waiting = seats.filter(({ waitsFor }) => waitsFor !== undefined)
    const during = Object.fromEntries(waiting.map(({ shardId, waitsFor }) => [shardId, String(waitsFor)]))
    const guilty = culprit ?? (waiting.length === 1 ? waiting[0] : undefined)
    const isEarly = seats.some(({ isFinished }) => !isFinished)
    if (isEarly) this.#listener.died(this, { pid: this.pid, shardIds: this.shardIds, during, because })
    for (const seat of seats) {
      const isSuspect = guilty === undefined && (waiting.length === 0 || waiting.includes(seat))
      seat.ended(because, seat === guilty ? 'own' : isSuspect ? 'nobody' : 'another', cause)
    }
    this.#listener.changed()
    // Where it still runs, it has closed a pipe.
    void this.#child?.close()
  }
}
