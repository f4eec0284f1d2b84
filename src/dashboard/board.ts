// What is known about a fleet, and the frames that tell it: all of it to a page that is new, what has changed to the others. What it
// keeps is bounded: half an hour of lag, five hundred events, and the frames of the last moments.
import { messageOf } from '../model/errors.ts'
import type { LagReport } from '../operate/lag.ts'
import type { FleetStatus } from '../operate/status-rules.ts'
import type { Clock } from '../runtime/clock.ts'
import { differenceOf } from './difference-rules.ts'
import { eventsBetween, type NewEvent, problemEvents } from './event-rules.ts'
import { formatEvent } from './event-stream-rules.ts'
import { pointsOf } from './lag-history-rules.ts'
import type { ChangeFrame, FleetEvent, Frame, LagPoint, OperationRow, PageFacts, Snapshot } from './snapshot.ts'
import { type Slots, snapshotOf } from './snapshot-rules.ts'
import { EVENTS, withPoints } from './view-state.ts'
import { oneLine } from './wording-rules.ts'

/** What is kept for pages whose line broke for a moment. Frames, and characters. */
const RECENT = 50
const RECENT_LENGTH = 1_000_000
const PROBLEM = 300

/** What a board needs. */
export interface BoardParts {
  readonly clock: Clock
  /** Tells this board from every other one: a page may come with the place that it had on another. */
  readonly name: string
  /** Between two measurements of the lag. Milliseconds. */
  readonly lagEveryMs: number
  /** Sends an event to every page that is there. */
  readonly publish: (text: string) => void
}

interface Sent {
  readonly id: string
  readonly text: string
}

/** What is known about one fleet. */
export class Board {
  readonly #parts: BoardParts
  #snapshot: Snapshot | undefined
  #lag: LagReport | undefined
  #slots: Slots = new Map()
  #points: readonly LagPoint[] = []
  #events: readonly FleetEvent[] = []
  #operations: readonly OperationRow[] = []
  #problem: { readonly text: string; readonly sinceMs: number } | undefined
  #eventCount = 0
  #frames = 0
  #recent: readonly Sent[] = []

  constructor(parts: BoardParts) {
    this.#parts = parts
  }

  /** What a page is sent first: what it missed, if that is still known, or else everything. */
  catchUp(lastId: string | undefined, page: PageFacts): string {
    const at = this.#recent.findIndex(({ id }) => id === lastId)
    if (at !== -1) return this.#recent.slice(at + 1).reduce((all, { text }) => all + text, ': welcome back\n\n')
    const snapshot = this.#snapshot
    const frame: Frame = {
      ...{ kind: 'full', page, points: this.#points, events: this.#events, operations: this.#operations },
      ...(snapshot !== undefined && { snapshot })
    }
    return formatEvent({ id: this.#id(), data: JSON.stringify(frame) })
  }

  /** Takes in how the fleet is doing. */
  look(status: FleetStatus): void {
    const { snapshot, slots } = snapshotOf(status, this.#lag, this.#slots)
    const before = this.#snapshot
    this.#snapshot = snapshot
    this.#slots = slots
    const well = this.#problem === undefined ? [] : this.#solved(this.#problem)
    const happened = before === undefined ? [] : eventsBetween(before, snapshot)
    const events = this.#numbered([...well, ...happened])
    if (before === undefined)
      this.#send({ kind: 'change', ...everythingOf(snapshot), ...(events.length > 0 && { events }) })
    else this.#send({ kind: 'change', ...differenceOf(before, snapshot), ...(events.length > 0 && { events }) })
  }

  /** Takes in how far behind it is. Shards are told of it with the next look. */
  measured(report: LagReport): void {
    this.#lag = report
    const points = pointsOf(this.#points, report, this.#parts.clock.epochMs(), this.#parts.lagEveryMs)
    this.#points = withPoints(this.#points, points)
    this.#send({ kind: 'change', points })
  }

  /** Takes in that it could not be looked at: what is known stays, and is told to be old. */
  failed(error: unknown): void {
    const text = oneLine(messageOf(error)).slice(0, PROBLEM)
    const before = this.#problem?.text
    if (before === text) return
    this.#problem ??= { text, sinceMs: this.#parts.clock.epochMs() }
    this.#problem = { ...this.#problem, text }
    const events = this.#numbered(problemEvents(before, text, 0))
    const snapshot = this.#snapshot
    if (snapshot !== undefined) this.#snapshot = { ...snapshot, facts: { ...snapshot.facts, problem: text } }
    const change = snapshot === undefined ? {} : { facts: { problem: text } }
    this.#send({ kind: 'change', ...change, ...(events.length > 0 && { events }) })
  }

  /** Takes in what operators do. */
  operated(operations: readonly OperationRow[]): void {
    this.#operations = operations
    this.#send({ kind: 'change', operations })
  }

  /** Takes in that an operation is over. */
  ended({ what, state, told }: OperationRow): void {
    const mood = state === 'done' ? 'good' : 'bad'
    const text = `${what} ${state === 'done' ? 'is done' : 'failed'}: ${told}`
    this.#send({ kind: 'change', events: this.#numbered([{ topic: 'operation', mood, text }]) })
  }

  #solved({ text, sinceMs }: { readonly text: string; readonly sinceMs: number }): NewEvent[] {
    this.#problem = undefined
    return problemEvents(text, undefined, this.#parts.clock.epochMs() - sinceMs)
  }

  #numbered(events: readonly NewEvent[]): FleetEvent[] {
    const atMs = this.#parts.clock.epochMs()
    const numbered = events.map(event => {
      this.#eventCount += 1
      return { id: this.#eventCount, atMs, ...event }
    })
    this.#events = [...this.#events, ...numbered].slice(-EVENTS)
    return numbered
  }

  #send(frame: ChangeFrame): void {
    if (Object.keys(frame).length === 1) return
    this.#frames += 1
    const id = this.#id()
    const text = formatEvent({ id, data: JSON.stringify(frame) })
    let length = 0
    const kept = [...this.#recent, { id, text }].slice(-RECENT).reverse()
    this.#recent = kept
      .filter(sent => {
        length += sent.text.length
        return length <= RECENT_LENGTH
      })
      .reverse()
    this.#parts.publish(text)
  }

  #id(): string {
    return `${this.#parts.name}-${this.#frames}`
  }
}

/** A first snapshot as a change: there was nothing before. */
function everythingOf({ facts, workers, shards }: Snapshot): Pick<ChangeFrame, 'facts' | 'workers' | 'shards'> {
  return {
    facts: { ...facts },
    workers: { put: workers.map(row => ({ ...row })), gone: [] },
    shards: { put: shards.map(row => ({ ...row })), gone: [] }
  }
}
