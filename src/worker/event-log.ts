// Logs what is wrong and nobody listens to, so that no shard stands still in silence; and that it has passed. What is wrong again
// and again is said once a minute, with how often that was.
import type { Clock } from '../runtime/clock.ts'
import type { Logger, LogLevel } from '../runtime/logger.ts'
import { type AnyEvent, endedTroubles, fieldsOf, lastingTrouble, topicOf, troubleIn } from './event-log-rules.ts'

/** Of the same thing there is a line in so long at most. Milliseconds. */
const SAY_EVERY_MS = 60_000
/** What is said when nothing is wrong any more. */
const RECOVERED = 'what was wrong has passed'

interface Line {
  readonly level: LogLevel
  readonly fields: object
  readonly message: string
}

interface Topic {
  readonly saidAtMs: number
  /** How often it has happened since, and the last line about that. */
  unsaid: number
  last: Line | undefined
}

/** The log of one worker. */
export class EventLog {
  readonly #logger: Logger
  readonly #clock: Clock | undefined
  readonly #topics = new Map<string, Topic>()
  /** What is wrong, and was said to be, or will be. */
  readonly #troubles = new Set<string>()
  readonly #over = new AbortController()
  #timer: AbortController | undefined

  /** @param clock absent: everything is said each time */
  constructor(logger: Logger, clock: Clock | undefined) {
    this.#logger = logger
    this.#clock = clock
  }

  /** Takes note of an event. `isHeard`: somebody listens to it, and may say what there is to say. */
  note(of: AnyEvent, isHeard: boolean): void {
    if (this.#troubles.size > 0) this.#end(of)
    const trouble = isHeard ? undefined : troubleIn(of)
    if (trouble !== undefined) {
      const key = lastingTrouble(of)
      if (key !== undefined) this.#troubles.add(key)
      this.#say(topicOf(of), { ...trouble, fields: fieldsOf(of) })
    }
    if (of.name === 'worker:stopped') this.#close()
  }

  #end(of: AnyEvent): void {
    const { keys, isGood } = endedTroubles(of)
    const ended = keys.filter(key => this.#troubles.delete(key))
    if (ended.length === 0 || !isGood || this.#troubles.size > 0) return
    this.#say(RECOVERED, { level: 'info', fields: { event: of.name }, message: RECOVERED })
  }

  #say(topic: string | undefined, line: Line): void {
    const nowMs = this.#clock?.monotonicMs()
    if (topic === undefined || nowMs === undefined || this.#over.signal.aborted) {
      this.#write(line, 0)
      return
    }
    const known = this.#topics.get(topic)
    if (known === undefined || nowMs - known.saidAtMs >= SAY_EVERY_MS) {
      this.#topics.set(topic, { saidAtMs: nowMs, unsaid: 0, last: undefined })
      this.#write(line, known?.unsaid ?? 0)
      return
    }
    known.unsaid += 1
    known.last = line
    this.#sayLater()
  }

  /** Says what has happened again once its minute is over. */
  #sayLater(): void {
    if (this.#timer !== undefined || this.#clock === undefined) return
    const timer = new AbortController()
    this.#timer = timer
    void this.#clock.sleep(SAY_EVERY_MS, timer.signal).then(() => {
      if (timer.signal.aborted) return
      this.#timer = undefined
      this.#sayUnsaid()
    })
  }

  #sayUnsaid(): void {
    const nowMs = this.#clock?.monotonicMs() ?? 0
    for (const [topic, { saidAtMs, unsaid, last }] of this.#topics) {
      if (nowMs - saidAtMs < SAY_EVERY_MS && !this.#over.signal.aborted) {
        if (last !== undefined) this.#sayLater()
        continue
      }
      this.#topics.delete(topic)
      // That something has passed is not worth telling when it is over by now.
      if (last === undefined || (topic === RECOVERED && this.#troubles.size > 0)) continue
      this.#topics.set(topic, { saidAtMs: nowMs, unsaid: 0, last: undefined })
      this.#write(last, unsaid - 1)
    }
  }

  #write({ level, fields, message }: Line, unsaid: number): void {
    const counted = unsaid > 0 ? { ...fields, unsaid } : fields
    this.#logger[level](counted, message)
  }

  /** The worker has stopped: what is left to say is said now. */
  #close(): void {
    this.#over.abort('stopped')
    this.#timer?.abort('stopped')
    this.#timer = undefined
    this.#sayUnsaid()
  }
}
