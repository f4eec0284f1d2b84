// The rules of a circuit breaker: closed, open after so many failures in a row, probed by one call, closed again or open again.

/** When a breaker opens, and how it is probed. */
export interface BreakerPolicy {
  /** So many failures in a row open it. */
  readonly failures: number
  /** How long it stays open before the first probe. Milliseconds. */
  readonly openMs: number
  /** It stays open twice as long after each probe that fails, up to this. Milliseconds. */
  readonly maxOpenMs: number
  /** How long a probe may take before another call is let through. Milliseconds. */
  readonly probeMs: number
}

/**
 * How a breaker stands. `epoch` counts its openings and closings: calls that were admitted in an earlier epoch say nothing
 * about this one.
 */
export type BreakerCondition =
  | { readonly kind: 'closed'; readonly epoch: number; readonly failures: number }
  | {
      /** Nobody is let through, or one call is on trial. */
      readonly kind: 'open' | 'probing'
      readonly epoch: number
      /** Failures in a row, probes included. */
      readonly failures: number
      /** Probes that have been let through since it opened. */
      readonly probes: number
      /** How long it was opened for, last. Milliseconds. */
      readonly openMs: number
      /** From when on a call may probe. Monotonic milliseconds. */
      readonly probeAtMs: number
    }

/** When a call was let through: in which epoch, and as which probe; 0: as no probe. */
export interface Admission {
  readonly epoch: number
  readonly probe: number
}

/** What can happen to a breaker. `dropped`: a call ended and says nothing, because it was interrupted. */
export type BreakerEvent =
  | { readonly kind: 'probed'; readonly nowMs: number }
  | { readonly kind: 'succeeded'; readonly by: Admission }
  | { readonly kind: 'failed' | 'dropped'; readonly by: Admission; readonly nowMs: number }

/** As every breaker begins. */
export const CLOSED: BreakerCondition = { kind: 'closed', epoch: 0, failures: 0 }

/** Whether a call may be let through now, and as what; `undefined`: not now. */
export function admissionTo(condition: BreakerCondition, nowMs: number): Admission | undefined {
  const { epoch } = condition
  if (condition.kind === 'closed') return { epoch, probe: 0 }
  return nowMs >= condition.probeAtMs ? { epoch, probe: condition.probes + 1 } : undefined
}

/** How the breaker stands after an event. The same object if nothing has changed. */
export function nextBreakerCondition(
  condition: BreakerCondition,
  event: BreakerEvent,
  policy: BreakerPolicy
): BreakerCondition {
  const { epoch, failures } = condition
  if (event.kind === 'probed') {
    if (condition.kind === 'closed') return condition
    const { probes } = condition
    return { ...condition, kind: 'probing', probes: probes + 1, probeAtMs: event.nowMs + policy.probeMs }
  }
  if (event.by.epoch !== epoch) return condition
  if (condition.kind === 'closed') {
    if (event.kind === 'dropped') return condition
    if (event.kind === 'succeeded') return failures === 0 ? condition : { ...condition, failures: 0 }
    if (failures + 1 < policy.failures) return { ...condition, failures: failures + 1 }
    const { openMs } = policy
    const probeAtMs = event.nowMs + openMs
    return { kind: 'open', epoch: epoch + 1, failures: failures + 1, probes: 0, openMs, probeAtMs }
  }
  // Also a probe that took too long and is none any more has shown that calls succeed again.
  if (event.kind === 'succeeded') return { kind: 'closed', epoch: epoch + 1, failures: 0 }
  if (condition.kind === 'open' || event.by.probe !== condition.probes) return condition
  if (event.kind === 'dropped') return { ...condition, probeAtMs: event.nowMs }
  const openMs = Math.min(policy.maxOpenMs, condition.openMs * 2)
  return { ...condition, kind: 'open', failures: failures + 1, openMs, probeAtMs: event.nowMs + openMs }
}
