// Which fault a call to a service meets, and how long it takes: drawn from a profile by seed, or as a test has scripted it.
// Decides only; network.ts carries it out.
import type { Random } from '../runtime/random.ts'

/** The services that workers call. */
export type ServiceName = 'dynamodb' | 'kinesis'

/** One call of a worker, before it is sent. */
export interface ServiceCall {
  /** Which service is called. */
  readonly service: ServiceName
  /**
   * What is called: for Kinesis the method of the port; for the tables the kind of request, such as `claim`, `checkpoint`,
   * `release` or `heartbeat` (see `RequestKind`).
   */
  readonly call: string
  /** Name of the worker that calls. */
  readonly worker: string
  /** The shard, lease or session that it is about, if it is about one. */
  readonly key?: string
  /** Whether it changes something when it is carried out. */
  readonly isWrite: boolean
}

/** What goes wrong with a call. In each case but the first the caller gets an error; which, network.ts knows. */
export type Fault =
  | { readonly kind: 'none' }
  /** The service answers that it has no capacity. */
  | { readonly kind: 'throttled' }
  /** The request never arrives. */
  | {
      readonly kind: 'lost-request'
      /** When the caller hears that the connection broke. Milliseconds; default: when it times out. */
      readonly failsAfterMs?: number
    }
  /** The request is carried out, its answer never arrives. */
  | {
      readonly kind: 'lost-answer'
      /** When the caller hears that the connection broke. Milliseconds; default: when it times out. */
      readonly failsAfterMs?: number
    }
  /** The caller times out, and some time after that the request is carried out. */
  | {
      readonly kind: 'late-request'
      /** How long after that. Milliseconds. */
      readonly landsInMs: number
    }
  /** No answer and no error until the caller times out. The request never arrives. */
  | { readonly kind: 'hang' }
  /** Kinesis takes the iterator for an old one. Only for reads of records. */
  | { readonly kind: 'expired-iterator' }

/** What goes wrong, in a word. */
export type FaultKind = Fault['kind']

/** What a call meets. Durations in milliseconds. */
export interface Fate {
  readonly fault: Fault
  /** How long the request is on its way. */
  readonly thereMs: number
  /** How long the answer is on its way. */
  readonly backMs: number
  /** Called when the request has been carried out, before its answer goes back. */
  readonly onLanded?: () => void
}

/** A distribution by its quantiles: pairs of a share, ascending from 0 to 1, and a value. Straight lines in between. */
export type Quantiles = readonly (readonly [share: number, value: number])[]

/** How one service behaves. Shares are of all calls, from 0 to 1. */
export interface ServiceProfile {
  /** How long a request is on its way, and again how long its answer is. Milliseconds. */
  readonly latencyMs: Quantiles
  /** Refused for want of capacity. */
  readonly throttled: number
  /** Never carried out; the caller times out, or sees the connection break. */
  readonly lostRequest: number
  /** Carried out; the caller times out, or sees the connection break. */
  readonly lostAnswer: number
  /** Carried out up to 15 s after the caller has timed out. Reads hang instead. */
  readonly lateRequest: number
  /** Never carried out, and nothing is heard until the caller times out. */
  readonly hang: number
  /** Refused for an iterator that is too old; of reads of records only. */
  readonly expiredIterator: number
}

/** How the services behave. */
export interface FaultProfile {
  /** The lease table and the control table. */
  readonly dynamodb: ServiceProfile
  /** The stream. */
  readonly kinesis: ServiceProfile
  /** How old an eventually consistent read may be. Milliseconds. */
  readonly lagMs: number
}

/**
 * The profiles that have a name. `none`: every call is answered at once. `calm`: a good day, with latencies as measured and
 * hardly a fault. `rough`: one call in forty fails somehow. `hostile`: one in eight does, and answers take seconds at times.
 */
export type FaultProfileName = 'none' | 'calm' | 'rough' | 'hostile'

const FLAWLESS = { throttled: 0, lostRequest: 0, lostAnswer: 0, lateRequest: 0, hang: 0, expiredIterator: 0 }

/** The profiles by name. */
export const FAULT_PROFILES: Readonly<Record<FaultProfileName, FaultProfile>> = {
  none: {
    dynamodb: { latencyMs: [[0, 0]], ...FLAWLESS },
    kinesis: { latencyMs: [[0, 0]], ...FLAWLESS },
    lagMs: 0
  },
  calm: {
    dynamodb: { latencyMs: latency(1, 2, 6, 20), ...FLAWLESS, throttled: 0.0002 },
    kinesis: { latencyMs: latency(3, 6, 15, 60), ...FLAWLESS, throttled: 0.0002 },
    lagMs: 300
  },
  rough: {
    dynamodb: {
      latencyMs: latency(1, 4, 60, 700),
      ...{ throttled: 0.01, lostRequest: 0.005, lostAnswer: 0.005, lateRequest: 0.003, hang: 0.002, expiredIterator: 0 }
    },
    kinesis: {
      latencyMs: latency(3, 10, 120, 1_500),
      ...{ throttled: 0.01, lostRequest: 0.005, lostAnswer: 0.005, lateRequest: 0, hang: 0.002, expiredIterator: 0.002 }
    },
    lagMs: 1_000
  },
  hostile: {
    dynamodb: {
      latencyMs: latency(1, 10, 400, 3_000),
      ...{ throttled: 0.05, lostRequest: 0.03, lostAnswer: 0.03, lateRequest: 0.01, hang: 0.01, expiredIterator: 0 }
    },
    kinesis: {
      latencyMs: latency(3, 20, 800, 6_000),
      ...{ throttled: 0.05, lostRequest: 0.03, lostAnswer: 0.03, lateRequest: 0, hang: 0.01, expiredIterator: 0.01 }
    },
    lagMs: 5_000
  }
}

/** A late request lands up to so many milliseconds after its caller has given up. */
const LATEST_MS = 15_000

/** The latency whose fastest, median, slowest of a hundred and slowest of all values these are. Milliseconds. */
function latency(fastest: number, median: number, p99: number, slowest: number): Quantiles {
  return [
    [0, fastest],
    [0.5, median],
    [0.9, (median + p99) / 2],
    [0.99, p99],
    [1, slowest]
  ]
}

/** The value at a share of a distribution. Nothing but sums and products, so that it is the same on every machine. */
export function quantile(quantiles: Quantiles, share: number): number {
  const last = quantiles.at(-1)
  for (let index = 1; index < quantiles.length; index++) {
    const [to, high] = quantiles[index] as readonly [number, number]
    const [from, low] = quantiles[index - 1] as readonly [number, number]
    if (share < to) return low + ((high - low) * (share - from)) / (to - from)
  }
  return last?.[1] ?? 0
}

/** Draws what a call meets. The profile `none` takes nothing from `random`. */
export function drawFate(call: ServiceCall, profile: FaultProfile, random: Random): Fate {
  const service = profile[call.service]
  const travel = (): number =>
    service.latencyMs.length > 1 ? quantile(service.latencyMs, random.next()) : quantile(service.latencyMs, 0)
  return { fault: drawFault(call, service, random), thereMs: travel(), backMs: travel() }
}

function drawFault(call: ServiceCall, service: ServiceProfile, random: Random): Fault {
  const { throttled, lostRequest, lostAnswer, lateRequest, hang, expiredIterator } = service
  const shares = [throttled, lostRequest, lostAnswer, lateRequest, hang, expiredIterator]
  if (shares.every(share => share === 0)) return { kind: 'none' }
  let draw = random.next()
  const index = shares.findIndex(share => {
    draw -= share
    return draw < 0
  })
  // Half of the connections that break are seen to break, the others only time out.
  const failsAfter = (): { failsAfterMs?: number } => (random.next() < 0.5 ? { failsAfterMs: random.next() * 500 } : {})
  switch (index) {
    case 0:
      return { kind: 'throttled' }
    case 1:
      return { kind: 'lost-request', ...failsAfter() }
    case 2:
      return { kind: 'lost-answer', ...failsAfter() }
    case 3:
      return call.isWrite ? { kind: 'late-request', landsInMs: random.next() * LATEST_MS } : { kind: 'hang' }
    case 4:
      return { kind: 'hang' }
    case 5:
      return call.call === 'getRecords' ? { kind: 'expired-iterator' } : { kind: 'none' }
    default:
      return { kind: 'none' }
  }
}

/** Which calls are meant: those that fit everything that is said. */
export type CallMatch = Partial<Pick<ServiceCall, 'service' | 'call' | 'worker' | 'key'>>

/** A fault that was scripted. */
export interface ScriptedFault {
  /** How many calls have met it so far. */
  readonly hits: number
  /** No call meets it any more. */
  cancel(): void
}

/** When a scripted fault strikes. */
export interface ScriptOptions {
  /** How many calls that fit pass before the first that meets it. Default 0. */
  readonly after?: number
  /** How many calls meet it. Default 1; Infinity: all. */
  readonly times?: number
  /** Called when a call that met it has been carried out, before the answer goes back: the moment to crash somebody. */
  readonly onLanded?: (call: ServiceCall) => void
}

interface Script {
  readonly match: CallMatch
  readonly fault: Fault
  readonly onLanded: ((call: ServiceCall) => void) | undefined
  passing: number
  left: number
  hits: number
}

/** A time during which a service does badly for everybody. */
interface Spell {
  readonly service: ServiceName
  /** Monotonic milliseconds. */
  readonly untilMs: number
  readonly fault: Fault
  /** Share of the calls that meet it. */
  readonly share: number
}

/** The faults of one world: what was scripted comes first, then the bad spells, then the profile. */
export class FaultPlan {
  /** May be changed at any time. */
  profile: FaultProfile
  readonly #random: Random
  readonly #nowMs: () => number
  readonly #scripts: Script[] = []
  #spells: Spell[] = []

  /** @param nowMs monotonic milliseconds, for what lasts a while */
  constructor(profile: FaultProfile, random: Random, nowMs: () => number) {
    this.profile = profile
    this.#random = random
    this.#nowMs = nowMs
  }

  /** Has calls that fit `match` meet `fault`, instead of what the profile says. */
  script(match: CallMatch, fault: Fault, { after = 0, times = 1, onLanded }: ScriptOptions = {}): ScriptedFault {
    const script: Script = { match, fault, onLanded, passing: after, left: times, hits: 0 }
    this.#scripts.push(script)
    return {
      get hits() {
        return script.hits
      },
      cancel: () => {
        script.left = 0
      }
    }
  }

  /** Has a share of all calls to a service throttled for `ms` milliseconds from now on. */
  throttle(service: ServiceName, share: number, ms: number): void {
    this.#spells.push({ service, untilMs: this.#nowMs() + ms, fault: { kind: 'throttled' }, share })
  }

  /** Has a service answer nobody for `ms` milliseconds from now on. */
  outage(service: ServiceName, ms: number): void {
    this.#spells.push({ service, untilMs: this.#nowMs() + ms, fault: { kind: 'hang' }, share: 1 })
  }

  /** What a call meets. Asked once for every call, in the order in which they are sent. */
  fateOf(call: ServiceCall): Fate {
    const drawn = drawFate(call, this.profile, this.#random)
    const script = this.#scriptFor(call)
    if (script !== undefined) {
      const { fault, onLanded } = script
      return { ...drawn, fault, ...(onLanded && { onLanded: () => onLanded(call) }) }
    }
    const spell = this.#spellOver(call)
    return spell === undefined ? drawn : { ...drawn, fault: spell.fault }
  }

  #scriptFor(call: ServiceCall): Script | undefined {
    for (const script of this.#scripts) {
      if (script.left <= 0 || !fits(call, script.match)) continue
      if (script.passing > 0) {
        script.passing -= 1
        continue
      }
      script.left -= 1
      script.hits += 1
      return script
    }
    return undefined
  }

  #spellOver(call: ServiceCall): Spell | undefined {
    if (this.#spells.length === 0) return undefined
    const nowMs = this.#nowMs()
    this.#spells = this.#spells.filter(({ untilMs }) => untilMs > nowMs)
    return this.#spells.find(({ service, share }) => service === call.service && this.#random.next() < share)
  }
}

function fits(call: ServiceCall, match: CallMatch): boolean {
  return (
    (match.service === undefined || match.service === call.service) &&
    (match.call === undefined || match.call === call.call) &&
    (match.worker === undefined || match.worker === call.worker) &&
    (match.key === undefined || match.key === call.key)
  )
}
