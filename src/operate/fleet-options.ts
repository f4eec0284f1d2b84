// What a fleet is opened with: which application on which stream, how its services are reached, and the checks of all that.
import { hostname, userInfo } from 'node:os'
import type { KinesisPort } from '../kinesis/kinesis-port.ts'
import { sdkConsumers } from '../kinesis/sdk-consumers.ts'
import { type KinesisClientOption, sdkKinesis } from '../kinesis/sdk-kinesis.ts'
import type { StreamSource } from '../kinesis/stream-source.ts'
import type { ControlStore } from '../leases/control-store.ts'
import { dynamoControlStore } from '../leases/dynamo-control-store.ts'
import { dynamoKclEstate } from '../leases/dynamo-kcl-estate.ts'
import { type DynamoDBClientOption, dynamoLeaseStore } from '../leases/dynamo-lease-store.ts'
import type { LeaseStore } from '../leases/lease-store.ts'
import { BugError } from '../model/errors.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { consoleLogger, type Logger, safeLogger } from '../runtime/logger.ts'
import { type Random, systemRandom } from '../runtime/random.ts'
import { resolveLeases } from '../worker/lease-options.ts'
import { checkGroup, checkInteger, checkMethods, checkText } from '../worker/option-checks.ts'
import { checkClient, resolveSource } from '../worker/options.ts'
import { resolveStream } from '../worker/stream-options.ts'
import type { FleetContext } from './fleet-context.ts'

/** Where the two tables of a fleet are. As its workers have it. */
export interface FleetTableOptions {
  /** Name of the lease table. Default: the application name. */
  readonly tableName?: string
  /** Name of the control table. Default `millrace-control`. */
  readonly controlTableName?: string
  /** How long workers may go without a heartbeat that do not say it themselves. Milliseconds, 1,000 to 600,000; default 10,000. */
  readonly durationMs?: number
  /** Another place for the leases than DynamoDB, such as the `memoryLeaseStore()` of the workers. */
  readonly store?: LeaseStore
  /** Another place for the control items than DynamoDB. Default: that of `store`. */
  readonly controlStore?: ControlStore
}

/** What a fleet is opened with. */
export type FleetOptions = {
  /** Name of the application, as its workers have it. 3 to 255 letters, digits, `_`, `-`, `.`. */
  readonly applicationName: string
  /** Name of the stream; or give its `streamArn`. */
  readonly streamName?: string
  /** ARN of the stream, possibly of another account. */
  readonly streamArn?: string
  /** The stream of another service, as the workers have it, such as `dynamodbStream({ tableName: 'orders' })`; instead of a name or an ARN. */
  readonly source?: StreamSource
  /** Where the tables are. Default: a table in DynamoDB with the name of the application, and `millrace-control`. */
  readonly leases?: FleetTableOptions
  /** A Kinesis client to use as it is, or the configuration of one. Default: what the environment says. */
  readonly kinesis?: KinesisClientOption
  /** A DynamoDB client to use as it is, or the configuration of one. Default: what the environment says. */
  readonly dynamodb?: DynamoDBClientOption
  /** Who gives orders, as it stands in them for others to see. 1 to 100 characters; default the user and the host. */
  readonly by?: string
  /** How long one call to a service may take. Milliseconds, 1,000 to 120,000; default 10,000. */
  readonly requestTimeoutMs?: number
  /** Where log lines go. Default: warnings and errors as JSON lines on standard error. */
  readonly logger?: Logger
}

/** Other doors to the services and to time, for tests. */
export interface FleetPorts {
  readonly clock: Clock
  readonly random: Random
  readonly kinesis: KinesisPort
  readonly store: LeaseStore
  readonly control: ControlStore
}

const NAMES = [
  ...['applicationName', 'streamName', 'streamArn', 'source', 'leases', 'kinesis', 'dynamodb', 'by'],
  ...['requestTimeoutMs', 'logger']
]
const TABLE_NAMES = ['tableName', 'controlTableName', 'durationMs', 'store', 'controlStore']
const APPLICATION_NAME = /^[a-zA-Z0-9_.-]{3,255}$/

/** A fleet's context, and what lets go of what was made for it. */
export interface OpenContext {
  readonly context: FleetContext
  readonly close: () => void
}

/** Checks the options and opens what is not given. Nothing is called. @throws OptionError */
export function openContext(given: FleetOptions, ports: Partial<FleetPorts>): OpenContext {
  const options = checkGroup<FleetOptions>('options', given, NAMES) as FleetOptions
  const expected = '3 to 255 letters, digits, _, - or .'
  const applicationName = checkText('applicationName', options.applicationName, APPLICATION_NAME, expected)
  const tables = checkGroup('leases', options.leases, TABLE_NAMES)
  const { tableName, controlTableName, durationMs, ...stores } = resolveLeases(tables, applicationName)
  const source = resolveSource(options)
  const stream = resolveStream(source ?? options)
  const { clock = systemClock, random = systemRandom } = ports
  const range = { min: 1_000, max: 120_000, unit: 'milliseconds' }
  const requestTimeoutMs = checkInteger('requestTimeoutMs', options.requestTimeoutMs, range, 10_000)
  const logging = checkMethods('logger', options.logger, ['debug', 'info', 'warn', 'error'], 'a logger')
  const logger = safeLogger(logging ?? consoleLogger('warn'))
  const by = options.by === undefined ? whoAmI() : checkText('by', options.by, /^[^\n]{1,100}$/, '1 to 100 characters')
  const client = checkClient('dynamodb', options.dynamodb)
  const closing: (() => void)[] = []
  const closedLater = <T extends { close(): void }>(port: T): T => {
    closing.push(() => port.close())
    return port
  }
  const table = { client, clock, logger, requestTimeoutMs }
  const calls = { stream, client: checkClient('kinesis', options.kinesis), clock, requestTimeoutMs }
  const isOfKinesis = ports.kinesis === undefined && source === undefined
  const consumers = isOfKinesis ? closedLater(sdkConsumers(calls)) : undefined
  // Whether records are lost, the workers tell who read them.
  const opening = { clock, random, requestTimeoutMs, lost: () => {} }
  const kinesis = ports.kinesis ?? closedLater(source?.open(opening) ?? sdkKinesis(calls))
  const givenStore = ports.store ?? stores.store
  const givenControl = ports.control ?? stores.controlStore ?? givenStore?.control
  const leaseTable = givenStore === undefined ? closedLater(dynamoLeaseStore({ tableName, ...table })) : undefined
  const items = { tableName: controlTableName, applicationName: tableName, ...table }
  // Not the name of the application: two that have a lease table each are two fleets, whatever they are called.
  const controlTable = givenControl === undefined ? closedLater(dynamoControlStore(items)) : undefined
  const [store, control] = [givenStore ?? leaseTable, givenControl ?? controlTable]
  const kcl =
    leaseTable && closedLater(dynamoKclEstate({ applicationName, tableName, client, clock, requestTimeoutMs }))
  if (store === undefined || control === undefined) throw new BugError('A fleet was opened without tables')
  return {
    context: {
      ...{ applicationName, kinesis, store, control, clock, random, by, durationMs },
      ...(leaseTable && controlTable && { tables: { leases: leaseTable.describe, control: controlTable.describe } }),
      ...(kcl && { kcl }),
      ...(consumers && { consumers: consumers.list })
    },
    close: () => {
      for (const close of closing) close()
    }
  }
}

/** Some containers have no name for their user. */
function whoAmI(): string {
  try {
    return `${userInfo().username}@${hostname()}`.slice(0, 100)
  } catch {
    return hostname().slice(0, 100) || 'somebody'
  }
}
