// The line to the server: a stream of events that is read, and asked for again when it breaks; and actions that are sent. Nothing is
// read while nobody looks at the page, because somebody pays for it.
import { NOTHING_READ, readEvents } from '../dashboard/event-stream-rules.ts'
import type { Frame } from '../dashboard/snapshot.ts'

/** How the line is. `locked`: the server wants a token, or another one. */
export type LineState = 'connecting' | 'live' | 'lost' | 'locked' | 'asleep'

/** What a line tells of. */
export interface LineListener {
  readonly frame: (frame: Frame) => void
  readonly state: (state: LineState, because?: string) => void
}

const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 15_000
/** Without a sign of life for so long the line counts as broken: there is one every fifteen seconds. */
const SILENCE_MS = 40_000
/** A page that nobody sees goes to sleep after this. */
const SLEEP_MS = 60_000

/** A line to the server. */
export class Connection {
  readonly #listener: LineListener
  #token: string | undefined
  #lastId = ''
  #reading: AbortController | undefined
  #wake: () => void = () => {}

  constructor(token: string | undefined, listener: LineListener) {
    this.#token = token
    this.#listener = listener
    document.addEventListener('visibilitychange', () => void this.#seen())
  }

  /** Reads until the page is closed. */
  async run(): Promise<void> {
    let waitMs = FIRST_WAIT_MS
    for (;;) {
      const outcome = await this.#read()
      if (outcome === 'read') waitMs = FIRST_WAIT_MS
      if (outcome === 'locked' || document.hidden) await this.#woken()
      else {
        await this.#woken(waitMs)
        waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2)
      }
    }
  }

  /** Goes on with another token. */
  use(token: string | undefined): void {
    this.#token = token
    this.#lastId = ''
    this.#reading?.abort()
    this.#wake()
  }

  /** Sends what is to be done. Resolves with what is wrong with it, if it was not accepted. */
  async send(path: string, body: object): Promise<string | undefined> {
    try {
      const response = await fetch(`api/${path}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...this.#pass() },
        body: JSON.stringify(body)
      })
      if (response.ok) return undefined
      return await refusalOf(response)
    } catch {
      return 'The server could not be reached. Look at the events before you try again: it may have been done.'
    }
  }

  /** Reads one stream to its end. */
  async #read(): Promise<'read' | 'lost' | 'locked'> {
    const reading = new AbortController()
    this.#reading = reading
    let silence = setTimeout(() => reading.abort(), SILENCE_MS)
    const { state } = this.#listener
    let hasRead = false
    try {
      state('connecting')
      const headers = { ...this.#pass(), ...(this.#lastId === '' ? {} : { 'Last-Event-ID': this.#lastId }) }
      const response = await fetch('api/stream', { headers, signal: reading.signal, cache: 'no-store' })
      if (!response.ok || response.body === null) {
        const because = await refusalOf(response)
        state(response.status === 401 ? 'locked' : 'lost', because)
        return response.status === 401 ? 'locked' : 'lost'
      }
      state('live')
      const pieces = response.body.pipeThrough(new TextDecoderStream()).getReader()
      let rest = NOTHING_READ
      for (;;) {
        const { done, value } = await pieces.read()
        if (done) break
        hasRead = true
        clearTimeout(silence)
        silence = setTimeout(() => reading.abort(), SILENCE_MS)
        const found = readEvents(rest, value)
        rest = found.rest
        for (const { id, data } of found.events) {
          this.#listener.frame(JSON.parse(data))
          this.#lastId = id
        }
      }
      state('lost')
    } catch {
      state(document.hidden && reading.signal.aborted ? 'asleep' : 'lost')
    } finally {
      clearTimeout(silence)
    }
    return hasRead ? 'read' : 'lost'
  }

  /** Waits for so long, or until there is a reason to try at once. */
  #woken(ms?: number): Promise<void> {
    return new Promise(resolve => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async #seen(): Promise<void> {
    if (!document.hidden) return this.#wake()
    await new Promise(resolve => setTimeout(resolve, SLEEP_MS))
    if (document.hidden) this.#reading?.abort()
  }

  #pass(): Record<string, string> {
    return this.#token === undefined ? {} : { Authorization: `Bearer ${this.#token}` }
  }
}

async function refusalOf(response: Response): Promise<string> {
  try {
    const { error } = (await response.json()) as { readonly error?: unknown }
    if (typeof error === 'string') return error
  } catch {
    // Something between the server and this page has answered in its place.
  }
  return `the answer was ${response.status}`
}
