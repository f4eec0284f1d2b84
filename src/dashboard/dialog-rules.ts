// What a dialog says before something is done: to how many shards, and what becomes of them.
import type { ShardRow } from './snapshot.ts'
import { count, namedShards, plural } from './wording-rules.ts'

/** What can be done. */
export type ActionKind = 'reset' | 'release' | 'pause' | 'resume' | 'move'

/** Where shards are to begin again, as somebody fills it in. */
export interface PositionWish {
  readonly kind: 'LATEST' | 'TRIM_HORIZON' | 'time' | 'sequence'
  /** As an `input` of type `datetime-local` has it, in the zone of the browser. */
  readonly time: string
  readonly sequence: string
}

/** What a dialog begins with. */
export interface DialogText {
  readonly title: string
  readonly consequence: string
  readonly button: string
  /** Whether it cannot be undone. */
  readonly isDangerous: boolean
}

/** The name of each action. */
export const ACTION_WORDS: Readonly<Record<ActionKind, string>> = {
  reset: 'Reset',
  release: 'Release',
  pause: 'Pause',
  resume: 'Resume',
  move: 'Move'
}

/** What the dialog says. `chosen`: ids; none means every shard. */
export function dialogText(kind: ActionKind, chosen: readonly string[], unfinished: number): DialogText {
  const isAll = chosen.length === 0
  const what = isAll ? `all ${plural(unfinished, 'shard')}` : namedShards(chosen)
  const title = `${ACTION_WORDS[kind]} ${isAll ? `all ${plural(unfinished, 'shard')}` : plural(chosen.length, 'shard')}`
  const button = title
  switch (kind) {
    case 'reset':
      return {
        ...{ title, button, isDangerous: true },
        consequence: `The application lets go of ${what}, and begins again there at the place below. ${isAll ? 'Shards that are closed are read again, too, if they have records from then on. ' : ''}Records may be processed again, or passed over for good.`
      }
    case 'release':
      return {
        ...{ title, button, isDangerous: false },
        consequence: `The owners of ${what} finish what is under way, checkpoint, and give them back. They are given out again at once, perhaps to others. Nothing is lost.`
      }
    case 'pause':
      return {
        ...{ title, button, isDangerous: false },
        consequence: `The owners of ${what} finish what is under way and checkpoint. Then nobody reads them until somebody resumes them${isAll ? ', nor shards that are yet to come' : ''}. What expires in the stream meanwhile is lost.`
      }
    case 'resume':
      return {
        ...{ title, button, isDangerous: false },
        consequence: `Ends every pause of ${what}, whoever made it. They are given out and read again from where they were.`
      }
    case 'move':
      return {
        ...{ title: `Move ${namedShards(chosen)}`, button: 'Move', isDangerous: false },
        consequence: `Its owner finishes what is under way and checkpoints; then the worker below gets it. Afterwards it is balanced like any other.`
      }
  }
}

/** What becomes of records at a place. */
export function positionConsequence({ kind }: PositionWish, behind: number): string {
  switch (kind) {
    case 'LATEST':
      return behind > 0
        ? `What is not processed yet is passed over for good: ${count(behind)} of these shards ${behind === 1 ? 'is' : 'are'} behind.`
        : 'What is not processed yet is passed over for good.'
    case 'TRIM_HORIZON':
      return 'Everything that the stream still has is processed again.'
    case 'time':
      return 'What arrived then or later is processed, again if it was before. What arrived before is not.'
    case 'sequence':
      return 'Everything up to that record counts as done; what comes after it is processed.'
  }
}

/** Why an action is not possible for what is chosen. `undefined`: it is. */
export function obstacleOf(kind: ActionKind, chosen: readonly ShardRow[]): string | undefined {
  if (kind === 'move' && chosen.length !== 1) return 'Choose exactly one shard to move'
  if (kind !== 'reset' && chosen.some(({ state }) => state === 'finished')) return 'Some of these shards are finished'
  return undefined
}

/** What to send for a position, or what is wrong with it. */
export function positionOf(
  { kind, time, sequence }: PositionWish,
  shards: number
): { readonly position: unknown } | { readonly problem: string } {
  if (kind === 'LATEST' || kind === 'TRIM_HORIZON') return { position: kind }
  if (kind === 'time') {
    const at = new Date(time)
    return Number.isNaN(at.getTime()) ? { problem: 'Enter a time' } : { position: { at: at.toISOString() } }
  }
  if (shards !== 1) return { problem: 'A sequence number is a place in one shard: choose exactly one' }
  const [, sequenceNumber, sub] = /^\s*(\d{1,200})(?:[:#](\d{1,9}))?\s*$/.exec(sequence) ?? []
  if (sequenceNumber === undefined) return { problem: 'Enter the digits of a sequence number' }
  return { position: { sequenceNumber, ...(sub !== undefined && { subSequenceNumber: Number(sub) }) } }
}
