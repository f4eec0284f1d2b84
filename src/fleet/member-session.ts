// The sessions of one worker, one after another: joins the fleet, keeps the proof that the session lives, finds out when it
// has died, and begins another one. What was held under a dead session is gone for good.

import type { Death } from '../leases/control-store.ts'
import { newSessionId } from '../leases/session-id.ts'
import { SessionProof } from '../leases/session-proof.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { FleetSettings } from './fleet-settings.ts'
import type { Heartbeat, HeartbeatListener, HeartbeatReport } from './heartbeat.ts'

/** What is told of the sessions of a worker. Nothing here may throw. */
export interface SessionListener {
  sessionBegan(session: string): void
  /** Nothing is delivered until the session is proved again. */
  sessionSuspended(): void
  sessionResumed(forMs: number): void
  sessionDied(session: string, how: Death): void
  /** The event loop stood still for `forMs` milliseconds. */
  stalled(forMs: number): void
  failed(what: string, error: unknown): void
}

/** What sessions are made of, and who is told. */
export interface MemberSessionOptions {
  readonly workerId: string
  readonly makeHeartbeat: (listener: HeartbeatListener) => Heartbeat
  readonly settings: FleetSettings
  readonly clock: Clock
  readonly random: Random
  readonly listener: SessionListener
  /** A session is about to begin: what its first heartbeat says. */
  readonly beginning: () => HeartbeatReport
  /** The session is dead: nothing that was held under it is held any more. Comes before `sessionDied`. */
  readonly died: (how: Death) => void
  /** A heartbeat was answered; the newest version of the mailbox. */
  readonly heard: (session: string, asgVer: number) => void
}

/** The session of one worker. {@link start} and {@link leave} it once. */
export class MemberSession {
  readonly proof: SessionProof
  readonly #options: MemberSessionOptions
  readonly #heartbeat: Heartbeat
  #id: string | undefined
  readonly #over = new AbortController()
  #reported = ''
  /** Whether the suspension of this session was told, and its end was not. */
  #isSuspended = false

  constructor(options: MemberSessionOptions) {
    this.#options = options
    const { clock, listener, settings } = options
    this.#heartbeat = options.makeHeartbeat({
      acknowledged: (session, asgVer) => {
        if (session !== this.#id) return
        this.proof.isProved()
        options.heard(session, asgVer)
      },
      died: (session, how) => this.#died(session, how),
      stalled: forMs => listener.stalled(forMs),
      failed: (what, error) => listener.failed(what, error)
    })
    this.proof = new SessionProof({
      clock,
      validMs: settings.validMs,
      provedAtMs: () => this.#heartbeat.provedAtMs(),
      lapsed: () => {
        if (this.#over.signal.aborted || this.#id === undefined) return
        this.#isSuspended = true
        listener.sessionSuspended()
      },
      resumed: forMs => {
        if (this.#over.signal.aborted || !this.#isSuspended) return
        this.#isSuspended = false
        listener.sessionResumed(forMs)
      }
    })
  }

  /** The session alive. Absent: before the first, and between two. */
  get id(): string | undefined {
    return this.#id
  }

  /** Whether there is a session, and it is proved to live. */
  get isProved(): boolean {
    return this.#id !== undefined && this.proof.isProved()
  }

  /** How long ago the newest acknowledged heartbeat was sent, in milliseconds. */
  provedAgoMs(): number {
    return this.#options.settings.validMs - this.proof.remainingMs()
  }

  /**
   * Resolves with true once a heartbeat of the session alive now is acknowledged that was sent after this call: until then
   * nobody can have taken anything from it. With false if it dies, or the worker stops, before that.
   */
  async provesAlive(): Promise<boolean> {
    const { clock, settings } = this.#options
    const session = this.#id
    const sinceMs = clock.monotonicMs()
    while (session !== undefined && session === this.#id && !this.#over.signal.aborted) {
      if (clock.monotonicMs() - this.provedAgoMs() > sinceMs) return true
      await clock.sleep(settings.hurryMs, this.#over.signal)
    }
    return false
  }

  /** Joins the fleet. Resolves when that is acknowledged. */
  async start(): Promise<void> {
    await this.#begin()
  }

  /** Has the next heartbeats say so, unless they do already. */
  publish(report: HeartbeatReport, hurry: boolean): void {
    if (this.#id === undefined) return
    const text = JSON.stringify([report, hurry])
    if (text === this.#reported) return
    this.#reported = text
    this.#heartbeat.report(report, { hurry })
  }

  /** Begins no other session any more. */
  retire(): void {
    this.#over.abort()
  }

  /** Leaves the fleet for good. */
  async leave(): Promise<void> {
    this.#over.abort()
    await this.#heartbeat.end()
    this.#heartbeat.close()
  }

  /** Stops without a word: the others will find out. */
  abandon(): void {
    this.#over.abort()
    this.#heartbeat.close()
  }

  async #begin(): Promise<void> {
    const { workerId, random, listener, beginning } = this.#options
    const session = newSessionId(workerId, random)
    this.#id = session
    this.#reported = ''
    try {
      await this.#heartbeat.begin(session, beginning())
    } catch (error) {
      if (this.#id === session) this.#id = undefined
      throw error
    }
    if (this.#id !== session || this.#over.signal.aborted) return
    this.proof.isProved()
    listener.sessionBegan(session)
  }

  /** Until it succeeds: what is in the way, such as a permission or a credential, may be put right one day. */
  async #beginAgain(): Promise<void> {
    const { clock, listener, settings } = this.#options
    while (!this.#over.signal.aborted) {
      try {
        return await this.#begin()
      } catch (error) {
        listener.failed('join the fleet', error)
      }
      await clock.sleep(settings.durationMs, this.#over.signal)
    }
  }

  #died(session: string, how: Death): void {
    if (session !== this.#id) return
    const { listener } = this.#options
    this.#id = undefined
    this.#isSuspended = false
    this.proof.isProved()
    this.#options.died(how)
    listener.sessionDied(session, how)
    void this.#beginAgain()
  }
}
