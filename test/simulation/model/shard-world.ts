// A state of one shard in the model of the leases: its row, what each worker is doing about it, and the writes that are
// still on their way. And which states are the same.
import type { Lease } from '../../../src/model/lease.ts'
import { Numbers } from './explorer.ts'

/** What a tenure is to change, and goes on changing until it has had an answer. */
export type Change =
  | { readonly kind: 'checkpoint'; readonly position: number }
  | { readonly kind: 'release' }
  | { readonly kind: 'finish' }

/** A write of one lease. */
export interface Write {
  readonly kind: 'claim' | Change['kind']
  readonly by: string
  readonly before: Lease
  readonly after: Lease
  /** Nobody has claimed the lease, nor given it back, since the tenure that writes began. Always true for claims. */
  readonly isLatest: boolean
}

/** A claim that was sent. */
export interface Claiming {
  readonly kind: 'claiming'
  readonly write: Write
}

/** A tenure, and what its consumer has come to. */
export interface Held {
  readonly kind: 'held'
  readonly by: string
  /** As the tenure knows it. */
  readonly lease: Lease
  /** The parents of the shard were found finished. */
  readonly isReading: boolean
  /** Number of the last record that the user's code was given, and of the last that it is done with. */
  readonly delivered: number
  readonly settled: number
  /** A change that has had no answer. Nothing else is written before it has. */
  readonly retry?: Change
  /** See {@link Write.isLatest}. */
  readonly isLatest: boolean
}

/** What one worker has to do with the shard. */
export type Hold = Claiming | Held

/** All there is to say about a shard. */
export interface Contents {
  readonly row: Lease | undefined
  /** By worker. */
  readonly holds: readonly (Hold | undefined)[]
  /** Writes that nobody waits for any more, and that may still land. */
  readonly late: readonly Write[]
  /** Number of the last record that anybody has settled. */
  readonly done: number
}

/** A state of a shard. The same contents are the same object. */
export interface ShardWorld extends Contents {
  /** From 0. */
  readonly id: number
  /** Of the row, by all that it can say to others than its owner. From 0. */
  readonly rowId: number
}

/** Every state of one shard that was met, each once. */
export class ShardWorlds {
  readonly #byText = new Map<string, ShardWorld>()
  readonly #rows = new Numbers()

  get size(): number {
    return this.#byText.size
  }

  /** The state with these contents. */
  of(contents: Contents): ShardWorld {
    const small = smallCounters(contents)
    const text = textOf(contents, small)
    let world = this.#byText.get(text)
    if (world === undefined) {
      const { row } = contents
      const rowId = this.#rows.of(row === undefined ? '-' : `${row.owner} ${row.checkpoint.sequenceNumber}`)
      world = { ...withCounters(contents, small), id: this.#byText.size, rowId }
      this.#byText.set(text, world)
    }
    return world
  }
}

/** The contents with another hold of one worker. */
export function withHold({ row, late, done, holds }: Contents, worker: number, hold: Hold | undefined): Contents {
  const changed = holds.slice()
  changed[worker] = hold
  return { row, late, done, holds: changed }
}

/**
 * Small counters that say the same as those there are. Only whether two counters are equal, or one step apart, or which is
 * larger, ever counts: so all larger gaps are the same. Keeps the states finite although counters only grow.
 */
function smallCounters({ row, holds, late }: Contents): ReadonlyMap<number, number> {
  const counters: number[] = row === undefined ? [] : [row.counter]
  for (const hold of holds) {
    if (hold?.kind === 'held') counters.push(hold.lease.counter)
    if (hold?.kind === 'claiming') counters.push(hold.write.before.counter, hold.write.after.counter)
  }
  for (const { before, after } of late) counters.push(before.counter, after.counter)
  counters.sort((a, b) => a - b)
  const small = new Map<number, number>()
  let next = 0
  counters.forEach((counter, index) => {
    next += Math.min(2, counter - (counters[index - 1] ?? counter))
    small.set(counter, next)
  })
  return small
}

type Small = ReadonlyMap<number, number>

function withCounters({ row, holds, late, done }: Contents, small: Small): Contents {
  // How often owners have changed is written for people, and read by nothing.
  const ofLease = (lease: Lease): Lease => ({
    ...lease,
    counter: small.get(lease.counter) ?? 0,
    ownerSwitchesSinceCheckpoint: 0
  })
  const ofWrite = (write: Write): Write => ({ ...write, before: ofLease(write.before), after: ofLease(write.after) })
  const ofHold = (hold: Hold): Hold =>
    hold.kind === 'held' ? { ...hold, lease: ofLease(hold.lease) } : { ...hold, write: ofWrite(hold.write) }
  return { row: row && ofLease(row), holds: holds.map(hold => hold && ofHold(hold)), late: late.map(ofWrite), done }
}

function textOf({ row, holds, late, done }: Contents, small: Small): string {
  let text = `${done}|${row === undefined ? '-' : textOfLease(row, small)}`
  for (const hold of holds) text += `|${hold === undefined ? '-' : textOfHold(hold, small)}`
  const texts = late.map(write => textOfWrite(write, small))
  return `${text}|${texts.sort().join('&')}`
}

function textOfHold(hold: Hold, small: Small): string {
  if (hold.kind === 'claiming') return textOfWrite(hold.write, small)
  const { by, lease, isReading, delivered, settled, retry, isLatest } = hold
  const retried = retry === undefined ? '' : `${retry.kind}${'position' in retry ? retry.position : ''}`
  return `${by},${textOfLease(lease, small)},${isReading},${delivered},${settled},${retried},${isLatest}`
}

function textOfWrite({ kind, by, before, after, isLatest }: Write, small: Small): string {
  return `${kind},${by},${textOfLease(before, small)},${textOfLease(after, small)},${isLatest}`
}

function textOfLease({ owner, counter, checkpoint, childShardIds }: Lease, small: Small): string {
  return `${owner}#${small.get(counter)}#${checkpoint.sequenceNumber}#${childShardIds.length}`
}
