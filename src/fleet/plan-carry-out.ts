// What a worker does about its mailbox: which leases it claims now, which it looks at again later because somebody still has
// them, and which it gives back.
import type { Mailbox } from '../leases/control-store.ts'

/** A lease that this worker holds. */
export interface HeldFacts {
  readonly leaseKey: string
  /** Value of the session's `evt` when the worker took the lease on its own, without a mailbox. Absent: a mailbox named it. */
  readonly adoptedAtEvt?: number
  readonly isRevoked: boolean
}

/** The mailbox, and what the worker is about. */
export interface CarryOutFacts {
  /** The newest one of this session. Absent: there is none yet. */
  readonly mailbox: Mailbox | undefined
  /** Leases that a leader of KCL is known to have assigned to this session, be they in the mailbox or not. Absent: none. */
  readonly assigned?: readonly string[]
  readonly held: readonly HeldFacts[]
  /** Leases that were listed, tried, and still belonged to somebody who lives. */
  readonly owned: ReadonlySet<string>
  /** Leases to leave alone: an earlier run of the shard is still being wound up here, or it failed here lately. */
  readonly avoid: ReadonlySet<string>
}

/** What to do. */
export interface CarryOutPlan {
  readonly claim: readonly string[]
  /** To look at from time to time, and to claim once they are free. */
  readonly wait: readonly string[]
  /** To drain and release. */
  readonly revoke: readonly string[]
  /** Whether everything that the mailbox says is carried out. */
  readonly isDone: boolean
}

/**
 * Plans once. What the worker took on its own is kept until a mailbox was written by somebody who knew of it. Without a
 * mailbox everything is kept and nothing is claimed. Nothing is given back while a leader of KCL assigns: its rows say so.
 */
export function planCarryOut({ mailbox, assigned = [], held, owned, avoid }: CarryOutFacts): CarryOutPlan {
  if (mailbox === undefined) return { claim: [], wait: [], revoke: [], isDone: true }
  const isKclLed = mailbox.assigner === 'kcl'
  const listed = new Set([...mailbox.leases, ...(isKclLed ? assigned : [])])
  const holding = new Set(held.map(({ leaseKey }) => leaseKey))
  const waiting = new Set([...mailbox.wait, ...owned])
  const wanted = [...listed].filter(leaseKey => !holding.has(leaseKey) && !avoid.has(leaseKey))
  const unlisted = held.filter(({ leaseKey, adoptedAtEvt }) => {
    const isKnown = adoptedAtEvt === undefined || adoptedAtEvt <= mailbox.evt
    return !isKclLed && !listed.has(leaseKey) && isKnown
  })
  const claim = wanted.filter(leaseKey => !waiting.has(leaseKey))
  const wait = wanted.filter(leaseKey => waiting.has(leaseKey))
  const revoke = unlisted.filter(({ isRevoked }) => !isRevoked).map(({ leaseKey }) => leaseKey)
  return { claim, wait, revoke, isDone: wanted.length === 0 && unlisted.length === 0 }
}
