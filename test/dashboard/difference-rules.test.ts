import { expect } from 'chai'
import { differenceOf } from '../../src/dashboard/difference-rules.ts'
import { aShardRow, aSnapshot, aWorkerRow } from '../support/dashboard-rows.ts'

describe('differenceOf', () => {
  it('is nothing if nothing differs', () => {
    const [a, b] = [aSnapshot([aShardRow(1)], [aWorkerRow('w')]), aSnapshot([aShardRow(1)], [aWorkerRow('w')])]
    expect(differenceOf(a, b)).to.deep.equal({})
  })

  it('has the members that differ, those that went as null, whole rows that are new, and the ids of those that went', () => {
    const before = aSnapshot([aShardRow(1, { lagMs: 5, heldFor: 'x' }), aShardRow(2)], [], { atMs: 1, problem: 'away' })
    const after = aSnapshot([aShardRow(1, { lagMs: 6 }), aShardRow(3)], [], { atMs: 2 })
    expect(differenceOf(before, after)).to.deep.equal({
      facts: { atMs: 2, problem: null },
      shards: {
        put: [{ id: aShardRow(1).id, lagMs: 6, heldFor: null }, aShardRow(3)],
        gone: [aShardRow(2).id]
      }
    })
  })

  it('compares lists and ranges by what is in them', () => {
    const before = aSnapshot([], [aWorkerRow('w', { reasons: ['a'] })])
    expect(differenceOf(before, aSnapshot([], [aWorkerRow('w', { reasons: ['a'] })]))).to.deep.equal({})
    const { workers } = differenceOf(before, aSnapshot([], [aWorkerRow('w', { reasons: ['b'] })]))
    expect(workers?.put).to.deep.equal([{ id: 'w:x', reasons: ['b'] }])
  })
})
