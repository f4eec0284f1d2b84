// The heartbeat of a session as far as a proof of it needs one: answered at every moment, until it falls silent.
import { SessionProof } from '../../src/leases/session-proof.ts'
import type { Clock } from '../../src/runtime/clock.ts'

/** How long a beat proves the session. Milliseconds. */
export const VALID_MS = 8_000

export class Heart {
  readonly proof: SessionProof
  /** What the proof told: `lapsed`, or `resumed after 300` milliseconds. */
  readonly told: string[] = []
  readonly #clock: Clock
  /** When the newest answered beat was sent. `undefined`: now, at any moment. */
  #provedAtMs: number | undefined

  constructor(clock: Clock, validMs = VALID_MS) {
    this.#clock = clock
    this.proof = new SessionProof({
      clock,
      validMs,
      provedAtMs: () => this.#provedAtMs ?? clock.monotonicMs(),
      lapsed: () => this.told.push('lapsed'),
      resumed: forMs => this.told.push(`resumed after ${forMs}`)
    })
    this.proof.isProved()
  }

  /** No beat is answered from now on. Nobody notices before the proof runs out and somebody asks. */
  silence(): void {
    this.#provedAtMs ??= this.#clock.monotonicMs()
  }

  /** Beats are answered again. */
  beat(): void {
    this.#provedAtMs = undefined
    this.proof.isProved()
  }

  /** Suspends the session now, as its death does too: no beat proves anything any more. */
  lapse(): void {
    this.#provedAtMs = Number.NEGATIVE_INFINITY
    this.proof.isProved()
  }
}
