// The control items of one application in memory, with the conditions of those in DynamoDB: for tests, for simulations,
// and for people without AWS. Workers of one process coordinate through it by sharing the store.
import type { BeatOutcome, ControlStore, LeaderLock, LeaseLoads, Mailbox, Member } from './control-store.ts'
import { frozenCopy } from './frozen-copy.ts'
import { asIdSet, sameValue } from './lease-fields.ts'
import { NO_ORDERS, type Orders, sameOrders } from './order-rules.ts'

/** How a control table in memory is set up. */
export interface MemoryControlStoreOptions {
  /** What the table is called in messages. Default `memory-control`. */
  readonly tableName?: string
}

/** What there is. All values are frozen. */
interface Items {
  readonly members: Map<string, Member>
  readonly mailboxes: Map<string, Mailbox>
  readonly loads: Map<string, LeaseLoads>
  lock: LeaderLock | undefined
  orders: Orders
}

/**
 * The control items of one application, which live as long as this object. Every call is atomic. What it returns is frozen
 * and stays as it is when the items change; what it is given is copied.
 */
export function memoryControlStore({ tableName = 'memory-control' }: MemoryControlStoreOptions = {}): ControlStore {
  const items: Items = {
    members: new Map(),
    mailboxes: new Map(),
    loads: new Map(),
    lock: undefined,
    orders: NO_ORDERS
  }
  return {
    tableName,
    async prepare(signal) {
      signal?.throwIfAborted()
    },
    ...membersOf(items),
    ...leadershipOf(items),
    ...mailboxesOf(items),
    ...ordersOf(items),

    async reportLoads(session, loads) {
      items.loads.set(session, frozenCopy(loads))
    },

    async loads(signal) {
      signal?.throwIfAborted()
      return Object.freeze(Object.assign({}, ...items.loads.values()) as LeaseLoads)
    },

    async forget(session) {
      const member = items.members.get(session)
      if (member !== undefined && member.dead === undefined) return false
      for (const map of [items.members, items.mailboxes, items.loads]) map.delete(session)
      return true
    },

    async clear() {
      if ([...items.members.values()].some(({ dead }) => dead === undefined)) return false
      for (const map of [items.members, items.mailboxes, items.loads]) map.clear()
      Object.assign(items, { lock: undefined, orders: NO_ORDERS })
      return true
    }
  }
}

type OfMembers = Pick<ControlStore, 'join' | 'beat' | 'leave' | 'certify' | 'members' | 'member'>

function membersOf({ members }: Items): OfMembers {
  const write = (member: Member): void => {
    members.set(member.session, frozenCopy({ ...member, avoid: asIdSet(member.avoid) }))
  }
  const alive = (session: string): Member | undefined => {
    const member = members.get(session)
    return member?.dead === undefined ? member : undefined
  }
  return {
    async join(report) {
      if (!members.has(report.session)) write({ ...report, hb: 1, asgVer: 0 })
      return outcomeFrom(members.get(report.session))
    },

    async beat(report, hb) {
      const member = alive(report.session)
      if (member !== undefined && member.hb < hb) write({ ...report, hb, asgVer: member.asgVer })
      return outcomeFrom(members.get(report.session))
    },

    async leave(report) {
      const member = alive(report.session)
      if (member !== undefined) write({ ...report, hb: member.hb, asgVer: member.asgVer, dead: 'left' })
    },

    async certify(session, hb, how) {
      const member = alive(session)
      if (member === undefined || member.hb !== hb) return false
      write({ ...member, dead: how })
      return true
    },

    async members(signal) {
      signal?.throwIfAborted()
      return [...members.values()]
    },

    async member(session, signal) {
      signal?.throwIfAborted()
      return members.get(session)
    }
  }
}

function outcomeFrom(member: Member | undefined): BeatOutcome {
  if (member === undefined) return { kind: 'dead', how: 'gone' }
  return member.dead === undefined ? { kind: 'alive', asgVer: member.asgVer } : { kind: 'dead', how: member.dead }
}

function leadershipOf(items: Items): Pick<ControlStore, 'leader' | 'replaceLeader'> {
  return {
    async leader({ signal } = {}) {
      signal?.throwIfAborted()
      return items.lock
    },

    async replaceLeader(before, after) {
      if (sameValue(items.lock, after)) return true
      if (!sameValue(items.lock, before)) return false
      items.lock = frozenCopy(after)
      return true
    }
  }
}

function mailboxesOf({ members, mailboxes }: Items): Pick<ControlStore, 'mailbox' | 'mailboxes' | 'post'> {
  return {
    async mailbox(session, signal) {
      signal?.throwIfAborted()
      return mailboxes.get(session)
    },

    async mailboxes(signal) {
      signal?.throwIfAborted()
      return [...mailboxes.values()]
    },

    async post(mailbox) {
      const { session, ver, term } = mailbox
      const current = mailboxes.get(session)
      const isNewer = current === undefined || (current.term <= term && current.ver < ver)
      if (!isNewer && !sameValue(current, mailbox)) return false
      if (isNewer) mailboxes.set(session, storedCopy(mailbox))
      const member = members.get(session)
      if (member !== undefined && member.dead === undefined && member.asgVer < ver) {
        members.set(session, Object.freeze({ ...member, asgVer: ver }))
      }
      return true
    }
  }
}

function ordersOf(items: Items): Pick<ControlStore, 'orders' | 'replaceOrders'> {
  return {
    async orders({ signal } = {}) {
      signal?.throwIfAborted()
      return items.orders
    },

    async replaceOrders(before, after) {
      if (sameOrders(items.orders, after)) return true
      if (items.orders.ver !== before.ver) return false
      items.orders = frozenCopy(after)
      return true
    }
  }
}

function storedCopy(mailbox: Mailbox): Mailbox {
  const { leases, wait, dead, steal } = mailbox
  return frozenCopy({
    ...mailbox,
    leases: asIdSet(leases),
    wait: asIdSet(wait),
    dead: asIdSet(dead),
    steal: asIdSet(steal)
  })
}
