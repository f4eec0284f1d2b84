// The windows of one shard that are open, with their states. A batch is added as a whole or not at all: it is worked on in a
// draft, which takes the place of what was before once nothing can fail any more.
import type { ConsumedRecord } from '../model/record.ts'
import { comparePositions, type ExtendedSequenceNumber, positionOf } from '../model/sequence-number.ts'
import { unlessAborted } from '../runtime/abort.ts'
import type { ClosedMemo } from './closed-memo.ts'
import type { ClosingWindow, ResolvedWindows } from './window-options.ts'
import {
  arrive,
  checkpointFor,
  firstOpen,
  isAtOrPast,
  type OpenSpan,
  overToMs,
  type Placement,
  place,
  settle,
  type TimeWindow,
  type WindowCourse
} from './window-rules.ts'

/** What became of records and windows. Records that come again count again. */
export interface WindowCounts {
  /** Records that were added to windows. */
  readonly records: number
  /** Records whose window was closed before they came, whatever became of them. */
  readonly late: number
  /** Windows that were closed. */
  readonly closed: number
  /** Calls of `close` that failed. */
  readonly closeFailures: number
}

/** Counts that are counted up. */
export type CountedWindows = { -readonly [Name in keyof WindowCounts]: number }

/** The shard, who has it, and where it is read from. */
export interface WindowTenure {
  readonly shardId: string
  readonly fencingToken: number
  /** The checkpoint that the shard is read from; `undefined`: it was not checkpointed yet. */
  readonly stored: ExtendedSequenceNumber | undefined
  /** What is stored beside the checkpoint. */
  readonly memo: ClosedMemo | undefined
}

interface OpenWindow<State> extends OpenSpan {
  readonly state: State
  readonly records: number
  readonly late: number
  readonly last: ExtendedSequenceNumber
}

/** A batch that is being added. */
interface Draft<State> {
  course: WindowCourse
  readonly open: Map<number, OpenWindow<State>>
  /** Starts of the windows whose states are copies that belong to the draft. */
  readonly own: Set<number>
  readonly counts: { records: number; late: number }
}

/** The open windows of one shard, from where its reading begins. */
export class ShardWindows<State> {
  readonly #options: ResolvedWindows<State>
  readonly #owner: Pick<WindowTenure, 'shardId' | 'fencingToken'>
  readonly #counts: CountedWindows
  #course: WindowCourse
  #open: ReadonlyMap<number, OpenWindow<State>> = new Map()
  /** The last record that could not be added. If later ones come, it was given up. */
  #failedAt: ExtendedSequenceNumber | undefined

  constructor(options: ResolvedWindows<State>, counts: CountedWindows, { stored, memo, ...owner }: WindowTenure) {
    this.#options = options
    this.#counts = counts
    this.#owner = owner
    const nothing = Number.NEGATIVE_INFINITY
    this.#course = {
      handled: memo?.handled ?? stored,
      newestMs: nothing,
      closedToMs: memo?.closedToMs ?? nothing,
      // Only a checkpoint that no memo stands beside was made in the midst of windows.
      floorMs: stored === undefined || memo !== undefined ? nothing : undefined,
      movedAt: undefined
    }
  }

  /** How many windows are open. */
  get size(): number {
    return this.#open.size
  }

  /** Everything up to here is in a window, or was late. */
  get handled(): ExtendedSequenceNumber | undefined {
    return this.#course.handled
  }

  /** Up to where the shard may be checkpointed, if anywhere. */
  get checkpoint(): ExtendedSequenceNumber | undefined {
    return checkpointFor(this.#course, [...this.#open.values()], this.#options.rules)
  }

  /** Just before the first record of the open windows. */
  get firstOpen(): ExtendedSequenceNumber | undefined {
    return firstOpen([...this.#open.values()])
  }

  /** How long after the newest record, or the last close by the clock, all open windows are over. Milliseconds. */
  get lastsMs(): number {
    const endMs = Math.max(...[...this.#open.values()].map(({ window }) => window.endMs))
    const { newestMs, closedToMs } = this.#course
    return endMs + this.#options.rules.allowedLatenessMs - Math.max(newestMs, closedToMs)
  }

  /** Adds records to their windows, and closes those that are over. Records that are in a window already are left out. */
  async add(records: readonly ConsumedRecord[], signal: AbortSignal): Promise<void> {
    const { rules, timeOf } = this.#options
    let draft = this.#draft()
    for (const record of records) {
      if (isAtOrPast(draft.course.handled, record)) continue
      signal.throwIfAborted()
      try {
        const timeMs = timeOf(record)
        const toMs = overToMs(arrive(draft.course, timeMs, rules), rules)
        if ([...draft.open.values()].some(({ window }) => window.endMs <= toMs)) {
          this.#commit(draft)
          await this.closeTo(toMs, 'complete', signal)
          draft = this.#draft()
        }
        draft.course = arrive(draft.course, timeMs, rules)
        const placement = place(draft.course, timeMs, rules)
        const adding = this.#put(draft, record, placement, signal)
        if (adding !== undefined) await adding
        draft.course = settle(draft.course, positionOf(record), placement, rules)
      } catch (error) {
        this.#failedAt = positionOf(record)
        throw error
      }
    }
    this.#commit(draft)
  }

  /** Closes the windows that end at `toMs` or before, the oldest first. One that is closed stays so if a later one fails. */
  async closeTo(toMs: number, reason: ClosingWindow<State>['reason'], signal: AbortSignal): Promise<void> {
    const over = [...this.#open.values()].filter(({ window }) => window.endMs <= toMs)
    for (const { window, state, records, late, last } of over.sort((a, b) => a.window.startMs - b.window.startMs)) {
      signal.throwIfAborted()
      const id = `${this.#owner.shardId}/${window.startMs}`
      const about = { id, ...this.#owner, window, records, late, last, reason, signal }
      try {
        await unlessAborted(settled(this.#options.close({ ...about, state: this.#options.copy(state) })), signal)
      } catch (error) {
        this.#counts.closeFailures += 1
        throw error
      }
      this.#counts.closed += 1
      this.#open = new Map([...this.#open].filter(([startMs]) => startMs !== window.startMs))
      this.#course = { ...this.#course, closedToMs: Math.max(this.#course.closedToMs, window.endMs) }
    }
  }

  /** What is to be remembered once all windows were closed because nothing more came. */
  get memo(): ClosedMemo | undefined {
    const { handled, closedToMs } = this.#course
    return handled && { handled, closedToMs }
  }

  /** The oldest open window, if there is one. */
  get oldest(): TimeWindow | undefined {
    return [...this.#open.values()].sort((a, b) => a.window.startMs - b.window.startMs)[0]?.window
  }

  #draft(): Draft<State> {
    return { course: this.#course, open: new Map(this.#open), own: new Set(), counts: { records: 0, late: 0 } }
  }

  #commit({ course, open, counts }: Draft<State>): void {
    this.#course = course
    this.#open = open
    this.#counts.records += counts.records
    this.#counts.late += counts.late
  }

  /** A promise only where the code of the user makes one. */
  #put(
    draft: Draft<State>,
    record: ConsumedRecord,
    placement: Placement,
    signal: AbortSignal
  ): Promise<void> | undefined {
    if (placement.kind === 'counted') return undefined
    const isLate = placement.kind === 'late' || placement.isLate
    if (isLate) draft.counts.late += 1
    const { window } = placement
    if (placement.kind === 'late') {
      const handling = this.#options.late(record, { window, shardId: this.#owner.shardId })
      return isThenable(handling) ? unlessAborted(settled(handling), signal) : undefined
    }
    const into = this.#own(draft, record, window)
    const put = (state: State): void => {
      draft.counts.records += 1
      const [records, late] = [into.records + 1, into.late + (isLate ? 1 : 0)]
      draft.open.set(window.startMs, { ...into, state, records, late, last: positionOf(record) })
    }
    const added = this.#options.add(into.state, record, window)
    if (isThenable(added))
      return unlessAborted(settled(added), signal).then(state => put((state ?? into.state) as State))
    put((added ?? into.state) as State)
    return undefined
  }

  /** The window for a record, with a state that belongs to the draft. */
  #own(draft: Draft<State>, record: ConsumedRecord, window: TimeWindow): OpenWindow<State> {
    const known = draft.open.get(window.startMs)
    if (known !== undefined && draft.own.has(window.startMs)) return known
    draft.own.add(window.startMs)
    if (known !== undefined) return { ...known, state: this.#options.copy(known.state) }
    const { handled } = draft.course
    const failedAt = this.#failedAt
    // What lies between could not be added and was given up, or records would not go on after it.
    const isGivenUp = failedAt !== undefined && comparePositions(failedAt, record) < 0 && isAtOrPast(failedAt, handled)
    const after = isGivenUp ? failedAt : handled
    // A copy at once, so that a state that cannot be copied is found with the first record.
    const state = this.#options.copy(this.#options.open(window, this.#owner.shardId))
    return { window, after, state, records: 0, late: 0, last: positionOf(record) }
  }
}

function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as PromiseLike<T> | undefined)?.then === 'function'
}

async function settled<T>(value: T | PromiseLike<T>): Promise<T> {
  return value
}
