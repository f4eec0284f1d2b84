// A control table behind a bad network. Which call meets which fault is scripted by the test.
import type { ControlStore } from '../../src/leases/control-store.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import { type Fault, NO_FAULT, withFault } from './flaky-store.ts'

type CallName = Exclude<keyof ControlStore, 'tableName'>

export interface ControlCall {
  readonly name: CallName
  /** When it was made, in virtual monotonic milliseconds. */
  readonly atMs: number
  /** The session that it is about, if it is about one. */
  readonly session?: string
}

/** Which fault a call meets. Asked once for every call, in the order of the calls. */
export type ControlFaults = (call: ControlCall) => Fault | undefined

export interface FlakyControlStore extends ControlStore {
  /** May be changed at any time. */
  faults: ControlFaults
  /** Every call so far. */
  readonly calls: ControlCall[]
}

/** A control table that does what `store` does, except for `faults`. */
export function flakyControlStore(
  store: ControlStore,
  clock: Clock,
  faults: ControlFaults = () => undefined
): FlakyControlStore {
  const calls: ControlCall[] = []
  const call = <T>(name: CallName, session: string | undefined, work: () => Promise<T>): Promise<T> => {
    const what = { name, atMs: clock.monotonicMs(), ...(session !== undefined && { session }) }
    calls.push(what)
    return withFault(flaky.faults(what) ?? NO_FAULT, name, clock, work)
  }
  const flaky: FlakyControlStore = {
    tableName: store.tableName,
    faults,
    calls,
    prepare: signal => call('prepare', undefined, () => store.prepare(signal)),
    join: report => call('join', report.session, () => store.join(report)),
    beat: (report, hb) => call('beat', report.session, () => store.beat(report, hb)),
    leave: report => call('leave', report.session, () => store.leave(report)),
    certify: (session, hb, how) => call('certify', session, () => store.certify(session, hb, how)),
    members: signal => call('members', undefined, () => store.members(signal)),
    member: (session, signal) => call('member', session, () => store.member(session, signal)),
    leader: options => call('leader', undefined, () => store.leader(options)),
    replaceLeader: (before, after) => call('replaceLeader', after.who, () => store.replaceLeader(before, after)),
    mailbox: (session, signal) => call('mailbox', session, () => store.mailbox(session, signal)),
    mailboxes: signal => call('mailboxes', undefined, () => store.mailboxes(signal)),
    post: mailbox => call('post', mailbox.session, () => store.post(mailbox)),
    reportLoads: (session, loads) => call('reportLoads', session, () => store.reportLoads(session, loads)),
    loads: signal => call('loads', undefined, () => store.loads(signal)),
    forget: session => call('forget', session, () => store.forget(session)),
    clear: () => call('clear', undefined, () => store.clear()),
    orders: options => call('orders', undefined, () => store.orders(options)),
    replaceOrders: (before, after) => call('replaceOrders', undefined, () => store.replaceOrders(before, after))
  }
  return flaky
}
