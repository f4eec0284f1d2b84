// The heartbeat in a thread of its own, so that a blocked event loop does not end it. Shows that thread that the main loop
// goes on, reads the proof from shared memory, and beats in the main thread if the other one cannot be had.

import type { DynamoConnection } from '../dynamo/dynamo-connection.ts'
import type { ControlStore } from '../leases/control-store.ts'
import { BugError, messageOf, ServiceError } from '../model/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import { withDeadline } from '../runtime/deadline.ts'
import { type Deferred, deferred } from '../runtime/deferred.ts'
import { type Loop, startLoop } from '../runtime/loop.ts'
import type { Random } from '../runtime/random.ts'
import { threadFile } from '../runtime/thread-file.ts'
import { BeatingThread } from './beating-thread.ts'
import type { FleetSettings } from './fleet-settings.ts'
import type { Heartbeat, HeartbeatListener, HeartbeatReport } from './heartbeat.ts'
import { HeartbeatMemory } from './heartbeat-memory.ts'
import { type FromThread, receivedError, type SentError } from './heartbeat-messages.ts'
import { LocalHeartbeat } from './local-heartbeat.ts'

/** What the thread is started with, and what is used in its place. */
export interface ThreadHeartbeatOptions {
  /** How the thread reaches DynamoDB. May not be known yet, or turn out not to be. */
  readonly connection: DynamoConnection | Promise<DynamoConnection>
  /** The control table. */
  readonly tableName: string
  readonly applicationName: string
  /** The system's: the thread compares it with its own. */
  readonly clock: Clock
  readonly random: Random
  readonly settings: Pick<FleetSettings, 'durationMs' | 'heartbeatMs' | 'hurryMs' | 'validMs' | 'stallLimitMs'>
  readonly listener: HeartbeatListener
  /** The same control table, for beats from the main thread if the other thread cannot be had. */
  readonly fallback: Pick<ControlStore, 'join' | 'beat' | 'leave'>
  /** Where the code of the thread is. Default: beside this module. */
  readonly threadUrl?: URL
}

/** A session that beats, or is to beat, in the thread. */
interface ThreadSession {
  readonly session: string
  readonly memory: HeartbeatMemory
  readonly begun: Deferred
  readonly ended: Deferred
  readonly ticks: Loop
  readonly beganAtMs: number
  report: HeartbeatReport
  isHurried: boolean
  isEnding: boolean
}

const LONGEST_TICK_MS = 250

/** More than the thread itself takes to leave, or to give up leaving. */
const ENDING_MS = 3_000

/**
 * The heartbeat of one worker, in a thread that runs from the first session until {@link end} or {@link close}. If the thread
 * breaks, `failed` is told, and the session goes on here in the main thread, from where it was.
 */
export class ThreadHeartbeat implements Heartbeat {
  readonly #options: ThreadHeartbeatOptions
  #thread: BeatingThread | undefined
  #isBroken = false
  /** Once the thread broke, and is gone. */
  #local: LocalHeartbeat | undefined
  #current: ThreadSession | undefined
  /** Whether a beat from the thread was ever acknowledged: what fails then is not the way it reaches DynamoDB. */
  #hasReached = false
  #isClosed = false
  /** How many beats the thread has sent of sessions that are over here. */
  #earlierBeats = 0

  constructor(options: ThreadHeartbeatOptions) {
    this.#options = options
    // It is asked for when a session begins; until then, nobody else listens.
    Promise.resolve(options.connection).catch(() => {})
  }

  /** How many beats the thread has sent: those of the main thread, once the other is broken, go through the control store. */
  get beats(): number {
    return this.#earlierBeats + (this.#current?.memory.progress.hb ?? 0)
  }

  async begin(session: string, report: HeartbeatReport): Promise<void> {
    if (this.#isClosed) return
    if (this.#current !== undefined) throw new BugError(`${session} began before ${this.#current.session} was over`)
    if (this.#local !== undefined) return this.#local.begin(session, report)
    const current = this.#opened(session, report)
    this.#current = current
    if (!this.#isBroken) void this.#handOver(current)
    await current.begun.promise
  }

  report(report: HeartbeatReport, { hurry }: { readonly hurry?: boolean } = {}): void {
    this.#local?.report(report, hurry === undefined ? {} : { hurry })
    const current = this.#current
    if (current === undefined) return
    current.report = report
    current.isHurried = hurry ?? current.isHurried
    this.#thread?.post({ kind: 'report', report, hurry: current.isHurried })
  }

  provedAtMs(): number {
    if (this.#local !== undefined) return this.#local.provedAtMs()
    const current = this.#current
    return current === undefined || current.isEnding ? Number.NEGATIVE_INFINITY : current.memory.provedAtMs
  }

  async end(): Promise<void> {
    const { clock, listener } = this.#options
    const current = this.#current
    if (current !== undefined) {
      current.isEnding = true
      current.begun.resolve()
      this.#thread?.post({ kind: 'end' })
      const late = (): ServiceError =>
        new ServiceError('timeout', `${current.session} had not left after ${ENDING_MS} ms`, { retryable: true })
      const ending = withDeadline(clock, ENDING_MS, undefined, () => current.ended.promise, late)
      await ending.catch(error => listener.failed('leave the fleet', error))
      this.#drop(current)
    }
    await this.#local?.end()
    await this.#stopThread()
  }

  close(): void {
    this.#isClosed = true
    if (this.#current !== undefined) this.#drop(this.#current)
    this.#local?.close()
    void this.#stopThread()
  }

  #opened(session: string, report: HeartbeatReport): ThreadSession {
    const memory = new HeartbeatMemory()
    const ticks = this.#startTicks(memory)
    const beganAtMs = this.#options.clock.monotonicMs()
    const isNew = { report, isHurried: false, isEnding: false }
    return { session, memory, begun: deferred(), ended: deferred(), ticks, beganAtMs, ...isNew }
  }

  async #handOver(current: ThreadSession): Promise<void> {
    const thread = this.#thread ?? this.#startThread()
    if (thread === undefined) return
    this.#thread = thread
    await thread.started
    if (this.#current !== current || this.#thread !== thread) return
    if (current.isEnding) {
      current.ended.resolve()
      return
    }
    const { session, memory, report, isHurried: hurry } = current
    thread.post({ kind: 'begin', start: { session, report, hurry, from: memory.progress }, memory: memory.buffer })
  }

  /** Nothing, if there is no code for it: then the beats begin here. */
  #startThread(): BeatingThread | undefined {
    const { connection, tableName, applicationName, settings, clock, listener } = this.#options
    let { threadUrl: url } = this.#options
    try {
      url ??= threadFile('heartbeat-thread', import.meta.url)
    } catch (error) {
      void this.#fallBack(error)
      return undefined
    }
    return new BeatingThread({
      connection,
      tableName,
      applicationName,
      settings,
      clock,
      url,
      heard: message => this.#hear(message),
      broke: error => void this.#fallBack(error),
      credentialsFailed: error => listener.failed('look up the credentials of the heartbeat', error)
    })
  }

  async #stopThread(): Promise<void> {
    const thread = this.#thread
    this.#thread = undefined
    await thread?.close()
  }

  /** Shows the thread that the main loop goes on. Its own lateness shows that it did not. */
  #startTicks(memory: HeartbeatMemory): Loop {
    const { clock, listener, settings } = this.#options
    const everyMs = Math.min(LONGEST_TICK_MS, settings.stallLimitMs / 20)
    memory.tickAtMs = clock.monotonicMs()
    return startLoop({
      clock,
      runAtOnce: false,
      delayMs: () => everyMs,
      run: async () => {
        const nowMs = clock.monotonicMs()
        const forMs = nowMs - memory.tickAtMs
        memory.tickAtMs = nowMs
        if (forMs > settings.heartbeatMs + everyMs) listener.stalled(forMs)
      },
      onError: error => listener.failed('show that the main loop goes on', error)
    })
  }

  #hear(message: FromThread): void {
    if (message.kind === 'ready') return
    if (message.kind === 'failed') this.#hearFailure(message.what, message.error)
    else if (message.session === this.#current?.session) this.#hearOf(this.#current, message)
  }

  #hearOf(current: ThreadSession, message: Extract<FromThread, { readonly session: string }>): void {
    const { listener } = this.#options
    switch (message.kind) {
      case 'begun':
        current.begun.resolve()
        break
      case 'refused':
        this.#hearRefusal(current, receivedError(message.error))
        break
      case 'acknowledged':
        this.#hasReached = true
        if (!current.isEnding) listener.acknowledged(message.session, message.asgVer)
        break
      case 'died':
        this.#drop(current)
        if (!current.isEnding) listener.died(message.session, message.how)
        break
      case 'ended':
        current.ended.resolve()
    }
  }

  /** The session could not join. If that is because of how the thread reaches DynamoDB, the main thread can. */
  #hearRefusal(current: ThreadSession, error: Error): void {
    if (this.#hasReached) {
      current.begun.reject(error)
      this.#drop(current)
    } else void this.#fallBack(error)
  }

  #hearFailure(what: string, sent: SentError): void {
    const { clock, listener, settings } = this.#options
    const error = receivedError(sent)
    if (sent.kind === 'service' && sent.of === 'access-denied') this.#thread?.renewCredentials()
    listener.failed(what, error)
    const beganAtMs = this.#current?.beganAtMs ?? Number.POSITIVE_INFINITY
    if (!this.#hasReached && clock.monotonicMs() - beganAtMs > settings.durationMs) void this.#fallBack(error)
  }

  /** Beats in the main thread from now on, where a blocked event loop stops them. */
  async #fallBack(cause: unknown): Promise<void> {
    if (this.#isBroken) return
    this.#isBroken = true
    const { clock, fallback: store, random, settings, listener } = this.#options
    listener.failed('beat in a thread of its own', withoutThread(cause))
    // Only when it is gone does its memory say how far it got.
    await this.#stopThread()
    if (this.#isClosed) return
    const local = new LocalHeartbeat({ store, clock, random, settings, listener })
    this.#local = local
    if (this.#current !== undefined) this.#goOnIn(local, this.#current)
  }

  #goOnIn(local: LocalHeartbeat, current: ThreadSession): void {
    const { session, memory, report, isHurried: hurry, isEnding, begun, ended } = current
    void current.ticks.stop()
    if (isEnding && memory.progress.hb === 0) {
      this.#drop(current)
      return
    }
    const resumed = local.resume({ session, report, hurry, from: memory.progress })
    resumed.then(begun.resolve, begun.reject)
    if (isEnding) void local.end().then(ended.resolve)
    else this.#letGo(current)
  }

  #drop(current: ThreadSession): void {
    this.#letGo(current)
    void current.ticks.stop()
    current.begun.resolve()
    current.ended.resolve()
  }

  #letGo(current: ThreadSession): void {
    if (this.#current !== current) return
    this.#earlierBeats += current.memory.progress.hb
    this.#current = undefined
  }
}

function withoutThread(cause: unknown): ServiceError {
  const consequence = 'It goes on in the main thread, where a blocked event loop holds it up'
  const message = `The heartbeat has no thread of its own: ${messageOf(cause)}. ${consequence}`
  return new ServiceError('other', message, { retryable: true, cause })
}
