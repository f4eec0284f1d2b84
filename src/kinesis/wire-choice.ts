// Which encoding GetRecords is asked in: CBOR, where that is wished, unless the endpoint has turned out not to speak it.
import type { Clock } from '../runtime/clock.ts'

/** How the answers of GetRecords are encoded. */
export type Wire = 'json' | 'cbor'

/** Told when another encoding is used than before, and why. Must not throw. */
export type WireListener = (wire: Wire, because: string) => void

/** After what time CBOR is tried again: an endpoint is replaced now and then, or was not itself. Milliseconds. */
const TRY_AGAIN_MS = 3_600_000

/** Remembers what the endpoint speaks. */
export class WireChoice {
  readonly #wished: Wire
  readonly #clock: Clock
  readonly #changed: WireListener | undefined
  /** Until when it is asked in JSON. Monotonic milliseconds. */
  #jsonUntilMs = Number.NEGATIVE_INFINITY
  /** What was told last. */
  #told: Wire

  constructor(wished: Wire, clock: Clock, changed: WireListener | undefined) {
    this.#wished = wished
    this.#clock = clock
    this.#changed = changed
    this.#told = wished
  }

  /** What to ask in now. */
  get wire(): Wire {
    return this.#wished === 'cbor' && this.#clock.monotonicMs() >= this.#jsonUntilMs ? 'cbor' : 'json'
  }

  /** An answer in CBOR was read. */
  cborWorked(): void {
    if (this.wire === 'cbor') this.#tell('cbor', 'the endpoint answers in CBOR again')
  }

  /** CBOR was refused, or not answered in. JSON is spoken for a while. */
  cborFailed(because: string): void {
    this.#jsonUntilMs = this.#clock.monotonicMs() + TRY_AGAIN_MS
    this.#tell('json', because)
  }

  #tell(wire: Wire, because: string): void {
    if (wire === this.#told) return
    this.#told = wire
    this.#changed?.(wire, because)
  }
}
