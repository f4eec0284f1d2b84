import { expect } from 'chai'
import {
  type ConsumerWish,
  type HeldLease,
  planConsumers,
  type RunningConsumer
} from '../../src/worker/plan-consumers.ts'

const held = (leaseKey: string, isRevoked = false): HeldLease => ({ leaseKey, isRevoked })
const running = (leaseKey: string, with_: Partial<RunningConsumer> = {}): RunningConsumer => ({
  leaseKey,
  isCurrent: true,
  isDraining: false,
  ...with_
})

interface Row {
  readonly when: string
  readonly held: readonly HeldLease[]
  readonly running: readonly RunningConsumer[]
  readonly wish?: ConsumerWish
  readonly start?: readonly string[]
  readonly drain?: readonly string[]
}

const RUNNING: ConsumerWish = { mayStart: true, drainAll: false }
/** The worker is stopping, and waits for the leader to find somebody else for each lease. */
const HANDING_OVER: ConsumerWish = { mayStart: false, drainAll: false }
const STOPPING: ConsumerWish = { mayStart: false, drainAll: true }

const TABLE: readonly Row[] = [
  { when: 'nothing is held', held: [], running: [] },
  { when: 'a lease is new', held: [held('a')], running: [], start: ['a'] },
  { when: 'a lease is new and revoked at once', held: [held('a', true)], running: [], start: ['a'] },
  { when: 'a lease is being read', held: [held('a')], running: [running('a')] },
  { when: 'a lease that is being read is revoked', held: [held('a', true)], running: [running('a')], drain: ['a'] },
  {
    when: 'a revoked lease is draining already',
    held: [held('a', true)],
    running: [running('a', { isDraining: true })]
  },
  {
    when: 'an earlier hold is still being wound up',
    held: [held('a')],
    running: [running('a', { isCurrent: false })]
  },
  {
    when: 'an earlier hold is still being wound up and the lease is revoked',
    held: [held('a', true)],
    running: [running('a', { isCurrent: false })]
  },
  { when: 'a consumer outlives its lease', held: [], running: [running('a', { isCurrent: false })] },
  { when: 'stopping with a lease nobody reads', held: [held('a')], running: [], wish: STOPPING },
  {
    when: 'stopping',
    held: [held('a'), held('b'), held('c')],
    running: [running('a'), running('b', { isDraining: true }), running('c', { isCurrent: false })],
    wish: STOPPING,
    drain: ['a']
  },
  {
    when: 'handing over',
    held: [held('a'), held('b', true), held('c')],
    running: [running('a'), running('b')],
    wish: HANDING_OVER,
    drain: ['b']
  },
  {
    when: 'all is to be drained and shards may begin',
    held: [held('a'), held('b')],
    running: [running('a')],
    wish: { mayStart: true, drainAll: true },
    start: ['b'],
    drain: ['a']
  },
  {
    when: 'many leases are in every state',
    held: [held('a'), held('b', true), held('c'), held('__proto__')],
    running: [running('b'), running('c')],
    start: ['a', '__proto__'],
    drain: ['b']
  }
]

describe('planConsumers', () => {
  for (const { when, wish = RUNNING, start = [], drain = [], ...facts } of TABLE) {
    it(`starts ${start.join(' and ') || 'nothing'} and drains ${drain.join(' and ') || 'nothing'} when ${when}`, () => {
      expect(planConsumers(facts.held, facts.running, wish)).to.deep.equal({ start, drain })
    })
  }
})
