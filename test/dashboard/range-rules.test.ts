import { expect } from 'chai'
import { hashPlace, hasRoom, rangeLines } from '../../src/dashboard/range-rules.ts'
import { idOf } from '../support/dashboard-fleet.ts'
import { aShardRow } from '../support/dashboard-rows.ts'

const even = (size: number) => Array.from({ length: size }, (_, at) => aShardRow(at, {}, at / size, (at + 1) / size))

describe('rangeLines', () => {
  it('puts a few shards in one line that they fill', () => {
    const lines = rangeLines(even(4), [])
    expect(lines).to.have.length(1)
    expect(lines[0]?.layers[0]?.map(({ left, width }) => [left, width])).to.deep.equal([
      [0, 25],
      [25, 25],
      [50, 25],
      [75, 25]
    ])
  })

  it('breaks many into lines, each of which is full', () => {
    const lines = rangeLines(even(1_000), [])
    expect(lines).to.have.length(16)
    for (const { layers } of lines) {
      const width = layers[0]?.reduce((sum, piece) => sum + piece.width, 0)
      expect(width).to.be.closeTo(100, 1e-6)
    }
  })

  it('has children below the parents that are still read, and no finished shards', () => {
    const parent = aShardRow(0, {}, 0, 0.5)
    const children = [
      aShardRow(2, { parents: [idOf(0)], state: 'waiting' }, 0, 0.25),
      aShardRow(3, { parents: [idOf(0)], state: 'waiting' }, 0.25, 0.5)
    ]
    const [line] = rangeLines([...children, parent, aShardRow(1, {}, 0.5, 1), aShardRow(9, { state: 'finished' })], [])
    expect(line?.layers.map(layer => layer.map(({ shard }) => shard?.id))).to.deep.equal([
      [idOf(0), idOf(1)],
      [idOf(2), idOf(3)]
    ])
  })

  it('shows holes', () => {
    const [line] = rangeLines([aShardRow(0, {}, 0, 0.5)], [{ start: '5', end: '9', from: 0.5, to: 1 }])
    expect(line?.layers[0]?.at(-1)).to.deep.equal({ left: 50, width: 50 })
  })

  it('has one empty line without shards', () => {
    expect(rangeLines([], [])).to.deep.equal([{ from: 0, to: 1, layers: [[]] }])
  })
})

describe('hashPlace', () => {
  it('is the first digits of a hash key', () => {
    expect([0, 0.25, 1].map(hashPlace)).to.deep.equal(['0x0000…', '0x4000…', '0xffff…'])
  })
})

describe('hasRoom', () => {
  it('leaves names out that would be cut', () => {
    expect([hasRoom('12', 6.25), hasRoom('12', 1.5), hasRoom('100000', 3.1)]).to.deep.equal([true, false, false])
  })
})
