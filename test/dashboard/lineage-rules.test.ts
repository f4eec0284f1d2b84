import { expect } from 'chai'
import { lineageOf } from '../../src/dashboard/lineage-rules.ts'
import { idOf } from '../support/dashboard-fleet.ts'
import { aShardRow, byId } from '../support/dashboard-rows.ts'

describe('lineageOf', () => {
  it('puts children in the generation after the oldest of their parents, with a link from each', () => {
    const shards = byId([
      ...[aShardRow(0, {}, 0, 0.5), aShardRow(1, {}, 0.5, 1)],
      ...[aShardRow(2, { parents: [idOf(0)] }, 0, 0.25), aShardRow(3, { parents: [idOf(0)] }, 0.25, 0.5)],
      aShardRow(4, { parents: [idOf(3), idOf(1)] }, 0.25, 1)
    ])
    const { generations, links, splits, merges, hidden } = lineageOf(shards)
    expect(generations.map(row => row.map(({ shard }) => shard.id))).to.deep.equal([
      [idOf(0), idOf(1)],
      [idOf(2), idOf(3)],
      [idOf(4)]
    ])
    expect(links.map(({ parent, child }) => [parent.shard.id, child.shard.id])).to.deep.equal([
      ...[
        [idOf(0), idOf(2)],
        [idOf(0), idOf(3)],
        [idOf(3), idOf(4)],
        [idOf(1), idOf(4)]
      ]
    ])
    expect({ splits, merges, hidden }).to.deep.equal({ splits: 1, merges: 1, hidden: 0 })
  })

  it('shows the youngest generations of many', () => {
    const shards = byId(
      Array.from({ length: 12 }, (_, at) => aShardRow(at, at === 0 ? {} : { parents: [idOf(at - 1)] }))
    )
    const { generations, hidden } = lineageOf(shards)
    expect([generations.length, hidden]).to.deep.equal([8, 4])
    expect(generations.at(-1)?.[0]?.shard.id).to.equal(idOf(11))
  })

  it('does not go round in a circle', () => {
    const shards = byId([aShardRow(0, { parents: [idOf(1)] }), aShardRow(1, { parents: [idOf(0)] })])
    expect(lineageOf(shards).generations.flat()).to.have.length(2)
  })

  it('takes parents that nobody knows for none', () => {
    expect(lineageOf(byId([aShardRow(1, { parents: [idOf(0)] })])).links).to.deep.equal([])
  })
})
