// Which window a record belongs to, which windows are over, and how far the checkpoint may go. Every answer follows from the
// records since the checkpoint, so that whoever reads them again comes to the same windows with the same records in them.
import { comparePositions, type ExtendedSequenceNumber } from '../model/sequence-number.ts'

/** A stretch of time; windows begin at multiples of their length. */
export interface TimeWindow {
  /** Its first millisecond. Epoch milliseconds. */
  readonly startMs: number
  /** The first millisecond after it. Epoch milliseconds. */
  readonly endMs: number
}

/** How windows are cut. */
export interface WindowRules {
  readonly windowMs: number
  /** How much later than its end a window takes records, by the times of the records. Milliseconds. */
  readonly allowedLatenessMs: number
  /** Whether late records go into the oldest window that still takes some. */
  readonly isLateMoved: boolean
}

/** How far one shard has come. Positions are absent where nothing has come yet. */
export interface WindowCourse {
  /** Everything up to here is in a window, or is known to be late. */
  readonly handled: ExtendedSequenceNumber | undefined
  /** The latest time of a record. -Infinity: none has come. */
  readonly newestMs: number
  /** Windows that end here or before were closed, also if only the clock said so. -Infinity: none. */
  readonly closedToMs: number
  /**
   * Earlier owners of the shard have closed all windows before this one, with the records that come again. -Infinity: they
   * have left nothing to come again. `undefined`: it is the window of the first record to come.
   */
  readonly floorMs: number | undefined
  /** The last record that is late only because of {@link closedToMs}, and was moved to another window. */
  readonly movedAt: ExtendedSequenceNumber | undefined
}

/** What the rules know of a window that is open. */
export interface OpenSpan {
  readonly window: TimeWindow
  /** The position just before its first record. */
  readonly after: ExtendedSequenceNumber | undefined
}

/** Where a record goes: into a window; nowhere, because it is late; or nowhere, because an earlier owner has counted it. */
export type Placement =
  | { readonly kind: 'in'; readonly window: TimeWindow; readonly isLate: boolean }
  | { readonly kind: 'late'; readonly window: TimeWindow }
  | { readonly kind: 'counted' }

/** The window that a time is in. */
export function windowAt(timeMs: number, windowMs: number): TimeWindow {
  const startMs = Math.floor(timeMs / windowMs) * windowMs
  return { startMs, endMs: startMs + windowMs }
}

/** Up to where the times of the records alone close windows. */
function recordsCloseToMs({ newestMs }: WindowCourse, { windowMs, allowedLatenessMs }: WindowRules): number {
  return Math.floor((newestMs - allowedLatenessMs) / windowMs) * windowMs
}

/** Windows that end here or before are over. */
export function overToMs(course: WindowCourse, rules: WindowRules): number {
  return Math.max(course.closedToMs, recordsCloseToMs(course, rules))
}

/** How far the shard has come with a record of this time, before it is placed. */
export function arrive(course: WindowCourse, timeMs: number, { windowMs }: WindowRules): WindowCourse {
  const { newestMs, floorMs = windowAt(timeMs, windowMs).startMs } = course
  return { ...course, newestMs: Math.max(newestMs, timeMs), floorMs }
}

/** Where a record goes that has arrived. */
export function place(course: WindowCourse, timeMs: number, rules: WindowRules): Placement {
  const { floorMs = Number.NEGATIVE_INFINITY } = course
  const own = windowAt(timeMs, rules.windowMs)
  const openFromMs = overToMs(course, rules)
  const isLate = own.endMs <= openFromMs
  if (isLate && !rules.isLateMoved) return { kind: 'late', window: own }
  const window = isLate ? windowAt(openFromMs, rules.windowMs) : own
  // A record that comes again. Its window was open when the earlier owner had it, for times go the same way again.
  if (window.startMs < floorMs) return { kind: 'counted' }
  return { kind: 'in', window, isLate }
}

/** How far the shard has come once the record at `position` is placed. */
export function settle(
  course: WindowCourse,
  position: ExtendedSequenceNumber,
  placement: Placement,
  rules: WindowRules
): WindowCourse {
  const isMovedByClock =
    placement.kind === 'in' && placement.isLate && course.closedToMs > recordsCloseToMs(course, rules)
  return { ...course, handled: position, ...(isMovedByClock && { movedAt: position }) }
}

/**
 * Up to where the shard may be checkpointed, if anywhere: just before the first record of the oldest open window. Whoever
 * begins there takes the windows before that record's for closed, and so they must be, for good, by the times of the records
 * from there on; and no record of an open window may lie before.
 */
export function checkpointFor(
  course: WindowCourse,
  open: readonly OpenSpan[],
  rules: WindowRules
): ExtendedSequenceNumber | undefined {
  const oldest = open.reduce<OpenSpan | undefined>(
    (least, span) => (least === undefined || span.window.startMs < least.window.startMs ? span : least),
    undefined
  )
  if (oldest?.after === undefined) return undefined
  const { after, window } = oldest
  const isFirst = open.every(span => isAtOrPast(span.after, after))
  const isReproduced = recordsCloseToMs(course, rules) >= window.startMs && isAtOrPast(after, course.movedAt)
  return isFirst && isReproduced ? after : undefined
}

/** Just before the first record of all open windows; `undefined`: from the beginning. */
export function firstOpen(open: readonly OpenSpan[]): ExtendedSequenceNumber | undefined {
  const [first, ...others] = open.map(({ after }) => after)
  return others.reduce((least, after) => (isAtOrPast(after, least) ? least : after), first)
}

/** Whether a position is at another one or past it; the absent one is before all. */
export function isAtOrPast(
  position: ExtendedSequenceNumber | undefined,
  other: ExtendedSequenceNumber | undefined
): boolean {
  if (other === undefined) return true
  return position !== undefined && comparePositions(position, other) >= 0
}
