// How much each member of a fleet should hold: in proportion to its capacity, and not more than it can.

/** One that takes part in the division. */
export interface Partaker {
  /** More than 0. */
  readonly capacity: number
  /** What it can hold at most. May be Infinity. */
  readonly limit: number
}

/** One whose part is a number of leases. */
export interface LeasePartaker extends Partaker {
  readonly session: string
  /** How many leases it is to hold so far. */
  readonly count: number
}

/** What a division may be off by and still be even, so that rounding errors do not decide. */
const TOLERANCE = 1e-9

/**
 * Divides `total` in proportion to capacity. What somebody cannot hold goes to the others; if nobody can, it stays over.
 * The answer is in the order of the partakers.
 */
export function planShares(partakers: readonly Partaker[], total: number): number[] {
  const tightestFirst = [...partakers].sort((a, b) => a.limit / a.capacity - b.limit / b.capacity)
  let capacity = tightestFirst.reduce((sum, partaker) => sum + partaker.capacity, 0)
  let rest = total
  for (const partaker of tightestFirst) {
    if (partaker.limit / partaker.capacity > rest / capacity) break
    rest -= partaker.limit
    capacity -= partaker.capacity
  }
  const level = Math.max(0, rest / capacity)
  return partakers.map(partaker =>
    capacity > TOLERANCE ? Math.min(partaker.limit, level * partaker.capacity) : partaker.limit
  )
}

/**
 * Divides the leases that the partakers hold now: each share is rounded down or up. Up first for those that hold more than
 * what is rounded down, so that as few as possible move and an even fleet stays as it is; then for the largest fractions;
 * then in ascending order of sessions. The answer is in the order of the partakers.
 */
export function planQuotas(partakers: readonly LeasePartaker[]): number[] {
  const total = partakers.reduce((sum, { count }) => sum + count, 0)
  const shares = planShares(partakers, total)
  const quotas = shares.map(share => Math.floor(share + TOLERANCE))
  const upFirst = partakers
    .map((partaker, index) => {
      const quota = quotas[index] ?? 0
      const fraction = Math.round(((shares[index] ?? 0) - quota) / TOLERANCE)
      return { ...partaker, index, fraction, isAbove: partaker.count > quota, hasRoom: partaker.limit >= quota + 1 }
    })
    .filter(({ hasRoom }) => hasRoom)
    .sort((a, b) => {
      if (a.isAbove !== b.isAbove) return a.isAbove ? -1 : 1
      return b.fraction - a.fraction || (a.session < b.session ? -1 : 1)
    })
  const over = total - quotas.reduce((sum, quota) => sum + quota, 0)
  for (const { index } of upFirst.slice(0, Math.max(0, over))) quotas[index] = (quotas[index] ?? 0) + 1
  return quotas
}
