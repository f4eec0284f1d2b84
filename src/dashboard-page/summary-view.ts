// The four numbers that one looks at first, and everything that is red, in words.
import type { View } from '../dashboard/view-state.ts'
import { count, duration, plural } from '../dashboard/wording-rules.ts'
import { make, setChildren, setClass, setShown, setText } from './dom.ts'

/** How many reasons are shown. */
const REASONS = 6

class Tile {
  readonly element: HTMLElement
  readonly #value = make('strong', { text: '–' })
  readonly #note = make('span', { class: 'dim', text: ' ' })

  constructor(name: string) {
    this.element = make(
      'div',
      { class: 'tile' },
      make('span', { class: 'tile-name', text: name }),
      this.#value,
      this.#note
    )
  }

  set(value: string, note: string, isBad = false): void {
    setText(this.#value, value)
    setText(this.#note, note)
    setClass(this.element, isBad ? 'tile bad' : 'tile')
  }
}

/** The numbers, and the troubles. */
export class SummaryView {
  readonly #shards = new Tile('Shards read')
  readonly #workers = new Tile('Workers')
  readonly #lag = new Tile('Highest lag')
  readonly #holds = new Tile('On hold')
  readonly #list = make('ul')
  readonly #more = make('p', { class: 'dim' })
  readonly #troubles = make('section', { class: 'card troubles', attributes: { 'aria-label': 'What is red' } })

  constructor(host: HTMLElement) {
    const tiles = [this.#shards, this.#workers, this.#lag, this.#holds].map(({ element }) => element)
    this.#troubles.append(make('h2', { text: 'To look at' }), this.#list, this.#more)
    setShown(this.#troubles, false)
    host.append(make('div', { class: 'tiles' }, ...tiles), this.#troubles)
  }

  render({ facts, shards, workers, points }: View): void {
    if (facts === undefined) return
    let [unfinished, read, held, waiting] = [0, 0, 0, 0]
    for (const { state } of shards.values()) {
      if (state !== 'finished') unfinished += 1
      if (state === 'read' || state === 'foreign') read += 1
      if (state === 'held') held += 1
      if (state === 'waiting') waiting += 1
    }
    const closed = shards.size - unfinished
    const notRead = unfinished - read - held - waiting
    const rest = [
      waiting > 0 ? `${count(waiting)} wait for parents` : '',
      closed > 0 ? `${count(closed)} finished` : ''
    ]
    const note =
      notRead > 0 ? `${count(notRead)} read by nobody` : rest.filter(text => text !== '').join(', ') || 'every one'
    this.#shards.set(`${count(read)} / ${count(unfinished)}`, note, notRead > 0)
    const living = [...workers.values()].filter(({ state }) => state !== 'DEAD')
    const leader = facts.leader === undefined ? undefined : workers.get(facts.leader)?.name
    const dead = workers.size - living.length
    const about = leader === undefined ? 'nobody leads' : `${leader} leads`
    this.#workers.set(count(living.length), dead > 0 ? `${count(dead)} dead` : about, dead > 0 || living.length === 0)
    const median = points.at(-1)?.medianMs
    const middle =
      median === null || median === undefined ? 'not measured yet' : `half of the shards below ${duration(median)}`
    this.#lag.set(facts.maxLagMs === undefined ? '–' : duration(facts.maxLagMs), middle)
    const [hold] = facts.holds
    const why = hold === undefined ? 'nothing' : `${hold.why} (${hold.by})`
    this.#holds.set(held === 0 && hold?.shards === 'all' ? 'all' : count(held), why)
    this.#renderTroubles(facts.reasons, facts.moreReasons)
  }

  #renderTroubles(reasons: readonly string[], moreReasons: number): void {
    const shown = reasons.slice(0, REASONS)
    const items = shown.map((_, at) => this.#list.children[at] ?? make('li'))
    setChildren(this.#list, items)
    shown.forEach((reason, at) => {
      const [item] = items.slice(at)
      if (item !== undefined) setText(item, reason)
    })
    const more = reasons.length - shown.length + moreReasons
    setText(this.#more, more > 0 ? `and ${plural(more, 'more thing')}: see the shards that are red` : '')
    setShown(this.#more, more > 0)
    setShown(this.#troubles, reasons.length > 0)
  }
}
