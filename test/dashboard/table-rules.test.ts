import { expect } from 'chai'
import { chosenRows, FIRST_WISH, rowWindow, type TableWish } from '../../src/dashboard/table-rules.ts'
import { idOf } from '../support/dashboard-fleet.ts'
import { aShardRow, aWorkerRow, byId } from '../support/dashboard-rows.ts'

const WORKERS = byId([aWorkerRow('web-b'), aWorkerRow('web-a')])
const SHARDS = byId([
  aShardRow(1, { owner: 'web-b:x', lagMs: 5 }),
  aShardRow(2, { state: 'held', heldFor: 'a Migration' }),
  aShardRow(3, { owner: 'web-a:x', lagMs: 50, isRed: true, reason: 'halted' }),
  aShardRow(4, { state: 'finished' })
])
const ids = (wish: Partial<TableWish>): number[] =>
  chosenRows(SHARDS, WORKERS, { ...FIRST_WISH, ...wish }).map(({ id }) => [1, 2, 3, 4].find(at => idOf(at) === id) ?? 0)

describe('chosenRows', () => {
  it('are those that are not finished, by their ids', () => {
    expect(ids({})).to.deep.equal([1, 2, 3])
    expect(ids({ isDescending: true })).to.deep.equal([3, 2, 1])
  })

  it('are those of a state, or that are red', () => {
    expect(ids({ states: 'all' })).to.deep.equal([1, 2, 3, 4])
    expect(ids({ states: 'red' })).to.deep.equal([3])
    expect(ids({ states: 'held' })).to.deep.equal([2])
  })

  it('have every word in them, whatever its case', () => {
    expect(ids({ text: 'migration' })).to.deep.equal([2])
    expect(ids({ text: 'WEB halt' })).to.deep.equal([3])
    expect(ids({ text: 'web-b halt' })).to.deep.equal([])
  })

  it('have at the end, either way, what has no value', () => {
    expect(ids({ sort: 'lag' })).to.deep.equal([1, 3, 2])
    expect(ids({ sort: 'lag', isDescending: true })).to.deep.equal([3, 1, 2])
    expect(ids({ sort: 'owner' })).to.deep.equal([3, 1, 2])
    expect(ids({ sort: 'state' })).to.deep.equal([3, 2, 1])
    expect(ids({ sort: 'range' })).to.deep.equal([1, 2, 3])
  })
})

describe('rowWindow', () => {
  it('is what can be seen, and a little more', () => {
    expect(rowWindow(1_000, { top: 3_600, height: 360, rowHeight: 36 })).to.deep.equal({ from: 94, to: 116 })
    expect(rowWindow(3, { top: 0, height: 360, rowHeight: 36 })).to.deep.equal({ from: 0, to: 3 })
    expect(rowWindow(0, { top: 0, height: 360, rowHeight: 36 })).to.deep.equal({ from: 0, to: 0 })
  })
})
