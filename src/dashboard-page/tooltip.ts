// What is told about the thing under the pointer, or that has the focus.
import { make, setShown } from './dom.ts'

/** A line: what, and how it is. */
export type TooltipLine = readonly [name: string, value: string]

/** One tooltip for the whole page. */
export class Tooltip {
  readonly #box = make('div', { class: 'tooltip', attributes: { role: 'tooltip', id: 'tooltip' } })
  #anchor: Element | undefined

  constructor() {
    this.#box.hidden = true
    document.body.append(this.#box)
    document.addEventListener('keydown', ({ key }) => {
      if (key === 'Escape') this.hide()
    })
    document.addEventListener('scroll', () => this.hide(), { passive: true, capture: true })
  }

  /** Shows it above something, or below if there is no room. */
  show(anchor: Element, title: string, lines: readonly TooltipLine[]): void {
    this.#anchor = anchor
    const list = make('dl')
    for (const [name, value] of lines) list.append(make('dt', { text: name }), make('dd', { text: value }))
    this.#box.replaceChildren(make('strong', { text: title }), list)
    setShown(this.#box, true)
    const [at, box] = [anchor.getBoundingClientRect(), this.#box.getBoundingClientRect()]
    const middle = at.left + at.width / 2 - box.width / 2
    const left = Math.max(8, Math.min(document.documentElement.clientWidth - box.width - 8, middle))
    const above = at.top - box.height - 8
    this.#box.style.left = `${left}px`
    this.#box.style.top = `${above < 8 ? at.bottom + 8 : above}px`
  }

  /** Hides it; with an anchor, only if it is shown for that. */
  hide(anchor?: Element): void {
    if (anchor === undefined || anchor === this.#anchor) setShown(this.#box, false)
  }
}
