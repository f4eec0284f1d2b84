// Has the current credentials at hand where they cannot be asked for: sends them on, each time before those sent expire.

import type { AwsCredentials, DynamoConnection } from '../dynamo/dynamo-connection.ts'
import type { Clock } from '../runtime/clock.ts'
import { type Loop, startLoop } from '../runtime/loop.ts'

/** The SDK fetches new credentials in the last five minutes of the old ones: a little later than that, there are some. */
const BEFORE_EXPIRATION_MS = 270_000
const SOONEST_MS = 15_000
const LATEST_MS = 3_600_000

/** Whose credentials go where. */
export interface CredentialSupplyOptions {
  readonly connection: Pick<DynamoConnection, 'credentials'>
  readonly clock: Clock
  /** Those that the other side has already. */
  readonly first: AwsCredentials
  readonly send: (credentials: AwsCredentials) => void
  /** There are none now. They are looked up again in 15 seconds. */
  readonly failed: (error: unknown) => void
}

/** Sends credentials until it is stopped. A nudge looks them up at once: for when those sent have been refused. */
export function supplyCredentials({ connection, clock, first, send, failed }: CredentialSupplyOptions): Loop {
  let expiresAtMs = first.expiresAtMs
  return startLoop({
    clock,
    runAtOnce: false,
    delayMs: () => {
      const leftMs = (expiresAtMs ?? Number.POSITIVE_INFINITY) - clock.epochMs()
      return Math.max(SOONEST_MS, Math.min(LATEST_MS, leftMs - BEFORE_EXPIRATION_MS))
    },
    run: async stopping => {
      const credentials = await connection.credentials()
      if (stopping.aborted) return
      expiresAtMs = credentials.expiresAtMs
      send(credentials)
    },
    onError: error => {
      expiresAtMs = Number.NEGATIVE_INFINITY
      failed(error)
    }
  })
}
