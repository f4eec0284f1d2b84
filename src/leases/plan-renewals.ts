// What a refused write of a lease owner means: the lease is lost, or an earlier write of our own landed without an answer.
import { actualOwner, type Lease } from '../model/lease.ts'

/** What it means that a write of the owner was refused. */
export type RefusalVerdict =
  /**
   * The row is ours and exactly one step ahead: our own earlier write. Or it is where it was, and a leader of KCL has begun
   * to hand the lease over, which counts nothing. Take the row as it is and go on from there.
   */
  | { readonly kind: 'ours'; readonly lease: Lease }
  /** Somebody deleted the row. */
  | { readonly kind: 'gone' }
  /** Somebody else has the lease, or had it in between. */
  | { readonly kind: 'lost'; readonly because: string }

/**
 * Judges a refused write. Sound because a session id is used by one process only, writes of one lease follow one
 * another, and every one of them counts the counter up by exactly one. A leader of KCL that assigns a lease counts up, too:
 * where it is ours and one step ahead by that, nobody else can have written in between either.
 */
export function judgeRefusal(before: Lease, session: string, current: Lease | undefined): RefusalVerdict {
  if (current === undefined) return { kind: 'gone' }
  const holder = actualOwner(current)
  if (holder === undefined) return { kind: 'lost', because: 'nobody has it any more' }
  if (holder !== session) return { kind: 'lost', because: `${holder} has it` }
  if (current.counter === before.counter + 1) return { kind: 'ours', lease: current }
  const isHandedOver = current.owner !== before.owner || current.checkpointOwner !== before.checkpointOwner
  if (current.counter === before.counter && isHandedOver) return { kind: 'ours', lease: current }
  return { kind: 'lost', because: `its counter is ${current.counter}, expected ${before.counter} or one more` }
}
