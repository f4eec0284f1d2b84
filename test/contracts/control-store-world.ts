// What the contract of the control store is made of: the stores of a test, and what sessions and leaders say.
import { expect } from 'chai'
import type { BeatOutcome, ControlStore, Mailbox, MemberReport } from '../../src/leases/control-store.ts'

/** Two stores on the control items of one application that has none yet, and one on those of another application. */
export interface ControlStores {
  readonly store: ControlStore
  readonly sameItems: ControlStore
  /** In the same table, if there are tables. */
  readonly otherApplication: ControlStore
}

/** The stores of the test that runs. */
export type Stores = () => ControlStores

export const ALIVE: BeatOutcome = { kind: 'alive', asgVer: 0 }
export const GONE: BeatOutcome = { kind: 'dead', how: 'gone' }

/** What a session says that has nothing to say yet. */
export function aReport(session: string, report: Partial<MemberReport> = {}): MemberReport {
  return {
    session,
    workerId: 'worker',
    state: 'ACTIVE',
    ack: 0,
    applied: 0,
    evt: 0,
    led: 0,
    generation: 0,
    capacity: 1,
    avoid: [],
    ...report
  }
}

/** A mailbox with nothing in it. */
export function aMailbox(session: string, mailbox: Partial<Mailbox> = {}): Mailbox {
  const lists = { leases: [], wait: [], dead: [], steal: [] }
  return { session, ver: 1, term: 1, mode: 'solo', evt: 0, ...lists, ...mailbox }
}

/** What `work` rejects with; fails the test if it does not. */
export async function rejectionOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    value => expect.fail(`Expected a rejection, got ${JSON.stringify(value)}`),
    error => error
  )
}
