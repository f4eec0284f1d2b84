// The heartbeat itself, in the thread that it is made in: joins, beats on time, tries again in time, and knows which beat
// proves what. One object per session does the work, so that nothing of an old one can be taken for the new one's.

import type { BeatOutcome, ControlStore, MemberReport } from '../leases/control-store.ts'
import { BugError, isRetryable, ServiceError, WorkerStoppedError } from '../model/errors.ts'
import { backoffMs } from '../runtime/backoff.ts'
import type { Clock } from '../runtime/clock.ts'
import { withDeadline } from '../runtime/deadline.ts'
import { deferred } from '../runtime/deferred.ts'
import { type Loop, startLoop } from '../runtime/loop.ts'
import type { Random } from '../runtime/random.ts'
import { retry } from '../runtime/retry.ts'
import type { FleetSettings } from './fleet-settings.ts'
import type { Heartbeat, HeartbeatListener, HeartbeatReport } from './heartbeat.ts'

/** What beats are sent with. */
export interface LocalHeartbeatOptions {
  readonly store: Pick<ControlStore, 'join' | 'beat' | 'leave'>
  readonly clock: Clock
  readonly random: Random
  readonly settings: Pick<FleetSettings, 'heartbeatMs' | 'hurryMs' | 'validMs'>
  readonly listener: HeartbeatListener
  /** Asked before each beat, and a few times within `hurryMs` while it says no. Default: always. */
  readonly mayBeat?: () => boolean
  /** Told before each beat is sent and after each answer: where the heartbeat of the session stands. May not throw. */
  readonly progressed?: (progress: HeartbeatProgress) => void
}

/** Where the heartbeat of a session stands: enough for another one to go on from. */
export interface HeartbeatProgress {
  /** Number of the newest beat that may have been sent, from 1, which is the joining; 0: none. */
  readonly hb: number
  /** Number of the newest beat whose answer was seen; 0: none. */
  readonly ack: number
  /** See {@link Heartbeat.provedAtMs}. */
  readonly provedAtMs: number
}

/** A session begins here, or goes on here after its heartbeat elsewhere broke down. */
export interface SessionStart {
  readonly session: string
  readonly report: HeartbeatReport
  readonly hurry: boolean
  readonly from: HeartbeatProgress
}

const NOTHING_SENT: HeartbeatProgress = { hb: 0, ack: 0, provedAtMs: Number.NEGATIVE_INFINITY }

/** A fleet should not beat in step, but each beat costs: the time between two is shortened by up to this share. */
const JITTER = 0.02

/** A beat whose answer takes longer than this does not hold up the next one. Its answer still counts when it comes. */
const SHORTEST_DEADLINE_MS = 250
const LONGEST_DEADLINE_MS = 2_000

/** Leaving is a courtesy: without it, the session is found silent. */
const LEAVING_MS = 2_000
const LEAVING = { attempts: 5, backoff: { firstMs: 50, maxMs: 400 } }

/** The heartbeat of one worker, in this thread. */
export class LocalHeartbeat implements Heartbeat {
  readonly #options: LocalHeartbeatOptions
  #beating: BeatingSession | undefined
  #isClosed = false

  constructor(options: LocalHeartbeatOptions) {
    this.#options = options
  }

  begin(session: string, report: HeartbeatReport): Promise<void> {
    return this.resume({ session, report, hurry: false, from: NOTHING_SENT })
  }

  /** Like {@link begin}, for a session that may have joined already and has got as far as `from`. */
  async resume(start: SessionStart): Promise<void> {
    if (this.#isClosed) return
    if (this.#beating?.isAlive) throw new BugError(`${start.session} began before ${this.#beating.session} was over`)
    const beating = new BeatingSession(this.#options, start)
    this.#beating = beating
    await beating.begun
  }

  report(report: HeartbeatReport, options?: { readonly hurry?: boolean }): void {
    this.#beating?.say(report, options?.hurry)
  }

  provedAtMs(): number {
    return this.#beating?.provedAtMs ?? Number.NEGATIVE_INFINITY
  }

  async end(): Promise<void> {
    await this.#beating?.end()
  }

  close(): void {
    this.#isClosed = true
    this.#beating?.close()
  }
}

/** The beats of one session. */
class BeatingSession {
  readonly session: string
  readonly #options: LocalHeartbeatOptions
  readonly #begun = deferred()
  readonly #ended = deferred()
  readonly #closing = new AbortController()
  readonly #loop: Loop
  #state: 'alive' | 'leaving' | 'over' = 'alive'
  #report: HeartbeatReport
  #isHurried: boolean
  #progress: HeartbeatProgress
  #asgVer = 0
  #sentAtMs = Number.NEGATIVE_INFINITY
  #failures = 0
  /** When the next beat is due, by the outcome of the last attempt. */
  #next: 'on-time' | 'at-once' | 'retry' | 'hopeless' | 'not-allowed' = 'on-time'

  constructor(options: LocalHeartbeatOptions, { session, report, hurry, from }: SessionStart) {
    this.session = session
    this.#options = options
    this.#report = report
    this.#isHurried = hurry
    this.#progress = from
    if (from.provedAtMs > Number.NEGATIVE_INFINITY) this.#begun.resolve()
    this.#loop = startLoop({
      clock: options.clock,
      run: stopping => this.#attempt(stopping),
      delayMs: () => this.#delayMs(),
      onError: error => options.listener.failed('go on with the heartbeat', error)
    })
  }

  get isAlive(): boolean {
    return this.#state === 'alive'
  }

  get begun(): Promise<void> {
    return this.#begun.promise
  }

  get provedAtMs(): number {
    return this.#progress.provedAtMs
  }

  say(report: HeartbeatReport, hurry = this.#isHurried): void {
    this.#report = report
    const isNews = hurry && !this.#isHurried
    this.#isHurried = hurry
    if (isNews) this.#loop.nudge()
  }

  async end(): Promise<void> {
    if (this.#state === 'alive') {
      this.#stop('leaving')
      if (this.#progress.hb > 0) await this.#leave()
      this.close()
    }
    await this.#ended.promise
  }

  close(): void {
    this.#stop('over')
    this.#closing.abort(new WorkerStoppedError(`The heartbeat of ${this.session} was closed`))
  }

  /** One beat. The joining is the first, and is repeated until it is answered. */
  async #attempt(stopping: AbortSignal): Promise<void> {
    const { clock, mayBeat } = this.#options
    if (mayBeat?.() === false) {
      this.#next = 'not-allowed'
      return
    }
    const sentAtMs = clock.monotonicMs()
    this.#sentAtMs = sentAtMs
    const isJoining = this.#progress.ack === 0
    try {
      const send = (): Promise<void> => (isJoining ? this.#join(sentAtMs) : this.#beat(sentAtMs))
      await withDeadline(clock, this.#deadlineMs(), stopping, send, () => this.#unanswered(this.#deadlineMs()))
      // An answer without proof: the joining may have landed with an earlier attempt. A beat tells.
      this.#next = this.provedAtMs === Number.NEGATIVE_INFINITY ? 'at-once' : 'on-time'
    } catch (error) {
      if (!stopping.aborted) this.#failed(isJoining, error)
    }
  }

  async #join(sentAtMs: number): Promise<void> {
    // A repeated joining changes nothing in the table: those who watch the session count from the one that landed, which
    // may be any before. Only the answer to the first attempt says when the watching began at the earliest.
    const isFirst = this.#progress.hb === 0
    this.#advance({ hb: Math.max(1, this.#progress.hb) })
    this.#heard(await this.#options.store.join(this.#member()), 1, isFirst ? sentAtMs : Number.NEGATIVE_INFINITY)
  }

  async #beat(sentAtMs: number): Promise<void> {
    // Counted up by each attempt, also of those without an answer: a late one can then do no harm, nor be taken for another.
    const hb = this.#progress.hb + 1
    this.#advance({ hb })
    this.#heard(await this.#options.store.beat(this.#member(), hb), hb, sentAtMs)
  }

  #heard(outcome: BeatOutcome, hb: number, provesMs: number): void {
    if (!this.isAlive) return
    if (outcome.kind === 'dead') {
      this.#stop('over')
      this.#options.listener.died(this.session, outcome.how)
      return
    }
    this.#failures = 0
    this.#asgVer = Math.max(this.#asgVer, outcome.asgVer)
    const { ack, provedAtMs } = this.#progress
    this.#advance({ ack: Math.max(ack, hb), provedAtMs: Math.max(provedAtMs, provesMs) })
    if (this.provedAtMs === Number.NEGATIVE_INFINITY) return
    this.#begun.resolve()
    this.#options.listener.acknowledged(this.session, this.#asgVer)
  }

  #failed(isJoining: boolean, error: unknown): void {
    const hasPassingCause = isRetryable(error)
    if (isJoining && !hasPassingCause) {
      this.#begun.reject(error)
      this.#stop('over')
      return
    }
    this.#failures++
    this.#next = hasPassingCause ? 'retry' : 'hopeless'
    this.#options.listener.failed(isJoining ? 'join the fleet' : 'send a heartbeat', error)
  }

  #delayMs(): number {
    const { clock, random, settings } = this.#options
    const { heartbeatMs, hurryMs } = settings
    switch (this.#next) {
      case 'at-once':
        return 0
      case 'not-allowed':
        return hurryMs / 4
      case 'retry':
        return backoffMs(this.#failures, { firstMs: hurryMs / 2, maxMs: hurryMs * 2 }, random.next())
      case 'hopeless':
        return heartbeatMs
      case 'on-time': {
        const everyMs = (this.#isHurried ? hurryMs : heartbeatMs) * (1 - JITTER * random.next())
        return Math.max(0, this.#sentAtMs + everyMs - clock.monotonicMs())
      }
    }
  }

  /** Several attempts have to fit into the time for which a beat is valid. */
  #deadlineMs(): number {
    return Math.max(SHORTEST_DEADLINE_MS, Math.min(LONGEST_DEADLINE_MS, this.#options.settings.validMs / 4))
  }

  #unanswered(ms: number): ServiceError {
    return new ServiceError('timeout', `A heartbeat of ${this.session} had no answer within ${ms} ms`, {
      retryable: true
    })
  }

  #member(): MemberReport {
    return { ...this.#report, session: this.session, ack: this.#progress.ack }
  }

  #advance(change: Partial<HeartbeatProgress>): void {
    this.#progress = { ...this.#progress, ...change }
    this.#options.progressed?.(this.#progress)
  }

  async #leave(): Promise<void> {
    const { clock, random, listener, store } = this.#options
    const shareMs = LEAVING_MS / 3
    const once = (signal: AbortSignal): Promise<void> =>
      withDeadline(
        clock,
        shareMs,
        signal,
        () => store.leave(this.#member()),
        () => this.#unanswered(shareMs)
      )
    const leaving = (signal: AbortSignal): Promise<void> =>
      retry(() => once(signal), LEAVING, { clock, random, signal })
    try {
      await withDeadline(clock, LEAVING_MS, this.#closing.signal, leaving, () => this.#unanswered(LEAVING_MS))
    } catch (error) {
      if (!this.#closing.signal.aborted) listener.failed('leave the fleet', error)
    }
  }

  /** No beat is sent any more, and no answer counts. */
  #stop(state: 'leaving' | 'over'): void {
    const wasAlive = this.isAlive
    this.#state = state
    if (state === 'over') this.#ended.resolve()
    if (!wasAlive) return
    this.#advance({ provedAtMs: Number.NEGATIVE_INFINITY })
    this.#begun.resolve()
    void this.#loop.stop()
  }
}
