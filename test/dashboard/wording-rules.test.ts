import { expect } from 'chai'
import {
  count,
  duration,
  hasLag,
  namedShards,
  oneLine,
  plural,
  shortened,
  shortShard
} from '../../src/dashboard/wording-rules.ts'
import { idOf } from '../support/dashboard-fleet.ts'

describe('the words of the dashboard', () => {
  it('tell durations in the unit that fits', () => {
    const told = [0, 999, 1_000, 59_949, 59_951, 3_599_400, 3_600_000, 86_400_000].map(duration)
    expect(told).to.deep.equal(['0 ms', '999 ms', '1.0 s', '59.9 s', '1 m 0 s', '59 m 59 s', '1 h 0 m', '1 d 0 h'])
  })

  it('name a few shards of many', () => {
    expect(namedShards([idOf(3)])).to.equal('shard 3')
    expect(namedShards([idOf(3), idOf(4), 'custom'])).to.equal('shards 3, 4 and custom')
    expect(namedShards(Array.from({ length: 7 }, (_, at) => idOf(at)))).to.equal('shards 0, 1, 2, 3, 4 and 2 more')
    expect([shortShard(idOf(0)), shortShard('x')]).to.deep.equal(['0', 'x'])
  })

  it('count', () => {
    expect([count(12_345), plural(1, 'shard'), plural(0, 'shard')]).to.deep.equal(['12,345', '1 shard', '0 shards'])
    expect([hasLag({ lagMs: 0 }), hasLag({})]).to.deep.equal([true, false])
  })

  it('leave out the middle of what is long', () => {
    expect(shortened('1234567890', 10)).to.equal('1234567890')
    expect(shortened('12345678901', 10)).to.equal('12345…8901')
  })

  it('stand on one line, with nothing that turns the writing around', () => {
    expect(oneLine('a\r\nb\u202ec\u0000d \u2029')).to.equal('a b c d')
  })
})
