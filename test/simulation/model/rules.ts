// Every decision that the models ask for, as src makes it, in one place: so that a test can break one of them and see that
// the check misses it.
import { judgeCheckpoint } from '../../../src/checkpoint/checkpoint-rules.ts'
import { claimableSessions } from '../../../src/fleet/member-watch.ts'
import { planCarryOut } from '../../../src/fleet/plan-carry-out.ts'
import { judgeClaim } from '../../../src/leases/claim-rules.ts'
import { judgeRefusal } from '../../../src/leases/plan-renewals.ts'
import { judgeParents } from '../../../src/shards/parent-rules.ts'
import { planShardEnd } from '../../../src/shards/plan-shard-end.ts'
import { beaten, replaceLock, replaceRow } from './store-conditions.ts'

/** The decisions of src, and the conditions of the tables. */
export const REAL_RULES = {
  beaten,
  claimableSessions,
  judgeCheckpoint,
  judgeClaim,
  judgeParents,
  judgeRefusal,
  planCarryOut,
  planShardEnd,
  replaceLock,
  replaceRow
} as const

/** What {@link REAL_RULES} are, of whatever origin. */
export type Rules = { readonly [Name in keyof typeof REAL_RULES]: (typeof REAL_RULES)[Name] }
