// What happened between two looks at a fleet, as sentences for people. Told of what differs, so that what happened and was undone in
// between is not told. However much differs, there are only so many sentences.
import type { EventTopic, FleetEvent, ShardRow, Snapshot, WorkerRow } from './snapshot.ts'
import { count, duration, namedShards, oneLine, plural, shortShard } from './wording-rules.ts'

/** An event that has no number yet. */
export type NewEvent = Omit<FleetEvent, 'id' | 'atMs'>

/** How many sentences of one kind there are; then one that counts the rest. */
const EACH_KIND = 8

/** What happened. The order is that in which one would tell it: workers, what became of shards, troubles. */
export function eventsBetween(before: Snapshot, after: Snapshot): NewEvent[] {
  const was = new Map(before.shards.map(shard => [shard.id, shard]))
  const pairs = after.shards.flatMap(shard => {
    const old = was.get(shard.id)
    return old === undefined ? [] : [[old, shard] as const]
  })
  return [
    ...limited(workerEvents(before.workers, after.workers), 'more workers came or went'),
    ...leaderEvents(before, after),
    ...limited(newShards(was, after.shards), 'more shards are new'),
    ...limited(finishedShards(pairs), 'more shards are finished'),
    ...limited(goneShards(before.shards, after.shards), 'more shards are gone'),
    ...ownerEvents(pairs, new Map([...before.workers, ...after.workers].map(({ id, name }) => [id, name]))),
    ...orderEvents(before, after, pairs),
    ...limited(positionEvents(pairs), 'more shards begin elsewhere'),
    ...limited(troubleEvents(pairs), 'more shards changed between red and green'),
    ...limited(workerTroubles(before.workers, after), 'more workers changed between red and green'),
    ...holeEvents(before, after)
  ]
}

function limited(events: readonly NewEvent[], more: string): NewEvent[] {
  const [first] = events
  if (first === undefined || events.length <= EACH_KIND) return [...events]
  const rest = events.length - EACH_KIND + 1
  return [...events.slice(0, EACH_KIND - 1), { ...first, mood: 'plain', text: `${count(rest)} ${more}` }]
}

function event(topic: EventTopic, mood: NewEvent['mood'], text: string): NewEvent {
  return { topic, mood, text: oneLine(text) }
}

function workerEvents(before: readonly WorkerRow[], after: readonly WorkerRow[]): NewEvent[] {
  const was = new Map(before.map(worker => [worker.id, worker]))
  const is = new Map(after.map(worker => [worker.id, worker]))
  return [
    ...after.flatMap(worker => {
      const old = was.get(worker.id)
      if (old === undefined) {
        if (worker.state === 'DEAD') return []
        return [event('worker', 'good', `${worker.name} joined`)]
      }
      return old.state === worker.state ? [] : [stateEvent(worker)]
    }),
    ...before.flatMap(worker => {
      if (is.has(worker.id) || worker.state === 'DEAD') return []
      const isOrderly = worker.state === 'DRAINING' || worker.shards === 0
      return [event('worker', isOrderly ? 'plain' : 'bad', `${worker.name} ${isOrderly ? 'left' : 'is gone'}`)]
    })
  ]
}

function stateEvent(worker: WorkerRow): NewEvent {
  const { name, shards } = worker
  switch (worker.state) {
    case 'DEAD':
      return event('worker', 'bad', `${name} died; it still owned ${plural(shards, 'shard')}`)
    case 'DRAINING':
      return event('worker', 'plain', `${name} stops and gives its shards back`)
    case 'RESTARTING':
      return event('worker', 'plain', `${name} restarts`)
    default:
      return event('worker', 'good', `${name} is at work`)
  }
}

function leaderEvents(before: Snapshot, after: Snapshot): NewEvent[] {
  const { leader } = after.facts
  if (leader === before.facts.leader) return []
  if (leader === undefined) return [event('worker', 'bad', 'nobody leads the fleet')]
  return [event('worker', 'plain', `${after.workers.find(({ id }) => id === leader)?.name ?? leader} leads the fleet`)]
}

/** Children say who their parents are; what has none came with the stream. */
function newShards(was: ReadonlyMap<string, ShardRow>, after: readonly ShardRow[]): NewEvent[] {
  const fresh = after.filter(({ id }) => !was.has(id))
  const byParents = new Map<string, ShardRow[]>()
  for (const shard of fresh) {
    const key = shard.parents.join(' ')
    byParents.set(key, [...(byParents.get(key) ?? []), shard])
  }
  return [...byParents.values()].map(shards => {
    const [{ parents } = { parents: [] }] = shards
    const ids = shards.map(({ id }) => id)
    const [parent = ''] = parents
    if (parents.length === 0) return event('shard', 'plain', `${namedShards(ids)} appeared`)
    if (parents.length > 1)
      return event('shard', 'plain', `${namedShards(parents)} were merged into ${namedShards(ids)}`)
    return event('shard', 'plain', `shard ${shortShard(parent)} was split into ${namedShards(ids)}`)
  })
}

type Pair = readonly [before: ShardRow, after: ShardRow]

function finishedShards(pairs: readonly Pair[]): NewEvent[] {
  return pairs
    .filter(([old, shard]) => old.state !== 'finished' && shard.state === 'finished')
    .map(([, { id }]) => event('shard', 'good', `shard ${shortShard(id)} is finished: it was read to its end`))
}

function goneShards(before: readonly ShardRow[], after: readonly ShardRow[]): NewEvent[] {
  const is = new Set(after.map(({ id }) => id))
  return before
    .filter(({ id }) => !is.has(id))
    .map(({ id, state }) => {
      return event('shard', state === 'finished' ? 'plain' : 'bad', `the lease of shard ${shortShard(id)} is gone`)
    })
}

/** Many shards go from one worker to another at once: that is one sentence. */
function ownerEvents(pairs: readonly Pair[], names: ReadonlyMap<string, string>): NewEvent[] {
  const groups = new Map<string, { readonly from: string; readonly to: string; readonly ids: string[] }>()
  for (const [{ owner: from = '' }, { owner: to = '', id, state }] of pairs) {
    if (from === to || state === 'finished') continue
    const group = groups.get(`${from} ${to}`) ?? { from, to, ids: [] }
    group.ids.push(id)
    groups.set(`${from} ${to}`, group)
  }
  const nameOf = (id: string): string => names.get(id) ?? id
  const events = [...groups.values()].map(({ from, to, ids }) => {
    const what = namedShards(ids)
    if (to === '') return event('shard', 'plain', `${nameOf(from)} gave ${what} back`)
    if (from === '') return event('shard', 'plain', `${nameOf(to)} took ${what}`)
    return event('shard', 'plain', `${what} went from ${nameOf(from)} to ${nameOf(to)}`)
  })
  return limited(events, 'more changes of owners')
}

function orderEvents(before: Snapshot, after: Snapshot, pairs: readonly Pair[]): NewEvent[] {
  const keyOf = ({ why, by }: Snapshot['facts']['holds'][number]): string => `${by} ${why}`
  const were = new Set(before.facts.holds.map(keyOf))
  const are = new Set(after.facts.holds.map(keyOf))
  const begun = after.facts.holds.filter(hold => !were.has(keyOf(hold)))
  const ended = before.facts.holds.filter(hold => !are.has(keyOf(hold)))
  const named = (shards: 'all' | number): string => (shards === 'all' ? 'all shards' : plural(shards, 'shard'))
  return [
    ...begun.map(({ why, by, shards }) => event('order', 'plain', `${by} put ${named(shards)} on hold: ${why}`)),
    ...ended.map(({ why, by, shards }) =>
      event('order', 'plain', `the hold of ${named(shards)} by ${by} ended: ${why}`)
    ),
    ...limited(
      pairs
        .filter(([old, { movesTo }]) => movesTo !== undefined && old.movesTo !== movesTo)
        .map(([, { id, movesTo }]) => event('order', 'plain', `shard ${shortShard(id)} is to move to ${movesTo}`)),
      'more shards are to move'
    )
  ]
}

/** A checkpoint that goes back, or to a word or a time, was reset: workers only write sequence numbers that grow. */
function positionEvents(pairs: readonly Pair[]): NewEvent[] {
  return pairs
    .filter(([old, shard]) => old.checkpoint !== shard.checkpoint && wasReset(old.checkpoint, shard.checkpoint))
    .map(([, { id, checkpoint }]) => {
      return event(
        'position',
        'plain',
        `shard ${shortShard(id)} begins again at ${/^\d{20,}/.test(checkpoint) ? 'an earlier record' : checkpoint}`
      )
    })
}

function wasReset(before: string, after: string): boolean {
  if (after === 'SHARD_END') return false
  const [was, is] = [/^\d+$/.exec(before)?.[0], /^\d+$/.exec(after)?.[0]]
  if (is === undefined) return !after.includes('#')
  return was !== undefined && (was.length === is.length ? is < was : is.length < was.length)
}

function troubleEvents(pairs: readonly Pair[]): NewEvent[] {
  return pairs
    .filter(([old, shard]) => old.isRed !== shard.isRed)
    .map(([, { id, isRed, reason = 'no reason was given' }]) => {
      return event(
        'trouble',
        isRed ? 'bad' : 'good',
        `shard ${shortShard(id)} is ${isRed ? `red: ${reason}` : 'well again'}`
      )
    })
}

/** What is red in a worker counts seconds in its reasons: only that it became red is news, or that a shard of it did. */
function workerTroubles(before: readonly WorkerRow[], { workers, shards }: Snapshot): NewEvent[] {
  const was = new Map(before.map(worker => [worker.id, worker]))
  // What is said of a shard is told of that shard.
  const ids = new Set(shards.map(({ id }) => id))
  return workers.flatMap(worker => {
    const { name, state, reasons } = worker
    const old = was.get(worker.id)
    if (old === undefined || state === 'DEAD') return []
    if (old.isRed && reasons.length === 0) return [event('trouble', 'good', `${name} is well again`)]
    const known = new Set(old.reasons.map(withoutNumbers))
    const fresh = reasons.filter(reason => !known.has(withoutNumbers(reason)) && !ids.has(reason.split(' ')[0] ?? ''))
    return fresh.map(reason => event('trouble', 'bad', `${name}: ${reason}`))
  })
}

function withoutNumbers(reason: string): string {
  return reason.replace(/\b\d+(\.\d+)?( m?s)?\b/g, '#')
}

function holeEvents(before: Snapshot, after: Snapshot): NewEvent[] {
  const [were, are] = [before.facts.holes.length, after.facts.holes.length]
  if (were === are) return []
  if (are === 0) return [event('trouble', 'good', 'every hash key is covered again')]
  return are > were ? [event('trouble', 'bad', `no shard is read for ${plural(are, 'range')} of hash keys`)] : []
}

/** That a look failed, or works again: both are told once. */
export function problemEvents(before: string | undefined, after: string | undefined, sinceMs: number): NewEvent[] {
  if ((before === undefined) === (after === undefined)) return []
  if (after !== undefined) return [event('trouble', 'bad', `the fleet cannot be looked at: ${after}`)]
  return [event('trouble', 'good', `the fleet can be looked at again, after ${duration(sinceMs)}`)]
}
