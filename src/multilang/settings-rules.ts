// Makes the settings of a daemon of what a .properties file says, or tells everything that is wrong with it at once.
import type { StartPosition } from '../model/start-position.ts'
import { planClients } from './client-rules.ts'
import type { DaemonPlan } from './daemon-plan.ts'
import { planFailures } from './failure-property-rules.ts'
import type { MultilangWorkerOptions } from './multilang-settings.ts'
import type { PropertiesFile } from './properties.ts'
import { type Finding, type PropertyProblem, PropertySheet } from './property-rules.ts'
import { POLLING_KEYS } from './property-table.ts'

/** What a file comes to. */
export type SettingsOutcome =
  | { readonly kind: 'plan'; readonly plan: DaemonPlan; readonly findings: readonly Finding[] }
  | { readonly kind: 'refused'; readonly problems: readonly PropertyProblem[]; readonly findings: readonly Finding[] }

/** How long a stop waits for children where nothing is said. Java's daemon does not wait at all. Milliseconds. */
const GRACE_MS = 30_000
const EXIT_TIMEOUT_MS = 10_000
const HOUR_MS = 3_600_000
/** Java's largest int: KCL's way of saying that there is no limit. */
const NO_LIMIT = 2_147_483_647
/** Twice the time that one read may take, below which a shard cannot count as stuck. Milliseconds. */
const LEAST_STALL_MS = 20_000
/** Kinesis takes five reads a second and shard. Milliseconds. */
const LEAST_IDLE_MS = 200

const TABLE_NAME = { pattern: /^[a-zA-Z0-9_.-]{3,255}$/, expected: '3 to 255 letters, digits, _, - or .' }
const STREAM_NAME = { pattern: /^[a-zA-Z0-9_.-]{1,128}$/, expected: '1 to 128 letters, digits, _, - or .' }
const STREAM_ARN = {
  pattern: /^arn:aws[^:]*:kinesis:[-a-z0-9]+:\d{12}:stream\/[a-zA-Z0-9_.-]{1,128}$/,
  expected: 'an ARN like arn:aws:kinesis:REGION:ACCOUNT:stream/NAME'
}
const CONSUMER_ARN = {
  pattern:
    /^arn:aws[^:]*:kinesis:[-a-z0-9]+:\d{12}:stream\/[a-zA-Z0-9_.-]{1,128}\/consumer\/[a-zA-Z0-9_.-]{1,128}:\d+$/,
  expected: 'the ARN of a consumer of a stream'
}
const WORKER_ID = { pattern: /^[^\s/]{1,200}$/, expected: '1 to 200 characters without white space or /' }
const ANY_TEXT = { pattern: /\S/, expected: 'the command line of your processor' }

/**
 * What a file comes to.
 *
 * @param nowMs epoch milliseconds, to tell a start position in the future
 */
export function planSettings(file: PropertiesFile, nowMs: number): SettingsOutcome {
  const sheet = new PropertySheet(file)
  const plan = daemonPlan(sheet, nowMs)
  const { findings, problems } = sheet
  return problems.length === 0 ? { kind: 'plan', plan, findings } : { kind: 'refused', problems, findings }
}

function daemonPlan(sheet: PropertySheet, nowMs: number): DaemonPlan {
  const command = sheet.required('executableName', ANY_TEXT).split(/ +/)
  const applicationName = sheet.required('applicationName', TABLE_NAME)
  sheet.text('millrace.ignore')
  if (sheet.flag('callProcessRecordsEvenForEmptyRecordList') === true) {
    const todo = 'flush by a timer of the processor, or name the key in millrace.ignore'
    sheet.refuse(
      'callProcessRecordsEvenForEmptyRecordList',
      `is true, and a child is called with records only: ${todo}`
    )
  }
  const { deadLetters, ...failures } = planFailures(sheet)
  return {
    settings: {
      command,
      answerTimeoutMs: seconds(sheet.integer('timeoutInSeconds', { min: 1, max: 86_400 })),
      shutdownGraceMs: planGrace(sheet),
      exitTimeoutMs: sheet.integer('millrace.exitTimeoutMillis', { min: 0, max: HOUR_MS }) ?? EXIT_TIMEOUT_MS,
      onChildDeath: sheet.word('millrace.onChildDeath', ['restart', 'exit']) ?? 'restart',
      shardsPerChild: sheet.integer('millrace.shardsPerChild', { min: 1, max: 10_000 }) ?? 1
    },
    worker: {
      ...planStream(sheet),
      applicationName,
      ...planWorkerId(sheet),
      startAt: planStart(sheet, nowMs),
      retrieval: planRetrieval(sheet),
      leases: planLeases(sheet, applicationName),
      ...planPace(sheet),
      ...failures
    } as MultilangWorkerOptions,
    clients: planClients(sheet),
    deadLetters,
    cloudWatch: planCloudWatch(sheet, applicationName),
    logLevel: sheet.word('millrace.logLevel', ['debug', 'info', 'warn', 'error']) ?? 'info',
    health: planHealth(sheet)
  }
}

function planStream(sheet: PropertySheet): { readonly streamName: string } | { readonly streamArn: string } {
  const streamArn = sheet.text('streamArn', STREAM_ARN)
  const streamName = sheet.text('streamName', STREAM_NAME)
  if (sheet.has('streamArn')) {
    sheet.overridden('streamName', 'streamArn counts, as in KCL')
    return { streamArn: streamArn ?? '' }
  }
  if (!sheet.has('streamName')) sheet.missing('streamName', 'is missing, and so is streamArn: expected one of them')
  return { streamName: streamName ?? '' }
}

function planWorkerId(sheet: PropertySheet): { readonly workerId?: string } {
  const [first, second] = [sheet.text('workerId', WORKER_ID), sheet.text('workerIdentifier', WORKER_ID)]
  if (first !== undefined && second !== undefined) sheet.overridden('workerIdentifier', 'workerId counts')
  const workerId = first ?? second
  return workerId === undefined ? {} : { workerId }
}

function planStart(sheet: PropertySheet, nowMs: number): StartPosition {
  const position = sheet.word('initialPositionInStream', ['TRIM_HORIZON', 'LATEST'])
  const atSeconds = sheet.integer('initialPositionInStreamExtended', { min: 0, max: 10_000_000_000 })
  if (atSeconds === undefined) return position ?? 'LATEST'
  if (position !== undefined) sheet.overridden('initialPositionInStream', 'initialPositionInStreamExtended counts')
  if (atSeconds * 1_000 > nowMs) {
    const expected = 'expected a time that is not in the future, in epoch seconds'
    sheet.refuse('initialPositionInStreamExtended', `is ${atSeconds}, ${expected}`)
    return 'LATEST'
  }
  return new Date(atSeconds * 1_000)
}

function planRetrieval(sheet: PropertySheet): Readonly<Record<string, unknown>> {
  const because = 'Kinesis takes five reads a second and shard'
  const common = {
    maxRecords: sheet.integer('maxRecords', { min: 1, max: 10_000 }),
    idleMs: sheet.integer('idleTimeBetweenReadsInMillis', { min: LEAST_IDLE_MS, max: 60_000, because }),
    maxBufferedBytes: sheet.integer('millrace.maxBufferedBytes', { min: 1_048_576, max: 2 ** 40 })
  }
  const consumerArn = sheet.text('fanoutConfig.consumerArn', CONSUMER_ARN)
  const consumerName = sheet.text('fanoutConfig.consumerName', STREAM_NAME)
  const mode = sheet.word('retrievalMode', ['FANOUT', 'POLLING', 'DEFAULT']) ?? 'DEFAULT'
  const polling = POLLING_KEYS.filter(key => sheet.has(key))
  if (mode === 'POLLING' || (mode === 'DEFAULT' && polling.length > 0)) {
    if (mode === 'DEFAULT') {
      sheet.absent('retrievalMode', `polling, as in KCL, because of ${polling.join(', ')}; say FANOUT for fan-out`)
    }
    for (const key of ['fanoutConfig.consumerArn', 'fanoutConfig.consumerName']) {
      sheet.overridden(key, 'records are read by polling')
    }
    return defined({ mode: 'polling', ...common })
  }
  if (mode === 'DEFAULT') {
    sheet.absent('retrievalMode', 'enhanced fan-out, as in KCL, which AWS takes money for; say POLLING for polling')
  }
  if (consumerArn !== undefined && consumerName !== undefined) {
    sheet.overridden('fanoutConfig.consumerName', 'fanoutConfig.consumerArn counts')
    return defined({ mode: 'fan-out', ...common, consumerArn })
  }
  return defined({ mode: 'fan-out', ...common, consumerArn, consumerName })
}

function planLeases(sheet: PropertySheet, applicationName: string): Readonly<Record<string, unknown>> {
  const maxLeases = sheet.integer('maxLeasesForWorker', { min: 1, max: NO_LIMIT })
  return defined({
    tableName: sheet.text('tableName', TABLE_NAME),
    controlTableName: sheet.text('millrace.controlTableName', TABLE_NAME),
    durationMs: sheet.integer('failoverTimeMillis', { min: 1_000, max: 600_000 }),
    maxLeases: maxLeases === undefined || maxLeases > 1_000_000 ? undefined : maxLeases,
    capacity: sheet.number('millrace.capacity', { min: 0.01, max: 1_000 }),
    balance: sheet.word('millrace.balance', ['count', 'weight']),
    generation: sheet.integer('millrace.generation', { min: 0, max: Number.MAX_SAFE_INTEGER }),
    mode: planMode(sheet, applicationName),
    heartbeat: sheet.word('millrace.heartbeat', ['thread', 'main']),
    deletionProtection: sheet.flag('leaseTableDeletionProtectionEnabled'),
    pointInTimeRecovery: sheet.flag('leaseTablePitrEnabled')
  })
}

/** Beside daemons of Java, leases have to be renewed as they do it; nobody can tell from the file whether there are any. */
function planMode(sheet: PropertySheet, applicationName: string): 'mixed' | 'solo' {
  const mode = sheet.word('millrace.mode', ['mixed', 'solo'])
  if (mode === undefined) {
    sheet.absent(
      'millrace.mode',
      'mixed: daemons of Java may share the table; say solo once there are none, it costs less'
    )
  }
  const tables = { coordinatorStateTableName: '-CoordinatorState', workerMetricsTableName: '-WorkerMetricStats' }
  for (const [key, suffix] of Object.entries(tables)) {
    const name = sheet.text(key)
    const expected = `${applicationName}${suffix}`
    if (name === undefined || name === expected || mode === 'solo') continue
    const todo = `give daemons of Java ${expected}, or say millrace.mode=solo if there are none on this table`
    sheet.refuse(
      key,
      `is ${JSON.stringify(name)}, and what they agree on is looked for under the default name: ${todo}`
    )
  }
  return mode ?? 'mixed'
}

function planPace(sheet: PropertySheet): Readonly<Record<string, unknown>> {
  const because = 'one read may take 10 s, and is made again once'
  const stall = { min: LEAST_STALL_MS, max: HOUR_MS, because }
  const stallMs = sheet.integer('logWarningForTaskAfterMillis', stall)
  const maxRecords = sheet.integer('millrace.maxBatchRecords', { min: 1, max: 100_000 })
  return defined({
    shardSyncIntervalMs: sheet.integer('shardSyncIntervalMillis', { min: 1_000, max: HOUR_MS }),
    outOfRange: sheet.word('millrace.outOfRange', ['deliver', 'drop-record', 'drop-aggregate']),
    watchdog: stallMs === undefined ? undefined : { stallMs },
    batch: maxRecords === undefined ? undefined : { maxRecords }
  })
}

/** Java's daemon takes 0, which is also its default, as it is: it does not wait. */
function planGrace(sheet: PropertySheet): number {
  const graceMs = sheet.integer('shutdownGraceMillis', { min: 0, max: HOUR_MS })
  if (graceMs === undefined) {
    sheet.absent('shutdownGraceMillis', `${GRACE_MS}: a stop waits for the children, where that of KCL does not`)
  }
  return graceMs ?? GRACE_MS
}

function planCloudWatch(sheet: PropertySheet, namespace: string): DaemonPlan['cloudWatch'] {
  const level = sheet.word('metricsLevel', ['NONE', 'SUMMARY', 'DETAILED']) ?? 'DETAILED'
  const dimensions = sheet
    .text('metricsEnabledDimensions')
    ?.split(',')
    .map(each => each.trim().toLowerCase())
  const ofShards = dimensions === undefined || dimensions.includes('shardid') || dimensions.includes('all')
  if (level === 'NONE') return undefined
  return { level: level === 'DETAILED' && ofShards ? 'shard' : 'worker', namespace }
}

function planHealth(sheet: PropertySheet): DaemonPlan['health'] {
  const port = sheet.integer('millrace.healthPort', { min: 0, max: 65_535 })
  const host = sheet.text('millrace.healthHost', { pattern: /^[0-9a-zA-Z.:_-]{1,255}$/, expected: 'an address' })
  if (port !== undefined) return { port, host: host ?? '127.0.0.1' }
  if (host !== undefined) sheet.refuse('millrace.healthHost', 'is given without millrace.healthPort, expected both')
  return undefined
}

function seconds(value: number | undefined): number | undefined {
  return value === undefined ? undefined : value * 1_000
}

/** The fields of an object that are there. */
function defined(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}
