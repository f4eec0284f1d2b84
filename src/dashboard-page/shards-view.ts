// The table of shards: filtered, sorted, and drawn only where one looks, so that a thousand shards cost as much as twenty.
import type { ShardRow } from '../dashboard/snapshot.ts'
import { chosenRows, FIRST_WISH, rowWindow, type SortKey, type TableWish } from '../dashboard/table-rules.ts'
import type { View } from '../dashboard/view-state.ts'
import { plural } from '../dashboard/wording-rules.ts'
import { button, card, make, setAttribute, setChildren, setShown, setText } from './dom.ts'
import { ShardLine } from './shard-row.ts'

/** As in the style sheet. Pixels. */
const ROW_HEIGHT = 36

const COLUMNS: readonly (readonly [title: string, sort: SortKey | undefined, className: string])[] = [
  ['Shard', 'shard', 'shard-id'],
  ['State', 'state', 'state-cell'],
  ['Owner', 'owner', 'owner'],
  ['Lag', 'lag', 'number'],
  ['Checkpoint', undefined, 'checkpoint'],
  ['Hash keys', 'range', 'place-cell'],
  ['Note', undefined, 'note']
]

const STATES: readonly (readonly [TableWish['states'], string])[] = [
  ['open', 'Not finished'],
  ['all', 'All'],
  ['red', 'Red'],
  ['read', 'Read'],
  ['unowned', 'No owner'],
  ['orphaned', 'Owner dead'],
  ['held', 'On hold'],
  ['waiting', 'Wait for parents'],
  ['foreign', 'Another kind'],
  ['finished', 'Finished']
]

/** The table of shards. */
export class ShardsView {
  readonly element: HTMLElement
  readonly #changedChoice: (ids: readonly string[]) => void
  readonly #count = make('span', { class: 'dim' })
  readonly #filter = make('input', {
    attributes: { type: 'search', placeholder: 'Filter: shard, worker, words…', 'aria-label': 'Filter shards' }
  })
  readonly #states = make('select', { attributes: { 'aria-label': 'Which shards' } })
  readonly #scroller = make('div', {
    class: 'scroller rows',
    attributes: { tabindex: '0', role: 'region', 'aria-label': 'Table of shards' }
  })
  readonly #table = make('table')
  readonly #body = make('tbody')
  readonly #above = make('tr', { class: 'spacer', attributes: { 'aria-hidden': 'true' } })
  readonly #below = make('tr', { class: 'spacer', attributes: { 'aria-hidden': 'true' } })
  readonly #empty = make('p', { class: 'empty' })
  readonly #every = make('input', {
    attributes: { type: 'checkbox', 'aria-label': 'Choose every shard in this table' }
  })
  readonly #choiceHead = make('th', { class: 'choice', attributes: { scope: 'col' } }, this.#every)
  readonly #heads = new Map<SortKey, HTMLElement>()
  readonly #lines: ShardLine[] = []
  readonly #chosen = new Set<string>()
  #wish: TableWish = FIRST_WISH
  #rows: readonly ShardRow[] = []
  #view: View | undefined
  #revealed: string | undefined
  #isDrawing = false

  constructor(changedChoice: (ids: readonly string[]) => void) {
    this.#changedChoice = changedChoice
    for (const [value, text] of STATES) this.#states.append(make('option', { text, attributes: { value } }))
    const tools = make('div', { class: 'tools' }, this.#filter, this.#states)
    this.element = card('Shards', 'shards', this.#count, tools)
    const head = make(
      'tr',
      { attributes: { 'aria-rowindex': '1' } },
      this.#choiceHead,
      ...COLUMNS.map(column => this.#head(...column))
    )
    this.#table.append(make('thead', {}, head), this.#body)
    this.#scroller.append(this.#table)
    this.element.append(this.#scroller, this.#empty)
    this.#listen()
  }

  /** The shards that are chosen. */
  get chosen(): readonly string[] {
    return [...this.#chosen]
  }

  render(view: View): void {
    this.#view = view
    let isOther = false
    for (const id of this.#chosen) if (!view.shards.has(id)) isOther = this.#chosen.delete(id) || isOther
    if (isOther) this.#changedChoice(this.chosen)
    this.#choose()
    this.#draw()
  }

  /** Chooses none. */
  clear(): void {
    this.#chosen.clear()
    this.#changedChoice([])
    this.#draw()
  }

  /** Brings a shard into sight. */
  reveal(shardId: string): void {
    if (!this.#rows.some(({ id }) => id === shardId)) {
      this.#wish = { ...this.#wish, text: '', states: 'all' }
      this.#filter.value = ''
      this.#states.value = 'all'
      this.#choose()
    }
    this.#revealed = shardId
    const at = this.#rows.findIndex(({ id }) => id === shardId)
    this.#scroller.scrollTop = Math.max(0, at * ROW_HEIGHT - this.#scroller.clientHeight / 2 + ROW_HEIGHT)
    this.element.scrollIntoView({ block: 'nearest', behavior: isCalm() ? 'auto' : 'smooth' })
    this.#draw()
  }

  /** Which rows there are, and in which order. */
  #choose(): void {
    if (this.#view === undefined) return
    const { shards, workers, page } = this.#view
    this.#rows = chosenRows(shards, workers, this.#wish)
    const all = this.#rows.length === shards.size
    setText(this.#count, all ? plural(shards.size, 'shard') : `${this.#rows.length} of ${plural(shards.size, 'shard')}`)
    setText(
      this.#empty,
      shards.size === 0 ? 'There are no leases: no worker of this application has ever run.' : 'No shard is like that.'
    )
    setShown(this.#empty, this.#rows.length === 0)
    setShown(this.#scroller, this.#rows.length > 0)
    setShown(this.#choiceHead, page.canAct)
    setAttribute(this.#table, 'aria-rowcount', String(this.#rows.length + 1))
    for (const [key, head] of this.#heads) {
      setAttribute(
        head,
        'aria-sort',
        key === this.#wish.sort ? (this.#wish.isDescending ? 'descending' : 'ascending') : 'none'
      )
    }
  }

  /** Draws the rows that can be seen. */
  #draw(): void {
    const view = this.#view
    if (view === undefined) return
    const { scrollTop: top, clientHeight } = this.#scroller
    const { from, to } = rowWindow(this.#rows.length, { top, height: clientHeight || 480, rowHeight: ROW_HEIGHT })
    const shown = this.#rows.slice(from, to)
    while (this.#lines.length < shown.length)
      this.#lines.push(new ShardLine((id, isChosen) => this.#pick(id, isChosen)))
    const elements = shown.flatMap((shard, at) => {
      const line = this.#lines[at]
      if (line === undefined) return []
      const [number, isChosen] = [from + at + 1, this.#chosen.has(shard.id)]
      line.render(shard, view, {
        number,
        isChosen,
        isRevealed: shard.id === this.#revealed,
        canChoose: view.page.canAct
      })
      return [line.element]
    })
    setHeight(this.#above, from * ROW_HEIGHT)
    setHeight(this.#below, Math.max(0, this.#rows.length - to) * ROW_HEIGHT)
    setChildren(this.#body, [this.#above, ...elements, this.#below])
    this.#every.checked = this.#rows.length > 0 && this.#rows.every(({ id }) => this.#chosen.has(id))
    this.#every.indeterminate = this.#chosen.size > 0 && !this.#every.checked
  }

  #pick(id: string, isChosen: boolean): void {
    if (isChosen) this.#chosen.add(id)
    else this.#chosen.delete(id)
    this.#changedChoice(this.chosen)
    this.#draw()
  }

  #head(title: string, sort: SortKey | undefined, className: string): HTMLElement {
    const head = make('th', { class: className, attributes: { scope: 'col' } })
    if (sort === undefined) head.textContent = title
    else {
      head.append(button(title, 'sorter', () => this.#sortBy(sort)))
      this.#heads.set(sort, head)
    }
    return head
  }

  /** What is furthest behind, and what is red, one wants to see first. */
  #sortBy(sort: SortKey): void {
    const isAgain = this.#wish.sort === sort
    this.#wish = { ...this.#wish, sort, isDescending: isAgain ? !this.#wish.isDescending : sort === 'lag' }
    this.#scroller.scrollTop = 0
    this.#choose()
    this.#draw()
  }

  #listen(): void {
    this.#filter.addEventListener('input', () => this.#want({ text: this.#filter.value }))
    this.#states.addEventListener('change', () => {
      const state = STATES.find(([value]) => value === this.#states.value)
      if (state !== undefined) this.#want({ states: state[0] })
    })
    this.#every.addEventListener('change', () => {
      for (const { id } of this.#rows) {
        if (this.#every.checked) this.#chosen.add(id)
        else this.#chosen.delete(id)
      }
      this.#changedChoice(this.chosen)
      this.#draw()
    })
    this.#scroller.addEventListener('scroll', () => this.#drawSoon(), { passive: true })
    window.addEventListener('resize', () => this.#drawSoon())
  }

  #want(wish: Partial<TableWish>): void {
    this.#wish = { ...this.#wish, ...wish }
    this.#scroller.scrollTop = 0
    this.#choose()
    this.#draw()
  }

  #drawSoon(): void {
    if (this.#isDrawing) return
    this.#isDrawing = true
    requestAnimationFrame(() => {
      this.#isDrawing = false
      this.#draw()
    })
  }
}

function setHeight(spacer: HTMLElement, height: number): void {
  const text = `${height}px`
  if (spacer.style.height !== text) spacer.style.height = text
}

function isCalm(): boolean {
  return matchMedia('(prefers-reduced-motion: reduce)').matches
}
