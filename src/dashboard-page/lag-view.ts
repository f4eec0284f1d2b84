// The lag over the last half hour, as a chart.
import { type Chart, chartOf } from '../dashboard/chart-rules.ts'
import type { LagPoint } from '../dashboard/snapshot.ts'
import type { View } from '../dashboard/view-state.ts'
import { duration } from '../dashboard/wording-rules.ts'
import { card, draw, make, setAttribute, setShown, setText } from './dom.ts'

const SIZE = { width: 600, height: 180 }

/** The chart. */
export class LagView {
  readonly element: HTMLElement
  readonly #now = make('span', { class: 'dim' })
  readonly #empty = make('p', { class: 'empty', text: 'The lag has not been measured yet.' })
  readonly #grid = draw('g', { class: 'grid' })
  readonly #area = draw('path', { class: 'area' })
  readonly #max = draw('path', { class: 'max' })
  readonly #median = draw('path', { class: 'median' })
  readonly #dot = draw('circle', { r: 4, class: 'dot' })
  readonly #cursor = draw('line', { class: 'cursor', y1: 0, y2: SIZE.height })
  readonly #drawing = draw('svg', { viewBox: `-52 -10 ${SIZE.width + 70} ${SIZE.height + 34}`, role: 'img' })
  readonly #figure = make('div', { class: 'chart' })
  #points: readonly LagPoint[] | undefined
  #chart: Chart | undefined

  constructor() {
    const key = make(
      'span',
      { class: 'key' },
      make('i', { class: 'key-max' }),
      'highest',
      make('i', { class: 'key-median' }),
      'median'
    )
    this.element = card('Lag over time', 'lag', this.#now, key)
    this.#drawing.append(this.#grid, this.#area, this.#median, this.#max, this.#cursor, this.#dot)
    this.#figure.append(this.#drawing)
    this.element.append(this.#empty, this.#figure)
    this.#drawing.addEventListener('pointermove', event => this.#point(event))
    this.#drawing.addEventListener('pointerleave', () => this.#rest())
  }

  render({ points }: View): void {
    if (points === this.#points) return
    this.#points = points
    const chart = chartOf(points, SIZE)
    this.#chart = chart
    setShown(this.#empty, chart.points.length === 0)
    setShown(this.#figure, chart.points.length > 0)
    this.#max.setAttribute('d', chart.maxLine)
    this.#area.setAttribute('d', chart.maxArea)
    this.#median.setAttribute('d', chart.medianLine)
    this.#renderGrid(chart)
    this.#rest()
  }

  #renderGrid({ yMarks, xMarks }: Chart): void {
    const across = yMarks.flatMap(({ at, text }) => [
      draw('line', { x1: 0, x2: SIZE.width, y1: at, y2: at }),
      draw('text', { x: -8, y: at + 4, 'text-anchor': 'end' }, text)
    ])
    const along = xMarks.map(({ at, text }) =>
      draw(
        'text',
        { x: at, y: SIZE.height + 20, 'text-anchor': at > SIZE.width - 20 ? 'end' : at < 20 ? 'start' : 'middle' },
        text
      )
    )
    this.#grid.replaceChildren(...across, ...along)
  }

  /** Shows the newest point. */
  #rest(): void {
    const last = this.#chart?.points.at(-1)
    if (last === undefined) return
    this.#cursor.setAttribute('visibility', 'hidden')
    this.#mark(last)
    const { maxMs, medianMs } = last.point
    const text = `now ${duration(maxMs ?? 0)}, median ${duration(medianMs ?? 0)}`
    setText(this.#now, text)
    setAttribute(this.#drawing, 'aria-label', `Lag of the last half hour: ${text}`)
  }

  /** Shows the point that is closest to the pointer. */
  #point({ clientX }: PointerEvent): void {
    const box = this.#drawing.getBoundingClientRect()
    const x = ((clientX - box.left) / box.width) * (SIZE.width + 70) - 52
    const closest = this.#chart?.points.reduce(
      (a, b) => (Math.abs(b.x - x) < Math.abs(a.x - x) ? b : a),
      this.#chart.points[0] ?? { x: 0, y: 0, point: { atMs: 0, maxMs: 0, medianMs: 0 } }
    )
    if (closest === undefined) return
    this.#mark(closest)
    this.#cursor.setAttribute('visibility', 'visible')
    this.#cursor.setAttribute('x1', String(closest.x))
    this.#cursor.setAttribute('x2', String(closest.x))
    const { atMs, maxMs, medianMs } = closest.point
    setText(
      this.#now,
      `${new Date(atMs).toLocaleTimeString()}: ${duration(maxMs ?? 0)}, median ${duration(medianMs ?? 0)}`
    )
  }

  #mark({ x, y }: { readonly x: number; readonly y: number }): void {
    this.#dot.setAttribute('cx', String(x))
    this.#dot.setAttribute('cy', String(y))
  }
}
