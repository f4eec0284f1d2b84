// Whether a fleet is on its own or shares its table with workers of another kind: by what the leader sees, by what an operator
// has ordered, and by its options.
import type { FleetMode } from '../leases/control-store.ts'
import type { ModeOrder } from '../leases/order-rules.ts'

/** What a leader knows about workers of another kind. */
export interface ModeFacts {
  /** The mode that the fleet is in. */
  readonly mode: FleetMode
  /** The mode of the options. */
  readonly byOptions: FleetMode
  /** What an operator wants. */
  readonly ordered: ModeOrder | undefined
  /** Id of the order to be on its own that this leader followed last. */
  readonly obeyed: string | undefined
  /** Whether workers of another kind own leases that are not finished. */
  readonly hasForeigners: boolean
  /** For how long none of them has, as far as this leader watched. Milliseconds. */
  readonly foreignGoneMs: number
}

/** For so long no foreign worker must have owned anything before a fleet goes back to the mode that it would be in otherwise. */
const FOREIGN_GONE_MS = 600_000

/**
 * The mode from now on. Where workers of another kind own leases it is `mixed`: what they left behind is claimed, and what they
 * have is watched. An order to be on its own is followed at once, when nobody of them owns anything, but only once: if they
 * come again, it takes as long as without an order until they count as gone.
 */
export function planMode({ mode, byOptions, ordered, obeyed, hasForeigners, foreignGoneMs }: ModeFacts): FleetMode {
  if (hasForeigners || ordered?.mode === 'mixed') return 'mixed'
  const isNew = ordered !== undefined && ordered.id !== obeyed
  return isNew || foreignGoneMs >= FOREIGN_GONE_MS ? (ordered?.mode ?? byOptions) : mode
}
