import { expect } from 'chai'
import { eventsBetween, problemEvents } from '../../src/dashboard/event-rules.ts'
import type { Snapshot } from '../../src/dashboard/snapshot.ts'
import { idOf } from '../support/dashboard-fleet.ts'
import { aShardRow, aSnapshot, aWorkerRow } from '../support/dashboard-rows.ts'

const texts = (before: Snapshot, after: Snapshot): string[] => eventsBetween(before, after).map(({ text }) => text)

describe('eventsBetween', () => {
  it('tells nothing if nothing happened but progress', () => {
    const workers = [aWorkerRow('w', { silentMs: 5 })]
    const before = aSnapshot([aShardRow(1, { checkpoint: '99', lagMs: 4 })], workers)
    const after = aSnapshot([aShardRow(1, { checkpoint: '100', lagMs: 5 })], [aWorkerRow('w', { silentMs: 9 })])
    expect(eventsBetween(before, after)).to.deep.equal([])
  })

  it('tells who came, stops, died and left', () => {
    const before = aSnapshot([], [aWorkerRow('a'), aWorkerRow('b'), aWorkerRow('c', { shards: 0 }), aWorkerRow('d')])
    const after = aSnapshot(
      [],
      [aWorkerRow('a', { state: 'DEAD', shards: 3 }), aWorkerRow('b', { state: 'DRAINING' }), aWorkerRow('e')]
    )
    expect(eventsBetween(before, after)).to.deep.include.members([
      { topic: 'worker', mood: 'bad', text: 'a died; it still owned 3 shards' },
      { topic: 'worker', mood: 'plain', text: 'b stops and gives its shards back' },
      { topic: 'worker', mood: 'good', text: 'e joined' },
      { topic: 'worker', mood: 'plain', text: 'c left' },
      { topic: 'worker', mood: 'bad', text: 'd is gone' }
    ])
  })

  it('tells who leads', () => {
    const workers = [aWorkerRow('a')]
    expect(texts(aSnapshot([], workers), aSnapshot([], workers, { leader: 'a:x' }))).to.deep.equal([
      'a leads the fleet'
    ])
    expect(texts(aSnapshot([], workers, { leader: 'a:x' }), aSnapshot([], workers))).to.deep.equal([
      'nobody leads the fleet'
    ])
  })

  it('tells of splits and merges by the shards that are new, and of shards that are finished or gone', () => {
    const before = aSnapshot([aShardRow(0), aShardRow(1), aShardRow(2), aShardRow(9, { state: 'finished' })])
    const after = aSnapshot([
      ...[aShardRow(0, { state: 'finished' }), aShardRow(1), aShardRow(2)],
      ...[
        aShardRow(3, { parents: [idOf(0)] }),
        aShardRow(4, { parents: [idOf(0)] }),
        aShardRow(5, { parents: [idOf(1), idOf(2)] })
      ]
    ])
    expect(texts(before, after)).to.deep.equal([
      'shard 0 was split into shards 3 and 4',
      'shards 1 and 2 were merged into shard 5',
      'shard 0 is finished: it was read to its end',
      'the lease of shard 9 is gone'
    ])
  })

  it('tells of many shards that go the same way in one sentence', () => {
    const workers = [aWorkerRow('a'), aWorkerRow('b')]
    const owned = (owner: string): Snapshot =>
      aSnapshot(
        Array.from({ length: 40 }, (_, at) => aShardRow(at, { owner })),
        workers
      )
    expect(texts(owned('a:x'), owned('b:x'))).to.deep.equal(['shards 0, 1, 2, 3, 4 and 35 more went from a to b'])
  })

  it('has no more sentences than one would read, however much happens', () => {
    const shards = (isRed: boolean) =>
      Array.from({ length: 1_000 }, (_, at) => aShardRow(at, { isRed, owner: isRed ? `w${at}` : 'a:x' }))
    const events = eventsBetween(aSnapshot(shards(false)), aSnapshot(shards(true)))
    expect(events.length).to.be.lessThan(20)
    expect(events.map(({ text }) => text)).to.include('993 more shards changed between red and green')
  })

  it('tells of holds, moves, resets and troubles', () => {
    const hold = { why: 'a migration', by: 'ann', isPause: true, shards: 2 } as const
    const before = aSnapshot([aShardRow(1, { checkpoint: '900' }), aShardRow(2, { checkpoint: '1000' }), aShardRow(3)])
    const after = aSnapshot(
      [
        aShardRow(1, { checkpoint: 'LATEST' }),
        aShardRow(2, { checkpoint: '999', movesTo: 'b' }),
        aShardRow(3, { isRed: true, reason: 'halted: Error' })
      ],
      [],
      { holds: [hold], holes: [{ start: '0', end: '1', from: 0, to: 0.1 }] }
    )
    expect(texts(before, after)).to.deep.equal([
      'ann put 2 shards on hold: a migration',
      'shard 2 is to move to b',
      'shard 1 begins again at LATEST',
      'shard 2 begins again at 999',
      'shard 3 is red: halted: Error',
      'no shard is read for 1 range of hash keys'
    ])
    expect(texts(after, before)).to.include.members([
      'the hold of 2 shards by ann ended: a migration',
      'shard 3 is well again',
      'every hash key is covered again'
    ])
  })

  it('does not tell of a trouble again because its seconds count up', () => {
    const silent = (s: number): Snapshot =>
      aSnapshot([], [aWorkerRow('a', { isRed: true, reasons: [`has not been heard of for ${s} s`] })])
    expect(texts(aSnapshot([], [aWorkerRow('a')]), silent(11))).to.deep.equal(['a: has not been heard of for 11 s'])
    expect(texts(silent(11), silent(13))).to.deep.equal([])
    expect(texts(silent(13), aSnapshot([], [aWorkerRow('a')]))).to.deep.equal(['a is well again'])
  })

  it('tells texts of others on one line', () => {
    expect(texts(aSnapshot(), aSnapshot([], [aWorkerRow('a\n\u202eb')]))).to.deep.equal(['a b joined'])
  })
})

describe('problemEvents', () => {
  it('tells once that there is a problem, and once that there is none', () => {
    expect(problemEvents(undefined, 'away', 0)).to.have.length(1)
    expect(problemEvents('away', 'far away', 0)).to.deep.equal([])
    expect(problemEvents('away', undefined, 5_000)[0]?.text).to.equal('the fleet can be looked at again, after 5.0 s')
  })
})
