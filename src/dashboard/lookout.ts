// Looks at a fleet while somebody watches, once for all who do. Nobody watching: nothing is read, and nothing is paid.
import type { LagReport } from '../operate/lag.ts'
import type { FleetStatus } from '../operate/status-rules.ts'
import type { Clock } from '../runtime/clock.ts'
import { type Loop, startLoop } from '../runtime/loop.ts'
import type { DashboardFleet } from './dashboard-options.ts'

/** What a lookout needs. */
export interface LookoutParts {
  readonly fleet: Pick<DashboardFleet, 'status' | 'lag'>
  readonly clock: Clock
  readonly everyMs: number
  /** Absent: the lag is not measured. */
  readonly lagEveryMs: number | undefined
  readonly looked: (status: FleetStatus) => void
  readonly measured: (report: LagReport) => void
  readonly failed: (error: unknown) => void
}

/** Looks again and again, from `begin()` to `end()`. */
export class Lookout {
  readonly #parts: LookoutParts
  #loops: readonly Loop[] = []

  constructor(parts: LookoutParts) {
    this.#parts = parts
  }

  /** Whether it looks. */
  get isLooking(): boolean {
    return this.#loops.length > 0
  }

  /** Begins at once. */
  begin(): void {
    if (this.isLooking) return
    const { fleet, clock, everyMs, lagEveryMs, looked, measured, failed } = this.#parts
    const looking = startLoop({
      clock,
      run: async signal => {
        const status = await fleet.status({ signal })
        // What an earlier watch still found must not come after what a later one did.
        if (!signal.aborted) looked(status)
      },
      delayMs: () => everyMs,
      onError: failed
    })
    const measuring =
      lagEveryMs === undefined
        ? []
        : [
            startLoop({
              clock,
              run: async signal => {
                const report = await fleet.lag({ signal })
                if (!signal.aborted) measured(report)
              },
              delayMs: () => lagEveryMs,
              onError: () => {} // told of by the look, which asks the same services
            })
          ]
    this.#loops = [looking, ...measuring]
  }

  /** Looks now instead of later, because something was done. */
  nudge(): void {
    this.#loops[0]?.nudge()
  }

  /** Ends. Resolves when nothing is under way any more. */
  async end(): Promise<void> {
    const loops = this.#loops
    this.#loops = []
    await Promise.all(loops.map(loop => loop.stop()))
  }
}
