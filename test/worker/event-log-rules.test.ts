import { expect } from 'chai'
import { BugError } from '../../src/model/errors.ts'
import { type AnyEvent, endedTroubles, fieldsOf, lastingTrouble, topicOf } from '../../src/worker/event-log-rules.ts'

const SHARD = { leaseKey: 'shard-1', shardId: 'shard-1', streamName: 'orders' }
const error = new BugError('broken')
const of = (name: string, event: object): AnyEvent => ({ name, event }) as AnyEvent

describe('fieldsOf', () => {
  it('calls an error err, as pino does', () => {
    expect(fieldsOf(of('error', { error, during: 'x' }))).to.deep.equal({ event: 'error', err: error, during: 'x' })
    expect(fieldsOf(of('shard:paused', SHARD))).to.deep.equal({ event: 'shard:paused', ...SHARD })
  })
})

describe('topicOf', () => {
  it('is the same for the same thing again, wherever that is', () => {
    const during = (text: string): string | undefined => topicOf(of('error', { error, during: text }))
    expect(during('consume shardId-000000000001')).to.equal(during('consume shardId-000000000002'))
    expect(during('claim a lease')).to.not.equal(during('lead the fleet'))
    expect(topicOf(of('processor:failed', SHARD))).to.equal('processor:failed')
  })

  it('is none for what waits for somebody', () => {
    expect(topicOf(of('shard:halted', SHARD))).to.equal(undefined)
    expect(topicOf(of('shard:stalled', { ...SHARD, action: 'release' }))).to.equal(undefined)
    expect(topicOf(of('shard:stalled', { ...SHARD, action: 'report' }))).to.equal('shard:stalled report')
  })
})

describe('endedTroubles', () => {
  const pairs: readonly (readonly [begins: [string, object], ends: [string, object]])[] = [
    [
      ['processor:failed', SHARD],
      ['batch:processed', SHARD]
    ],
    [
      ['processor:failed', SHARD],
      ['records:given-up', SHARD]
    ],
    [
      ['dead-letter:failed', SHARD],
      ['records:given-up', SHARD]
    ],
    [
      ['shard:failed', { ...SHARD, during: 'read' }],
      ['shard:read', SHARD]
    ],
    [
      ['shard:failed', { ...SHARD, during: 'checkpoint' }],
      ['checkpoint:stored', SHARD]
    ],
    [
      ['shard:failed', { ...SHARD, during: 'parents' }],
      ['shard:started', SHARD]
    ],
    [
      ['shard:stalled', SHARD],
      ['shard:progressed', SHARD]
    ],
    [
      ['session:suspended', {}],
      ['session:resumed', {}]
    ],
    [
      ['breaker:changed', { state: 'open' }],
      ['breaker:changed', { state: 'closed' }]
    ],
    [
      ['lease:neglected', { leaseKeys: ['a'] }],
      ['lease:neglected', { leaseKeys: [] }]
    ]
  ]
  for (const [begins, ends] of pairs) {
    it(`is that of ${begins[0]} with ${ends[0]}, and not with another shard`, () => {
      const trouble = lastingTrouble(of(...begins))
      expect(endedTroubles(of(...ends))).to.deep.include({ isGood: true })
      expect(endedTroubles(of(...ends)).keys).to.include(trouble)
      if (trouble?.includes('shard-1')) {
        const elsewhere = endedTroubles(of(ends[0], { ...ends[1], leaseKey: 'shard-2', shardId: 'shard-2' }))
        expect(elsewhere.keys).to.not.include(trouble)
      }
    })
  }

  it('are all of a shard that leaves, and that is no good news', () => {
    const { keys, isGood } = endedTroubles(of('lease:lost', SHARD))
    expect(isGood).to.equal(false)
    for (const [begins] of pairs.slice(0, 7)) expect(keys).to.include(lastingTrouble(of(...begins)))
  })
})
