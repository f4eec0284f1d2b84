import { expect } from 'chai'
import { describeAction, parseAction } from '../../src/dashboard/action-rules.ts'
import { OptionError } from '../../src/model/errors.ts'
import { idOf } from '../support/dashboard-fleet.ts'

const told = (body: object): string => describeAction(parseAction(JSON.stringify(body)))

describe('parseAction', () => {
  it('reads actions, which can be told in words', () => {
    expect(told({ kind: 'reset', position: 'LATEST' })).to.equal('reset all shards to the newest records')
    expect(told({ kind: 'reset', position: 'TRIM_HORIZON' })).to.equal('reset all shards to the oldest records')
    expect(told({ kind: 'reset', position: { at: '2026-01-31T08:00:00+01:00' } })).to.equal(
      'reset all shards to 2026-01-31T07:00:00.000Z'
    )
    expect(told({ kind: 'reset', position: { sequenceNumber: '7' }, shardIds: [idOf(1)] })).to.equal(
      'reset shard 1 to after record 7'
    )
    expect(told({ kind: 'release', shardIds: Array.from({ length: 9 }, (_, at) => idOf(at)) })).to.equal(
      'release 9 shards'
    )
    expect(told({ kind: 'pause', why: '' })).to.equal('pause all shards')
    expect(told({ kind: 'move', shardId: idOf(1), workerId: 'web-2' })).to.equal('move shard 1 to web-2')
  })

  it('counts a shard once', () => {
    expect(parseAction(JSON.stringify({ kind: 'resume', shardIds: ['a', 'a'] }))).to.deep.equal({
      kind: 'resume',
      shardIds: ['a']
    })
  })

  for (const body of [
    { kind: 'reset', position: { at: '2026-01-31T08:00:00' } },
    { kind: 'reset', position: { at: '2026-01-31T08:00:00Z', sequenceNumber: '7' } },
    { kind: 'reset', position: { sequenceNumber: 7 } },
    { kind: 'reset', position: { sequenceNumber: '7', subSequenceNumber: -1 } },
    { kind: 'reset', position: { sequenceNumber: '7', other: 1 } },
    { kind: 'release', shardIds: Array.from({ length: 10_001 }, (_, at) => idOf(at)) },
    { kind: 'release', shardIds: 'all' },
    { kind: 'pause', why: 'x'.repeat(201) },
    { kind: 'move', shardId: idOf(1) }
  ]) {
    it(`refuses ${JSON.stringify(body).slice(0, 80)}`, () => {
      expect(() => parseAction(JSON.stringify(body))).to.throw(OptionError)
    })
  }
})
