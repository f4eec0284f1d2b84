import { expect } from 'chai'
import { judgeCheckpoint } from '../../src/checkpoint/checkpoint-rules.ts'
import {
  AT_TIMESTAMP,
  type ExtendedSequenceNumber,
  LATEST,
  SHARD_END,
  TRIM_HORIZON
} from '../../src/model/sequence-number.ts'
import { aPosition } from '../support/builders.ts'

const at = aPosition
const window = { stored: at(10, 2), delivered: at(20, 3) }
const BIG = '49590338271490256608559692538361571095921575989136588898'

/** The verdict in a few words: `write 12`, `stored`, or why it is refused. */
function verdict(
  wish: ExtendedSequenceNumber | undefined,
  { stored, delivered } = window as { stored: ExtendedSequenceNumber; delivered: ExtendedSequenceNumber },
  upTo = delivered
): string {
  const judged = judgeCheckpoint({ stored, delivered }, upTo, wish)
  if (judged.kind === 'write') return `write ${judged.position.sequenceNumber}#${judged.position.subSequenceNumber}`
  return judged.kind === 'stored' ? 'stored' : judged.because
}

describe('judgeCheckpoint', () => {
  const wishes: readonly (readonly [string, ExtendedSequenceNumber, string])[] = [
    ['the stored one', at(10, 2), 'stored'],
    ['a number with leading zeros', at('0015'), 'malformed'],
    ['one place behind the stored one', at(10, 1), 'behind'],
    ['a record before the stored one', at(9, 99), 'behind'],
    ['one place after the stored one', at(10, 3), 'write 10#3'],
    ['a record in between', at(15), 'write 15#0'],
    ['the last delivered one', at(20, 3), 'write 20#3'],
    ['one place after the last delivered one', at(20, 4), 'ahead'],
    ['a record after the last delivered one', at(21), 'ahead'],
    ['a number with more digits', at(`1${'0'.repeat(56)}`), 'ahead'],
    ['the end of the shard', SHARD_END, 'malformed'],
    ['the horizon', TRIM_HORIZON, 'malformed'],
    ['the tip', LATEST, 'malformed'],
    ['a time', AT_TIMESTAMP, 'malformed'],
    ['no number', at('abc'), 'malformed'],
    ['nothing', at(''), 'malformed'],
    ['a negative number', at('-15'), 'malformed'],
    ['a number with a fraction', at('15.5'), 'malformed'],
    ['a negative place', at(15, -1), 'malformed'],
    ['half a place', at(15, 0.5), 'malformed'],
    ['no place', at(15, Number.NaN), 'malformed'],
    ['a string instead of a position', 'abc' as unknown as ExtendedSequenceNumber, 'malformed']
  ]
  for (const [what, wish, expected] of wishes) {
    it(`answers "${expected}" to a wish for ${what}`, () => {
      expect(verdict(wish)).to.equal(expected)
    })
  }

  it('grants everything up to its own batch where nothing is wished for, even if later batches were delivered', () => {
    expect(verdict(undefined)).to.equal('write 20#3')
    expect(verdict(undefined, window, at(15))).to.equal('write 15#0')
    expect(verdict(undefined, window, at(10, 2))).to.equal('stored')
    expect(verdict(undefined, window, at(3))).to.equal('stored')
  })

  it('writes from a sentinel to a record, and nothing where nothing was delivered', () => {
    for (const stored of [TRIM_HORIZON, LATEST, AT_TIMESTAMP]) {
      expect(verdict(undefined, { stored, delivered: stored })).to.equal('stored')
      expect(verdict(at(1), { stored, delivered: stored })).to.equal('ahead')
      expect(verdict(undefined, { stored, delivered: at(BIG) })).to.equal(`write ${BIG}#0`)
    }
  })

  it('grants everything without a write once the shard has ended', () => {
    const ended = { stored: SHARD_END, delivered: at(20) }
    expect(verdict(undefined, ended)).to.equal('stored')
    expect(verdict(at(5), ended)).to.equal('stored')
  })

  it('tells numbers of 56 digits apart by the last one', () => {
    const [stored, delivered] = [at(BIG), at(BigInt(BIG) + 1n)]
    expect(verdict(at(BigInt(BIG) - 1n), { stored, delivered })).to.equal('behind')
    expect(verdict(at(BigInt(BIG) + 1n), { stored, delivered })).to.equal(`write ${BigInt(BIG) + 1n}#0`)
    expect(verdict(at(BigInt(BIG) + 2n), { stored, delivered })).to.equal('ahead')
  })

  it('says in the message what was wished for and what it was compared with', () => {
    const refusal = judgeCheckpoint(window, at(20, 3), at(21))
    expect(refusal).to.deep.include({ message: 'Checkpoint 21#0 is past the last delivered record 20#3' })
  })
})
