// What is being done from a page, how far it is, and what it came to.
import type { OperationRow } from '../dashboard/snapshot.ts'
import type { View } from '../dashboard/view-state.ts'
import { button, make, setChildren, setClass, setShown, setText } from './dom.ts'

const WORDS: Readonly<Record<OperationRow['state'], string>> = {
  running: 'under way',
  done: 'done',
  failed: 'not done'
}
/** What is over is shown for so long. Milliseconds. */
const SHOWN_MS = 10 * 60_000

interface OperationLine {
  readonly element: HTMLElement
  readonly state: HTMLElement
  readonly told: HTMLElement
  readonly end: HTMLButtonElement
}

/** The list of operations. */
export class OperationsView {
  readonly element = make('section', { class: 'operations', attributes: { 'aria-label': 'Actions', role: 'status' } })
  readonly #lines = new Map<string, OperationLine>()
  readonly #hidden = new Set<string>()
  readonly #callOff: (id: string) => void
  #view: View | undefined

  constructor(callOff: (id: string) => void) {
    this.#callOff = callOff
    setShown(this.element, false)
  }

  render(view: View): void {
    this.#view = view
    const { operations, facts, page } = view
    const nowMs = facts?.atMs ?? 0
    const shown = operations.filter(({ id, state, atMs }) => {
      return !this.#hidden.has(id) && (state === 'running' || nowMs - atMs < SHOWN_MS)
    })
    const elements = shown.map(operation => {
      const line = this.#lines.get(operation.id) ?? this.#line(operation)
      this.#lines.set(operation.id, line)
      const { state, told } = operation
      setClass(line.element, `operation operation-${state}`)
      setText(line.state, WORDS[state])
      setText(line.told, told)
      setText(line.end, state === 'running' ? 'Call off' : 'Dismiss')
      setShown(line.end, state !== 'running' || page.canAct)
      return line.element
    })
    setChildren(this.element, elements)
    setShown(this.element, elements.length > 0)
  }

  #line({ id, what }: OperationRow): OperationLine {
    const state = make('span', { class: 'badge' })
    const told = make('span', { class: 'told' })
    const end = button('', 'quiet', () => this.#ended(id))
    const element = make('div', {}, state, make('strong', { text: what }), told, end)
    return { element, state, told, end }
  }

  #ended(id: string): void {
    const operation = this.#view?.operations.find(each => each.id === id)
    if (operation?.state === 'running') {
      this.#callOff(id)
      return
    }
    this.#hidden.add(id)
    if (this.#view !== undefined) this.render(this.#view)
  }
}
