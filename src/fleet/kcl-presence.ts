// What Java workers of KCL 3.x see of one worker: that its session is there and can be given leases, said anew as long as it
// lives and the fleet is mixed; and taken back when it stops, or where nothing of that kind may be written.
import type { FleetMode } from '../leases/control-store.ts'
import type { KclCoordination, KclPlace } from '../leases/kcl-coordination.ts'
import { judgeKcl } from '../leases/kcl-rules.ts'
import type { Clock } from '../runtime/clock.ts'
import { type Loop, startLoop } from '../runtime/loop.ts'

/** What the presence of a worker is made of. */
export interface KclPresenceOptions {
  readonly kcl: KclCoordination
  readonly clock: Clock
  readonly mode: () => FleetMode
  /** The session alive, if it is proved to live. Nothing is said of any other. */
  readonly session: () => string | undefined
  /** Whether it may take no more leases. What it were given then, nobody would read. */
  readonly isFull: () => boolean
  readonly failed: (what: string, error: unknown) => void
}

interface Published {
  readonly session: string
  readonly place: KclPlace
}

/** How often a worker says that it is there: a Java leader counts on it for a minute. Milliseconds. */
const PUBLISH_EVERY_MS = 20_000
/** How often it looks how the Java fleet is coordinated. Milliseconds. */
const READ_EVERY_MS = 60_000

/** One worker in the eyes of a Java fleet. {@link start} and {@link stop} it once. */
export class KclPresence {
  readonly #options: KclPresenceOptions
  #loop: Loop | undefined
  #published: Published | undefined
  #place: KclPlace | undefined
  #readAtMs = Number.NEGATIVE_INFINITY
  #circumstances = ''
  #isStopped = false

  constructor(options: KclPresenceOptions) {
    this.#options = options
  }

  /** Goes on in the background. */
  start(): void {
    const { clock, failed } = this.#options
    if (this.#isStopped) return
    this.#loop = startLoop({
      clock,
      run: () => this.#turn(),
      delayMs: () => PUBLISH_EVERY_MS,
      onError: error => failed('appear in a fleet of KCL', error)
    })
  }

  /** Something may have changed: the session, the mode, whether it is full, or, as `assigner` says, who assigns leases. Then acts on it now. */
  notice(assigner: string | undefined): void {
    const { session, mode, isFull } = this.#options
    const circumstances = JSON.stringify([session(), mode(), assigner, isFull()])
    if (circumstances === this.#circumstances) return
    this.#circumstances = circumstances
    this.#readAtMs = Number.NEGATIVE_INFINITY
    this.#loop?.nudge()
  }

  /** Ends it. Resolves when Java workers are told, or could not be. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#loop?.stop()
    await this.#withdraw().catch(error => this.#options.failed('leave a fleet of KCL', error))
  }

  async #turn(): Promise<void> {
    const { kcl, clock, session: current, isFull, failed } = this.#options
    await this.#read().catch(error => failed('look how a fleet of KCL is coordinated', error))
    const session = current()
    const [published, place] = [this.#published, this.#place]
    if (published !== undefined && (published.session !== session || published.place !== place)) await this.#withdraw()
    if (session === undefined || place === undefined || this.#isStopped) return
    // Also if there is no answer: it may have landed.
    this.#published = { session, place }
    await kcl.publish(session, place, clock.epochMs() / 1_000, isFull())
  }

  /** While the fleet is mixed. A failure changes nothing: what was known stands. */
  async #read(): Promise<void> {
    const { kcl, clock, mode } = this.#options
    if (mode() !== 'mixed') {
      this.#place = undefined
      this.#readAtMs = Number.NEGATIVE_INFINITY
      return
    }
    if (clock.monotonicMs() - this.#readAtMs < READ_EVERY_MS) return
    this.#readAtMs = clock.monotonicMs()
    this.#place = judgeKcl(await kcl.read(clock.epochMs() / 1_000)).place
  }

  async #withdraw(): Promise<void> {
    if (this.#published === undefined) return
    const { session, place } = this.#published
    await this.#options.kcl.withdraw(session, place)
    this.#published = undefined
  }
}
