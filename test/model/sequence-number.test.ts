import { expect } from 'chai'
import {
  comparePositions,
  compareSequenceNumbers,
  formatPosition,
  isPosition,
  isRecordPosition,
  SHARD_END,
  samePosition,
  TRIM_HORIZON
} from '../../src/model/sequence-number.ts'
import { seededRandom, shuffled } from '../../src/runtime/random.ts'

const at = (sequenceNumber: string, subSequenceNumber = 0) => ({ sequenceNumber, subSequenceNumber })
const LONG = '49590338271490256608559692538361571095921575989136588898'

describe('comparePositions', () => {
  it('orders sentinels, numbers by value, sub-sequence numbers, and the end of the shard', () => {
    const ascending = [
      at('AT_TIMESTAMP'),
      at('TRIM_HORIZON'),
      at('LATEST'),
      at('0'),
      at('2'),
      at('10'),
      at('10', 1),
      at('10', 2),
      at('10', 10),
      at('99999999999999999999'),
      at(LONG),
      at(LONG, 7),
      at('49590338271490256608559692538361571095921575989136588899'),
      at(`${LONG}0`),
      at('SHARD_END')
    ]
    const seed = Number(process.env.SEED ?? 3)
    const sorted = shuffled(ascending, seededRandom(seed)).sort(comparePositions)
    expect(sorted, `SEED=${seed}`).to.deep.equal(ascending)
  })

  it('takes leading zeros for what they are worth', () => {
    expect(compareSequenceNumbers('007', '7')).to.equal(0)
    expect(compareSequenceNumbers('0010', '9')).to.be.greaterThan(0)
    expect(compareSequenceNumbers('000', '0')).to.equal(0)
  })

  for (const garbage of ['', 'abc', '-1', '1.5', ' 5', '0x10', 'trim_horizon', 'constructor', '__proto__']) {
    it(`refuses ${JSON.stringify(garbage)}`, () => {
      expect(() => compareSequenceNumbers(garbage, '5')).to.throw(RangeError, JSON.stringify(garbage))
      expect(() => compareSequenceNumbers('5', garbage)).to.throw(RangeError, 'expected decimal digits')
    })
  }
})

describe('isPosition', () => {
  const table: [string, number, boolean][] = [
    ['5', 0, true],
    [LONG, 12, true],
    ['SHARD_END', 0, true],
    ['5', -1, false],
    ['5', 1.5, false],
    ['5', Number.NaN, false],
    ['five', 0, false],
    ['', 0, false],
    ['toString', 0, false]
  ]
  for (const [sequenceNumber, subSequenceNumber, expected] of table) {
    it(`${expected ? 'accepts' : 'refuses'} ${sequenceNumber}#${subSequenceNumber}`, () => {
      expect(isPosition(at(sequenceNumber, subSequenceNumber))).to.equal(expected)
    })
  }
})

describe('isRecordPosition', () => {
  it('tells records from sentinels', () => {
    expect(isRecordPosition(at(LONG))).to.equal(true)
    expect(isRecordPosition(TRIM_HORIZON)).to.equal(false)
    expect(isRecordPosition(SHARD_END)).to.equal(false)
  })
})

describe('formatPosition', () => {
  it('shows the sub-sequence number only where there is one', () => {
    expect(formatPosition(at('5'))).to.equal('5')
    expect(formatPosition(at('5', 3))).to.equal('5#3')
    expect(formatPosition(TRIM_HORIZON)).to.equal('TRIM_HORIZON')
  })
})

describe('samePosition', () => {
  it('compares both parts', () => {
    expect(samePosition(at('5', 1), at('5', 1))).to.equal(true)
    expect(samePosition(at('5', 1), at('5', 2))).to.equal(false)
    expect(samePosition(at('5'), at('6'))).to.equal(false)
  })
})
