// Splits and merges: each generation of shards as a row, the oldest at the top, with bands from parents to their children.
import { type LineageLink, type LineagePlace, lineageOf } from '../dashboard/lineage-rules.ts'
import { hasRoom } from '../dashboard/range-rules.ts'
import type { View } from '../dashboard/view-state.ts'
import { plural, STATE_WORDS, shortShard } from '../dashboard/wording-rules.ts'
import { card, draw, make, setClass, setShown, setText } from './dom.ts'
import type { Tooltip } from './tooltip.ts'
import { ownerOf, shardLines, slotClass } from './worker-mark.ts'

/** Height of a row and of the bands between two, in pixels. */
const ROW = 26
const BAND = 30
/** With more shards in a row than this, what parts them would hide them. */
const DENSE = 200

/** The lineage. */
export class LineageView {
  readonly element: HTMLElement
  readonly #tooltip: Tooltip
  readonly #note = make('span', { class: 'dim' })
  readonly #empty = make('p', {
    class: 'empty',
    text: 'No shard was split or merged, as far as the lease table remembers.'
  })
  readonly #picture = make('div', { class: 'lineage' })
  readonly #blocks = new Map<string, HTMLElement>()
  #view: View | undefined

  constructor(tooltip: Tooltip) {
    this.#tooltip = tooltip
    this.element = card('Splits and merges', 'lineage', this.#note)
    this.element.append(this.#empty, this.#picture)
    for (const name of ['pointerover', 'focusin']) this.#picture.addEventListener(name, event => this.#tell(event))
    for (const name of ['pointerout', 'focusout']) this.#picture.addEventListener(name, () => tooltip.hide())
  }

  render(view: View): void {
    this.#view = view
    if (view.isReshaped) this.#rebuild(view)
    const ids = view.changed === 'all' || view.isReshaped ? this.#blocks.keys() : view.changed
    for (const id of ids) this.#paint(id, view)
  }

  #rebuild({ shards }: View): void {
    const { generations, links, splits, merges, hidden } = lineageOf(shards)
    const isThere = links.length > 0
    setShown(this.#empty, !isThere)
    setShown(this.#picture, isThere)
    setText(
      this.#note,
      isThere
        ? `${plural(splits, 'split')}, ${plural(merges, 'merge')}${hidden > 0 ? `; ${plural(hidden, 'older generation')} not shown` : ''}`
        : ''
    )
    this.#blocks.clear()
    if (!isThere) this.#picture.replaceChildren()
    if (!isThere) return
    const most = generations.reduce((size, { length }) => Math.max(size, length), 0)
    this.#picture.classList.toggle('dense', most > DENSE)
    const rows = generations.map((places, generation) => {
      const row = make('ol', {
        class: 'generation',
        attributes: { 'aria-label': `Generation ${generation + hidden + 1}` }
      })
      row.style.top = `${generation * (ROW + BAND)}px`
      row.append(...places.map(place => this.#block(place)))
      return row
    })
    const height = generations.length * (ROW + BAND) - BAND
    const bands = draw('svg', {
      viewBox: `0 0 100 ${height}`,
      preserveAspectRatio: 'none',
      class: 'bands',
      'aria-hidden': 'true'
    })
    bands.append(...links.map(link => draw('path', { d: bandOf(link) })))
    this.#picture.style.height = `${height}px`
    this.#picture.replaceChildren(bands, ...rows)
  }

  #block({ shard, left, width }: LineagePlace): HTMLElement {
    const block = make('li', { class: 'block', text: hasRoom(shortShard(shard.id), width) ? shortShard(shard.id) : '' })
    block.style.left = `${left}%`
    block.style.width = `${width}%`
    block.dataset.shard = shard.id
    this.#blocks.set(shard.id, block)
    return block
  }

  #paint(id: string, view: View): void {
    const [block, shard] = [this.#blocks.get(id), view.shards.get(id)]
    if (block === undefined || shard === undefined) return
    const { state, isRed, children } = shard
    setClass(block, `block ${slotClass(ownerOf(shard, view))} is-${state}${isRed ? ' is-red' : ''}`)
    const into = children.length > 0 ? `, into ${children.map(shortShard).join(' and ')}` : ''
    const label = `shard ${shortShard(id)}, ${STATE_WORDS[state] ?? state}${into}`
    if (block.title !== label && block.textContent === '') block.title = label
  }

  #tell(event: Event): void {
    const block = (event.target as Element).closest<HTMLElement>('li.block')
    const shard = this.#view?.shards.get(block?.dataset.shard ?? '')
    if (block === null || shard === undefined || this.#view === undefined) return
    this.#tooltip.show(block, `Shard ${shortShard(shard.id)}`, shardLines(shard, this.#view))
  }
}

/** From the part of the parent that the child takes, or that it came from, to the child. */
function bandOf({ parent, child }: LineageLink): string {
  const top = parent.generation * (ROW + BAND) + ROW
  const bottom = child.generation * (ROW + BAND)
  const left = Math.max(parent.left, child.left)
  const right = Math.min(parent.left + parent.width, child.left + child.width)
  const gap = Math.min(0.15, (right - left) / 8)
  return `M${left + gap} ${top}L${right - gap} ${top}L${right - gap} ${bottom}L${left + gap} ${bottom}Z`
}
