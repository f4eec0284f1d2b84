// What happened, the newest first.
import type { EventTopic, FleetEvent } from '../dashboard/snapshot.ts'
import type { View } from '../dashboard/view-state.ts'
import { card, make, setShown } from './dom.ts'

/** How many are drawn. */
const SHOWN = 200

const TOPICS: readonly (readonly [EventTopic | 'all', string])[] = [
  ['all', 'Everything'],
  ['trouble', 'Troubles'],
  ['worker', 'Workers'],
  ['shard', 'Shards'],
  ['order', 'Orders'],
  ['position', 'Resets'],
  ['operation', 'Actions']
]

const MOODS: Readonly<Record<FleetEvent['mood'], string>> = { bad: 'bad news', good: 'good news', plain: '' }

/** The list of events. */
export class EventsView {
  readonly element: HTMLElement
  readonly #topics = make('select', { attributes: { 'aria-label': 'Which events' } })
  readonly #list = make('ol', {
    class: 'events',
    attributes: { tabindex: '0', 'aria-label': 'Events, the newest first' }
  })
  readonly #empty = make('p', { class: 'empty', text: 'Nothing has changed since somebody began to look.' })
  #events: readonly FleetEvent[] = []
  #drawnUpTo = 0

  constructor() {
    for (const [value, text] of TOPICS) this.#topics.append(make('option', { text, attributes: { value } }))
    this.element = card('Events', 'events', this.#topics)
    this.element.append(this.#list, this.#empty)
    this.#topics.addEventListener('change', () => this.#redraw())
  }

  render({ events }: View): void {
    if (events === this.#events) return
    const isOther = (events.at(-1)?.id ?? 0) < this.#drawnUpTo || events[0]?.id !== this.#events[0]?.id
    this.#events = events
    if (isOther) this.#redraw()
    else this.#add(events.filter(({ id }) => id > this.#drawnUpTo))
  }

  #redraw(): void {
    this.#list.replaceChildren()
    this.#drawnUpTo = 0
    this.#add(this.#events)
  }

  #add(events: readonly FleetEvent[]): void {
    const topic = this.#topics.value
    const wanted = events.filter(event => topic === 'all' || event.topic === topic).slice(-SHOWN)
    this.#list.prepend(...wanted.map(event => this.#item(event)).reverse())
    while (this.#list.childElementCount > SHOWN) this.#list.lastElementChild?.remove()
    this.#drawnUpTo = this.#events.at(-1)?.id ?? 0
    setShown(this.#empty, this.#list.childElementCount === 0)
    setShown(this.#list, this.#list.childElementCount > 0)
  }

  #item({ atMs, mood, text }: FleetEvent): HTMLElement {
    const at = new Date(atMs)
    const time = make('time', { text: at.toLocaleTimeString(), attributes: { datetime: at.toISOString() } })
    const dot = make('span', { class: `mood mood-${mood}`, attributes: { 'aria-hidden': 'true' } })
    const spoken = MOODS[mood] === '' ? [] : [make('span', { class: 'unseen', text: `${MOODS[mood]}: ` })]
    return make('li', {}, dot, make('span', { class: 'event-text' }, ...spoken, text), time)
  }
}
