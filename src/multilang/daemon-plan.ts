// What a .properties file comes to, as plain data: nothing is opened yet. Types alone.
import type { LogLevel } from '../runtime/logger.ts'
import type { CredentialSource } from './credential-rules.ts'
import type { MultilangSettings, MultilangWorkerOptions } from './multilang-settings.ts'
import type { ClientPrefix } from './property-table.ts'

/** How one client of the AWS SDK is configured. Absent: as the environment says. */
export interface ClientPlan {
  readonly region?: string
  /** URL. */
  readonly endpoint?: string
  readonly useDualstackEndpoint?: boolean
  readonly useFipsEndpoint?: boolean
  /** Where its credentials come from, in the order in which the sources are asked. */
  readonly credentials: readonly CredentialSource[]
}

/** Where dead letters go. */
export type DeadLetterPlan =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'stream'; readonly stream: string }
  | { readonly kind: 'sqs'; readonly queueUrl: string }
  | { readonly kind: 's3'; readonly bucket: string; readonly prefix: string }

/** Everything that a daemon is made from. */
export interface DaemonPlan {
  readonly settings: Omit<MultilangSettings, 'worker'>
  /** The options of the worker, but for clients, metrics and dead letters, which are opened later. */
  readonly worker: MultilangWorkerOptions
  readonly clients: Readonly<Record<ClientPrefix, ClientPlan>>
  readonly deadLetters: DeadLetterPlan | undefined
  /** Metrics of CloudWatch: of the worker, or of each shard as well. Absent: none. */
  readonly cloudWatch: { readonly level: 'worker' | 'shard'; readonly namespace: string } | undefined
  readonly logLevel: LogLevel
  /** Where health is served. Absent: nowhere. */
  readonly health: { readonly port: number; readonly host: string } | undefined
}
