// The buttons for what can be done, to the shards that are chosen or to all of them. They are there only for who may act.
import { ACTION_WORDS, type ActionKind, obstacleOf } from '../dashboard/dialog-rules.ts'
import type { View } from '../dashboard/view-state.ts'
import { plural } from '../dashboard/wording-rules.ts'
import { ActionDialog } from './action-dialog.ts'
import { button, make, setAttribute, setShown, setText } from './dom.ts'

const KINDS: readonly ActionKind[] = ['reset', 'release', 'pause', 'resume', 'move']

/** What the buttons need of the rest of the page. */
export interface ActionsParts {
  /** Resolves with what is wrong, if it was not accepted. */
  readonly send: (body: object) => Promise<string | undefined>
  readonly clear: () => void
}

/** The buttons. */
export class ActionsView {
  readonly element = make('div', {
    class: 'actions',
    attributes: { role: 'toolbar', 'aria-label': 'Actions on shards' }
  })
  readonly #about = make('span', { class: 'about' })
  readonly #clear: HTMLButtonElement
  readonly #buttons = new Map<ActionKind, HTMLButtonElement>()
  readonly #dialog: ActionDialog
  #chosen: readonly string[] = []
  #view: View | undefined

  constructor({ send, clear }: ActionsParts) {
    this.#dialog = new ActionDialog(send)
    this.#clear = button('Choose none', 'quiet', clear)
    for (const kind of KINDS) {
      const opener = button(`${ACTION_WORDS[kind]}…`, kind === 'reset' ? 'danger-quiet' : '', () => this.#open(kind))
      this.#buttons.set(kind, opener)
    }
    this.element.append(this.#about, ...this.#buttons.values(), this.#clear)
    setShown(this.element, false)
  }

  render(view: View): void {
    this.#view = view
    setShown(this.element, view.page.canAct && view.facts !== undefined)
    this.choose(this.#chosen)
  }

  /** Says which shards the buttons are about. None: all of them. */
  choose(ids: readonly string[]): void {
    this.#chosen = ids
    setText(this.#about, ids.length === 0 ? 'For all shards:' : `For ${plural(ids.length, 'shard')}:`)
    setShown(this.#clear, ids.length > 0)
    const shards = ids.flatMap(id => this.#view?.shards.get(id) ?? [])
    for (const [kind, opener] of this.#buttons) {
      const obstacle = obstacleOf(kind, shards)
      if (opener.disabled !== (obstacle !== undefined)) opener.disabled = obstacle !== undefined
      setAttribute(opener, 'title', obstacle)
    }
  }

  #open(kind: ActionKind): void {
    if (this.#view !== undefined) this.#dialog.open(kind, this.#chosen, this.#view)
  }
}
