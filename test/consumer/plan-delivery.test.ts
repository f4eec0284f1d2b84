import { expect } from 'chai'
import { planDelivery, undivided } from '../../src/consumer/plan-delivery.ts'
import { ConsumedRecord } from '../../src/model/record.ts'
import { formatPosition, LATEST, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { aPosition } from '../support/builders.ts'

const at = aPosition
const data = new Uint8Array()

/** Records at positions such as `10` and `11#2`. */
function records(...positions: readonly string[]): ConsumedRecord[] {
  return positions.map(position => {
    const [sequenceNumber = '', place] = position.split('#')
    const subSequenceNumber = Number(place ?? 0)
    return new ConsumedRecord({
      sequenceNumber,
      subSequenceNumber,
      partitionKey: 'k',
      data,
      aggregated: place !== undefined
    })
  })
}

const batch = ['10#0', '10#1', '10#2', '11', '12#0', '12#1']

describe('planDelivery', () => {
  const table = [
    ['everything from a sentinel', TRIM_HORIZON, batch],
    ['everything after a position before the read', at(9, 99), batch],
    ['the rest of an aggregate', at(10, 1), ['10#2', '11', '12#0', '12#1']],
    ['what follows an aggregate', at(10, 2), ['11', '12#0', '12#1']],
    ['what follows a plain record', at(11), ['12#0', '12#1']],
    ['the last of all', at(12, 0), ['12#1']],
    ['nothing that is done', at(12, 1), []],
    ['nothing before a position after the read', at(13), []]
  ] as const
  for (const [what, settled, expected] of table) {
    it(`delivers ${what}`, () => {
      const delivery = planDelivery(records(...batch), at(12, 1), settled)
      expect(delivery.records.map(record => formatPosition(record))).to.deep.equal(
        expected.map(position => position.replace('#0', ''))
      )
    })
  }

  it('says up to where it goes: never back, and past what was dropped', () => {
    expect(planDelivery(records('10'), at(10), TRIM_HORIZON).upTo).to.deep.equal(at(10))
    expect(planDelivery(records('10'), at(11, 7), TRIM_HORIZON).upTo).to.deep.equal(at(11, 7))
    expect(planDelivery([], at(11, 7), at(10)).upTo).to.deep.equal(at(11, 7))
    expect(planDelivery(records('10'), at(10), at(20)).upTo).to.deep.equal(at(20))
    expect(planDelivery([], undefined, LATEST).upTo).to.deep.equal(LATEST)
  })

  it('says how many records are not delivered, because they were settled before', () => {
    const left = [at(9, 99), at(10, 1), at(13)].map(
      settled => planDelivery(records(...batch), undefined, settled).settled
    )
    expect(left).to.deep.equal([0, 2, 6])
  })

  it('does not copy a batch of which everything is delivered', () => {
    const all = records(...batch)
    expect(planDelivery(all, at(12, 1), TRIM_HORIZON).records).to.equal(all)
  })
})

describe('undivided', () => {
  const one = (...bytes: number[]) =>
    new ConsumedRecord({ ...at(1), partitionKey: 'k', data: Uint8Array.from(bytes), aggregated: false })

  it('takes what was read for what is delivered, if none of it begins as an aggregate', () => {
    const read = [one(1), one(), one(0, 0xf3)]
    expect(undivided(read)).to.equal(read)
    expect(undivided([])).to.deep.equal([])
  })

  it('does not where something has to be taken apart, or made into a record of the user', () => {
    expect(undivided([one(1), one(0xf3)])).to.equal(undefined)
    expect(undivided([one(1), { sequenceNumber: '1', partitionKey: 'k', data: Uint8Array.of(1) }])).to.equal(undefined)
  })
})
