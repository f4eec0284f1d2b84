// What the two tables are asked for in a simulated world: requests and units by kind, and what that costs.

/** What becomes of a row of the lease table in one write. */
export type LeaseWriteKind =
  | 'create'
  | 'claim' /** somebody else owns it now */
  | 'release'
  | 'shard-end' /** the last checkpoint, and the release with it */
  | 'checkpoint'
  | 'pending' /** a checkpoint was prepared */
  | 'renewal' /** nothing but the counter */
  | 'remove'
  | 'reset' /** an operator has set where the shard is read from, or taken the lease from a dead owner */

/** Every kind of request to the two tables. `loads` is written, `read-loads` read. */
export type RequestKind =
  | LeaseWriteKind
  | ('heartbeat' | 'join' | 'leave' | 'certificate' | 'leader' | 'mailbox' | 'loads' | 'forget' | 'orders' | 'prepare')
  | ('read-lease' | 'scan' | 'read-member' | 'read-members' | 'read-leader' | 'read-mailbox' | 'read-mailboxes')
  | ('read-loads' | 'read-orders')

/** What a kind of request is paid as: coordination, checkpoints, or reads. */
export type UsageCategory = 'coordination' | 'checkpoints' | 'reads'

/** Requests that were carried out, those among them whose condition was not met, and the units that they took. */
export interface Usage {
  /** How many requests. */
  readonly requests: number
  /** Write or read units, as DynamoDB counts them. */
  readonly units: number
}

/** The usage of the tables of one application. */
export interface UsageReport {
  /** The kinds that there were. */
  readonly byKind: Readonly<Partial<Record<RequestKind, Usage>>>
  /** Every category. */
  readonly byCategory: Readonly<Record<UsageCategory, Usage>>
}

/** What a million units cost, in dollars. */
export interface UnitPrices {
  /** Default 0.625, as on demand in us-east-1. */
  readonly writes?: number
  /** Default 0.125. */
  readonly reads?: number
}

const NOTHING: Usage = { requests: 0, units: 0 }

/** What a request of a kind is paid as. */
export function categoryOf(kind: RequestKind): UsageCategory {
  if (kind === 'checkpoint' || kind === 'pending') return 'checkpoints'
  return kind.startsWith('read-') || kind === 'scan' ? 'reads' : 'coordination'
}

/** Counts requests. */
export class TableUsage {
  readonly #byKind = new Map<RequestKind, { requests: number; units: number }>()

  /** Counts a request and its units. */
  count(kind: RequestKind, units: number): void {
    const usage = this.#byKind.get(kind)
    if (usage === undefined) this.#byKind.set(kind, { requests: 1, units })
    else {
      usage.requests += 1
      usage.units += units
    }
  }

  /** Everything so far; since an earlier report, if that is given. */
  report(since?: UsageReport): UsageReport {
    const byKind: Partial<Record<RequestKind, Usage>> = {}
    const byCategory = { coordination: NOTHING, checkpoints: NOTHING, reads: NOTHING }
    for (const [kind, usage] of this.#byKind) {
      const before = since?.byKind[kind] ?? NOTHING
      const more = { requests: usage.requests - before.requests, units: usage.units - before.units }
      if (more.requests === 0) continue
      byKind[kind] = more
      byCategory[categoryOf(kind)] = sum(byCategory[categoryOf(kind)], more)
    }
    return { byKind, byCategory }
  }
}

/** What the coordination costs, checkpoints apart: its writes and all reads. Dollars. */
export function coordinationUsd(
  { byCategory }: UsageReport,
  { writes = 0.625, reads = 0.125 }: UnitPrices = {}
): number {
  return (byCategory.coordination.units * writes + byCategory.reads.units * reads) / 1_000_000
}

function sum(a: Usage, b: Usage): Usage {
  return { requests: a.requests + b.requests, units: a.units + b.units }
}
