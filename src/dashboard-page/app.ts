// The page as a whole: what comes over the line is folded into what is known, and drawn once for each picture of the screen.
import type { Frame } from '../dashboard/snapshot.ts'
import { foldFrame, type View } from '../dashboard/view-state.ts'
import { ActionsView } from './actions-view.ts'
import { BannerView } from './banner-view.ts'
import { Connection } from './connection.ts'
import { make } from './dom.ts'
import { EventsView } from './events-view.ts'
import { LagView } from './lag-view.ts'
import { LineageView } from './lineage-view.ts'
import { OperationsView } from './operations-view.ts'
import { keepToken, takeToken } from './pass.ts'
import { RangeView } from './range-view.ts'
import { ShardsView } from './shards-view.ts'
import { SummaryView } from './summary-view.ts'
import { Tooltip } from './tooltip.ts'
import { WorkersView } from './workers-view.ts'

interface Drawn {
  render(view: View): void
}

/** The page. */
export class App {
  readonly #connection: Connection
  readonly #banner: BannerView
  readonly #views: readonly Drawn[]
  #view: View | undefined
  /** What came since the page was last drawn. */
  #changed: Set<string> | 'all' = 'all'
  #isReshaped = true
  #isDrawing = false

  constructor() {
    const [top, main] = ['top', 'main'].map(id => document.getElementById(id) ?? document.body)
    if (top === undefined || main === undefined) throw new TypeError('The page has no body')
    this.#connection = new Connection(takeToken(), {
      frame: frame => this.#take(frame),
      state: (state, because) => this.#banner.line(state, because)
    })
    const tooltip = new Tooltip()
    const shards = new ShardsView(ids => actions.choose(ids))
    const range = new RangeView({ tooltip, reveal: id => shards.reveal(id) })
    const lineage = new LineageView(tooltip)
    const workers = new WorkersView(worker => range.highlight(worker))
    const events = new EventsView()
    const lag = new LagView()
    const actions = new ActionsView({
      send: body => this.#connection.send('actions', body),
      clear: () => shards.clear()
    })
    const operations = new OperationsView(id => void this.#connection.send('call-off', { id }))
    shards.element.querySelector('.card-head')?.after(actions.element)
    const summary = new SummaryView(main)
    main.prepend(operations.element)
    main.append(
      range.element,
      make('div', { class: 'two' }, lag.element, workers.element),
      make('div', { class: 'two wide-first' }, shards.element, events.element),
      lineage.element
    )
    this.#banner = new BannerView(top, main, token => {
      keepToken(token)
      this.#connection.use(token)
    })
    this.#views = [this.#banner, summary, range, lag, workers, shards, actions, events, operations, lineage]
  }

  /** Runs until the page is closed. */
  start(): void {
    void this.#connection.run()
  }

  #take(frame: Frame): void {
    const view = foldFrame(this.#view, frame)
    this.#view = view
    if (view.changed === 'all' || this.#changed === 'all') this.#changed = 'all'
    else for (const id of view.changed) this.#changed.add(id)
    this.#isReshaped ||= view.isReshaped
    if (this.#isDrawing) return
    this.#isDrawing = true
    requestAnimationFrame(() => this.#draw())
  }

  #draw(): void {
    this.#isDrawing = false
    if (this.#view === undefined) return
    const view: View = { ...this.#view, changed: this.#changed, isReshaped: this.#isReshaped }
    this.#changed = new Set()
    this.#isReshaped = false
    performance.mark('millrace-draw')
    for (const drawn of this.#views) drawn.render(view)
    performance.measure('millrace-drawn', 'millrace-draw')
  }
}
