// The bounded model check of the protocol: explores every interleaving of two workers, their shards and a leader, with
// crashes, certificates at any moment, and requests and answers that are lost or late. The decisions are those of src, the
// rest is in model/. Run it with `npm run model-check -- [--depth N] [--json]`.
import { parseArgs } from 'node:util'
import { FULL_HASH_KEY_RANGE } from '../../src/model/hash-key-range.ts'
import type { Lease } from '../../src/model/lease.ts'
import { SHARD_END } from '../../src/model/sequence-number.ts'
import type { ChildShard } from '../../src/model/shard.ts'
import { aLease } from '../support/builders.ts'
import { type Exploration, explore } from './model/explorer.ts'
import { FenceModel } from './model/fence-model.ts'
import { STEP } from './model/fence-world.ts'
import { LeadModel } from './model/lead-model.ts'
import { LeasesModel, type LeasesSetting } from './model/leases-model.ts'
import { REAL_RULES, type Rules } from './model/rules.ts'
import type { ShardSpec } from './model/shard-steps.ts'

/** Something to explore. */
export interface Configuration {
  readonly name: string
  /** What there is, in words. */
  readonly about: string
  /** How deep it is explored unless something else is asked for. Infinity: until nothing is left. */
  readonly depth: number
  explore(depth: number): Exploration
}

/** What is explored, by rules that may be broken in one way or another. */
export function configurations(broken: Partial<Rules> = {}): readonly Configuration[] {
  const rules = { ...REAL_RULES, ...broken }
  return [...leasesConfigurations(rules), ...leadConfigurations(rules), ...fenceConfigurations(rules)]
}

/**
 * Two shards that have nothing to do with each other share nothing but the sessions, so that what one shard alone can do, both
 * can: the first two configurations say all of it. What is left is a shard and its parents.
 */
function leasesConfigurations(rules: Rules): Configuration[] {
  const known = { rules, fixedRows: [], leader: 'wrong', sessions: [2, 2], maxLate: 1 } as const
  const one = [aShardOf({ records: 2 })]
  return [
    ofLeases('one shard', 'of 2 records; 2 sessions a worker; a wrong leader', Number.POSITIVE_INFINITY, {
      ...known,
      shards: one
    }),
    ofLeases('one shard, liar', 'the same, and a leader that names living sessions as dead', Number.POSITIVE_INFINITY, {
      ...known,
      leader: 'liar',
      shards: one
    }),
    ofLeases('two shards', 'of 1 record; 2 sessions a worker; a lying leader', 13, {
      ...known,
      leader: 'liar',
      shards: [aShardOf({ records: 1 }), aShardOf({ number: 2, records: 1 })]
    }),
    ofLeases('parent and child', 'of 1 record; 2 sessions a worker', 15, { ...known, ...family(1) }),
    ofLeases('parent and child, no late writes', 'of 1 record; 2 sessions and 1', Number.POSITIVE_INFINITY, {
      ...known,
      ...family(1),
      sessions: [2, 1],
      maxLate: 0
    }),
    ofLeases('two parents and a child', 'without records; 1 session a worker; no late writes', 17, {
      ...known,
      ...merge(),
      sessions: [1, 1],
      maxLate: 0
    })
  ]
}

function leadConfigurations(rules: Rules): Configuration[] {
  const setting = { name: 'the lead', sessions: [2, 1], terms: 3, maxLate: 1, rules }
  return [
    {
      name: setting.name,
      about: '3 terms; 2 sessions and 1; old reads of the lock and of the leader',
      depth: Number.POSITIVE_INFINITY,
      explore: depth => explore(new LeadModel(setting), depth)
    }
  ]
}

function fenceConfigurations(rules: Rules): Configuration[] {
  // The clock of the owner gets as far behind that of the watcher as the protocol allows: a fifth.
  const setting = { ownerSteps: [STEP * 0.8], maxBeats: 1, rules }
  const ofFence = (watcher: 'leader' | 'follower', stepsOfLease: number): Configuration => {
    const name = `the self-fence, watched by a ${watcher}`
    const settings = { durationMs: stepsOfLease * STEP, heartbeatMs: STEP }
    return {
      name,
      about: `a lease of ${stepsOfLease} steps of time; the owner's clock at 0.8 of the watcher's`,
      depth: Number.POSITIVE_INFINITY,
      explore: depth => explore(new FenceModel({ ...setting, name, watcher, settings }), depth)
    }
  }
  return [ofFence('leader', 4), ofFence('follower', 3)]
}

function ofLeases(name: string, about: string, depth: number, setting: Omit<LeasesSetting, 'name'>): Configuration {
  return { name, about, depth, explore: atMost => explore(new LeasesModel({ ...setting, name }), atMost) }
}

function aShardOf({ number = 1, records }: { readonly number?: number; readonly records: number }): ShardSpec {
  return {
    lease: aLease(keyOf(number)),
    isCreated: true,
    records,
    children: []
  }
}

/** A shard, and one that it is merged into together with another, which is finished. */
function family(records: number): Pick<LeasesSetting, 'shards' | 'fixedRows'> {
  const { spec, asChild } = aChild(3, [1, 2], records)
  const finished = aLease({ ...keyOf(2), checkpoint: SHARD_END, childShardIds: [asChild.shardId] })
  return { shards: [{ ...aShardOf({ records }), children: [asChild] }, spec], fixedRows: [finished] }
}

/** Two shards and the one that they are merged into. */
function merge(): Pick<LeasesSetting, 'shards' | 'fixedRows'> {
  const { spec, asChild } = aChild(3, [1, 2], 0)
  const parents = [1, 2].map(number => ({ ...aShardOf({ number, records: 0 }), children: [asChild] }))
  return { shards: [...parents, spec], fixedRows: [] }
}

function aChild(number: number, parents: readonly number[], records: number): { spec: ShardSpec; asChild: ChildShard } {
  const parentShardIds = parents.map(parent => keyOf(parent).shardId)
  const lease = aLease({ ...keyOf(number), parentShardIds })
  const asChild = { shardId: lease.shardId, parentShardIds, hashKeyRange: FULL_HASH_KEY_RANGE }
  return { spec: { lease, isCreated: false, records, children: [] }, asChild }
}

/** Short names, for traces. */
function keyOf(number: number): Pick<Lease, 'shardId' | 'leaseKey'> {
  return { shardId: `s${number}`, leaseKey: `s${number}` }
}

function main(): void {
  const { values } = parseArgs({ options: { depth: { type: 'string' }, json: { type: 'boolean', default: false } } })
  if (values.depth !== undefined && !/^[1-9]\d*$/.test(values.depth)) {
    console.error(`--depth ${values.depth}: expected a number of steps, 1 or more`)
    process.exitCode = 2
    return
  }
  const reports = configurations().map(configuration => {
    const { name, about, depth, explore } = configuration
    const startedMs = performance.now()
    const explored = explore(values.depth === undefined ? depth : Number(values.depth))
    const report = { about, ...explored, seconds: Number(((performance.now() - startedMs) / 1_000).toFixed(1)) }
    if (!values.json) console.log(`${name} (${about})\n  ${inWords(report)}`)
    return report
  })
  const states = sumOf(reports, report => report.states)
  const transitions = sumOf(reports, report => report.transitions)
  const violations = reports.filter(({ violation }) => violation !== undefined).length
  const seconds = Number(sumOf(reports, report => report.seconds).toFixed(1))
  const summary = { states, transitions, violations, seconds }
  if (values.json) console.log(JSON.stringify({ configurations: reports, ...summary }))
  else
    console.log(
      `In all: ${inThousands(states)} states, ${inThousands(transitions)} transitions, ${violations} violations, ${seconds} s`
    )
  process.exitCode = violations > 0 ? 1 : 0
}

function inWords({
  states,
  transitions,
  depth,
  isExhausted,
  seconds,
  violation
}: Exploration & { readonly seconds: number }): string {
  const counts = `${inThousands(states)} states, ${inThousands(transitions)} transitions, depth ${depth}`
  const outcome =
    violation === undefined ? (isExhausted ? 'exhausted' : 'not exhausted') : `VIOLATION: ${violation.what}`
  const trace = (violation?.trace ?? []).map((label, index) => `\n    ${index + 1}. ${label}`).join('')
  return `${counts}, ${outcome}, ${seconds} s${trace}`
}

function inThousands(number: number): string {
  return number.toLocaleString('en-US')
}

function sumOf<T>(of: readonly T[], value: (one: T) => number): number {
  return of.reduce((sum, one) => sum + value(one), 0)
}

if (process.argv[1] === import.meta.filename) main()
