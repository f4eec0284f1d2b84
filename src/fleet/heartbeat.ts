// This worker's proof of life: the port, in whatever thread it beats. The proof itself is one number that can be read at
// any moment, also right after the main thread was blocked.
import type { Death, MemberReport } from '../leases/control-store.ts'

/** What a beat carries besides the session and the counters of the heartbeat itself. */
export type HeartbeatReport = Omit<MemberReport, 'session' | 'ack'>

/** Who is told of what the beats were answered. Nothing here may throw. */
export interface HeartbeatListener {
  /** A beat was acknowledged, and is proof already; `asgVer` is the newest version of the session's mailbox. */
  acknowledged(session: string, asgVer: number): void
  /** The session is dead: a beat was refused. The heartbeat has stopped; another session may begin. */
  died(session: string, how: Death): void
  /** The main loop stood still for about `forMs` milliseconds and goes on. Told by hearts that live outside of it. */
  stalled(forMs: number): void
  /** Something failed, beats among others. Unless `begin` rejects, it is tried again or done in another way. */
  failed(what: string, error: unknown): void
}

/** The heartbeat of one worker: one session at a time, from {@link begin} until it dies or {@link end}s. */
export interface Heartbeat {
  /**
   * Joins the fleet as `session` and goes on beating. Resolves when there is a first proof of it; also when the session is
   * over before that: dead, which `died` tells first, ended or closed. Tried again for as long as the failures are of the
   * kind that pass; rejects with any other, and then another session may begin.
   *
   * @throws BugError if a session is alive
   */
  begin(session: string, report: HeartbeatReport): Promise<void>

  /**
   * What the next beats say; without a session, nothing happens. `hurry` true: beat at once, or right after the beat that
   * is under way, and each `hurryMs` until told otherwise; if it is so already, the pace stays what it is. False: back to
   * the usual pace. Absent: the pace stays what it is.
   */
  report(report: HeartbeatReport, options?: { readonly hurry?: boolean }): void

  /**
   * When the newest acknowledged beat of the session was sent, in monotonic milliseconds of the worker's clock; -Infinity
   * before the first, and once the session is known to be dead or was told to end.
   */
  provedAtMs(): number

  /** Ends the session for good: it leaves the fleet. Resolves when that is written, or could not be. Stops the beats. */
  end(): Promise<void>

  /** Stops without a word, as a crash would. No session begins here any more. */
  close(): void
}
