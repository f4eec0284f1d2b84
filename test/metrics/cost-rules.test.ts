import { expect } from 'chai'
import { dynamoCost, kinesisCost } from '../../src/metrics/cost-rules.ts'

const GIGABYTE = 1_073_741_824
const NOTHING = { polledBytes: 0, fanOutBytes: 0, fanOutMs: 0, isOnDemand: undefined }

describe('dynamoCost', () => {
  it('is what a table on demand takes for its units', () => {
    expect(dynamoCost({ reads: 0, writes: 0 })).to.equal(0)
    expect(dynamoCost({ reads: 2_000_000, writes: 1_000_000 })).to.be.closeTo(0.875, 1e-9)
  })
})

describe('kinesisCost', () => {
  it('is nothing for polling a provisioned stream', () => {
    expect(kinesisCost({ ...NOTHING, polledBytes: 50 * GIGABYTE })).to.equal(0)
    expect(kinesisCost({ ...NOTHING, polledBytes: 50 * GIGABYTE, isOnDemand: false })).to.equal(0)
  })

  it('counts shards by the hour and bytes for fan-out', () => {
    const day = { ...NOTHING, fanOutMs: 10 * 86_400_000, fanOutBytes: 100 * GIGABYTE }
    expect(kinesisCost(day)).to.be.closeTo(10 * 24 * 0.015 + 1.3, 1e-9)
    expect(kinesisCost({ ...day, isOnDemand: true })).to.be.closeTo(5, 1e-9)
  })

  it('counts the bytes that are polled of a stream on demand', () => {
    expect(kinesisCost({ ...NOTHING, polledBytes: 10 * GIGABYTE, isOnDemand: true })).to.be.closeTo(0.4, 1e-9)
  })
})
