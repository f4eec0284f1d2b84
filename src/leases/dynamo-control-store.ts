// The control table in DynamoDB, which many applications can share. What is in an item is the business of
// dynamo-control-item.ts, how mailboxes are split that of dynamo-mailboxes.ts. Decides nothing and repeats nothing.

import { type DynamoDBClientOption, tableCalls } from '../dynamo/dynamo-client.ts'
import { type AwsCredentials, type ClientSettings, clientFor } from '../dynamo/dynamo-connection.ts'
import { prepareTable } from '../dynamo/dynamo-table.ts'
import { describeTable, type TableFacts } from '../dynamo/dynamo-table-facts.ts'
import type { CallListener } from '../metrics/request-meter.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { BeatOutcome, ControlStore, LeaseLoads, Member } from './control-store.ts'
import {
  beatOf,
  CONTROL_TABLE_KEY,
  certificateOf,
  isDead,
  joiningOf,
  LEADER_KEY,
  leavingOf,
  loadsOf,
  lockOf,
  memberKey,
  type Parsed,
  PREFIX,
  parseLoads,
  parseLock,
  parseMember,
  removalOf,
  type StoredItem,
  sortKeyOf
} from './dynamo-control-item.ts'
import { OWNER_KEY, ownControlItems } from './dynamo-control-owner.ts'
import { type Mailboxes, mailboxesOf } from './dynamo-mailboxes.ts'
import { ORDERS_KEY, ordersItemOf, parseOrders } from './dynamo-order-item.ts'
import { type Partition, partitionOf } from './dynamo-partition.ts'
import { sameValue } from './lease-fields.ts'
import { NO_ORDERS, sameOrders } from './order-rules.ts'

/** What the control table is called unless it is given a name. */
export const DEFAULT_CONTROL_TABLE = 'millrace-control'

/** The control table and how to reach it. */
export interface DynamoControlStoreOptions {
  /** Default `millrace-control`. */
  readonly tableName?: string
  /** Whose items these are. Those of other applications in the same table are out of reach. */
  readonly applicationName: string
  /** Default none. Only for a table that is created. */
  readonly tags?: Readonly<Record<string, string>>
  /** Default a client of our own with the SDK's defaults for region and credentials, over HTTP/1.1. */
  readonly client?: DynamoDBClientOption | undefined
  readonly clock: Clock
  readonly logger: Logger
  /** How long one call may take, retries of the SDK included. Milliseconds; default 5,000. */
  readonly requestTimeoutMs?: number
  /** Is told of each request. Default: nothing is counted. */
  readonly called?: CallListener | undefined
  /**
   * ARN of the lease table that the items are of, asked for by `prepare()`, which refuses those of another one. Default: nobody
   * looks. `undefined`: there is none.
   */
  readonly leaseTable?: (signal?: AbortSignal) => Promise<string | undefined>
  /** A mailbox whose lists have more bytes than this is split over several items. Default 300,000. */
  readonly maxMailboxBytes?: number
}

/** A control table in DynamoDB. */
export interface DynamoControlStore extends ControlStore {
  /** What the table is like. `undefined`: there is none. */
  describe(signal?: AbortSignal): Promise<TableFacts | undefined>
  /** Frees the connections, unless they are those of a client that was given. */
  close(): void
}

/**
 * The control items of one application in DynamoDB. Nothing happens before the first call. An item that cannot be read
 * counts as none and never disturbs the others.
 */
export function dynamoControlStore(options: DynamoControlStoreOptions): DynamoControlStore {
  const { tableName = DEFAULT_CONTROL_TABLE, applicationName, client, clock, logger, tags } = options
  const { requestTimeoutMs = 5_000, maxMailboxBytes = 300_000, called } = options
  const calls = tableCalls({ tableName, client, clock, requestTimeoutMs, called })
  const partition = partitionOf(calls, applicationName)
  const about = { tableName, applicationName }
  const readable: Readable = parsed => {
    if (parsed.kind === 'read') return parsed.value
    const { sk, problem } = parsed
    logger.debug({ ...about, sk, problem }, 'an item of the control table could not be read')
    return undefined
  }
  const leftBehind = (session: string, error: unknown): void =>
    logger.debug({ ...about, session, err: error }, 'parts of a mailbox were left behind')
  const { removeMailbox, ...mailboxes } = mailboxesOf({ partition, maxBytes: maxMailboxBytes, readable, leftBehind })
  return {
    tableName,
    prepare: async signal => {
      await prepareTable({ tableName, ...(tags && { tags }) }, CONTROL_TABLE_KEY, { calls, clock, logger }, signal)
      const leaseTable = await options.leaseTable?.(signal)
      if (leaseTable !== undefined) await ownControlItems(partition, { ...about, leaseTable }, signal)
    },
    describe: signal => describeTable(calls, signal),
    ...lifeOf(partition, readable),
    ...sightOf(partition, readable),
    ...leadershipOf(partition, readable),
    ...mailboxes,
    ...loadsIn(partition, readable),
    ...ordersIn(partition, readable),
    forget: session => forget(partition, removeMailbox, session),
    clear: () => clear(partition),
    close: () => calls.close()
  }
}

/** What another thread needs to make a control store of its own. Plain data, which can be sent there. */
export interface RemoteControlStoreOptions extends ClientSettings {
  readonly tableName: string
  readonly applicationName: string
  /** How long one call may take, retries of the SDK included. Milliseconds. */
  readonly requestTimeoutMs: number
  /** To begin with. */
  readonly credentials: AwsCredentials
}

/** A control store with a client of its own that does not look for credentials but is told them. */
export interface RemoteControlStore extends DynamoControlStore {
  /** Signs with these from now on. To be called before those it has expire. */
  useCredentials(credentials: AwsCredentials): void
}

/** A control store made of plain data, with a client of its own: for another thread. */
export function remoteControlStore(
  options: RemoteControlStoreOptions,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger }
): RemoteControlStore {
  const { tableName, applicationName, requestTimeoutMs } = options
  let credentials = options.credentials
  const client = clientFor(options, () => credentials)
  const store = dynamoControlStore({ tableName, applicationName, requestTimeoutMs, client, clock, logger })
  return {
    ...store,
    useCredentials(next) {
      credentials = next
    },
    close: () => client.destroy()
  }
}

/** The value of an item, or `undefined` if it cannot be read. */
type Readable = <T>(parsed: Parsed<T>) => T | undefined

function lifeOf(partition: Partition, readable: Readable): Pick<ControlStore, 'join' | 'beat' | 'leave' | 'certify'> {
  const memberOf = (item: StoredItem | undefined): Member | undefined => item && readable(parseMember(item))
  return {
    async join(report) {
      const outcome = await partition.put(joiningOf(report))
      if (outcome.kind === 'written') return { kind: 'alive', asgVer: 0 }
      // A session is of one process: whatever has joined in its name was this call, whose answer was lost.
      return outcomeFrom(memberOf(await outcome.current()), 1)
    },

    async beat(report, hb) {
      const outcome = await partition.update(beatOf(report, hb))
      if (outcome.kind === 'written') return { kind: 'alive', asgVer: memberOf(outcome.item)?.asgVer ?? 0 }
      return outcomeFrom(memberOf(await outcome.current()), hb)
    },

    async leave(report) {
      await partition.update(leavingOf(report))
    },

    async certify(session, hb, how) {
      return (await partition.update(certificateOf(session, hb, how))).kind === 'written'
    }
  }
}

/** What a refused heartbeat comes to: dead, unless it is an old one, or one that landed without an answer. */
function outcomeFrom(member: Member | undefined, hb: number): BeatOutcome {
  if (member?.dead !== undefined) return { kind: 'dead', how: member.dead }
  if (member === undefined || member.hb < hb) return { kind: 'dead', how: 'gone' }
  return { kind: 'alive', asgVer: member.asgVer }
}

function sightOf(partition: Partition, readable: Readable): Pick<ControlStore, 'member' | 'members'> {
  return {
    async members(signal) {
      const items = await partition.readAll(PREFIX.member, { consistent: true, signal })
      return items.flatMap(item => readable(parseMember(item)) ?? [])
    },

    async member(session, signal) {
      const item = await partition.read(memberKey(session), { signal })
      return item && readable(parseMember(item))
    }
  }
}

function leadershipOf(partition: Partition, readable: Readable): Pick<ControlStore, 'leader' | 'replaceLeader'> {
  return {
    async leader(options) {
      const item = await partition.read(LEADER_KEY, options)
      return item && readable(parseLock(item))
    },

    async replaceLeader(before, after) {
      const outcome = await partition.put(lockOf(before, after))
      if (outcome.kind === 'written') return true
      // If this is exactly what is there, it is our own earlier write, whose answer was lost.
      const current = await outcome.current()
      return current !== undefined && sameValue(readable(parseLock(current)), after)
    }
  }
}

function loadsIn(partition: Partition, readable: Readable): Pick<ControlStore, 'reportLoads' | 'loads'> {
  return {
    async reportLoads(session, loads) {
      await partition.put(loadsOf(session, loads))
    },

    async loads(signal) {
      const items = await partition.readAll(PREFIX.loads, { signal })
      return Object.assign({}, ...items.map(item => readable(parseLoads(item)))) as LeaseLoads
    }
  }
}

function ordersIn(partition: Partition, readable: Readable): Pick<ControlStore, 'orders' | 'replaceOrders'> {
  return {
    async orders(options) {
      const item = await partition.read(ORDERS_KEY, options)
      return (item && readable(parseOrders(item))) ?? NO_ORDERS
    },

    async replaceOrders(before, after) {
      const outcome = await partition.put(ordersItemOf(before, after))
      if (outcome.kind === 'written') return true
      // If this is exactly what is there, it is our own earlier write, whose answer was lost.
      const current = await outcome.current()
      const orders = current && readable(parseOrders(current))
      return orders !== undefined && sameOrders(orders, after)
    }
  }
}

/** Sessions go last, so that one who fails half-way finds out again who was there. One that has joined meanwhile stays. */
async function clear(partition: Partition): Promise<boolean> {
  const members = await partition.readAll(PREFIX.member, { consistent: true })
  if (members.some(item => !isDead(item))) return false
  for (const prefix of [PREFIX.mailboxPart, PREFIX.mailbox, PREFIX.loads]) {
    const items = await partition.readAll(prefix, { consistent: true })
    for (const sk of items.map(sortKeyOf)) await partition.remove({ sk })
  }
  for (const sk of [ORDERS_KEY, LEADER_KEY, OWNER_KEY]) await partition.remove({ sk })
  for (const sk of members.map(sortKeyOf)) await partition.remove(removalOf(sk.slice(PREFIX.member.length)))
  return true
}

/** The item of the session goes last, so that one who fails half-way can see that there is something left to forget. */
async function forget(
  partition: Partition,
  removeMailbox: Mailboxes['removeMailbox'],
  session: string
): Promise<boolean> {
  const member = await partition.read(memberKey(session), { consistent: true })
  // The dead stay dead, so that nothing can happen between this look and the deletions.
  if (member !== undefined && !isDead(member)) return false
  await removeMailbox(session)
  await partition.remove({ sk: `${PREFIX.loads}${session}` })
  return (await partition.remove(removalOf(session))).kind === 'written'
}
