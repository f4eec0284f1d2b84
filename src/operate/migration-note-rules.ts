// What is worth knowing before a change between KCL and Millrace, and what is in its way.
import { isSession } from '../leases/session-id.ts'
import { isFinished, type Lease } from '../model/lease.ts'
import { isClosed, parentsOf } from '../model/shard.ts'
import { judgeIdentity } from '../shards/identity-rules.ts'
import type { MigrationFacts, MigrationNote, MigrationTarget, Standing } from './migration-rules.ts'
import { failoverOf } from './owner-rules.ts'
import type { KclRow } from './plan-kcl-rows.ts'

const SEVERITIES: readonly MigrationNote['severity'][] = ['blocker', 'warning', 'info']

/** The notes, those that are in the way first. */
export function notesFor(
  to: MigrationTarget,
  facts: MigrationFacts,
  standing: Standing,
  rows: readonly KclRow[]
): MigrationNote[] {
  const notes = [
    ...inTable(facts),
    ...inLeases(facts),
    ...inOrders(to, facts),
    ...(to === 'millrace' ? forMillrace(facts) : forKcl(facts, standing, rows))
  ]
  return notes.sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity))
}

function inTable(facts: MigrationFacts): MigrationNote[] {
  const { leases, skipped, stream, remains } = facts
  const notes: MigrationNote[] = []
  const verdict = judgeIdentity(leases, stream)
  if (verdict.kind !== 'ours') {
    const whose = verdict.kind === 'recreated' ? 'an earlier stream of that name' : verdict.streamArn
    notes.push({
      ...{ severity: 'blocker', code: 'other-stream', message: `The table has leases of ${whose}` },
      advice: 'Name the stream that the table is of'
    })
  }
  const malformed = skipped.filter(({ because }) => because === 'malformed')
  const [broken] = malformed
  if (broken !== undefined) {
    notes.push({
      ...{ severity: 'blocker', code: 'malformed-rows', shardIds: malformed.map(({ key }) => key) },
      message: `${malformed.length} rows cannot be read, such as ${broken.key}: ${broken.problem}`,
      advice: 'Mend them: a checkpoint that cannot be read is one that nobody can go on at'
    })
  }
  const multi = remains?.traces.multiStream ?? []
  if (multi.length > 0) {
    notes.push({
      ...{ severity: 'blocker', code: 'multi-stream' },
      message: `${multi.length} leases are those of an application that reads several streams, such as ${multi[0]}`,
      advice: 'Such a table is changed over by stopping one side and starting the other: see the page about it'
    })
  }
  const closed = remains?.closed ?? []
  if (closed.length > 0) {
    notes.push({
      ...{ severity: 'warning', code: 'closed-tables', message: `${closed.join(' and ')} may not be read` },
      advice: 'Allow dynamodb:Scan on them, or make sure yourself that no worker of KCL 3.x is left'
    })
  }
  return notes
}

function inLeases({ leases, shards, owners }: MigrationFacts): MigrationNote[] {
  const open = leases.filter(lease => !isFinished(lease))
  const about = (some: readonly Lease[]) => ({ shardIds: some.map(({ shardId }) => shardId).sort() })
  const notes: MigrationNote[] = []
  const handOffs = open.filter(({ checkpointOwner }) => checkpointOwner !== undefined)
  if (handOffs.length > 0) {
    notes.push({
      ...{ severity: 'info', code: 'hand-offs', message: `${leasesIn(handOffs)} handed over now, by KCL 3.x` },
      ...{ advice: 'Nothing: whoever has a lease checkpoints first', ...about(handOffs) }
    })
  }
  const pending = open.filter(({ pendingCheckpoint }) => pendingCheckpoint !== undefined)
  if (pending.length > 0) {
    notes.push({
      ...{ severity: 'info', code: 'pending-checkpoints', ...about(pending) },
      message: `In ${leasesIn(pending)} a checkpoint is prepared and not made`,
      advice: 'Both sides keep them, and hand them to the processor that goes on: it has to finish the commit'
    })
  }
  const dead = owners.filter(({ owner, state }) => !isSession(owner) && state === 'silent')
  if (dead.length > 0) {
    notes.push({
      ...{
        severity: 'info',
        code: 'dead-owners',
        advice: 'Nothing: their leases are taken over as those of workers that crashed'
      },
      message: `Nothing moves in the leases of ${dead.map(({ owner }) => owner).join(', ')}: these workers of KCL are gone`
    })
  }
  const known = new Set(leases.map(({ shardId }) => shardId))
  // A shard with a parent that is still to be read gets its lease at the end of that.
  const missing = shards.filter(
    shard => !isClosed(shard) && !known.has(shard.shardId) && !parentsOf(shard).some(parent => known.has(parent))
  )
  if (missing.length > 0) {
    notes.push({
      ...{ severity: 'warning', code: 'missing-leases', shardIds: missing.map(({ shardId }) => shardId) },
      message: `${missing.length} open shards have no lease, and are not read now`,
      advice: 'Whoever leads makes them; they begin at the start position of its options'
    })
  }
  return notes
}

function inOrders(to: MigrationTarget, { orders }: MigrationFacts): MigrationNote[] {
  const alone = orders.holds.find(({ isAlone }) => isAlone === true)
  const paused = orders.holds.filter(({ isKept }) => isKept)
  const notes: MigrationNote[] = []
  if (alone !== undefined) {
    notes.push({
      ...{ severity: 'blocker', code: 'busy', message: `${alone.why} by ${alone.by} is under way` },
      advice: 'Wait until it is over'
    })
  }
  if (paused.length > 0) {
    notes.push({
      ...{ severity: to === 'kcl' ? 'blocker' : 'warning', code: 'paused' },
      message: `Shards are paused for ${paused.map(({ why }) => why).join(', ')}, and KCL knows no pauses`,
      advice: 'Resume them first: while the table is shared, paused shards are read'
    })
  }
  return notes
}

function forMillrace(facts: MigrationFacts): MigrationNote[] {
  const { leases, members, owners } = facts
  const notes: MigrationNote[] = []
  const paces = owners.flatMap(({ owner, writesEveryMs, state }) =>
    isSession(owner) || state !== 'alive' || writesEveryMs === undefined ? [] : writesEveryMs
  )
  if (paces.length > 0) {
    const failoverMs = failoverOf(Math.max(...paces))
    const others = members.flatMap(({ workerId, durationMs }) =>
      durationMs !== undefined && Math.abs(durationMs - failoverMs) > failoverMs * 0.3
        ? [`${workerId} (${durationMs})`]
        : []
    )
    const isOff = others.length > 0
    notes.push({
      ...{ severity: isOff ? 'warning' : 'info', code: isOff ? 'durations' : 'failover' },
      message: `The workers of KCL renew as with failoverTimeMillis ${failoverMs}${isOff ? `; these of Millrace have another leases.durationMs: ${others.join(', ')}` : ''}`,
      advice:
        'Give the workers of Millrace leases.durationMs as KCL has failoverTimeMillis: each side judges the other by its own'
    })
  }
  const atTime = leases.filter(
    ({ checkpoint, startTimestampMs }) => checkpoint.sequenceNumber === 'AT_TIMESTAMP' && startTimestampMs === undefined
  )
  if (atTime.length > 0) {
    notes.push({
      ...{ severity: 'warning', code: 'at-timestamp', shardIds: atTime.map(({ shardId }) => shardId).sort() },
      message: `In ${leasesIn(atTime)} KCL begins at a time that only its configuration knows`,
      advice: 'Start the workers of Millrace with startAt: that Date'
    })
  }
  const latest = leases.filter(({ checkpoint, owner }) => {
    return checkpoint.sequenceNumber === 'LATEST' && owner !== undefined && !isSession(owner)
  })
  if (latest.length > 0) {
    notes.push({
      ...{ severity: 'warning', code: 'at-latest', shardIds: latest.map(({ shardId }) => shardId).sort() },
      message: `In ${leasesIn(latest)} KCL has checkpointed nothing yet, since LATEST`,
      advice:
        'It gets the time of now to begin at. What KCL has read there before, and not finished, is passed over, as when one of its workers crashes: have it checkpoint'
    })
  }
  return notes
}

function forKcl({ remains, members }: MigrationFacts, standing: Standing, rows: readonly KclRow[]): MigrationNote[] {
  const notes: MigrationNote[] = []
  const idsOf = (some: readonly KclRow[]): string[] => some.map(({ before }) => before.shardId)
  const timed = rows.filter(({ startMs }) => startMs !== undefined)
  if (timed.length > 0) {
    notes.push({
      ...{ severity: 'info', code: 'start-times', shardIds: idsOf(timed) },
      message: `In ${leasesIn(timed)} Millrace begins at a time, which KCL does not keep: it would begin with what arrives once it has come`,
      advice: 'Nothing: the last record before that time becomes the checkpoint'
    })
  }
  const others = rows.filter(({ why }) => why.some(reason => reason !== 'start-time'))
  if (others.length > 0) {
    notes.push({
      ...{ severity: 'info', code: 'rows-to-write', shardIds: idsOf(others) },
      message: `KCL expects something else in ${leasesIn(others)}: ${[...new Set(others.flatMap(({ why }) => why))].join(', ')}`,
      advice: 'Nothing: it is added'
    })
  }
  const { items = [], traces } = remains ?? {}
  const inLeaseTable = items.filter(({ table }) => !(remains?.tables ?? []).includes(table))
  if (inLeaseTable.length > 0) {
    notes.push({
      ...{ severity: 'warning', code: 'kcl-rows' },
      message: `${inLeaseTable.length} records of KCL 3.5 are among the leases, such as ${inLeaseTable[0]?.key}`,
      advice: 'Go back to KCL 3.5 or later. Versions before it stop reading the table at a row that is no lease'
    })
  }
  if ((traces?.strange.length ?? 0) > 0) {
    notes.push({
      ...{
        severity: 'blocker',
        code: 'strange-rows',
        message: `${traces?.strange.length} rows are no leases, such as ${traces?.strange[0]}`
      },
      advice: 'Delete them: KCL stops reading the table at a row that is no lease'
    })
  }
  if ((traces?.incomplete.length ?? 0) > 0) {
    notes.push({
      ...{ severity: 'blocker', code: 'incomplete-rows', shardIds: traces?.incomplete ?? [] },
      message: `${traces?.incomplete.length} leases lack leaseCounter, checkpoint or ownerSwitchesSinceCheckpoint`,
      advice: 'Add what is missing: KCL 2.x stops reading the table at such a row'
    })
  }
  const red = members.filter(({ troubles }) => (troubles?.count ?? 0) > 0)
  if (red.length > 0) {
    notes.push({
      ...{
        severity: 'warning',
        code: 'red-shards',
        message: `Shards of ${red.map(({ workerId }) => workerId).join(', ')} are red`
      },
      advice: 'KCL goes on at their checkpoints, and passes over a batch that its processor throws at'
    })
  }
  if (standing.living.length > 0) {
    const durations = [...new Set(members.flatMap(({ durationMs }) => durationMs ?? []))].sort((a, b) => a - b)
    notes.push({
      ...{
        severity: 'info',
        code: 'failover',
        message: `The workers of Millrace have leases.durationMs ${durations.join(', ')}`
      },
      advice: 'Give the workers of KCL the same failoverTimeMillis'
    })
  }
  return notes
}

function leasesIn(some: readonly unknown[]): string {
  return some.length === 1 ? '1 lease' : `${some.length} leases`
}
