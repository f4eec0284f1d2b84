import { expect } from 'chai'
import { isRenewed, NOTHING_SEEN, observe, unchangedMs } from '../../src/leases/sightings.ts'
import { claimed, released, renewed } from '../../src/model/lease.ts'
import { aLease } from '../support/builders.ts'

const lease = claimed(aLease(), 'a')
const KEY = lease.leaseKey
const STEP = 4_000

describe('observe', () => {
  it('concludes nothing from the first sight of a lease, however long the worker has run', () => {
    expect(unchangedMs(NOTHING_SEEN, KEY)).to.equal(0)
    const seen = observe(NOTHING_SEEN, [lease], 1_000_000, STEP)
    expect(unchangedMs(seen, KEY)).to.equal(0)
    const later = observe(seen, [lease, aLease({ leaseKey: 'new', shardId: 'new' })], 1_002_000, STEP)
    expect(unchangedMs(later, KEY)).to.equal(2_000)
    expect(unchangedMs(later, 'new')).to.equal(0)
  })

  it('adds up the time in which nothing moved, and starts over when counter or owner do', () => {
    let sightings = observe(NOTHING_SEEN, [lease], 0, STEP)
    for (const nowMs of [2_000, 4_000, 6_000]) sightings = observe(sightings, [lease], nowMs, STEP)
    expect(unchangedMs(sightings, KEY)).to.equal(6_000)
    expect(unchangedMs(observe(sightings, [renewed(lease)], 8_000, STEP), KEY)).to.equal(0)
    expect(unchangedMs(observe(sightings, [released(lease)], 8_000, STEP), KEY)).to.equal(0)
    expect(unchangedMs(observe(sightings, [{ ...lease, owner: 'b' }], 8_000, STEP), KEY)).to.equal(0)
  })

  it("does not count what is not an owner's sign of life, such as a hand-off mark of KCL", () => {
    const sightings = observe(NOTHING_SEEN, [lease], 0, STEP)
    expect(unchangedMs(observe(sightings, [{ ...lease, checkpointOwner: 'b' }], 2_000, STEP), KEY)).to.equal(2_000)
  })

  it('counts the time between two reads for at most one step: a watcher that slept has not watched', () => {
    const sightings = observe(NOTHING_SEEN, [lease], 0, STEP)
    expect(unchangedMs(observe(sightings, [lease], 600_000, STEP), KEY)).to.equal(STEP)
  })

  it('remembers that an owner has renewed a lease, and not that it was given one', () => {
    let sightings = observe(NOTHING_SEEN, [lease], 0, STEP)
    expect(isRenewed(sightings, KEY), 'at first sight').to.equal(false)
    sightings = observe(sightings, [renewed(lease)], 2_000, STEP)
    sightings = observe(sightings, [renewed(lease)], 4_000, STEP)
    expect(isRenewed(sightings, KEY)).to.equal(true)
    expect(isRenewed(observe(sightings, [claimed(renewed(lease), 'b')], 6_000, STEP), KEY)).to.equal(false)
    expect(isRenewed(NOTHING_SEEN, KEY)).to.equal(false)
  })

  it('counts nothing if time seems to go back', () => {
    const sightings = observe(NOTHING_SEEN, [lease], 10_000, STEP)
    expect(unchangedMs(observe(sightings, [lease], 9_000, STEP), KEY)).to.equal(0)
  })

  it('forgets a lease that was not there: when it is back it is seen for the first time', () => {
    let sightings = observe(NOTHING_SEEN, [lease], 0, STEP)
    sightings = observe(sightings, [lease], 3_000, STEP)
    sightings = observe(sightings, [], 4_000, STEP)
    expect(unchangedMs(sightings, KEY)).to.equal(0)
    expect(unchangedMs(observe(sightings, [lease], 5_000, STEP), KEY)).to.equal(0)
  })

  it('leaves the sightings before as they are', () => {
    const sightings = observe(NOTHING_SEEN, [lease], 0, STEP)
    observe(sightings, [lease], 2_000, STEP)
    expect(unchangedMs(sightings, KEY)).to.equal(0)
    expect(NOTHING_SEEN.byKey.size).to.equal(0)
  })
})
