// Which leases a leader of KCL 3.x has assigned to the session of this worker: asks the index over owners, while such a leader
// assigns. Where there is no index, the mailbox alone tells.
import type { KclCoordination } from '../leases/kcl-coordination.ts'

/** What is asked, about whom, and what is looked after on the way. */
export interface AssignedLeasesOptions {
  readonly kcl: KclCoordination
  /** The session alive, while a leader of KCL assigns. */
  readonly session: () => string | undefined
  readonly isHeld: (leaseKey: string) => boolean
  /** Looks after a lease that names this session and is not held: it may be that of a finished shard. */
  readonly keepFinished: (leaseKey: string) => Promise<void>
  /** Some are new. */
  readonly found: () => void
}

/** The leases assigned to one worker. */
export class AssignedLeases {
  readonly #options: AssignedLeasesOptions
  #session: string | undefined
  #leaseKeys: readonly string[] = []

  constructor(options: AssignedLeasesOptions) {
    this.#options = options
  }

  /** Those of a session, as of the last look. They may have been given to somebody else since. */
  of(session: string | undefined): readonly string[] {
    return session !== undefined && session === this.#session ? this.#leaseKeys : []
  }

  /** Asks once. */
  async look(): Promise<void> {
    const { kcl, session: current, isHeld, keepFinished, found } = this.#options
    const session = current()
    const leaseKeys = session === undefined ? [] : ((await kcl.assigned(session)) ?? [])
    if (session !== current()) return
    const known = new Set(this.of(session))
    this.#session = session
    this.#leaseKeys = leaseKeys
    const missing = leaseKeys.filter(leaseKey => !isHeld(leaseKey))
    if (missing.some(leaseKey => !known.has(leaseKey))) found()
    await Promise.all(missing.map(keepFinished))
  }
}
