// The children of a daemon: which shard is served by which of them, and how they end. One for each shard, unless they say that they
// can serve several.
import { messageOf, OptionError, ProcessorGoneError } from '../model/errors.ts'
import { unlessAborted, whenAborted } from '../runtime/abort.ts'
import type { Clock } from '../runtime/clock.ts'
import { type Deferred, deferred } from '../runtime/deferred.ts'
import { type ChildDeath, ChildHost, type HostSettings } from './child-host.ts'
import type { ChildSeat } from './child-seat.ts'

/** What the children of a daemon are like. */
export interface ChildPoolSettings extends HostSettings {
  /** How long a child may take to answer `leaseLost`, whether its shard was given back or lost. Milliseconds. */
  readonly partingMs: number
  /** A child has died that nobody has asked to. */
  readonly died: (death: ChildDeath) => void
}

/** All children. */
export class ChildPool {
  readonly #settings: ChildPoolSettings
  readonly #hosts = new Set<ChildHost>()
  /** Shards in whose calls a child of several has died: each gets one of its own, to find out which of them it was. */
  readonly #alone = new Set<string>()
  /** Whether children have said that they serve one shard. */
  #cannotShare: boolean
  #isClosed = false
  #changes: Deferred = deferred()
  /** So that several do not start at once where one might do. */
  #starting = 0

  constructor(settings: ChildPoolSettings) {
    this.#settings = settings
    this.#cannotShare = settings.shardsPerChild <= 1
  }

  /** See {@link ChildPoolSettings.partingMs}. */
  get partingMs(): number {
    return this.#settings.partingMs
  }

  /** How long a child may still be at `shutdownRequested` when its shard is gone. Milliseconds. */
  get lateMs(): number {
    return Math.max(this.#settings.partingMs, this.#settings.exitTimeoutMs)
  }

  /** See {@link ChildPoolSettings.clock}. */
  get clock(): Clock {
    return this.#settings.clock
  }

  /** How many children there are. */
  get size(): number {
    return this.#hosts.size
  }

  /**
   * A seat for a shard: in a new child, or in one that has room.
   *
   * @throws OptionError if the program cannot be run
   * @throws ProcessorGoneError if a child cannot be started for now
   */
  async admit(shardId: string, signal: AbortSignal): Promise<ChildSeat> {
    for (;;) {
      // Nobody is started any more who would be ended at once; the worker is stopping.
      if (this.#isClosed) await whenAborted(signal)
      signal.throwIfAborted()
      if (this.#cannotShare || this.#alone.has(shardId)) return this.#start(shardId)
      const host = [...this.#hosts].find(each => each.hasRoomFor(shardId))
      if (host !== undefined) return host.seat(shardId)
      const isUnknown = this.#starting > 0 || [...this.#hosts].some(each => each.isUnknown)
      if (!isUnknown) return this.#start(shardId)
      await unlessAborted(this.#changes.promise, signal)
    }
  }

  /** A batch of the shard was processed: it is not what ends children. */
  proved(shardId: string): void {
    this.#alone.delete(shardId)
  }

  /** Starts no more children. */
  shut(): void {
    this.#isClosed = true
  }

  /** Lets all children end. Resolves when they have; ends them at once when `hurry` aborts. */
  async close(hurry: AbortSignal): Promise<void> {
    this.shut()
    const kill = (): void => {
      for (const host of this.#hosts) host.kill()
    }
    if (hurry.aborted) kill()
    else hurry.addEventListener('abort', kill, { once: true })
    await Promise.all([...this.#hosts].map(host => host.close()))
    hurry.removeEventListener('abort', kill)
  }

  async #start(shardId: string): Promise<ChildSeat> {
    this.#starting += 1
    try {
      const host = await ChildHost.start(this.#settings, {
        died: (dead, death) => this.#died(dead, death),
        ended: ended => this.#hosts.delete(ended),
        changed: () => this.#changed(),
        answered: isShared => {
          this.#cannotShare ||= !isShared
        }
      })
      this.#hosts.add(host)
      return host.seat(shardId)
    } catch (error) {
      if (error instanceof OptionError) throw error
      throw new ProcessorGoneError(shardId, `its child process could not be started: ${messageOf(error)}`, {
        cause: error
      })
    } finally {
      this.#starting -= 1
      this.#changed()
    }
  }

  #died(host: ChildHost, death: ChildDeath): void {
    const suspects = Object.keys(death.during)
    if (host.isShared && suspects.length > 1) for (const shardId of suspects) this.#alone.add(shardId)
    this.#settings.died(death)
  }

  #changed(): void {
    const changes = this.#changes
    this.#changes = deferred()
    changes.resolve()
  }
}
