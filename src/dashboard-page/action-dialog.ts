// The dialog before something is done: what will be done to how many shards, where that needs saying.
import {
  type ActionKind,
  type DialogText,
  dialogText,
  type PositionWish,
  positionConsequence,
  positionOf
} from '../dashboard/dialog-rules.ts'
import type { View } from '../dashboard/view-state.ts'
import { button, make, setShown, setText } from './dom.ts'

const POSITIONS: readonly (readonly [PositionWish['kind'], string])[] = [
  ['LATEST', 'The newest: what arrives from now on'],
  ['TRIM_HORIZON', 'The oldest that the stream has'],
  ['time', 'A time'],
  ['sequence', 'After a record, by its sequence number']
]
/** A shard that is further behind than this has something that a reset could pass over. Milliseconds. */
const BEHIND_MS = 1_000

/** The dialog. */
export class ActionDialog {
  readonly #send: (body: object) => Promise<string | undefined>
  readonly #dialog = make('dialog', {
    attributes: { 'aria-labelledby': 'dialog-title', 'aria-describedby': 'dialog-text' }
  })
  readonly #form = make('form', { attributes: { method: 'dialog' } })
  readonly #title = make('h2', { attributes: { id: 'dialog-title' } })
  readonly #text = make('p', { attributes: { id: 'dialog-text' } })
  readonly #positions = make('fieldset', {}, make('legend', { text: 'Begin again with' }))
  readonly #effect = make('p', { class: 'effect' })
  readonly #time = make('input', {
    attributes: { type: 'datetime-local', step: '1', 'aria-label': 'Time, in the zone of this computer' }
  })
  readonly #sequence = make('input', {
    attributes: { inputmode: 'numeric', placeholder: '4964…', 'aria-label': 'Sequence number' }
  })
  readonly #why = make('input', { attributes: { maxlength: '200', id: 'dialog-why', autocomplete: 'off' } })
  readonly #whyField = make('label', { class: 'field', text: 'Why, for others to see' })
  readonly #worker = make('select', { attributes: { id: 'dialog-worker' } })
  readonly #workerField = make('label', { class: 'field', text: 'To worker' })
  readonly #name = make('input', { attributes: { autocomplete: 'off', id: 'dialog-name' } })
  readonly #nameText = make('span')
  readonly #nameField = make('label', { class: 'field' }, this.#nameText)
  readonly #problem = make('p', { class: 'problem', attributes: { role: 'alert' } })
  readonly #confirm = make('button', { attributes: { type: 'submit' } })
  #kind: ActionKind = 'release'
  #chosen: readonly string[] = []
  #view: View | undefined

  constructor(send: (body: object) => Promise<string | undefined>) {
    this.#send = send
    this.#whyField.append(this.#why)
    this.#workerField.append(this.#worker)
    this.#nameField.append(this.#name)
    for (const [value, text] of POSITIONS) this.#positions.append(this.#position(value, text))
    this.#positions.append(this.#effect)
    const cancel = button('Cancel', '', () => this.#dialog.close())
    const buttons = make('div', { class: 'dialog-buttons' }, cancel, this.#confirm)
    this.#form.append(
      this.#title,
      this.#text,
      this.#positions,
      this.#workerField,
      this.#whyField,
      this.#nameField,
      this.#problem,
      buttons
    )
    this.#dialog.append(this.#form)
    document.body.append(this.#dialog)
    this.#form.addEventListener('submit', event => {
      event.preventDefault()
      void this.#submit()
    })
    this.#form.addEventListener('input', () => this.#refresh())
  }

  open(kind: ActionKind, chosen: readonly string[], view: View): void {
    this.#kind = kind
    this.#chosen = chosen
    this.#view = view
    const text = this.#words()
    setText(this.#title, text.title)
    setText(this.#text, text.consequence)
    setText(this.#confirm, text.button)
    this.#confirm.className = text.isDangerous ? 'danger' : 'primary'
    setShown(this.#positions, kind === 'reset')
    setShown(this.#whyField, kind === 'pause')
    setShown(this.#workerField, kind === 'move')
    // What is done to everything and cannot be undone takes more than one press of a button.
    setShown(this.#nameField, text.isDangerous && chosen.length === 0)
    setText(this.#nameText, `Type ${view.facts?.app ?? ''} to confirm`)
    const workers = [...view.workers.values()].filter(({ state }) => state === 'ACTIVE')
    const names = [...new Set(workers.map(({ name }) => name))]
    this.#worker.replaceChildren(...names.map(name => make('option', { text: name, attributes: { value: name } })))
    for (const field of [this.#why, this.#name, this.#sequence]) field.value = ''
    this.#time.value = localTime(view.facts?.atMs ?? 0)
    this.#tell('')
    this.#refresh()
    this.#dialog.showModal()
  }

  #words(): DialogText {
    const unfinished = [...(this.#view?.shards.values() ?? [])].filter(({ state }) => state !== 'finished').length
    return dialogText(this.#kind, this.#chosen, unfinished)
  }

  #position(value: PositionWish['kind'], text: string): HTMLElement {
    const radio = make('input', { attributes: { type: 'radio', name: 'position', value } })
    const label = make('label', { class: 'radio' }, radio, text)
    if (value === 'time') return make('div', {}, label, this.#time)
    return value === 'sequence' ? make('div', {}, label, this.#sequence) : label
  }

  #wish(): PositionWish | undefined {
    const checked = this.#positions.querySelector<HTMLInputElement>('input[type=radio]:checked')
    const position = POSITIONS.find(([value]) => value === checked?.value)
    return position && { kind: position[0], time: this.#time.value, sequence: this.#sequence.value }
  }

  #refresh(): void {
    const wish = this.#wish()
    const shards = [...(this.#view?.shards.values() ?? [])].filter(
      ({ id }) => this.#chosen.length === 0 || this.#chosen.includes(id)
    )
    const behind = shards.filter(({ lagMs = 0 }) => lagMs > BEHIND_MS).length
    setText(this.#effect, wish === undefined ? '' : positionConsequence(wish, behind))
    setShown(this.#time, wish?.kind === 'time')
    setShown(this.#sequence, wish?.kind === 'sequence')
    const isNamed = this.#nameField.hidden || this.#name.value === this.#view?.facts?.app
    this.#confirm.disabled = !isNamed || (this.#kind === 'reset' && wish === undefined)
  }

  async #submit(): Promise<void> {
    const filled = this.#filled()
    if ('problem' in filled) return this.#tell(filled.problem)
    this.#confirm.disabled = true
    const problem = await this.#send(filled.body)
    this.#confirm.disabled = false
    if (problem === undefined) this.#dialog.close()
    else this.#tell(problem)
  }

  /** What to send, or what is wrong with what was filled in. */
  #filled(): { readonly body: object } | { readonly problem: string } {
    const kind = this.#kind
    const [shardId] = this.#chosen
    if (kind === 'move') return { body: { kind, shardId, workerId: this.#worker.value } }
    const scope = this.#chosen.length === 0 ? {} : { shardIds: this.#chosen }
    if (kind === 'pause') return { body: { kind, ...(this.#why.value !== '' && { why: this.#why.value }), ...scope } }
    if (kind !== 'reset') return { body: { kind, ...scope } }
    const wish = this.#wish()
    if (wish === undefined) return { problem: 'Say where to begin' }
    const found = positionOf(wish, this.#chosen.length)
    return 'problem' in found ? found : { body: { kind, ...found, ...scope } }
  }

  #tell(problem: string): void {
    setText(this.#problem, problem)
    setShown(this.#problem, problem !== '')
  }
}

/** A time as an input of type `datetime-local` has it. */
function localTime(atMs: number): string {
  const zoneMs = new Date(atMs).getTimezoneOffset() * 60_000
  return new Date(atMs - zoneMs).toISOString().slice(0, 19)
}
