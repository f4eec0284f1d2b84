// What is wrong with a fleet, its tables or its stream, and what to do about it. Each finding has a code that stays the same.
import type { TableFacts } from '../dynamo/dynamo-table-facts.ts'
import type { Member } from '../leases/control-store.ts'
import type { SkippedRow } from '../leases/lease-store.ts'
import { isFinished, type Lease, type StreamIdentity } from '../model/lease.ts'
import { judgeIdentity } from '../shards/identity-rules.ts'
import type { LagReport } from './lag.ts'
import type { FleetStatus } from './status-rules.ts'

/** `error`: records are not processed, or will be lost. `warning`: something costs or threatens. `info`: worth knowing. */
export type FindingSeverity = 'error' | 'warning' | 'info'

/** What a finding is about. */
export type FindingCode =
  | ('stream-missing' | 'stream-not-active' | 'lease-table-missing' | 'control-table-missing' | 'table-capacity')
  | (
      | 'table-unprotected'
      | 'no-leases'
      | 'other-stream'
      | 'foreign-rows'
      | 'malformed-rows'
      | 'no-workers'
      | 'no-leader'
    )
  | ('silent-worker' | 'dead-owner' | 'unowned-leases' | 'holes' | 'red-shards' | 'foreign-workers' | 'mixed-durations')
  | ('two-generations' | 'no-room' | 'idle-workers' | 'paused' | 'pending-checkpoints' | 'lag-near-retention')
  | ('lag-unknown' | 'fan-out-consumers')

/** Something that is wrong, or worth knowing. */
export interface Finding {
  readonly severity: FindingSeverity
  readonly code: FindingCode
  /** What was found, with the numbers. */
  readonly message: string
  /** What to do about it. */
  readonly advice: string
  /** The shards that it is about. Absent: it is about none in particular. */
  readonly shardIds?: readonly string[]
}

/** What a doctor has to go by. Absent: it could not be found out, or does not apply. */
export interface DoctorFacts {
  /** `undefined`: there is no such stream. */
  readonly stream:
    | { readonly identity: StreamIdentity; readonly status: string; readonly retentionMs?: number }
    | undefined
  /** The tables: `undefined` is one that is missing. Absent: they are not in DynamoDB, or may not be described. */
  readonly leaseTable?: { readonly facts: TableFacts | undefined }
  readonly controlTable?: { readonly facts: TableFacts | undefined }
  readonly status?: FleetStatus
  readonly leases: readonly Lease[]
  readonly skipped: readonly SkippedRow[]
  readonly members: readonly Member[]
  readonly lag?: LagReport
  /** Names of the fan-out consumers that are registered. */
  readonly consumers?: readonly string[]
  /** What every worker needs of write units at least. */
  readonly writeUnitsPerSecond: number
}

/** The part of the retention that a lag may have reached before it is told, and before it is an error. */
const LAG_SHARES = { warning: 0.5, error: 0.8 }

/** Looks through everything. The most severe findings first. */
export function diagnose(facts: DoctorFacts): Finding[] {
  const { stream, status } = facts
  const found = [
    ...inStream(facts),
    ...inTables(facts),
    ...inRows(facts),
    ...(status === undefined ? [] : [...inWorkers(status, facts), ...inLeases(status, facts)]),
    ...(stream === undefined ? [] : inLag(facts))
  ]
  const order: readonly FindingSeverity[] = ['error', 'warning', 'info']
  return found.sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity))
}

function inStream({ stream, consumers = [] }: DoctorFacts): Finding[] {
  if (stream === undefined) {
    const advice = 'Check the name, the region and the account; create the stream if it was deleted'
    return [{ severity: 'error', code: 'stream-missing', message: 'The stream does not exist', advice }]
  }
  const isWell = stream.status === 'ACTIVE' || stream.status === 'UPDATING'
  const inUse: Finding = {
    severity: 'info',
    code: 'fan-out-consumers',
    message: `Consumers of enhanced fan-out are registered: ${consumers.join(', ')}`,
    advice: 'Each is paid for by the hour and shard, used or not. Deregister those that no application uses'
  }
  const message = `The stream is ${stream.status}`
  const advice = 'It can be read once it is ACTIVE'
  return [
    ...(isWell ? [] : [{ severity: 'error', code: 'stream-not-active', message, advice } as const]),
    ...(consumers.length > 0 ? [inUse] : [])
  ]
}

function inTables({ leaseTable, controlTable, writeUnitsPerSecond }: DoctorFacts): Finding[] {
  const missing = (code: FindingCode, what: string): Finding => ({
    ...{ severity: 'error', code, message: `The ${what} does not exist` },
    advice: 'The first worker that starts creates it. If workers have run: check applicationName, region and account'
  })
  const tables = [leaseTable, controlTable].flatMap(table => table?.facts ?? [])
  return [
    ...(leaseTable !== undefined && leaseTable.facts === undefined
      ? [missing('lease-table-missing', 'lease table')]
      : []),
    ...(controlTable !== undefined && controlTable.facts === undefined
      ? [missing('control-table-missing', 'control table')]
      : []),
    ...tables.flatMap(table => tightTable(table, writeUnitsPerSecond)),
    ...(leaseTable?.facts?.isProtected === false ? [unprotected(leaseTable.facts)] : [])
  ]
}

function tightTable({ tableName, billing }: TableFacts, needed: number): Finding[] {
  if (billing.mode === 'on-demand' || billing.writeCapacity >= 2 * needed) return []
  const has = `${billing.writeCapacity} write units a second`
  return [
    {
      severity: billing.writeCapacity < needed ? 'error' : 'warning',
      code: 'table-capacity',
      message: `Table ${tableName} is provisioned with ${has}; the fleet takes ${needed.toFixed(1)} on average`,
      advice:
        'Switch it to on demand, or provision at least twice the average: a fleet that starts takes far more for a while'
    }
  ]
}

function unprotected({ tableName }: TableFacts): Finding {
  return {
    severity: 'info',
    code: 'table-unprotected',
    message: `Table ${tableName} can be deleted by one call`,
    advice: 'Switch on deletion protection: with the table, every checkpoint would be gone'
  }
}

function inRows({ leases, skipped, stream }: DoctorFacts): Finding[] {
  const found: Finding[] = []
  const malformed = skipped.filter(({ because }) => because === 'malformed')
  if (malformed.length > 0) {
    const [{ key, problem } = { key: '?', problem: '' }] = malformed
    const message = `${malformed.length} rows of the lease table cannot be read, such as ${key}: ${problem}`
    const advice = 'Mend or delete them: the shards of such rows are not read'
    found.push({ severity: 'error', code: 'malformed-rows', message, advice })
  }
  const others = skipped.length - malformed.length
  if (others > 0) {
    const message = `${others} rows of the lease table are none of leases of this application`
    const advice = 'Rows of KCL itself are normal in its tables. Others: give each application a table of its own'
    found.push({ severity: 'info', code: 'foreign-rows', message, advice })
  }
  const verdict = stream === undefined ? undefined : judgeIdentity(leases, stream.identity)
  if (verdict !== undefined && verdict.kind !== 'ours') {
    const whose = verdict.kind === 'recreated' ? 'an earlier stream of the same name' : verdict.streamArn
    const message = `The lease table has leases of ${whose}`
    const advice =
      verdict.kind === 'recreated'
        ? "Start the workers with onRecreatedStream: 'start-over', or use another applicationName"
        : 'Two applications share the table: give one of them another applicationName'
    found.push({ severity: 'error', code: 'other-stream', message, advice })
  }
  return found
}

function inWorkers(status: FleetStatus, { members }: DoctorFacts): Finding[] {
  const found: Finding[] = []
  const active = members.filter(({ dead, state }) => dead === undefined && state === 'ACTIVE')
  const open = status.leases.filter(({ state }) => state !== 'finished' && state !== 'waiting')
  const foreign = status.workers.filter(({ state }) => state === 'FOREIGN').map(({ workerId }) => workerId)
  if (active.length === 0 && foreign.length === 0) {
    const advice = 'Start workers of this application'
    found.push({ severity: 'error', code: 'no-workers', message: 'No worker is at work', advice })
  } else if (status.leader === undefined && active.length > 0) {
    const advice =
      'One of them takes the lead within some seconds. If not: look for errors in their logs, and permissions'
    found.push({ severity: 'warning', code: 'no-leader', message: 'Nobody leads the fleet', advice })
  }
  for (const { workerId, state, reasons, silentMs = 0, durationMs = 10_000 } of status.workers) {
    if (state === 'DEAD') {
      const advice =
        'The leader gives them out within some seconds. Where there is none: start a worker, or release them'
      found.push({ severity: 'error', code: 'dead-owner', message: `${workerId} ${reasons.join(', ')}`, advice })
    } else if (silentMs >= durationMs) {
      const message = `${workerId} has not been heard of for ${Math.round(silentMs / 1_000)} s`
      const advice = 'It is dead, hangs, or cannot reach DynamoDB. Its shards go to others if there are any'
      found.push({ severity: 'error', code: 'silent-worker', message, advice })
    }
  }
  if (foreign.length > 0) {
    const message = `${foreign.length} workers of another kind, such as ${foreign[0]}, own leases`
    const advice =
      'That is fine while you migrate from KCL. They take no orders: reset, release, pause and move are refused'
    found.push({ severity: 'info', code: 'foreign-workers', message, advice })
  }
  return [...found, ...inSettings(active, open.length)]
}

function inSettings(active: readonly Member[], open: number): Finding[] {
  const found: Finding[] = []
  const durations = [...new Set(active.flatMap(({ durationMs }) => durationMs ?? []))].sort((a, b) => a - b)
  if (durations.length > 1) {
    const message = `Workers have different leases.durationMs: ${durations.join(', ')}`
    const advice = 'Give all workers of an application the same: the leader judges the others by its own'
    found.push({ severity: 'warning', code: 'mixed-durations', message, advice })
  }
  const generations = new Set(active.map(({ generation }) => generation))
  if (generations.size > 1) {
    const message = `Workers of ${generations.size} generations are at work: ${[...generations].sort((a, b) => a - b).join(', ')}`
    const advice =
      'Normal during a deployment. Afterwards, stop the old ones: no leases move for balance for up to five minutes'
    found.push({ severity: 'info', code: 'two-generations', message, advice })
  }
  const room = active.reduce((sum, { maxLeases = Number.POSITIVE_INFINITY }) => sum + maxLeases, 0)
  if (active.length > 0 && room < open) {
    const message = `All workers together take ${room} leases at most, and ${open} are to be read`
    const advice = 'Start more workers, or raise leases.maxLeases'
    found.push({ severity: 'error', code: 'no-room', message, advice })
  }
  if (active.length > open && open > 0) {
    const message = `${active.length} workers share ${open} shards, so that ${active.length - open} have nothing to do`
    found.push({ severity: 'info', code: 'idle-workers', message, advice: 'Stop some, or split shards' })
  }
  return found
}

function inLeases(status: FleetStatus, { leases }: DoctorFacts): Finding[] {
  const found: Finding[] = []
  const unowned = status.leases.filter(({ reason, state }) => state === 'unowned' && reason !== undefined)
  const red = status.workers.flatMap(({ workerId, reasons, redShards }) =>
    redShards > 0 ? [`${workerId}: ${reasons.join('; ')}`] : []
  )
  if (status.leases.length === 0) {
    const advice = 'Start a worker: the first one creates the leases'
    found.push({ severity: 'warning', code: 'no-leases', message: 'There are no leases', advice })
  }
  if (unowned.length > 0) {
    const shardIds = unowned.map(({ shardId }) => shardId)
    const message = `Nobody reads ${unowned.length} shards`
    const advice =
      'Start workers. If there are some: see whether they may take more (maxLeases), or fail at these shards'
    found.push({ severity: 'error', code: 'unowned-leases', message, advice, shardIds })
  }
  if (status.holes.length > 0) {
    const message = `No lease covers ${status.holes.length} ranges of hash keys`
    const advice = 'The leader repairs this within a minute. If not: look for errors in its log'
    found.push({ severity: 'error', code: 'holes', message, advice })
  }
  if (red.length > 0) {
    const advice =
      'The log of the worker says what was thrown. Halted shards go on after worker.resume(), or millrace release, once the cause is mended; stalled ones wait for a handler'
    found.push({ severity: 'error', code: 'red-shards', message: red.join('. '), advice })
  }
  for (const { why, by, leases: held, isKept } of status.holds.filter(({ isKept }) => isKept)) {
    const message = `${held === 'all' ? 'All shards are' : `${held.length} shards are`} paused for ${why}, by ${by}`
    found.push({
      severity: isKept ? 'warning' : 'info',
      code: 'paused',
      message,
      advice: 'Resume them when that is over'
    })
  }
  const pending = leases.filter(lease => lease.pendingCheckpoint !== undefined && !isFinished(lease))
  if (pending.length > 0) {
    const message = `${pending.length} checkpoints are prepared and not made`
    const advice = 'Normal for a moment. Otherwise a commit has failed: it is finished when the shard begins anew'
    const shardIds = pending.map(({ shardId }) => shardId)
    found.push({ severity: 'info', code: 'pending-checkpoints', message, advice, shardIds })
  }
  return found
}

function inLag({ lag, stream }: DoctorFacts): Finding[] {
  const { retentionMs } = stream ?? {}
  const shards = lag?.shards ?? []
  const unknown = shards.filter(({ problem }) => problem !== undefined)
  const found: Finding[] = []
  if (unknown.length > 0) {
    const message = `The lag of ${unknown.length} shards cannot be measured: ${unknown[0]?.problem}`
    const advice = 'Try again; check that kinesis:GetRecords is allowed'
    found.push({
      severity: 'info',
      code: 'lag-unknown',
      message,
      advice,
      shardIds: unknown.map(({ shardId }) => shardId)
    })
  }
  if (retentionMs === undefined) return found
  for (const severity of ['error', 'warning'] as const) {
    const late = shards.filter(({ lagMs = 0 }) => lagMs >= LAG_SHARES[severity] * retentionMs)
    if (late.length === 0) continue
    const hours = Math.max(...late.map(({ lagMs = 0 }) => lagMs)) / 3_600_000
    const message = `${late.length} shards are up to ${hours.toFixed(1)} h behind, and records are kept for ${retentionMs / 3_600_000} h`
    const advice =
      'What is older than that is lost unread. Raise the retention of the stream now, then find out why it lags'
    found.push({ severity, code: 'lag-near-retention', message, advice, shardIds: late.map(({ shardId }) => shardId) })
    break
  }
  return found
}
