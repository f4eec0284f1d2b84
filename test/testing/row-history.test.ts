import { expect } from 'chai'
import { RowHistory } from '../../src/testing/row-history.ts'

describe('RowHistory', () => {
  it('knows what a row was at a time, and that there was none', () => {
    const history = new RowHistory<string>()
    history.changed('a', undefined, 100, 1_000)
    history.changed('a', 'first', 200, 1_000)
    expect([99, 100, 199, 200].map(atMs => history.at('a', 'second', atMs))).to.deep.equal([
      undefined,
      'first',
      'first',
      'second'
    ])
    expect(history.at('b', 'always', 0)).to.equal('always')
  })

  it('forgets what no read may see', () => {
    const history = new RowHistory<string>()
    for (let nowMs = 0; nowMs < 10_000; nowMs += 100) history.changed('a', String(nowMs), nowMs, 1_000)
    expect(history.at('a', 'now', 0)).to.equal('9000')
  })

  it('names the rows that have changed lately', () => {
    const history = new RowHistory<string>()
    history.changed('old', 'x', 100, 1_000)
    history.changed('new', 'x', 900, 1_000)
    expect(history.changedSince(50)).to.deep.equal(['old', 'new'])
    expect(history.changedSince(100)).to.deep.equal(['new'])
  })
})
