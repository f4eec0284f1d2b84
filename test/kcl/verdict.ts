// What a run of both kinds on one lease table has shown, from their ledgers and the signals that were sent: whether anything is
// lost or out of order, why records came twice, and how long shards were without a reader. Pure.
import type { GivenRecord, Kind, Note, Position } from './ledgers.ts'

/** A signal that was sent to a worker process. */
export interface Hit {
  /** Right before it was sent. Monotonic milliseconds. */
  readonly atMs: number
  readonly worker: string
  readonly kind: Kind
  readonly signal: 'SIGKILL' | 'SIGTERM'
}

/** From which shards a shard came. */
export type Lineage = ReadonlyMap<string, readonly string[]>

/** How a shard got from one worker to another. */
export interface TakeOver {
  readonly shardId: string
  readonly hit: Hit
  readonly to: Kind
  /** From the signal to the first record that another worker was given. Milliseconds. */
  readonly afterSignalMs: number
  /** From the last record that the worker was given to that. Milliseconds. */
  readonly withoutRecordsMs: number
}

/** A record that was given again. */
export interface Duplicate {
  readonly id: number
  readonly shardId: string
  /** Both workers and when, for people. */
  readonly told: string
  /** What became of the first worker before the record came again. */
  readonly because: 'killed' | 'stopped' | 'taken from a living worker' | 'same worker'
  readonly from: Kind
  readonly to: Kind
}

/** Everything that was found. */
export interface Verdict {
  readonly missing: readonly number[]
  /** First deliveries in a shard that came after a later record of it. */
  readonly outOfOrderInShard: readonly string[]
  /** First deliveries that came after a later record of the same key. */
  readonly outOfOrderByKey: readonly string[]
  /** Workers that left out a record between their first and their last of a shard, which another may have been given. */
  readonly skipped: readonly string[]
  /** Workers that began before a checkpoint that had been stored. */
  readonly beganTooEarly: readonly string[]
  /** Records of a child shard that came before the last one of a parent had come for the first time. */
  readonly childBeforeParent: readonly string[]
  readonly duplicates: readonly Duplicate[]
  readonly takeOvers: readonly TakeOver[]
}

/** What one worker was given of one shard, from its beginning to its end. */
interface Tenure {
  readonly worker: string
  readonly kind: Kind
  readonly shardId: string
  readonly beganAtMs: number
  readonly began: Position
  readonly given: { readonly atMs: number; readonly record: GivenRecord }[]
  /** When the worker said that it has lost or finished the shard. */
  endedAtMs: number
}

/** Judges a run in which the records 0 to `produced` - 1 were put. */
export function judge(notes: readonly Note[], hits: readonly Hit[], lineage: Lineage, produced: number): Verdict {
  const sorted = [...notes].sort((a, b) => a.atMs - b.atMs)
  const tenures = tenuresIn(sorted)
  const deliveries = tenures
    .flatMap(tenure => tenure.given.map(({ atMs, record }) => ({ atMs, record, tenure })))
    .sort((a, b) => a.atMs - b.atMs)
  const firsts = new Map<number, (typeof deliveries)[number]>()
  const duplicates: Duplicate[] = []
  for (const delivery of deliveries) {
    const first = firsts.get(delivery.record.id)
    if (first === undefined) firsts.set(delivery.record.id, delivery)
    else duplicates.push(duplicateOf(first, delivery, hits))
  }
  const inOrder = [...firsts.values()]
  return {
    missing: Array.from({ length: produced }, (_, id) => id).filter(id => !firsts.has(id)),
    outOfOrderInShard: backwardSteps(
      inOrder,
      ({ tenure }) => tenure.shardId,
      ({ record }) => record.position
    ),
    outOfOrderByKey: backwardSteps(
      inOrder,
      ({ record }) => record.key,
      ({ record }) => [String(record.id), 0]
    ),
    skipped: skippedIn(tenures),
    beganTooEarly: beganTooEarly(sorted, tenures),
    childBeforeParent: childrenTooEarly(inOrder, lineage),
    duplicates,
    takeOvers: hits.flatMap(hit => takeOversAfter(hit, tenures))
  }
}

const WORDS: readonly string[] = ['AT_TIMESTAMP', 'TRIM_HORIZON', 'LATEST']

/** Negative: `a` is before `b`. The words for beginnings are before all numbers, SHARD_END is after them. */
export function comparePositions([a, subA]: Position, [b, subB]: Position): number {
  const [rankA, rankB] = [rankOf(a), rankOf(b)]
  if (rankA !== 0 || rankB !== 0) return rankA - rankB
  const [numberA, numberB] = [BigInt(a), BigInt(b)]
  return numberA === numberB ? subA - subB : numberA < numberB ? -1 : 1
}

function rankOf(sequenceNumber: string): number {
  if (sequenceNumber === 'SHARD_END') return 1
  return WORDS.includes(sequenceNumber) ? -1 : 0
}

/** What a worker tells when it has a shard no more: it was taken away, it was given back with care, or it is finished. */
const ENDS: readonly string[] = ['lost', 'lease:released', 'ended']

function tenuresIn(notes: readonly Note[]): Tenure[] {
  const tenures: Tenure[] = []
  const current = new Map<string, Tenure>()
  for (const { worker, kind, shardId, event, position, given, atMs } of notes) {
    if (shardId === undefined) continue
    const key = `${worker} ${shardId}`
    if (event === 'began') {
      const began = position ?? ['TRIM_HORIZON', 0]
      const tenure = { worker, kind, shardId, beganAtMs: atMs, began, given: [], endedAtMs: Number.POSITIVE_INFINITY }
      const before = current.get(key)
      if (before !== undefined) before.endedAtMs = Math.min(before.endedAtMs, atMs)
      current.set(key, tenure)
      tenures.push(tenure)
    }
    const tenure = current.get(key)
    if (tenure === undefined) continue
    for (const record of given ?? []) tenure.given.push({ atMs, record })
    if (event !== undefined && ENDS.includes(event)) tenure.endedAtMs = Math.min(tenure.endedAtMs, atMs)
  }
  return tenures
}

interface Delivery {
  readonly atMs: number
  readonly record: GivenRecord
  readonly tenure: Tenure
}

function duplicateOf(first: Delivery, again: Delivery, hits: readonly Hit[]): Duplicate {
  const hit = hits.find(({ worker, atMs }) => worker === first.tenure.worker && atMs <= again.tenure.beganAtMs)
  const isSame = first.tenure.worker === again.tenure.worker
  const { shardId } = again.tenure
  return {
    id: first.record.id,
    shardId,
    told: `${first.record.id} in ${shardId}: by ${first.tenure.worker}, ${Math.round(again.atMs - first.atMs)} ms later by ${again.tenure.worker}`,
    because: isSame
      ? 'same worker'
      : hit === undefined
        ? 'taken from a living worker'
        : hit.signal === 'SIGKILL'
          ? 'killed'
          : 'stopped',
    from: first.tenure.kind,
    to: again.tenure.kind
  }
}

/** Where what comes later in time is before what came earlier, within each group. */
function backwardSteps(
  deliveries: readonly Delivery[],
  groupOf: (delivery: Delivery) => string,
  placeOf: (delivery: Delivery) => Position
): string[] {
  const newest = new Map<string, Delivery>()
  return deliveries.flatMap(delivery => {
    const group = groupOf(delivery)
    const before = newest.get(group)
    if (before !== undefined && comparePositions(placeOf(delivery), placeOf(before)) < 0) {
      return `${delivery.record.id} after ${before.record.id} of ${group}, by ${delivery.tenure.worker}`
    }
    newest.set(group, delivery)
    return []
  })
}

/** Each tenure must have been given everything after the position that it began at, up to its last record. */
function skippedIn(tenures: readonly Tenure[]): string[] {
  const byShard = new Map<string, Map<number, Position>>()
  for (const { shardId, given } of tenures) {
    const records = byShard.get(shardId) ?? new Map<number, Position>()
    for (const { record } of given) records.set(record.id, record.position)
    byShard.set(shardId, records)
  }
  return tenures.flatMap(({ worker, shardId, began, given }) => {
    const last = given.reduce<Position>((max, { record: { position } }) => later(max, position), began)
    const own = new Set(given.map(({ record }) => record.id))
    return [...(byShard.get(shardId) ?? [])]
      .filter(([id, at]) => !own.has(id) && comparePositions(at, began) > 0 && comparePositions(at, last) < 0)
      .map(([id]) => `${id} of ${shardId}, by ${worker}, which began after ${began.join('/')}`)
  })
}

function later(a: Position, b: Position): Position {
  return comparePositions(a, b) < 0 ? b : a
}

function beganTooEarly(notes: readonly Note[], tenures: readonly Tenure[]): string[] {
  return tenures.flatMap(({ worker, shardId, beganAtMs, began, given }) => {
    const stored = notes
      .filter(note => note.shardId === shardId && note.stored !== undefined && note.atMs < beganAtMs)
      .reduce<Position>((max, note) => later(max, note.stored ?? max), began)
    const [first] = given
    const isEarly =
      comparePositions(began, stored) < 0 ||
      (first !== undefined && comparePositions(first.record.position, began) <= 0)
    return isEarly ? `${worker} began ${shardId} after ${began.join('/')}, and ${stored.join('/')} was stored` : []
  })
}

function childrenTooEarly(firsts: readonly Delivery[], lineage: Lineage): string[] {
  const lastOf = new Map<string, number>()
  for (const { tenure, atMs } of firsts) lastOf.set(tenure.shardId, atMs)
  return firsts.flatMap(({ tenure, record, atMs }) =>
    (lineage.get(tenure.shardId) ?? [])
      .filter(parent => (lastOf.get(parent) ?? Number.NEGATIVE_INFINITY) > atMs)
      .map(parent => `${record.id} of ${tenure.shardId}, by ${tenure.worker}, before the last of ${parent}`)
  )
}

/** For each shard that the worker had: until another one is given a record of it. One that nobody reads on is left out. */
function takeOversAfter(hit: Hit, tenures: readonly Tenure[]): TakeOver[] {
  const held = tenures.filter(
    ({ worker, beganAtMs, endedAtMs }) => worker === hit.worker && beganAtMs <= hit.atMs && endedAtMs > hit.atMs
  )
  return held.flatMap(({ shardId, worker, given }) => {
    const next = tenures
      .filter(tenure => tenure.shardId === shardId && tenure.worker !== worker)
      .flatMap(tenure => tenure.given.map(({ atMs }) => ({ atMs, to: tenure.kind })))
      .filter(({ atMs }) => atMs > hit.atMs)
      .sort((a, b) => a.atMs - b.atMs)[0]
    const last = given.at(-1)
    if (next === undefined || last === undefined) return []
    return {
      shardId,
      hit,
      to: next.to,
      afterSignalMs: next.atMs - hit.atMs,
      withoutRecordsMs: next.atMs - last.atMs
    }
  })
}
