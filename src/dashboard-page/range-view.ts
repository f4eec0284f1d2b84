// The hash space as bars, in the colours of those who read it. One stop of the Tab key: arrow keys go from shard to shard.
import { hashPlace, hasRoom, type RangePiece, rangeLines } from '../dashboard/range-rules.ts'
import type { ShardRow } from '../dashboard/snapshot.ts'
import type { View } from '../dashboard/view-state.ts'
import { plural, STATE_WORDS, shortShard } from '../dashboard/wording-rules.ts'
import { card, make, setAttribute, setChildren, setClass, setText } from './dom.ts'
import type { Tooltip } from './tooltip.ts'
import { ownerOf, shardLines, slotClass, swatch } from './worker-mark.ts'

/** What the bars need of the rest of the page. */
export interface RangeViewParts {
  readonly tooltip: Tooltip
  readonly reveal: (shardId: string) => void
}

/** The bars. */
export class RangeView {
  readonly element: HTMLElement
  readonly #parts: RangeViewParts
  readonly #bars = make('div', { class: 'bars', attributes: { role: 'group' } })
  readonly #legend = make('ul', { class: 'legend', attributes: { 'aria-label': 'Colours of workers' } })
  readonly #note = make('span', { class: 'dim' })
  readonly #blocks = new Map<string, HTMLElement[]>()
  readonly #names = new Map<
    string,
    { readonly item: HTMLElement; readonly mark: HTMLElement; readonly text: HTMLElement }
  >()
  #all: HTMLElement[] = []
  #view: View | undefined
  #signature = ''

  constructor(parts: RangeViewParts) {
    this.#parts = parts
    this.element = card('Hash keys', 'range', this.#note)
    this.element.append(this.#bars, this.#legend)
    this.#listen()
  }

  render(view: View): void {
    this.#view = view
    const { facts, workers, shards, changed } = view
    const signature =
      [...workers.values()].map(({ id, slot }) => `${id} ${slot}`).join() + JSON.stringify(facts?.holes ?? [])
    const isNew = view.isReshaped || this.#all.length === 0
    if (isNew || signature !== this.#signature) this.#rebuild(view)
    else if (changed === 'all') for (const shard of shards.values()) this.#paint(shard, view)
    else for (const id of changed) this.#paintId(id, view)
    this.#signature = signature
    this.#renderLegend(view)
  }

  /** Sets the shards of one worker off against the others. */
  highlight(worker: string | undefined): void {
    this.#bars.classList.toggle('dimmed', worker !== undefined)
    for (const [id, blocks] of this.#blocks) {
      const isLit = worker !== undefined && this.#view?.shards.get(id)?.owner === worker
      for (const block of blocks) block.classList.toggle('lit', isLit)
    }
  }

  #rebuild(view: View): void {
    const { shards, facts } = view
    const focused = (document.activeElement as HTMLElement | null)?.dataset.shard
    this.#blocks.clear()
    this.#all = []
    const lines = rangeLines(shards.values(), facts?.holes ?? [])
    // The stream of a table has no hash keys.
    this.element.hidden = shards.size > 0 && [...shards.values()].every(({ range }) => range === undefined)
    const isBroken = lines.length > 1
    const rows = lines.flatMap(({ from, layers }) => {
      const place = make('span', { class: 'place', text: isBroken ? hashPlace(from) : '' })
      const bars = layers.map(pieces => make('div', { class: 'bar' }, ...pieces.map(piece => this.#block(piece))))
      return make(
        'div',
        { class: isBroken ? 'bar-line broken' : 'bar-line' },
        place,
        make('div', { class: 'bar-stack' }, ...bars)
      )
    })
    const scale = make(
      'div',
      { class: 'scale dim' },
      ...[0, 0.25, 0.5, 0.75, 1].map(at => make('span', { text: hashPlace(at) }))
    )
    this.#bars.replaceChildren(...rows, ...(isBroken ? [] : [scale]))
    const unfinished = [...shards.values()].filter(({ state }) => state !== 'finished')
    const holes = facts?.holes.length ?? 0
    setText(this.#note, `${plural(unfinished.length, 'shard')}${holes > 0 ? `, ${plural(holes, 'hole')}` : ''}`)
    setAttribute(
      this.#bars,
      'aria-label',
      `Who reads which hash keys: ${plural(unfinished.length, 'shard')}. Arrow keys move.`
    )
    for (const shard of shards.values()) this.#paint(shard, view)
    const stop = this.#all.find(({ dataset }) => dataset.shard === focused) ?? this.#all[0]
    if (stop !== undefined) stop.tabIndex = 0
    if (focused !== undefined && document.activeElement === document.body) stop?.focus()
  }

  #block({ shard, left, width }: RangePiece): HTMLElement {
    const block =
      shard === undefined
        ? make('div', {
            class: 'block hole',
            attributes: { role: 'img', 'aria-label': 'A hole: no shard of the fleet covers these hash keys' }
          })
        : make('button', { class: 'block', attributes: { type: 'button', tabindex: '-1' } })
    block.style.left = `${left}%`
    block.style.width = `${width}%`
    if (shard === undefined) return block
    block.dataset.shard = shard.id
    if (hasRoom(shortShard(shard.id), width)) block.textContent = shortShard(shard.id)
    this.#all.push(block)
    this.#blocks.set(shard.id, [...(this.#blocks.get(shard.id) ?? []), block])
    return block
  }

  #paintId(id: string, view: View): void {
    const shard = view.shards.get(id)
    if (shard !== undefined) this.#paint(shard, view)
  }

  #paint(shard: ShardRow, view: View): void {
    const blocks = this.#blocks.get(shard.id)
    if (blocks === undefined) return
    const owner = ownerOf(shard, view)
    const { state, isRed } = shard
    const className = `block ${slotClass(owner)} is-${state}${isRed ? ' is-red' : ''}`
    const by = owner === undefined ? (STATE_WORDS[state] ?? state) : `read by ${owner.name}`
    const label = `shard ${shortShard(shard.id)}, ${by}${isRed ? ', red' : ''}`
    for (const block of blocks) {
      setClass(block, block.classList.contains('lit') ? `${className} lit` : className)
      setAttribute(block, 'aria-label', label)
    }
  }

  #renderLegend({ workers, shards }: View): void {
    const items = [...workers.values()].map(({ id, name, slot, state }) => {
      const mark = swatch()
      const entry = this.#names.get(id) ?? { item: make('li'), mark, text: make('span') }
      if (!this.#names.has(id)) entry.item.append(mark, entry.text)
      this.#names.set(id, entry)
      setClass(entry.mark, `swatch slot-${slot}`)
      setText(entry.text, state === 'DEAD' ? `${name} (dead)` : name)
      return entry.item
    })
    for (const id of this.#names.keys()) if (!workers.has(id)) this.#names.delete(id)
    setChildren(
      this.#legend,
      shards.size === 0
        ? [make('li', { class: 'dim', text: 'There are no shards yet: no worker has ever run.' })]
        : items
    )
  }

  #listen(): void {
    const blockOf = (event: Event): HTMLElement | undefined => {
      const block = (event.target as Element).closest<HTMLElement>('button.block')
      return block ?? undefined
    }
    const tell = (event: Event): void => {
      const block = blockOf(event)
      const shard = this.#view?.shards.get(block?.dataset.shard ?? '')
      if (block === undefined || shard === undefined || this.#view === undefined) return
      this.#parts.tooltip.show(block, `Shard ${shortShard(shard.id)}`, shardLines(shard, this.#view))
    }
    const untell = (event: Event): void => this.#parts.tooltip.hide(blockOf(event))
    this.#bars.addEventListener('pointerover', tell)
    this.#bars.addEventListener('pointerout', untell)
    this.#bars.addEventListener('focusin', tell)
    this.#bars.addEventListener('focusout', untell)
    this.#bars.addEventListener('click', event => {
      const id = blockOf(event)?.dataset.shard
      if (id !== undefined) this.#parts.reveal(id)
    })
    this.#bars.addEventListener('keydown', event => {
      const at = this.#all.indexOf(event.target as HTMLElement)
      const steps: Readonly<Record<string, number>> = {
        ArrowRight: at + 1,
        ArrowLeft: at - 1,
        Home: 0,
        End: this.#all.length - 1
      }
      const next = this.#all[steps[event.key] ?? -1]
      if (at === -1 || next === undefined) return
      event.preventDefault()
      this.#all[at]?.setAttribute('tabindex', '-1')
      next.tabIndex = 0
      next.focus()
    })
  }
}
