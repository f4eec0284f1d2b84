// Counts the requests to the services that a worker calls, until somebody takes the counts.

/** A request that was made, or a few of the same kind. */
export interface ServiceCall {
  readonly service: 'kinesis' | 'dynamodb'
  /** The call, such as `GetRecords`. */
  readonly operation: string
  /** How many requests it took. Absent: one. */
  readonly requests?: number
  /** How it came out. Absent: well, which a condition that is not met is as well. */
  readonly outcome?: 'failed' | 'throttled'
  /** Of DynamoDB. */
  readonly readUnits?: number
  readonly writeUnits?: number
  /** How long it took. Milliseconds; absent: that is not measured. */
  readonly durationMs?: number
}

/** Is told of each request. Must not throw. */
export type CallListener = (call: ServiceCall) => void

/** The requests of one kind. */
export interface RequestCounts {
  readonly service: 'kinesis' | 'dynamodb'
  readonly operation: string
  readonly requests: number
  /** Those that failed, throttled ones included. */
  readonly failed: number
  readonly throttled: number
  readonly readUnits: number
  readonly writeUnits: number
  /** How long those took that this is measured of. Milliseconds. */
  readonly durationsMs: readonly number[]
}

type Counted = { -readonly [Key in keyof RequestCounts]: RequestCounts[Key] } & { durationsMs: number[] }

/** More than anybody makes in ten seconds; so that nothing grows if nobody takes the counts. */
const DURATIONS = 10_000

/** The requests of one worker. */
export class RequestMeter {
  /** Whether the stream is paid for on demand. `undefined`: nobody has said. */
  isOnDemand: boolean | undefined
  readonly #counts = new Map<string, Counted>()
  /** How many requests there were that are counted elsewhere, and how many of them were noted. */
  readonly #elsewhere: { readonly call: ServiceCall; readonly total: () => number; noted: number }[] = []

  /** Notes a request. */
  readonly note: CallListener = call => {
    const { service, operation, requests = 1, outcome, readUnits = 0, writeUnits = 0, durationMs } = call
    const counts = this.#of(service, operation)
    counts.requests += requests
    if (outcome !== undefined) counts.failed += 1
    if (outcome === 'throttled') counts.throttled += 1
    counts.readUnits += readUnits
    counts.writeUnits += writeUnits
    if (durationMs !== undefined && counts.durationsMs.length < DURATIONS) counts.durationsMs.push(durationMs)
  }

  /** Counts, too, what another thread does: `total` is how many requests like `call` it has made. */
  follow(call: ServiceCall, total: () => number): void {
    this.#elsewhere.push({ call, total, noted: 0 })
  }

  /** The counts since the last time. */
  take(): RequestCounts[] {
    for (const followed of this.#elsewhere) {
      const { call, total, noted } = followed
      const requests = total() - noted
      followed.noted += requests
      if (requests > 0) this.note({ ...call, requests, writeUnits: (call.writeUnits ?? 0) * requests })
    }
    const taken = [...this.#counts.values()]
    this.#counts.clear()
    return taken
  }

  #of(service: ServiceCall['service'], operation: string): Counted {
    const key = `${service} ${operation}`
    const known = this.#counts.get(key)
    if (known !== undefined) return known
    const none = { requests: 0, failed: 0, throttled: 0, readUnits: 0, writeUnits: 0, durationsMs: [] }
    const made: Counted = { service, operation, ...none }
    this.#counts.set(key, made)
    return made
  }
}
