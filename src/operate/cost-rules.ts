// What a fleet pays DynamoDB in a month: its heartbeats and looks as they follow from its settings and the sizes of its items, and
// its checkpoints as they were measured.
import { fleetSettings } from '../fleet/fleet-settings.ts'
import type { Mailbox, Member } from '../leases/control-store.ts'
import { itemBytes, leaseBytes, readUnits, writeUnits } from '../leases/item-size.ts'
import type { Lease } from '../model/lease.ts'

/**
 * What DynamoDB costs on demand in us-east-1, in dollars: a million write and read request units of tables of the standard class,
 * and a GB of data for a month. Source: https://aws.amazon.com/dynamodb/pricing/on-demand/, region US East (N. Virginia): in force
 * since 1 November 2024, when requests became half as expensive, and compared in November 2026 with what others quote of that
 * page. Storage is free up to 25 GB, which is left out here.
 */
export const DYNAMODB_PRICES: DynamoPrices = { perMillionWrites: 0.625, perMillionReads: 0.125, perGigabyteMonth: 0.25 }

/** What DynamoDB costs, in dollars. */
export interface DynamoPrices {
  readonly perMillionWrites: number
  readonly perMillionReads: number
  readonly perGigabyteMonth: number
}

/** One thing that is paid for. */
export interface CostPart {
  readonly what:
    | 'heartbeats'
    | 'checkpoints'
    | 'mailboxes written'
    | 'mailboxes read'
    | 'looks of the leader'
    | 'looks of the others'
    | 'scans'
    | 'storage'
  /** `measured` while the fleet was watched, or `estimated` from its settings and sizes. */
  readonly how: 'measured' | 'estimated'
  /** Request units a month; for storage, bytes. */
  readonly units: number
  readonly usdPerMonth: number
}

/** What a fleet pays DynamoDB in a month of 30 days. */
export interface CostReport {
  readonly usdPerMonth: number
  readonly parts: readonly CostPart[]
  readonly workers: number
  readonly leases: number
  /** For how long writes to leases were counted. Milliseconds. */
  readonly watchedMs: number
  /** How often rows were written meanwhile, over all leases. Per second. */
  readonly leaseWritesPerSecond: number
  readonly prices: DynamoPrices
}

/** What costs are made of: two looks at a fleet, some time apart. */
export interface CostFacts {
  readonly membersBefore: readonly Member[]
  readonly members: readonly Member[]
  /** Of every session, after the members were read. */
  readonly mailboxes: readonly Mailbox[]
  readonly before: readonly Lease[]
  readonly leases: readonly Lease[]
  readonly watchedMs: number
  /** How long sessions live that do not say it themselves. Milliseconds. */
  readonly durationMs: number
  readonly prices: DynamoPrices
}

const MONTH_MS = 30 * 86_400_000
/** Each item takes so much more than its attributes. Bytes, as DynamoDB bills it. */
const ITEM_OVERHEAD_BYTES = 100
const GIGABYTE = 1e9
const FULL_SCAN_MS = 300_000

/** Adds it up. */
export function costOf(facts: CostFacts): CostReport {
  const { leases, watchedMs, durationMs, prices } = facts
  const living = facts.members.filter(({ dead }) => dead === undefined)
  const settingsOf = (member: Member) => fleetSettings(member.durationMs ?? durationMs)
  const beats = living.map(member => unitsOfHeartbeats(member, settingsOf(member).heartbeatMs))
  const slowest = Math.max(
    ...living.map(member => settingsOf(member).heartbeatMs),
    fleetSettings(durationMs).heartbeatMs
  )
  const heartbeatMs = Math.min(...living.map(member => settingsOf(member).heartbeatMs), slowest)
  const isLed = living.length > 0
  const memberBytes = sum(facts.members.map(member => itemBytes({ ...member })))
  // The members, who leads, and what an operator has ordered; all the others look every two heartbeats who leads, and how he is.
  const leaderUnits = isLed ? (MONTH_MS / heartbeatMs) * (readUnits(memberBytes, true) + 1 + 0.5) : 0
  const otherUnits = isLed ? ((living.length - 1) * MONTH_MS) / (2 * heartbeatMs) : 0
  const rowBytes = sum(leases.map(leaseBytes))
  const scanUnits = isLed ? (MONTH_MS / FULL_SCAN_MS) * readUnits(rowBytes, true) : 0
  const written = unitsOfLeaseWrites(facts)
  const posted = unitsOfMailboxes(facts)
  const perMs = watchedMs > 0 ? 1 / watchedMs : 0
  const items = leases.length + facts.members.length + facts.mailboxes.length
  const bytes = rowBytes + memberBytes + sum(facts.mailboxes.map(mailboxBytes)) + items * ITEM_OVERHEAD_BYTES
  const { perMillionWrites, perMillionReads, perGigabyteMonth } = prices
  const parts: CostPart[] = [
    { what: 'heartbeats', how: 'estimated', ...paid(sum(beats), perMillionWrites) },
    { what: 'checkpoints', how: 'measured', ...paid(written.units * perMs * MONTH_MS, perMillionWrites) },
    { what: 'mailboxes written', how: 'measured', ...paid(posted.writes * perMs * MONTH_MS, perMillionWrites) },
    { what: 'mailboxes read', how: 'measured', ...paid(posted.reads * perMs * MONTH_MS, perMillionReads) },
    { what: 'looks of the leader', how: 'estimated', ...paid(leaderUnits, perMillionReads) },
    { what: 'looks of the others', how: 'estimated', ...paid(otherUnits, perMillionReads) },
    { what: 'scans', how: 'estimated', ...paid(scanUnits, perMillionReads) },
    { what: 'storage', how: 'measured', units: bytes, usdPerMonth: (bytes / GIGABYTE) * perGigabyteMonth }
  ]
  return {
    usdPerMonth: sum(parts.map(({ usdPerMonth }) => usdPerMonth)),
    ...{ parts, workers: living.length, leases: leases.length, watchedMs, prices },
    leaseWritesPerSecond: written.writes * perMs * 1_000
  }
}

function unitsOfHeartbeats(member: Member, heartbeatMs: number): number {
  return (MONTH_MS / heartbeatMs) * writeUnits(itemBytes({ ...member }))
}

/** Every write of an owner counts the counter up by one. Rows that are new or gone are passed over. */
function unitsOfLeaseWrites({ before, leases }: CostFacts): { readonly writes: number; readonly units: number } {
  const counters = new Map(before.map(({ leaseKey, counter }) => [leaseKey, counter]))
  let [writes, units] = [0, 0]
  for (const lease of leases) {
    const more = Math.max(0, lease.counter - (counters.get(lease.leaseKey) ?? lease.counter))
    writes += more
    units += more * writeUnits(leaseBytes(lease))
  }
  return { writes, units }
}

/** Each version is written, told to its session, and read by it. */
function unitsOfMailboxes({ membersBefore, members, mailboxes }: CostFacts): {
  readonly writes: number
  readonly reads: number
} {
  const versions = new Map(membersBefore.map(({ session, asgVer }) => [session, asgVer]))
  const boxes = new Map(mailboxes.map(mailbox => [mailbox.session, mailbox]))
  let [writes, reads] = [0, 0]
  for (const member of members) {
    const mailbox = boxes.get(member.session)
    if (mailbox === undefined) continue
    const more = Math.max(0, member.asgVer - (versions.get(member.session) ?? 0))
    writes += more * (writeUnits(mailboxBytes(mailbox)) + writeUnits(itemBytes({ ...member })))
    reads += more * readUnits(mailboxBytes(mailbox), true)
  }
  return { writes, reads }
}

function mailboxBytes(mailbox: Mailbox): number {
  return itemBytes({ ...mailbox })
}

function paid(units: number, perMillion: number): { readonly units: number; readonly usdPerMonth: number } {
  return { units: Math.round(units), usdPerMonth: (units / 1e6) * perMillion }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0)
}
