// A heartbeat in virtual time over a control table in memory, with a network in between that loses, delays and refuses.

import { fleetSettings } from '../../src/fleet/fleet-settings.ts'
import type { HeartbeatListener, HeartbeatReport } from '../../src/fleet/heartbeat.ts'
import { LocalHeartbeat, type LocalHeartbeatOptions } from '../../src/fleet/local-heartbeat.ts'
import type { ControlStore, Death, Member, MemberReport } from '../../src/leases/control-store.ts'
import { memoryControlStore } from '../../src/leases/memory-control-store.ts'
import { ServiceError, ThrottledError } from '../../src/model/errors.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

export const SESSION = 'worker-1/1'
/** H 3 s, TS 8 s, in a hurry 1 s. */
export const SETTINGS = fleetSettings(10_000)

export type BeatFault =
  /** The request takes `toMs` to arrive, and the answer `backMs` more. */
  | { readonly kind: 'slow'; readonly toMs?: number; readonly backMs?: number }
  | { readonly kind: 'lost-request' }
  /** The request lands after `toMs`; the caller hears nothing, for ever. */
  | { readonly kind: 'unanswered'; readonly toMs?: number }
  | { readonly kind: 'lost-answer' }
  | { readonly kind: 'throttled' }
  | { readonly kind: 'refused-for-good' }

export interface SentBeat {
  readonly name: 'join' | 'beat' | 'leave'
  readonly atMs: number
  /** Of a beat. */
  readonly hb?: number
  readonly report: MemberReport
}

/** Which fault a call meets. Asked once for every call. */
export type BeatFaults = (beat: SentBeat) => BeatFault | undefined

export interface FlakyBeats extends Pick<ControlStore, 'join' | 'beat' | 'leave'> {
  faults: BeatFaults
  readonly sent: SentBeat[]
}

/** What `table` does, except for `faults`. */
export function flakyBeats(
  table: Pick<ControlStore, 'join' | 'beat' | 'leave'>,
  clock: Clock,
  faults: BeatFaults = () => undefined
): FlakyBeats {
  const sent: SentBeat[] = []
  const call = async <T>(what: Omit<SentBeat, 'atMs'>, work: () => Promise<T>): Promise<T> => {
    const beat = { ...what, atMs: clock.monotonicMs() }
    sent.push(beat)
    const fault = flaky.faults(beat) ?? { kind: 'slow' }
    const failed = (): Error => new ServiceError('timeout', `${what.name} had no answer`, { retryable: true })
    switch (fault.kind) {
      case 'slow': {
        if (fault.toMs) await clock.sleep(fault.toMs)
        const outcome = await work()
        if (fault.backMs) await clock.sleep(fault.backMs)
        return outcome
      }
      case 'lost-request':
        throw failed()
      case 'unanswered':
        if (fault.toMs) await clock.sleep(fault.toMs)
        await work()
        return new Promise<never>(() => {})
      case 'lost-answer':
        await work()
        throw failed()
      case 'throttled':
        throw new ThrottledError(`${what.name} was throttled`)
      case 'refused-for-good':
        throw new ServiceError('access-denied', `${what.name} is not allowed`, { retryable: false })
    }
  }
  const flaky: FlakyBeats = {
    faults,
    sent,
    join: report => call({ name: 'join', report }, () => table.join(report)),
    beat: (report, hb) => call({ name: 'beat', report, hb }, () => table.beat(report, hb)),
    leave: report => call({ name: 'leave', report }, () => table.leave(report))
  }
  return flaky
}

/** The faults of the first calls, in order; then none. */
export function inTurn(...faults: readonly (BeatFault | undefined)[]): BeatFaults {
  let next = 0
  return () => faults[next++]
}

/** A fault for every call from one time until another, in virtual milliseconds. */
export function between(fromMs: number, toMs: number, fault: BeatFault): BeatFaults {
  return ({ atMs }) => (atMs >= fromMs && atMs < toMs ? fault : undefined)
}

/** What a listener was told. */
export interface Told {
  readonly acknowledged: { readonly session: string; readonly asgVer: number }[]
  readonly died: { readonly session: string; readonly how: Death }[]
  readonly stalled: number[]
  readonly failed: { readonly what: string; readonly error: unknown }[]
}

export function listening(): { told: Told; listener: HeartbeatListener } {
  const told: Told = { acknowledged: [], died: [], stalled: [], failed: [] }
  return {
    told,
    listener: {
      acknowledged: (session, asgVer) => told.acknowledged.push({ session, asgVer }),
      died: (session, how) => told.died.push({ session, how }),
      stalled: forMs => told.stalled.push(forMs),
      failed: (what, error) => told.failed.push({ what, error })
    }
  }
}

export function aBeatReport(overrides: Partial<HeartbeatReport> = {}): HeartbeatReport {
  return {
    workerId: 'worker-1',
    state: 'ACTIVE',
    applied: 0,
    evt: 0,
    led: 0,
    generation: 1,
    capacity: 1,
    avoid: [],
    ...overrides
  }
}

export interface HeartbeatWorld {
  readonly clock: VirtualClock
  readonly table: ControlStore
  readonly store: FlakyBeats
  readonly told: Told
  readonly heartbeat: LocalHeartbeat
  /** Times at which beats were sent, joining included. */
  beatsAtMs(): number[]
  member(session?: string): Promise<Member | undefined>
}

export function heartbeatWorld(faults?: BeatFaults, options: Partial<LocalHeartbeatOptions> = {}): HeartbeatWorld {
  const clock = new VirtualClock()
  const table = memoryControlStore()
  const store = flakyBeats(table, clock, faults)
  const { told, listener } = listening()
  const ports = { store, clock, random: seededRandom(1), settings: SETTINGS, listener }
  return {
    clock,
    table,
    store,
    told,
    heartbeat: new LocalHeartbeat({ ...ports, ...options }),
    beatsAtMs: () => store.sent.filter(({ name }) => name !== 'leave').map(({ atMs }) => atMs),
    member: (session = SESSION) => table.member(session)
  }
}

/** What a promise has come to: a value, a failure, or nothing yet. */
export function outcomeOf(work: Promise<unknown>): () => unknown {
  let outcome: unknown = 'still under way'
  work.then(
    () => {
      outcome = 'done'
    },
    error => {
      outcome = error
    }
  )
  return () => outcome
}
