// One row of the table of shards, used for one shard after another.
import type { ShardRow } from '../dashboard/snapshot.ts'
import type { View } from '../dashboard/view-state.ts'
import { duration, hasLag, STATE_WORDS, shortened, shortShard } from '../dashboard/wording-rules.ts'
import { make, setAttribute, setClass, setShown, setText } from './dom.ts'
import { ownerOf, slotClass, swatch } from './worker-mark.ts'

const CHECKPOINT_LENGTH = 17

/** What a row is drawn with. */
export interface RowState {
  /** Its number in the whole table, from 1. */
  readonly number: number
  readonly isChosen: boolean
  readonly isRevealed: boolean
  readonly canChoose: boolean
}

/** A row. */
export class ShardLine {
  readonly element = make('tr')
  readonly #box = make('input', { attributes: { type: 'checkbox' } })
  readonly #choice = make('td', { class: 'choice' }, this.#box)
  readonly #id = make('th', { class: 'shard-id', attributes: { scope: 'row' } })
  readonly #state = make('span', { class: 'state' })
  readonly #mark = swatch()
  readonly #owner = make('span', { class: 'worker-name' })
  readonly #lag = make('td', { class: 'number' })
  readonly #checkpoint = make('td', { class: 'checkpoint' })
  readonly #place = make('span', { class: 'mini' }, make('i'))
  readonly #note = make('td', { class: 'note' })
  #shard: ShardRow | undefined

  constructor(choose: (shardId: string, isChosen: boolean) => void) {
    const owner = make('td', { class: 'owner' }, this.#mark, this.#owner)
    const place = make('td', { class: 'place-cell' }, this.#place)
    const state = make('td', { class: 'state-cell' }, this.#state)
    this.element.append(this.#choice, this.#id, state, owner, this.#lag, this.#checkpoint, place, this.#note)
    this.#box.addEventListener('change', () => {
      if (this.#shard !== undefined) choose(this.#shard.id, this.#box.checked)
    })
  }

  render(shard: ShardRow, view: View, { number, isChosen, isRevealed, canChoose }: RowState): void {
    this.#shard = shard
    const { id, state, isRed, checkpoint, range } = shard
    const owner = ownerOf(shard, view)
    setAttribute(this.element, 'aria-rowindex', String(number + 1))
    const classes = [isRed ? 'is-red' : '', isChosen ? 'is-chosen' : '', isRevealed ? 'is-revealed' : '']
    setClass(this.element, classes.filter(name => name !== '').join(' '))
    setShown(this.#choice, canChoose)
    if (this.#box.checked !== isChosen) this.#box.checked = isChosen
    setAttribute(this.#box, 'aria-label', `Choose shard ${shortShard(id)}`)
    setText(this.#id, shortShard(id))
    setAttribute(this.#id, 'title', id)
    setText(this.#state, STATE_WORDS[state] ?? state)
    setClass(this.#state, `state state-${isRed ? 'red' : state}`)
    setClass(this.#mark, `swatch ${slotClass(owner)}`)
    setText(this.#owner, owner?.name ?? shard.owner ?? '–')
    setAttribute(this.#owner, 'title', shard.owner)
    setText(this.#lag, hasLag(shard) ? duration(shard.lagMs) : '–')
    setText(this.#checkpoint, shortened(checkpoint, CHECKPOINT_LENGTH))
    setAttribute(this.#checkpoint, 'title', checkpoint)
    const [bar] = this.#place.children
    if (bar instanceof HTMLElement && range !== undefined) {
      const [left, width] = [`${range.from * 100}%`, `${(range.to - range.from) * 100}%`]
      if (bar.style.left !== left) bar.style.left = left
      if (bar.style.width !== width) bar.style.width = width
    }
    const note = noteOf(shard)
    setText(this.#note, note)
    setAttribute(this.#note, 'title', note === '' ? undefined : note)
  }
}

function noteOf({ reason, heldFor, movesTo, lagProblem, hasPendingCheckpoint, listing, state }: ShardRow): string {
  if (reason !== undefined) return reason
  if (heldFor !== undefined) return `on hold: ${heldFor}`
  if (movesTo !== undefined) return `is to move to ${movesTo}`
  if (lagProblem !== undefined) return `lag not measured: ${lagProblem}`
  if (hasPendingCheckpoint === true) return 'a checkpoint is prepared'
  if (listing === 'expired') return 'Kinesis does not list it any more'
  return listing === 'closed' && state === 'read' ? 'closed, being read to its end' : ''
}
