import { expect } from 'chai'
import {
  comparePositions,
  compareSequenceNumbers,
  formatPosition,
  isPosition,
  isRecordPosition,
  isSentinel,
  isShardEnd,
  LATEST,
  positionOf,
  SHARD_END,
  TRIM_HORIZON
} from '../../src/model/sequence-number.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { aPosition } from '../support/builders.ts'
import { seeds } from '../support/seeds.ts'

const BIG = '49590338271490256608559692538361571095921575989136588898'
/** Ascending. */
const ORDER = ['AT_TIMESTAMP', 'TRIM_HORIZON', 'LATEST', '0', '1', '9', '10', '99', '100', BIG, `1${BIG}`, 'SHARD_END']
const GARBAGE = [
  '',
  ' ',
  'abc',
  '-1',
  '1.5',
  '1e3',
  ' 1',
  '1\n',
  '0x1',
  '１',
  'latest',
  'SHARD_END ',
  'toString',
  'constructor',
  '__proto__'
]

describe('compareSequenceNumbers', () => {
  it('orders sentinels and numbers as KCL does: every pair of the table', () => {
    for (const [i, a] of ORDER.entries()) {
      for (const [j, b] of ORDER.entries()) {
        expect(Math.sign(compareSequenceNumbers(a, b)), `${a} and ${b}`).to.equal(Math.sign(i - j))
      }
    }
  })

  it('compares by value: leading zeros do not count', () => {
    expect(compareSequenceNumbers('007', '7')).to.equal(0)
    expect(compareSequenceNumbers('000', '0')).to.equal(0)
    expect(compareSequenceNumbers('0010', '9')).to.be.greaterThan(0)
  })

  it('agrees with arithmetic on random numbers of up to 60 digits', () => {
    for (const seed of seeds(20)) {
      const random = seededRandom(seed)
      const digits = (): string =>
        Array.from({ length: 1 + Math.floor(random.next() * 60) }, () => Math.floor(random.next() * 10)).join('')
      for (let count = 0; count < 100; count++) {
        const [a, b] = [digits(), digits()]
        const expected = BigInt(a) < BigInt(b) ? -1 : BigInt(a) > BigInt(b) ? 1 : 0
        expect(Math.sign(compareSequenceNumbers(a, b)), `SEED=${seed} ${a} and ${b}`).to.equal(expected)
      }
    }
  })

  it('tells numbers of 56 digits apart by the last one', () => {
    expect(compareSequenceNumbers(BIG, String(BigInt(BIG) + 1n))).to.be.lessThan(0)
  })

  for (const garbage of GARBAGE) {
    it(`throws on ${JSON.stringify(garbage)}, on either side and with itself`, () => {
      for (const other of ['1', 'LATEST', 'SHARD_END', garbage]) {
        expect(() => compareSequenceNumbers(garbage, other), other).to.throw(RangeError)
        expect(() => compareSequenceNumbers(other, garbage), other).to.throw(RangeError)
      }
    })
  }
})

describe('comparePositions', () => {
  it('orders by number first, then by the place inside the aggregate', () => {
    const ascending = [
      TRIM_HORIZON,
      LATEST,
      aPosition(9, 5),
      aPosition(10),
      aPosition(10, 1),
      aPosition(10, 12),
      SHARD_END
    ]
    for (const [i, a] of ascending.entries()) {
      for (const [j, b] of ascending.entries()) expect(Math.sign(comparePositions(a, b))).to.equal(Math.sign(i - j))
    }
  })

  it('throws on garbage', () => {
    expect(() => comparePositions(aPosition('x'), aPosition(1))).to.throw(RangeError, '"x"')
  })
})

describe('isPosition', () => {
  it('takes digits and sentinels with a whole place from 0', () => {
    for (const sequenceNumber of ORDER) expect(isPosition(aPosition(sequenceNumber)), sequenceNumber).to.equal(true)
    expect(isPosition(aPosition(BIG, 7))).to.equal(true)
    for (const sequenceNumber of GARBAGE) expect(isPosition(aPosition(sequenceNumber)), sequenceNumber).to.equal(false)
    for (const place of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expect(isPosition(aPosition(1, place)), `${place}`).to.equal(false)
    }
  })
})

describe('isSentinel', () => {
  it('knows the four words and nothing else', () => {
    const words = ['AT_TIMESTAMP', 'TRIM_HORIZON', 'LATEST', 'SHARD_END']
    for (const each of [...ORDER, ...GARBAGE]) expect(isSentinel(each), each).to.equal(words.includes(each))
    expect(isRecordPosition(aPosition(1))).to.equal(true)
    expect(isRecordPosition(SHARD_END)).to.equal(false)
    expect(isShardEnd(SHARD_END)).to.equal(true)
    expect(isShardEnd(LATEST)).to.equal(false)
  })
})

describe('positions', () => {
  it('are read as number and place', () => {
    expect(formatPosition(aPosition(10))).to.equal('10')
    expect(formatPosition(aPosition(10, 3))).to.equal('10#3')
    expect(formatPosition(SHARD_END)).to.equal('SHARD_END')
  })

  it('take nothing else of a record with them', () => {
    expect(positionOf({ ...aPosition(10, 3), data: 'much' } as never)).to.deep.equal(aPosition(10, 3))
  })
})
