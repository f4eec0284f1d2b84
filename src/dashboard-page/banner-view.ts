// The head of the page: which fleet it is about, whether that is well, whether the line is live, and what one may do.
import type { View } from '../dashboard/view-state.ts'
import { duration, plural } from '../dashboard/wording-rules.ts'
import type { LineState } from './connection.ts'
import { button, make, setClass, setShown, setText } from './dom.ts'
import { themeSwitch } from './theme.ts'

const LINE_WORDS: Readonly<Record<LineState, string>> = {
  connecting: 'connecting…',
  live: 'live',
  lost: 'connection lost, trying again…',
  locked: 'locked',
  asleep: 'asleep until somebody looks'
}

/** The head of the page. */
export class BannerView {
  readonly #app = make('h1', { text: 'Millrace' })
  readonly #stream = make('span', { class: 'dim' })
  readonly #health = make('span', { class: 'pill' })
  readonly #line = make('span', { class: 'line', text: LINE_WORDS.connecting })
  readonly #may = make('span', { class: 'dim may' })
  readonly #notice = make('p', { class: 'notice', attributes: { role: 'alert' } })
  readonly #lock = make('form', { class: 'lock' })
  readonly #announcer: HTMLElement
  #lineState: LineState = 'connecting'

  constructor(host: HTMLElement, main: HTMLElement, useToken: (token: string) => void) {
    const name = make('div', { class: 'name' }, this.#app, this.#stream)
    const right = make('div', { class: 'top-right' }, this.#line, this.#may, themeSwitch())
    host.append(make('div', { class: 'top-in' }, name, this.#health, right))
    this.#fillLock(useToken)
    main.prepend(this.#notice, this.#lock)
    setShown(this.#notice, false)
    setShown(this.#lock, false)
    setShown(this.#health, false)
    this.#announcer = document.getElementById('announcer') ?? make('div')
  }

  /** Shows how the line is. */
  line(state: LineState, because = ''): void {
    this.#lineState = state
    setText(this.#line, LINE_WORDS[state])
    setClass(this.#line, `line line-${state}`)
    setShown(this.#lock, state === 'locked')
    document.body.classList.toggle('stale', state === 'lost' || state === 'asleep')
    if (state === 'live' || state === 'connecting') setShown(this.#notice, false)
    else if (because !== '') this.#tell(`The server says: ${because}.`)
  }

  /** Shows which fleet it is and how it does. */
  render({ facts, page, events }: View): void {
    const everyText = page.everyMs % 1_000 === 0 ? `${page.everyMs / 1_000} s` : duration(page.everyMs)
    if (this.#lineState === 'live') setText(this.#line, `live, every ${everyText}`)
    setText(this.#may, page.canAct ? 'may act' : 'read-only')
    if (facts === undefined) {
      const last = events.at(-1)
      if (last?.topic === 'trouble') this.#tell(last.text)
      return
    }
    const { app, stream, isRed, reasons, moreReasons, problem } = facts
    setText(this.#app, app)
    setText(this.#stream, `on ${stream}`)
    const things = reasons.length + moreReasons
    const health = isRed ? `${plural(things, 'thing')} to look at` : 'All is well'
    if (this.#health.textContent !== health) setText(this.#announcer, health)
    setText(this.#health, health)
    setClass(this.#health, isRed ? 'pill bad' : 'pill good')
    setShown(this.#health, true)
    document.title = `${isRed ? '● ' : ''}${app} · Millrace`
    if (problem !== undefined) {
      this.#tell(
        `What is shown is from ${new Date(facts.atMs).toLocaleTimeString()}. The fleet cannot be looked at: ${problem}`
      )
    } else if (this.#lineState === 'live') setShown(this.#notice, false)
  }

  #tell(text: string): void {
    setText(this.#notice, text)
    setShown(this.#notice, true)
  }

  #fillLock(useToken: (token: string) => void): void {
    const input = make('input', { attributes: { type: 'password', id: 'token', autocomplete: 'off', required: '' } })
    const label = make('label', { text: 'Token', attributes: { for: 'token' } })
    const submit = button('Open', 'primary', () => {})
    submit.type = 'submit'
    this.#lock.append(make('h2', { text: 'This dashboard wants a token' }), label, input, submit)
    this.#lock.addEventListener('submit', event => {
      event.preventDefault()
      if (input.value !== '') useToken(input.value)
      input.value = ''
    })
  }
}
