import { expect } from 'chai'
import { planStreams, type RemovalPolicy, type StreamFacts } from '../../src/worker/plan-streams.ts'

const AFTER: RemovalPolicy = { forgetAfterMs: 100, mayForget: () => true }

function facts(given: Partial<StreamFacts> & { readonly listed?: readonly string[] } = {}): StreamFacts {
  const { listed = ['a'], ...rest } = given
  const isListed = (streamId: string): boolean => listed.includes(streamId)
  const some = { nowMs: 1_000, inTable: new Set(['a', 'b']), gone: new Set<string>(), missingSinceMs: new Map() }
  return { ...some, isListed, policy: AFTER, ...rest }
}

function forgotten(given: Parameters<typeof facts>[0]): Record<string, string> {
  return Object.fromEntries(planStreams(facts(given)).forget)
}

describe('planStreams', () => {
  it('counts from when a stream is first seen in the table and not in the list', () => {
    const plan = planStreams(facts())
    expect([...plan.missingSinceMs]).to.deep.equal([['b', 1_000]])
    expect([...plan.forget]).to.deep.equal([])
  })

  it('forgets it once its time is over, and not before', () => {
    expect(forgotten({ missingSinceMs: new Map([['b', 901]]) })).to.deep.equal({})
    expect(forgotten({ missingSinceMs: new Map([['b', 900]]) })).to.deep.equal({ b: 'removed' })
  })

  it('begins anew with a stream that came back', () => {
    const back = planStreams(facts({ listed: ['a', 'b'], missingSinceMs: new Map([['b', 0]]) }))
    expect([...back.missingSinceMs]).to.deep.equal([])
    expect(forgotten({ missingSinceMs: back.missingSinceMs })).to.deep.equal({})
  })

  it('keeps all for ever if that is the policy, and those that may not be forgotten', () => {
    const missingSinceMs = new Map([['b', 0]])
    expect(forgotten({ policy: 'keep', missingSinceMs })).to.deep.equal({})
    expect(forgotten({ policy: { forgetAfterMs: 0, mayForget: id => id !== 'b' }, missingSinceMs })).to.deep.equal({})
  })

  it('forgets at once what does not exist any more, whatever the policy', () => {
    expect(forgotten({ policy: 'keep', gone: new Set(['b']) })).to.deep.equal({ b: 'gone' })
  })

  it('never forgets what is in the list, although it does not exist', () => {
    expect(forgotten({ gone: new Set(['a']) })).to.deep.equal({})
  })

  it('forgets what is not in the table any more', () => {
    const plan = planStreams(facts({ inTable: new Set(['a']), missingSinceMs: new Map([['b', 0]]) }))
    expect([plan.missingSinceMs.size, plan.forget.size]).to.deep.equal([0, 0])
  })
})
