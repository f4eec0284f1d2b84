// What the sessions of the models are called, and what their items say at first.
import type { Member } from '../../../src/leases/control-store.ts'

/** The session of a worker, which counts from 0; the sessions count from 1. */
export function sessionOf(worker: number, number: number): string {
  return `w${worker + 1}/${String(number).padStart(8, '0')}`
}

/** The item of a session that has just joined. */
export function newcomer(session: string): Member {
  const workerId = session.slice(0, session.indexOf('/'))
  const report = { ack: 0, applied: 0, evt: 0, led: 0, generation: 1, capacity: 1, avoid: [] }
  return { session, workerId, state: 'ACTIVE', ...report, hb: 1, asgVer: 0 }
}
