// What a chaos run has shown, from the ledgers of its workers and the signals that were sent: whether anything is lost or
// out of order, which signal excuses each duplicate, and how long shards were without a reader. Pure.
import { account } from '../support/ledger.ts'
import { type LifeNote, toMs, type WorkerLedger } from './wire-chaos-ledgers.ts'

/** A signal that was sent to a worker process. */
export interface Hit {
  /** Right before it was sent. Monotonic milliseconds. */
  readonly atMs: number
  readonly worker: string
  readonly signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT' | 'SIGTERM'
}

/** A record that was delivered again. */
export interface Duplicate {
  readonly id: number
  readonly key: string
  readonly shardId: string
  readonly first: { readonly worker: string; readonly atMs: number }
  readonly again: { readonly worker: string; readonly atMs: number }
  /** The signal that kept the first worker from checkpointing. Absent: there was none, and that is a violation. */
  readonly excuse: Hit | undefined
}

/** How long a shard was without a reader after a signal to the worker that had it. */
export interface Wait {
  readonly shardId: string
  readonly hit: Hit
  /** From the signal, or, after SIGTERM, from when the worker stopped reading, to the first read by another. Milliseconds. */
  readonly ms: number
  /** Whether the worker led the fleet. */
  readonly wasLeader: boolean
  /** Whether no other worker was killed or paused meanwhile, or shortly before. */
  readonly isSingle: boolean
}

/** Everything that was found. */
export interface Verdict {
  readonly lost: readonly number[]
  readonly outOfOrder: readonly string[]
  readonly givenAgainAfterCheckpoint: readonly number[]
  readonly duplicates: readonly Duplicate[]
  readonly failovers: readonly Wait[]
  readonly gaps: readonly Wait[]
}

interface Delivered {
  readonly worker: string
  readonly shardId: string
  readonly atMs: number
  readonly records: readonly { readonly key: string; readonly id: number }[]
  /** When its checkpoint was known to be stored. Infinity: that was never written down. */
  readonly storedAtMs: number
}

/** A signal is written down before it is sent, so that it seems to come before what it has interrupted. */
const SENDING_MS = 250
/** A batch is worked on for 150 ms; its checkpoint takes longer if the machine is busy. No signal later than that excuses. */
const REACH_MS = 5_000
/** How long after a signal the fleet may still have to do with it: with SIGKILL and SIGCONT, and with SIGSTOP. */
const NOTICED_MS = 20_000
const PAUSED_MS = 50_000
/** Events after which a worker does not hold a lease any more. */
const ENDS = ['lease:released', 'lease:lost', 'shard:ended']

/** Judges a run in which the records 0 to `produced` - 1 were put. */
export function judgeChaos(ledgers: readonly WorkerLedger[], hits: readonly Hit[], produced: number): Verdict {
  const { missing, outOfOrder, givenAgainAfterCheckpoint } = account(
    ledgers.map(({ entries }) => entries),
    produced
  )
  const lives = ledgers.flatMap(({ life }) => life).sort((a, b) => a.atMs - b.atMs)
  return {
    lost: missing,
    outOfOrder,
    givenAgainAfterCheckpoint,
    duplicates: duplicatesIn(ledgers.flatMap(deliveriesOf), hits),
    failovers: hits.filter(({ signal }) => signal === 'SIGKILL').flatMap(hit => failoversAfter(hit, lives, hits)),
    gaps: hits.filter(({ signal }) => signal === 'SIGTERM').flatMap(hit => gapsAfter(hit, lives, hits))
  }
}

/** The value that `share` of all are at most; 0 of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
}

function deliveriesOf({ worker, entries }: WorkerLedger): Delivered[] {
  const storedAtMs = new Map<number, number>()
  for (const { at, ids } of entries.stored) for (const id of ids) storedAtMs.set(id, toMs(at))
  return entries.given.map(({ at, shardId, records }) => ({
    worker,
    shardId,
    atMs: toMs(at),
    records,
    storedAtMs: Math.max(...records.map(({ id }) => storedAtMs.get(id) ?? Number.POSITIVE_INFINITY))
  }))
}

function duplicatesIn(deliveries: readonly Delivered[], hits: readonly Hit[]): Duplicate[] {
  const hard = hits.filter(({ signal }) => signal === 'SIGKILL' || signal === 'SIGSTOP')
  const newest = new Map<number, Delivered>()
  const duplicates: Duplicate[] = []
  for (const delivered of [...deliveries].sort((a, b) => a.atMs - b.atMs)) {
    for (const { id, key } of delivered.records) {
      const first = newest.get(id)
      newest.set(id, delivered)
      if (first === undefined) continue
      const excuse = hard.find(hit => hit.worker === first.worker && isInterruptedBy(first, hit))
      duplicates.push({ id, key, shardId: delivered.shardId, first, again: delivered, excuse })
    }
  }
  return duplicates
}

/** Whether the signal came between a delivery and its checkpoint. */
function isInterruptedBy({ atMs, storedAtMs }: Delivered, hit: Hit): boolean {
  return hit.atMs >= atMs - SENDING_MS && hit.atMs <= Math.min(storedAtMs, atMs + REACH_MS)
}

/** For each shard that the killed worker held: until another one reads it. One that nobody reads any more does not count. */
function failoversAfter(hit: Hit, lives: readonly LifeNote[], hits: readonly Hit[]): Wait[] {
  const wasLeader = leaderAt(lives, hit.atMs) === hit.worker
  return heldAt(lives, hit).flatMap(shardId => {
    const read = firstReadAfter(lives, shardId, hit.atMs, hit.worker)
    if (read === undefined) return []
    const isSingle = isAlone(hit, read.atMs, hits)
    return { shardId, hit, ms: read.atMs - hit.atMs, wasLeader, isSingle }
  })
}

/** For each shard that the worker gave back because of SIGTERM: from when it was not read any more until another one reads it. */
function gapsAfter(hit: Hit, lives: readonly LifeNote[], hits: readonly Hit[]): Wait[] {
  const wasLeader = leaderAt(lives, hit.atMs) === hit.worker
  const revokedAtMs = new Map<string, number>()
  return lives.flatMap(note => {
    const { worker, event, shardId, atMs } = note
    if (worker !== hit.worker || shardId === undefined || atMs < hit.atMs) return []
    if (event === 'lease:revoked') revokedAtMs.set(shardId, atMs)
    if (event !== 'lease:released') return []
    const read = firstReadAfter(lives, shardId, atMs, worker)
    if (read === undefined) return []
    const sinceMs = revokedAtMs.get(shardId) ?? atMs
    return { shardId, hit, ms: read.atMs - sinceMs, wasLeader, isSingle: isAlone(hit, read.atMs, hits) }
  })
}

function firstReadAfter(
  lives: readonly LifeNote[],
  shardId: string,
  atMs: number,
  except: string
): LifeNote | undefined {
  return lives.find(
    note => note.atMs >= atMs && note.shardId === shardId && note.event === 'shard:read' && note.worker !== except
  )
}

/** The shards of the leases that a worker held when it was hit. */
function heldAt(lives: readonly LifeNote[], hit: Hit): string[] {
  const held = new Set<string>()
  for (const { worker, event, shardId, atMs } of lives) {
    if (worker !== hit.worker || shardId === undefined || atMs > hit.atMs) continue
    if (event === 'lease:taken') held.add(shardId)
    if (ENDS.includes(event)) held.delete(shardId)
  }
  return [...held]
}

/** The worker that was elected last. */
function leaderAt(lives: readonly LifeNote[], atMs: number): string | undefined {
  return lives.findLast(note => note.event === 'leader:elected' && note.atMs <= atMs)?.worker
}

/** Whether no other worker was killed or paused until `untilMs`, nor was when it began, or so lately that it may not be known. */
function isAlone(hit: Hit, untilMs: number, hits: readonly Hit[]): boolean {
  return hits.every(({ worker, signal, atMs }) => {
    if (worker === hit.worker || signal === 'SIGTERM') return true
    return atMs > untilMs || atMs < hit.atMs - (signal === 'SIGSTOP' ? PAUSED_MS : NOTICED_MS)
  })
}
