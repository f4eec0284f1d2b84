import { expect } from 'chai'
import { asDecodeFunction, type Decode } from '../../src/decoding/decoder.ts'
import { ThrottledError } from '../../src/model/errors.ts'
import { ConsumedRecord } from '../../src/model/record.ts'
import { watchedDecode } from '../../src/testing/watched-decode.ts'

const record = (number: number): ConsumedRecord =>
  new ConsumedRecord({ sequenceNumber: String(number), partitionKey: 'key', data: new Uint8Array() })

describe('watchedDecode', () => {
  it('tells of each record that cannot be decoded, and of no failure of the decoder', async () => {
    const told: string[] = []
    const watch = { undecodable: (at: { sequenceNumber: string }) => void told.push(at.sequenceNumber) }
    const decode = watchedDecode(({ sequenceNumber }) => {
      if (sequenceNumber === '1') throw new TypeError('no')
      if (sequenceNumber === '2') return Promise.reject(new TypeError('no'))
      if (sequenceNumber === '3') throw new ThrottledError('slowly')
      return sequenceNumber === '4' ? Promise.resolve(4) : 5
    }, watch)
    const run = asDecodeFunction('decode', decode)
    const outcomes = [1, 2, 3, 4, 5].map(async number => run(record(number)))
    const settled = await Promise.allSettled(outcomes)
    expect(settled.map(({ status }) => status)).to.deep.equal([
      ...['rejected', 'rejected', 'rejected', 'fulfilled', 'fulfilled']
    ])
    expect(told).to.deep.equal(['1', '2'])
    expect(run(record(5))).to.equal(5)
  })

  it('leaves what decodes nothing to be refused', () => {
    const given = 'json' as unknown as Decode<unknown>
    expect(watchedDecode(given, { undecodable: () => {} })).to.equal(given)
  })
})
