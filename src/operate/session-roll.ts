// Which sessions are dead, as an operator finds out: by their certificates, or by watching them as a leader does. Where there is
// no leader any more, because the whole fleet was killed, this writes the certificates.
import { type FleetSettings, fleetSettings } from '../fleet/fleet-settings.ts'
import {
  claimableSessions,
  judgeMembers,
  type MemberWatch,
  NOTHING_WATCHED,
  watchMembers
} from '../fleet/member-watch.ts'
import type { Member } from '../leases/control-store.ts'
import { type FleetContext, patiently } from './fleet-context.ts'

/** Who is there, after a look. */
export interface RollCall {
  /** Every session that has an item, dead or alive. */
  readonly members: readonly Member[]
  /** Dead sessions that nobody has to wait for any more. */
  readonly gone: ReadonlySet<string>
  /** How long the heartbeats of living sessions have stood still, as far as watched. Milliseconds, by session. */
  readonly silentMs: ReadonlyMap<string, number>
}

/** Watches the sessions of a fleet, look by look. Nothing is concluded from the first one. */
export class SessionRoll {
  readonly #context: FleetContext
  #watch: MemberWatch = NOTHING_WATCHED

  constructor(context: FleetContext) {
    this.#context = context
  }

  /** Looks who is there. `owners`: sessions that own leases, of which some may have no item any more. */
  async look(owners: Iterable<string>, signal?: AbortSignal): Promise<RollCall> {
    const { clock, control } = this.#context
    const members = await patiently(this.#context, signal, () => control.members(signal))
    const settings = this.#settings(members)
    const nowMs = clock.monotonicMs()
    this.#watch = watchMembers(this.#watch, members, nowMs, 2 * settings.heartbeatMs, owners)
    const watched = [...this.#watch.sessions].filter(([, { dead }]) => dead === undefined)
    return {
      members,
      gone: new Set(claimableSessions(this.#watch, settings).map(({ session }) => session)),
      silentMs: new Map(watched.map(([session, { silentMs }]) => [session, silentMs]))
    }
  }

  /**
   * Writes the certificates that are due of the sessions in `wanted`. It lands only if the session has not been heard of since:
   * one that is alive after all finds out by its next heartbeat, stops everything and begins another session.
   */
  async certify(wanted: ReadonlySet<string>, { members }: RollCall, signal?: AbortSignal): Promise<void> {
    const { control } = this.#context
    for (const { session, hb, how } of judgeMembers(this.#watch, this.#settings(members))) {
      if (wanted.has(session)) await patiently(this.#context, signal, () => control.certify(session, hb, how))
    }
  }

  /** By the longest life that a session says it has: none that beats more slowly is taken for dead. */
  #settings(members: readonly Member[]): FleetSettings {
    const living = members.filter(({ dead }) => dead === undefined)
    return fleetSettings(Math.max(this.#context.durationMs, ...living.map(({ durationMs = 0 }) => durationMs)))
  }
}
