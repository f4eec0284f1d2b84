// Holds the database against what was put into the stream.
import type { Payment, Total } from './account-store.ts'

export interface Proof {
  readonly put: number
  /** Payments that were never counted. */
  readonly missing: number
  /** Payments that were counted more than once. */
  readonly repeated: number
  /** Accounts whose total is not the sum of their payments. */
  readonly wrongTotals: number
}

/** Whether every payment is counted exactly once, and every total is exact. */
export function isExact({ missing, repeated, wrongTotals }: Proof): boolean {
  return missing + repeated + wrongTotals === 0
}

export function prove(
  payments: readonly Payment[],
  timesCounted: readonly { readonly id: number; readonly times: number }[],
  totals: readonly Total[]
): Proof {
  const counted = new Set(timesCounted.map(({ id }) => id))
  const expected = new Map<string, Total>()
  for (const { account, amount } of payments) {
    const before = expected.get(account) ?? { account, payments: 0, amount: 0 }
    expected.set(account, { account, payments: before.payments + 1, amount: before.amount + amount })
  }
  const found = new Map(totals.map(total => [total.account, total]))
  const accounts = new Set([...expected.keys(), ...found.keys()])
  const isWrong = (account: string): boolean => {
    const [a, b] = [expected.get(account), found.get(account)]
    return a?.payments !== b?.payments || a?.amount !== b?.amount
  }
  return {
    put: payments.length,
    missing: payments.filter(({ id }) => !counted.has(id)).length,
    repeated: timesCounted.filter(({ times }) => times > 1).length,
    wrongTotals: [...accounts].filter(isWrong).length
  }
}
