// The doors of a worker to the world. The real ones are made here; the testing kit passes its own.

import { connectionOf } from '../dynamo/dynamo-connection.ts'
import type { FleetSettings } from '../fleet/fleet-settings.ts'
import type { Heartbeat, HeartbeatListener } from '../fleet/heartbeat.ts'
import { LocalHeartbeat } from '../fleet/local-heartbeat.ts'
import { ThreadHeartbeat } from '../fleet/thread-heartbeat.ts'
import { countedFanOut, countedKinesis } from '../kinesis/counted-ports.ts'
import type { FanOutPort } from '../kinesis/fan-out-port.ts'
import type { KinesisPort, StreamDescription } from '../kinesis/kinesis-port.ts'
import type { StreamReference } from '../kinesis/sdk-client.ts'
import { sdkFanOut } from '../kinesis/sdk-fan-out.ts'
import { type SdkKinesisPort, sdkKinesis } from '../kinesis/sdk-kinesis.ts'
import type { RecordLoss } from '../kinesis/stream-source.ts'
import type { ControlStore } from '../leases/control-store.ts'
import { dynamoControlStore } from '../leases/dynamo-control-store.ts'
import { dynamoKclCoordination } from '../leases/dynamo-kcl-coordination.ts'
import { type DynamoLeaseStore, dynamoLeaseStore } from '../leases/dynamo-lease-store.ts'
import type { KclCoordination } from '../leases/kcl-coordination.ts'
import type { LeaseStore } from '../leases/lease-store.ts'
import { RequestMeter } from '../metrics/request-meter.ts'
import { BugError } from '../model/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { ResolvedOptions } from './options.ts'
import { RECORDS_SHARE } from './shard-retrievers.ts'
import type { StreamPorts } from './worker-stream.ts'

/** Time, chance, Kinesis and the two tables: everything a worker reaches outside of itself. */
export interface WorkerPorts {
  readonly clock: Clock
  readonly random: Random
  readonly kinesis: KinesisPort
  /** Used with `retrieval.mode: 'fan-out'` only. */
  readonly fanOut: FanOutPort
  /** The same for workers of several streams, by stream. */
  readonly kinesisOf?: (stream: StreamReference) => KinesisPort
  readonly fanOutOf?: (stream: StreamReference) => FanOutPort
  readonly store: LeaseStore
  /** With one given, the heartbeat lives in the main thread. */
  readonly control: ControlStore
  /** Used in mixed mode only. Without one, beside a store that was given, Java workers are taken for those of KCL 2.x. */
  readonly kcl?: KclCoordination | undefined
}

/** The ports as a worker uses them. `close` lets go of what was made here. */
export interface OpenPorts {
  /** Opens the doors to a stream. Whoever does closes them. */
  readonly openStream: (stream: StreamReference) => StreamPorts
  readonly store: LeaseStore
  readonly control: ControlStore
  readonly kcl?: KclCoordination | undefined
  /** Counts the requests of all of them. Absent: nobody wants metrics. */
  readonly requests: RequestMeter | undefined
  readonly makeHeartbeat: (listener: HeartbeatListener) => Heartbeat
  readonly close: () => void
}

/** What ports are opened with. */
export interface PortContext {
  readonly clock: Clock
  readonly random: Random
  readonly settings: FleetSettings
  /** Told of records of a source that are gone before they were read. Absent: nobody is. */
  readonly lost?: (loss: RecordLoss, streamName: string) => void
}

interface Counting extends PortContext {
  readonly requests: RequestMeter | undefined
}

/** The ports that talk to AWS, as far as the worker was not given others. */
export function openPorts(options: ResolvedOptions, context: PortContext, given: Partial<WorkerPorts>): OpenPorts {
  const requests = options.metrics && new RequestMeter()
  const counting = { ...context, requests }
  const closing: (() => void)[] = []
  const closedLater = <T extends { close(): void }>(port: T): T => {
    closing.push(() => port.close())
    return port
  }
  const givenStore = given.store ?? options.leases.store
  const leaseTable = givenStore === undefined ? closedLater(leaseStoreOf(options, counting)) : undefined
  const store = givenStore ?? leaseTable
  if (store === undefined) throw new BugError('A worker was opened without a lease table')
  const givenControl = given.control ?? options.leases.controlStore ?? given.store?.control
  const control = givenControl ?? closedLater(controlStoreOf(options, counting, leaseTable))
  const inThread = givenControl === undefined && options.leases.heartbeat === 'thread'
  const kcl = given.kcl ?? (leaseTable ? closedLater(kclCoordinationOf(options, counting)) : undefined)
  return {
    openStream: stream => streamPorts(stream, options, counting, given),
    store,
    control,
    kcl,
    requests,
    makeHeartbeat: listener => {
      if (!inThread) return new LocalHeartbeat({ store: control, ...context, listener })
      const { controlTableName: tableName, tableName: applicationName } = options.leases
      const connection = connectionOf(options.dynamodb)
      const table = { connection, tableName, applicationName }
      const heartbeat = new ThreadHeartbeat({ ...table, ...context, listener, fallback: control })
      requests?.follow({ service: 'dynamodb', operation: 'UpdateItem', writeUnits: 1 }, () => heartbeat.beats)
      return heartbeat
    },
    close: () => {
      for (const close of closing) close()
    }
  }
}

function streamPorts(
  stream: StreamReference,
  { retrieval, kinesis: client, source, logger }: ResolvedOptions,
  { clock, random, requests, lost }: Counting,
  given: Partial<WorkerPorts>
): StreamPorts {
  const { requestTimeoutMs, wire, mode, maxBufferedBytes } = retrieval
  const closing: (() => void)[] = []
  const closedLater = <T extends { close(): void }>(port: T): T => {
    closing.push(() => port.close())
    return port
  }
  const kinesis: KinesisPort & Partial<SdkKinesisPort> =
    given.kinesisOf?.(stream) ??
    given.kinesis ??
    closedLater(
      source?.open({ clock, random, requestTimeoutMs, lost: loss => lost?.(loss, source.streamName) }) ??
        sdkKinesis({
          ...{ stream, client, clock, requestTimeoutMs, wire },
          keptBytes: maxBufferedBytes * (1 - RECORDS_SHARE),
          onWireChange: (encoding, because) =>
            logger.warn({ encoding, because }, 'GetRecords is answered in another encoding from here on')
        })
    )
  const windowBytes = windowOf(maxBufferedBytes)
  const fanOut =
    mode === 'fan-out'
      ? (given.fanOutOf?.(stream) ??
        given.fanOut ??
        closedLater(sdkFanOut({ stream, client, clock, requestTimeoutMs, windowBytes })))
      : undefined
  const described = (answer: StreamDescription): void => {
    if (requests) requests.isOnDemand = answer.isOnDemand
  }
  return {
    kinesis: requests ? countedKinesis(kinesis, { clock, told: requests.note, described }) : kinesis,
    fanOut: requests && fanOut ? countedFanOut(fanOut, { clock, told: requests.note }) : fanOut,
    expectShards: count => kinesis.expectShards?.(Math.max(1, count)),
    close: () => {
      for (const close of closing) close()
    }
  }
}

function leaseStoreOf({ leases, dynamodb, logger }: ResolvedOptions, { clock, settings, requests }: Counting) {
  const { tableName, billing, tags, deletionProtection, pointInTimeRecovery } = leases
  return dynamoLeaseStore({
    tableName,
    ...(billing && { billing }),
    ...(tags && { tags }),
    ...(deletionProtection !== undefined && { deletionProtection }),
    ...(pointInTimeRecovery !== undefined && { pointInTimeRecovery }),
    ...(dynamodb && { client: dynamodb }),
    clock,
    logger,
    requestTimeoutMs: requestTimeoutMs(settings),
    called: requests?.note
  })
}

function controlStoreOf(
  options: ResolvedOptions,
  { clock, settings, requests }: Counting,
  leaseTable: DynamoLeaseStore | undefined
) {
  const { leases, dynamodb, logger } = options
  return dynamoControlStore({
    tableName: leases.controlTableName,
    // Not the name of the application: two that have a lease table each are two fleets, whatever they are called.
    applicationName: leases.tableName,
    ...(leaseTable && { leaseTable: leaseTable.arn }),
    ...(leases.tags && { tags: leases.tags }),
    ...(dynamodb && { client: dynamodb }),
    clock,
    logger,
    requestTimeoutMs: requestTimeoutMs(settings),
    called: requests?.note
  })
}

function kclCoordinationOf(options: ResolvedOptions, { clock, settings, requests }: Counting) {
  const { applicationName, leases, dynamodb } = options
  return dynamoKclCoordination({
    tableName: leases.tableName,
    applicationName,
    ...(dynamodb && { client: dynamodb }),
    clock,
    requestTimeoutMs: requestTimeoutMs(settings),
    called: requests?.note
  })
}

/**
 * What a subscription may have under way beside the budget: of a thousand, all blocked, a quarter of it. Never so little that
 * 2 MB a second would not come through over a line with a delay of 30 ms.
 */
function windowOf(maxBufferedBytes: number): number {
  return Math.min(524_288, Math.max(65_536, Math.floor(maxBufferedBytes / 4_096)))
}

/** A write without an answer must leave time for another one before the session lapses. */
function requestTimeoutMs({ durationMs }: FleetSettings): number {
  return Math.min(5_000, Math.max(500, durationMs / 4))
}
