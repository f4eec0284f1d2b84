// Who is there: how many shards each has, how it is, and when it was last heard of.
import type { WorkerRow } from '../dashboard/snapshot.ts'
import type { View } from '../dashboard/view-state.ts'
import { count, duration } from '../dashboard/wording-rules.ts'
import { card, make, setAttribute, setChildren, setClass, setShown, setText } from './dom.ts'
import { slotClass, swatch } from './worker-mark.ts'

const STATES: Readonly<Record<WorkerRow['state'], string>> = {
  ACTIVE: 'at work',
  DRAINING: 'stopping',
  RESTARTING: 'restarting',
  DEAD: 'dead',
  FOREIGN: 'another kind'
}

/** A row of the table, and what of it changes. */
class WorkerLine {
  readonly element = make('tr')
  readonly #mark = swatch()
  readonly #name = make('span', { class: 'worker-name' })
  readonly #leads = make('span', { class: 'badge', text: 'leads' })
  readonly #state = make('td')
  readonly #shards = make('span', { class: 'number' })
  readonly #load = make('span', { class: 'load' }, make('i'))
  readonly #lag = make('td', { class: 'number' })
  readonly #heard = make('td', { class: 'number' })
  readonly #why = make('div', { class: 'why' })

  constructor(highlight: (isOn: boolean) => void) {
    const name = make('th', { attributes: { scope: 'row' } }, this.#mark, this.#name, this.#leads, this.#why)
    const load = make('td', { class: 'load-cell' }, this.#shards, this.#load)
    this.element.append(name, this.#state, load, this.#lag, this.#heard)
    this.element.addEventListener('pointerenter', () => highlight(true))
    this.element.addEventListener('pointerleave', () => highlight(false))
  }

  render(worker: WorkerRow, most: number, lagMs: number | undefined): void {
    const { name, state, isLeader, isRed, shards, silentMs, durationMs, maxLeases, reasons } = worker
    setClass(this.element, isRed ? 'is-red' : '')
    setClass(this.#mark, `swatch ${slotClass(worker)}`)
    setText(this.#name, name)
    setShown(this.#leads, isLeader)
    setText(this.#state, STATES[state])
    setText(this.#shards, maxLeases === undefined ? count(shards) : `${count(shards)} of ${count(maxLeases)}`)
    const [bar] = this.#load.children
    if (bar instanceof HTMLElement) bar.style.width = `${(100 * shards) / Math.max(1, maxLeases ?? most)}%`
    setText(this.#lag, lagMs === undefined ? '–' : duration(lagMs))
    setText(this.#heard, silentMs === undefined ? '–' : duration(silentMs))
    const isLate = durationMs !== undefined && silentMs !== undefined && silentMs > durationMs / 2
    setClass(this.#heard, isLate ? 'number late' : 'number')
    setAttribute(
      this.#heard,
      'title',
      durationMs === undefined ? undefined : `dead after ${duration(durationMs)} without a heartbeat`
    )
    setText(this.#why, reasons.join('; '))
    setShown(this.#why, reasons.length > 0)
  }
}

/** The table of workers. */
export class WorkersView {
  readonly element: HTMLElement
  readonly #body = make('tbody')
  readonly #empty = make('p', { class: 'empty', text: 'Nobody is there.' })
  readonly #table: HTMLElement
  readonly #lines = new Map<string, WorkerLine>()
  readonly #highlight: (worker: string | undefined) => void

  constructor(highlight: (worker: string | undefined) => void) {
    this.#highlight = highlight
    this.element = card('Workers', 'workers')
    const heads = ['Worker', 'State', 'Shards', 'Highest lag', 'Heard of'].map((text, at) =>
      make('th', { text, ...(at > 2 && { class: 'number' }), attributes: { scope: 'col' } })
    )
    const table = make('table', {}, make('thead', {}, make('tr', {}, ...heads)), this.#body)
    this.#table = make(
      'div',
      { class: 'scroller', attributes: { tabindex: '0', role: 'region', 'aria-label': 'Table of workers' } },
      table
    )
    this.element.append(this.#table, this.#empty)
  }

  render({ workers, shards }: View): void {
    const lags = new Map<string, number>()
    for (const { owner, lagMs } of shards.values()) {
      if (owner !== undefined && lagMs !== undefined) lags.set(owner, Math.max(lagMs, lags.get(owner) ?? 0))
    }
    const most = [...workers.values()].reduce((max, worker) => Math.max(max, worker.shards), 0)
    const lines = [...workers.values()].map(worker => {
      const line = this.#lines.get(worker.id) ?? new WorkerLine(isOn => this.#highlight(isOn ? worker.id : undefined))
      this.#lines.set(worker.id, line)
      line.render(worker, most, lags.get(worker.id))
      return line.element
    })
    for (const id of this.#lines.keys()) if (!workers.has(id)) this.#lines.delete(id)
    setChildren(this.#body, lines)
    setShown(this.#table, workers.size > 0)
    setShown(this.#empty, workers.size === 0)
  }
}
