// How workers let shards go: whether somebody had stopped waiting for them, since when they were to hurry, and which shards they
// had halted. Learned from their events.
import { fleetSettings } from '../fleet/fleet-settings.ts'

/** A worker that lets go of a shard. */
export interface LettingGo {
  /**
   * Whether the lease was given back without the processor: its grace, or the time that a drain may take, was over, or it is a record
   * processor, which is not asked to checkpoint once it has failed for good.
   */
  readonly isAbandoned: boolean
  /** Since when it has been asked to. Virtual milliseconds since the world began; `undefined`: it was not. */
  readonly askedAtMs: number | undefined
  readonly isHalted: boolean
  /** When it last went on after it had halted it. Virtual milliseconds since the world began; `undefined`: it never had. */
  readonly resumedAtMs: number | undefined
}

interface ShardHold {
  revokedAtMs?: number
  resumedAtMs?: number
  /** By the clock of the worker. */
  drainedByMs?: number
  isHalted: boolean
}

/** What is known of one worker. */
export class HandOvers {
  readonly #ownMs: () => number
  readonly #nowMs: () => number
  readonly #keepsMemory: boolean
  readonly #holds = new Map<string, ShardHold>()
  #stopAtMs: number | undefined
  /** By the clock of the worker. */
  #graceOverMs = Number.POSITIVE_INFINITY

  /**
   * @param ownMs the monotonic clock of the worker
   * @param nowMs virtual milliseconds since the world began
   * @param keepsMemory whether its code is a record processor
   */
  constructor(ownMs: () => number, nowMs: () => number, keepsMemory: boolean) {
    this.#ownMs = ownMs
    this.#nowMs = nowMs
    this.#keepsMemory = keepsMemory
  }

  /** The worker is to stop within `graceMs` milliseconds. Called again, a shorter grace counts. */
  stopping(graceMs: number): void {
    this.#stopAtMs ??= this.#nowMs()
    this.#graceOverMs = Math.min(this.#graceOverMs, this.#ownMs() + graceMs)
  }

  /** It has a shard anew. */
  taken(shardId: string): void {
    this.#holds.delete(shardId)
  }

  /** It is to let go of a shard, which it does without its processor if that takes too long. */
  revoked(shardId: string): void {
    const { drainTimeoutMs } = fleetSettings(10_000)
    Object.assign(this.#hold(shardId), { revokedAtMs: this.#nowMs(), drainedByMs: this.#ownMs() + drainTimeoutMs })
  }

  /** It gives a shard back that it cannot read. */
  failed(shardId: string): void {
    this.#hold(shardId).revokedAtMs ??= this.#nowMs()
  }

  /** It has failed for good at a record of a shard. When it is to let go of the shard, and has little patience, that means nothing. */
  halts(shardId: string): void {
    const hold = this.#hold(shardId)
    if (hold.revokedAtMs === undefined) hold.isHalted = true
  }

  /** It has halted a shard: nothing is under way any more. */
  halted(shardId: string): void {
    this.#hold(shardId).isHalted = true
  }

  resumed(shardId: string): void {
    const hold = this.#hold(shardId)
    if (hold.isHalted) hold.resumedAtMs = this.#nowMs()
    hold.isHalted = false
  }

  /** What is known of a shard that it lets go now. */
  lettingGo(shardId: string): LettingGo {
    const {
      drainedByMs = Number.POSITIVE_INFINITY,
      revokedAtMs,
      isHalted = false,
      resumedAtMs
    } = this.#holds.get(shardId) ?? {}
    return {
      isAbandoned: (isHalted && this.#keepsMemory) || this.#ownMs() >= Math.min(this.#graceOverMs, drainedByMs),
      askedAtMs: revokedAtMs ?? this.#stopAtMs,
      isHalted,
      resumedAtMs
    }
  }

  #hold(shardId: string): ShardHold {
    const known = this.#holds.get(shardId) ?? { isHalted: false }
    this.#holds.set(shardId, known)
    return known
  }
}
