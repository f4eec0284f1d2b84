// What the main thread and the heartbeat's thread say to each other. Plain data: errors cross as what they are made of.

import type { AwsCredentials } from '../dynamo/dynamo-connection.ts'
import type { Death } from '../leases/control-store.ts'
import type { RemoteControlStoreOptions } from '../leases/dynamo-control-store.ts'
import { BugError, messageOf, ServiceError, type ServiceErrorKind, ThrottledError } from '../model/errors.ts'
import type { FleetSettings } from './fleet-settings.ts'
import type { HeartbeatReport } from './heartbeat.ts'
import type { SessionStart } from './local-heartbeat.ts'

/** What a thread begins with. */
export interface ThreadSetup {
  readonly store: RemoteControlStoreOptions
  readonly settings: ThreadSettings
}

/** The settings that beats depend on. */
export type ThreadSettings = Pick<FleetSettings, 'heartbeatMs' | 'hurryMs' | 'validMs' | 'stallLimitMs'>

/** What a thread is told. */
export type ToThread =
  | { readonly kind: 'begin'; readonly start: SessionStart; readonly memory: SharedArrayBuffer }
  | { readonly kind: 'report'; readonly report: HeartbeatReport; readonly hurry: boolean }
  | { readonly kind: 'end' }
  | { readonly kind: 'credentials'; readonly credentials: AwsCredentials }

/** What a thread tells. `begun`, `refused` and `ended` answer what it was told; `ready`: it will. */
export type FromThread =
  | { readonly kind: 'ready' }
  | { readonly kind: 'begun'; readonly session: string }
  | { readonly kind: 'refused'; readonly session: string; readonly error: SentError }
  | { readonly kind: 'acknowledged'; readonly session: string; readonly asgVer: number }
  | { readonly kind: 'died'; readonly session: string; readonly how: Death }
  | { readonly kind: 'ended'; readonly session: string }
  | { readonly kind: 'failed'; readonly what: string; readonly error: SentError }

/** An error on its way. Its cause stays behind. */
export type SentError =
  | { readonly kind: 'throttled'; readonly text: string }
  | { readonly kind: 'service'; readonly text: string; readonly of: ServiceErrorKind; readonly retryable: boolean }
  | { readonly kind: 'other'; readonly text: string }

/** An error as it is sent. */
export function sentError(error: unknown): SentError {
  const text = messageOf(error)
  if (error instanceof ThrottledError) return { kind: 'throttled', text }
  if (error instanceof ServiceError) return { kind: 'service', text, of: error.kind, retryable: error.retryable }
  return { kind: 'other', text }
}

/** The error that was sent. What no store may reject with is a BugError. */
export function receivedError(sent: SentError): ThrottledError | ServiceError | BugError {
  switch (sent.kind) {
    case 'throttled':
      return new ThrottledError(sent.text)
    case 'service':
      return new ServiceError(sent.of, sent.text, { retryable: sent.retryable })
    case 'other':
      return new BugError(`The heartbeat met an error that it does not know: ${sent.text}`)
  }
}
