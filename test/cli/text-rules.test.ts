import { expect } from 'chai'
import { cell, count, duration, plural, printable, shortShard } from '../../src/cli/text-rules.ts'

describe('printable', () => {
  it('spells out what would break the line or steer the terminal, and leaves the rest', () => {
    expect(printable('tab\tstays, ü 漢字 🙂')).to.equal('tab\tstays, ü 漢字 🙂')
    expect(printable('a\nb\r\u0007')).to.equal('a\\nb\\r\\u0007')
    expect(printable('\u001b]0;owned\u0007\u001b[2J')).to.equal('\\u001b]0;owned\\u0007\\u001b[2J')
    expect(printable('\u009b2J')).to.equal('\\u009b2J')
    expect(printable('abc\u202edcba')).to.equal('abc\\u202edcba')
  })
})

describe('cell', () => {
  it('is as wide as wanted, whatever is in it', () => {
    expect(cell('ab', 4)).to.equal('ab  ')
    expect(cell('ab', 4, 'right')).to.equal('  ab')
    expect(cell('abcdef', 4)).to.equal('abc…')
    expect(cell('abcdef', 0)).to.equal('…'.slice(0, 1))
  })
})

describe('count and plural', () => {
  it('say numbers as people read them', () => {
    expect(count(1_234_567.4)).to.equal('1,234,567')
    expect([plural(0, 'record'), plural(1, 'record'), plural(2_000, 'record')]).to.deep.equal([
      '0 records',
      '1 record',
      '2,000 records'
    ])
  })
})

describe('duration', () => {
  it('takes the unit that fits', () => {
    const told = [0, 850, 12_500, 200_000, 18_720_000, 183_600_000].map(duration)
    expect(told).to.deep.equal(['0 ms', '850 ms', '12.5 s', '3 m 20 s', '5 h 12 m', '2 d 3 h'])
  })
})

describe('shortShard', () => {
  it('is the number of a shard, and other ids as they are', () => {
    expect(shortShard('shardId-000000000012')).to.equal('12')
    expect(shortShard('shardId-000000000000')).to.equal('0')
    expect(shortShard('other')).to.equal('other')
  })
})
