import { expect } from 'chai'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { LoadMeter } from '../../src/worker/load-meter.ts'

const KB = 1_024

/** A meter, and a way to read what is given as kilobytes for each lease over some seconds. */
function aMeter() {
  const clock = new VirtualClock()
  const meter = new LoadMeter(clock)
  const read = async (seconds: number, kilobytes: Readonly<Record<string, number>>): Promise<void> => {
    for (const [leaseKey, kb] of Object.entries(kilobytes)) meter.note(leaseKey, kb * KB)
    await clock.advance(seconds * 1_000)
  }
  return { clock, meter, read }
}

describe('LoadMeter', () => {
  it('measures kilobytes per second of each lease held, those without a record included', async () => {
    const { meter, read } = aMeter()
    await read(4, { a: 30, b: 8 })
    await read(6, { a: 70 })
    expect(meter.measure(['a', 'b', 'c'])).to.deep.equal({ a: 10, b: 0.8, c: 0 })
  })

  it('begins anew with each measurement, and smooths over several', async () => {
    const { meter, read } = aMeter()
    await read(10, { a: 1_000 })
    expect(meter.measure(['a'])).to.deep.equal({ a: 100 })
    await read(10, {})
    expect(meter.measure(['a'])).to.deep.equal({ a: 70 })
    await read(20, { a: 3_400 })
    expect(meter.measure(['a'])).to.deep.equal({ a: 100 })
  })

  it('comes close to a new load within some measurements', async () => {
    const { meter, read } = aMeter()
    meter.measure(['a'])
    for (let turn = 0; turn < 10; turn++) {
      await read(60, { a: 6_000 })
      meter.measure(['a'])
    }
    await read(60, { a: 6_000 })
    expect(meter.measure(['a']).a).to.be.within(97, 100)
  })

  it('forgets what is not held: a lease that comes back is measured as if it were new', async () => {
    const { meter, read } = aMeter()
    await read(1, { a: 100, b: 100 })
    expect(meter.measure(['b'])).to.deep.equal({ b: 100 })
    await read(1, { b: 100 })
    expect(meter.measure(['a', 'b'])).to.deep.equal({ a: 0, b: 100 })
  })

  it('measures nothing where nothing is held, and a finite load where no time has passed', async () => {
    const { meter, read } = aMeter()
    expect(meter.measure([])).to.deep.equal({})
    await read(0, { a: 1 })
    expect(meter.measure(['a']).a).to.be.finite
  })
})
