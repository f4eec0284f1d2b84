import { expect } from 'chai'
import { objectKeyOf } from '../../src/dead-letters/s3-key-rules.ts'
import { aLetter } from './letters.ts'

const SEQUENCE = '49600000000000000000000000000000000000000000000000000001'
const FOLDER = 'billing/orders/shardId-000000000000/2030/01/01'

describe('objectKeyOf', () => {
  it('says application, stream, shard, the day of arrival and the position', () => {
    expect(objectKeyOf('dead', [aLetter({ subSequenceNumber: 12 })])).to.equal(
      `dead/${FOLDER}/${SEQUENCE}-000012.jsonl`
    )
    expect(objectKeyOf('', [aLetter()])).to.equal(`${FOLDER}/${SEQUENCE}-000000.jsonl`)
    expect(objectKeyOf('a/b/', [aLetter()])).to.equal(`a/b/${FOLDER}/${SEQUENCE}-000000.jsonl`)
  })

  it('is the same for the same records, whenever and with whatever error they were given up', () => {
    const again = aLetter({ givenUpAtMs: 5, attempts: 99, error: { name: 'Other', message: 'else' } })
    const second = aLetter({ subSequenceNumber: 1 })
    expect(objectKeyOf('', [again, second])).to.equal(objectKeyOf('', [aLetter(), second]))
  })

  it('is another one for other records that begin with the same', () => {
    const at = (...subs: number[]): string => {
      const [first = aLetter(), ...others] = subs.map(subSequenceNumber => aLetter({ subSequenceNumber }))
      return objectKeyOf('', [first, ...others])
    }
    const keys = [at(0), at(0, 1), at(0, 1, 2), at(0, 2, 3), at(0, 1, 3)]
    expect(new Set(keys).size).to.equal(keys.length)
    expect(at(0, 1)).to.match(/-000000\+1-[0-9a-f]{16}\.jsonl$/)
  })

  it('sorts by position', () => {
    const keys = ['9', '10', '100'].map(sequenceNumber => objectKeyOf('', [aLetter({ sequenceNumber })]))
    expect([...keys].sort()).to.deep.equal(keys)
  })

  it('is a tidy path for a stream by ARN, and for one that says no time', () => {
    const stream = 'arn:aws:kinesis:eu-west-1:123456789012:stream/orders'
    const { arrivedAtMs: _, ...letter } = aLetter({ stream })
    expect(objectKeyOf('', [letter])).to.equal(
      `billing/orders!123456789012!eu-west-1/shardId-000000000000/undated/${SEQUENCE}-000000.jsonl`
    )
    expect(objectKeyOf('', [aLetter({ applicationName: 'a/b ü\ud800' })])).to.match(
      /^a%2Fb%20%C3%BC%EF%BF%BD\/orders\//
    )
  })
})
