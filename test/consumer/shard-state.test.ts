import { expect } from 'chai'
import { nextShardState, type ShardState, shardTransitions } from '../../src/consumer/shard-state.ts'

const START: ShardState = 'waiting-for-parents'
/** States in which this worker holds the lease. In `losing` it is gone already. */
const HOLDING = [
  'waiting-for-parents',
  'initializing',
  'processing',
  'ending',
  'draining',
  'halted',
  'releasing'
] as const

/** The states that can be reached from one, itself included. */
function reachableFrom(from: ShardState): Set<ShardState> {
  const reached = new Set([from])
  for (const state of reached) {
    for (const each of shardTransitions()) if (each.from === state) reached.add(each.to)
  }
  return reached
}

describe('nextShardState', () => {
  it('follows this table', () => {
    const lines = shardTransitions().map(({ from, event, to }) => `${from}: ${event} -> ${to}`)
    expect(`\n${lines.join('\n')}\n`).to.equal(`
waiting-for-parents: parents-finished -> initializing
waiting-for-parents: read-failed -> releasing
waiting-for-parents: drain-requested -> releasing
waiting-for-parents: lease-lost -> losing
initializing: initialized -> processing
initializing: processor-gone -> initializing
initializing: gave-up -> halted
initializing: drain-requested -> releasing
initializing: lease-lost -> losing
processing: batch-settled -> processing
processing: read-anew -> processing
processing: end-reached -> ending
processing: processor-gone -> initializing
processing: gave-up -> halted
processing: read-failed -> draining
processing: drain-requested -> draining
processing: lease-lost -> losing
ending: end-settled -> stopped
ending: end-retracted -> processing
ending: end-refused -> releasing
ending: processor-gone -> initializing
ending: gave-up -> halted
ending: read-failed -> draining
ending: drain-requested -> draining
ending: lease-lost -> losing
draining: drained -> stopped
draining: gave-up -> releasing
draining: lease-lost -> losing
halted: resumed -> initializing
halted: drain-requested -> releasing
halted: lease-lost -> losing
releasing: released -> losing
releasing: lease-lost -> losing
losing: told -> stopped
`)
  })

  it('can reach every state there is', () => {
    const all = new Set(shardTransitions().flatMap(({ from, to }) => [from, to]))
    expect(reachableFrom(START)).to.deep.equal(all)
    expect(all).to.have.length(9)
  })

  it('leads from every state to stopped', () => {
    for (const state of reachableFrom(START)) expect([...reachableFrom(state)], state).to.include('stopped')
  })

  it('takes the loss of the lease in every state in which it is held', () => {
    for (const state of HOLDING) expect(nextShardState(state, 'lease-lost'), state).to.equal('losing')
  })

  it('takes the wish to drain in every state that can last', () => {
    for (const state of ['waiting-for-parents', 'initializing', 'processing', 'ending', 'halted'] as const) {
      expect(nextShardState(state, 'drain-requested'), state).to.be.oneOf(['draining', 'releasing'])
    }
  })

  it('knows no event in stopped, and none that does not belong to a state', () => {
    expect(shardTransitions().filter(({ from }) => from === 'stopped')).to.deep.equal([])
    expect(nextShardState('stopped', 'lease-lost')).to.equal(undefined)
    expect(nextShardState('losing', 'drain-requested')).to.equal(undefined)
  })

  it('never goes back to reading once it drains or loses', () => {
    for (const state of ['draining', 'releasing', 'losing'] as const) {
      expect([...reachableFrom(state)], state).to.not.include.members(['processing'])
      expect(reachableFrom(state).has('initializing'), state).to.equal(false)
    }
  })
})
