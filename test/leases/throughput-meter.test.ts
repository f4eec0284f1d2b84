import { expect } from 'chai'
import { ThroughputMeter } from '../../src/leases/throughput-meter.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

describe('ThroughputMeter', () => {
  it('measures kilobytes per second, smoothed by half, with six decimals', async () => {
    const clock = new VirtualClock()
    const meter = new ThroughputMeter(clock)
    meter.note(20 * 1_024)
    meter.note(10 * 1_024)
    await clock.advance(5_000)
    expect(meter.measure(undefined)).to.equal(6)
    expect(meter.measure(2)).to.equal(4)
    meter.stored()
    await clock.advance(3_000)
    meter.note(1_024)
    expect(meter.measure(1)).to.equal(0.666667)
    expect(meter.measure(0)).to.equal(0.166667)
  })

  it('does not measure over a moment, and loses nothing until it is stored', async () => {
    const clock = new VirtualClock()
    const meter = new ThroughputMeter(clock)
    meter.note(4 * 1_024)
    await clock.advance(2_999)
    expect(meter.measure(1)).to.equal(undefined)
    await clock.advance(1_001)
    expect([meter.measure(undefined), meter.measure(undefined)]).to.deep.equal([1, 1])
  })
})
