// One budget of buffered bytes for a worker, shared by the shards that it reads. Half of it is divided evenly among them, so
// that nobody waits for others for ever; the other half is borrowed by who needs more. All state changes at once: no awaits.
import { ServiceError } from '../model/errors.ts'

/** Bytes that one read, or what it brought, takes of the budget. */
export interface HeldBytes {
  /** How many. */
  readonly bytes: number
  /** Says how many they really are. Waits for nothing: what has been read is there, even if it is more than was asked for. */
  resize(bytes: number): void
  /** Gives them back. Further calls do nothing. */
  release(): void
}

/** The part of one shard in the budget. */
export interface ByteAllowance {
  /**
   * How many bytes one read of this shard should be made to hold at most, so that it need not wait for other shards: the next
   * request for as many, unless another of this shard waits already, is granted at once, or when the shard has given back
   * what it holds.
   */
  readonly shareBytes: number
  /**
   * Holds `bytes` as soon as there is room for them; in the order of the requests, as far as they wait for the same. More
   * than there can ever be room for is granted when the shard holds nothing. Rejects with the reason of `signal` once that
   * aborts, and with a ServiceError once the allowance is closed.
   */
  hold(bytes: number, signal: AbortSignal): Promise<HeldBytes>
  /** Gives back the part of the shard, and refuses what waits. What it holds counts until it is released: somebody has it. */
  close(): void
}

/** How large a budget is. */
export interface ByteBudgetOptions {
  /** How much all shards may hold together. Bytes, at least 1. */
  readonly maxBytes: number
  /** How much one shard may hold. Bytes, at least 1. */
  readonly maxShardBytes: number
}

/** How much of the budget is divided evenly. The rest is the pool. */
const DIVIDED = 1 / 2
/** How much of what others have left in the pool one shard may borrow. Because of it, the last to come finds something too. */
const BORROWABLE = 1 / 2
/** The pool is shut when more than this part of it is borrowed … */
const HIGH_WATER = 7 / 8
/** … until no more than this part is: reads that take what little comes back, bit by bit, would be small ones. */
const LOW_WATER = 3 / 4
/** Where a shard has room for less than this part of what it may always hold, it waits for its own bytes instead. */
const WORTHWHILE = 1 / 4

interface Shard {
  heldBytes: number
  isClosed: boolean
  /** Its requests that wait, oldest first. Only the first of them can be granted. */
  readonly waiting: Waiter[]
  readonly changed: (bytes: number) => void
}

interface Waiter {
  readonly shard: Shard
  readonly bytes: number
  /** Whether the shard could always hold as much when it asked: then it need not wait for others, whoever has come since. */
  readonly isOwed: boolean
  readonly grant: () => void
  readonly refuse: (error: unknown) => void
}

/**
 * The bytes that the shards of one worker hold. Granted are `maxBytes` at most, but for: answers larger than was held for
 * them; single requests larger than there can ever be room for, one a shard; and what others hold of the part of a shard that has
 * just come. Nothing is granted to a shard that is above what it may hold until it is below.
 */
export class ByteBudget {
  readonly #maxBytes: number
  readonly #maxShardBytes: number
  readonly #shards = new Set<Shard>()
  /** Those that are closed, and still hold something. It all counts as borrowed. */
  readonly #leaving = new Set<Shard>()
  /** Requests that wait, oldest first. */
  readonly #queue = new Set<Waiter>()
  #heldBytes = 0
  /** The part of each shard. */
  #partBytes = 0
  #poolBytes = 0
  /** What shards hold beyond their parts. */
  #borrowedBytes = 0
  #isShut = false
  /** Whether a request waits for the pool: those that come later take nothing of it before. */
  #isAwaited = false

  constructor({ maxBytes, maxShardBytes }: ByteBudgetOptions) {
    this.#maxBytes = maxBytes
    this.#maxShardBytes = maxShardBytes
    this.#divide()
  }

  /** How many bytes are held now, by all shards. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Takes in one more shard. It has a part of the budget until it is closed. */
  open(): ByteAllowance {
    const shard: Shard = {
      heldBytes: 0,
      isClosed: false,
      waiting: [],
      changed: bytes => {
        this.#change(shard, bytes)
        if (bytes < 0) this.#serve()
      }
    }
    this.#shards.add(shard)
    this.#divide()
    const shareBytes = (): number => this.#shareOf(shard)
    return {
      get shareBytes() {
        return shareBytes()
      },
      hold: (bytes, signal) => this.#hold(shard, bytes, signal),
      close: () => this.#close(shard)
    }
  }

  #hold(shard: Shard, bytes: number, signal: AbortSignal): Promise<HeldBytes> {
    if (signal.aborted) return Promise.reject(signal.reason)
    if (shard.isClosed) return Promise.reject(closed())
    const isOwed = bytes <= this.#ownBytes()
    if (shard.waiting.length === 0 && this.#fits(shard, bytes, isOwed, this.#isAwaited)) {
      return Promise.resolve(this.#grant(shard, bytes))
    }
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        signal.removeEventListener('abort', abort)
        this.#queue.delete(waiter)
        shard.waiting.splice(shard.waiting.indexOf(waiter), 1)
      }
      const abort = (): void => {
        waiter.refuse(signal.reason)
        this.#serve()
      }
      const waiter: Waiter = {
        shard,
        bytes,
        isOwed,
        grant: () => {
          leave()
          resolve(this.#grant(shard, bytes))
        },
        refuse: error => {
          leave()
          reject(error)
        }
      }
      signal.addEventListener('abort', abort, { once: true })
      shard.waiting.push(waiter)
      this.#queue.add(waiter)
      this.#isAwaited ||= this.#waitsForPool(waiter)
    })
  }

  #grant(shard: Shard, bytes: number): HeldBytes {
    this.#change(shard, bytes)
    return new Holding(bytes, shard.changed)
  }

  #close(shard: Shard): void {
    if (shard.isClosed) return
    shard.isClosed = true
    this.#shards.delete(shard)
    for (const waiter of [...shard.waiting]) waiter.refuse(closed())
    if (shard.heldBytes > 0) this.#leaving.add(shard)
    this.#divide()
    this.#serve()
  }

  /** Grants what can be granted now. */
  #serve(): void {
    this.#isAwaited = false
    for (const waiter of this.#queue) {
      const { shard, bytes, isOwed } = waiter
      if (shard.waiting[0] !== waiter) continue
      if (this.#fits(shard, bytes, isOwed, this.#isAwaited)) waiter.grant()
      else this.#isAwaited ||= this.#waitsForPool(waiter)
    }
  }

  #fits(shard: Shard, bytes: number, isOwed: boolean, isAwaited: boolean): boolean {
    if (shard.heldBytes === 0 && (isOwed || bytes > this.#mostBytes())) return true
    return shard.heldBytes + bytes <= this.#limitOf(shard, isAwaited)
  }

  /** Whether a request waits for what others hold, rather than for what its own shard does. */
  #waitsForPool({ shard, bytes, isOwed }: Waiter): boolean {
    return !isOwed && shard.heldBytes + bytes <= this.#mostBytes()
  }

  /** How much a shard may always hold. */
  #ownBytes(): number {
    return Math.max(1, Math.min(this.#partBytes, this.#maxShardBytes))
  }

  #shareOf(shard: Shard): number {
    const ownBytes = this.#ownBytes()
    const roomBytes = this.#limitOf(shard, this.#isAwaited) - shard.heldBytes
    return roomBytes >= ownBytes * WORTHWHILE ? roomBytes : ownBytes
  }

  /** How much a shard may hold now. */
  #limitOf(shard: Shard, isAwaited: boolean): number {
    if (this.#isShut || isAwaited) return this.#ownBytes()
    const byOthers = this.#borrowedBytes - this.#borrowedBy(shard)
    const borrowable = Math.max(0, Math.floor((this.#poolBytes - byOthers) * BORROWABLE))
    return Math.min(this.#maxShardBytes, this.#partBytes + borrowable)
  }

  /** What a shard holds beyond its part. One that is closed has none. */
  #borrowedBy({ heldBytes, isClosed }: Shard): number {
    return isClosed ? heldBytes : Math.max(0, heldBytes - this.#partBytes)
  }

  /** How much a shard may hold when no other borrows. */
  #mostBytes(): number {
    return Math.min(this.#maxShardBytes, this.#partBytes + Math.floor(this.#poolBytes * BORROWABLE))
  }

  #change(shard: Shard, bytes: number): void {
    const before = this.#borrowedBy(shard)
    shard.heldBytes += bytes
    this.#heldBytes += bytes
    this.#borrowedBytes += this.#borrowedBy(shard) - before
    if (shard.heldBytes === 0) this.#leaving.delete(shard)
    this.#look()
  }

  /** Divides the budget anew: a shard has come, or gone. */
  #divide(): void {
    const count = this.#shards.size
    this.#partBytes = Math.floor((this.#maxBytes * DIVIDED) / Math.max(1, count))
    this.#poolBytes = this.#maxBytes - this.#partBytes * count
    this.#borrowedBytes = 0
    for (const shard of [...this.#shards, ...this.#leaving]) this.#borrowedBytes += this.#borrowedBy(shard)
    this.#look()
  }

  #look(): void {
    const mark = this.#isShut ? LOW_WATER : HIGH_WATER
    this.#isShut = this.#borrowedBytes > this.#poolBytes * mark
  }
}

/** Bytes that were granted. */
class Holding implements HeldBytes {
  #bytes: number
  #changed: ((bytes: number) => void) | undefined

  constructor(bytes: number, changed: (bytes: number) => void) {
    this.#bytes = bytes
    this.#changed = changed
  }

  get bytes(): number {
    return this.#bytes
  }

  resize(bytes: number): void {
    if (this.#changed === undefined) return
    const more = bytes - this.#bytes
    this.#bytes = bytes
    this.#changed(more)
  }

  release(): void {
    this.resize(0)
    this.#changed = undefined
  }
}

function closed(): ServiceError {
  return new ServiceError('other', 'The shard has given back its part of the memory', { retryable: false })
}
