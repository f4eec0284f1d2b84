// A control table whose reads may be old where DynamoDB's may: those of the leader lock and of one member, unless they ask
// for more.
import type { ControlStore, LeaderLock, Member } from '../../src/leases/control-store.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import type { Random } from '../../src/runtime/random.ts'

interface Snapshot {
  readonly atMs: number
  readonly lock: LeaderLock | undefined
  readonly members: ReadonlyMap<string, Member>
}

/** A store that does what `store` does, but shows things as they were up to `lagMs` milliseconds ago where it may. */
export function laggingControl(store: ControlStore, clock: Clock, random: Random, lagMs: number): ControlStore {
  let past: Snapshot[] = [{ atMs: Number.NEGATIVE_INFINITY, lock: undefined, members: new Map() }]

  const noting = async <T>(write: Promise<T>): Promise<T> => {
    const outcome = await write
    const nowMs = clock.monotonicMs()
    const members = new Map((await store.members()).map(member => [member.session, member]))
    const oldest = past.findLastIndex(({ atMs }) => atMs <= nowMs - lagMs)
    past = [...past.slice(Math.max(0, oldest)), { atMs: nowMs, lock: await store.leader(), members }]
    return outcome
  }
  const some = (): Snapshot | undefined => {
    const atMs = clock.monotonicMs() - random.next() * lagMs
    return past.findLast(snapshot => snapshot.atMs <= atMs)
  }

  return {
    ...store,
    join: report => noting(store.join(report)),
    beat: (report, hb) => noting(store.beat(report, hb)),
    leave: report => noting(store.leave(report)),
    certify: (session, hb, how) => noting(store.certify(session, hb, how)),
    replaceLeader: (before, after) => noting(store.replaceLeader(before, after)),
    post: mailbox => noting(store.post(mailbox)),
    forget: session => noting(store.forget(session)),
    clear: () => noting(store.clear()),
    leader: async options => (options?.consistent ? store.leader(options) : some()?.lock),
    member: async session => some()?.members.get(session)
  }
}
