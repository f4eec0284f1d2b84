import { expect } from 'chai'
import { AvoidedLeases } from '../../src/fleet/avoided-leases.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const PATIENCE_MS = 10_000

function aSet() {
  const clock = new VirtualClock()
  const busy = new Set<string>()
  const held = new Set<string>()
  const avoided = new AvoidedLeases({ clock, isBusy: leaseKey => busy.has(leaseKey), patienceMs: PATIENCE_MS })
  /** What is avoided, and of it what will be for long, `ms` later. */
  const later = async (ms: number, ...wanted: readonly string[]): Promise<[string[], string[]]> => {
    await clock.advance(ms)
    avoided.update(wanted, leaseKey => held.has(leaseKey))
    return [[...avoided.all()].sort(), avoided.lasting()]
  }
  return { busy, held, avoided, later }
}

describe('AvoidedLeases', () => {
  it('avoids nothing at first', async () => {
    const { later } = aSet()
    expect(await later(0, 'a')).to.deep.equal([[], []])
  })

  it('leaves a lease that failed alone for the time it was told, and says so at once', async () => {
    const { avoided, later } = aSet()
    avoided.avoid('b', 5_000)
    avoided.avoid('a', 6_000)
    expect(await later(4_999)).to.deep.equal([
      ['a', 'b'],
      ['a', 'b']
    ])
    expect(await later(1, 'b')).to.deep.equal([['a'], ['a']])
    expect(await later(1_000)).to.deep.equal([[], []])
  })

  it('counts the time anew when a lease fails again', async () => {
    const { avoided, later } = aSet()
    avoided.avoid('a', 5_000)
    await later(4_000)
    avoided.avoid('a', 5_000)
    expect(await later(4_999)).to.deep.equal([['a'], ['a']])
    expect(await later(1)).to.deep.equal([[], []])
  })

  it('leaves a lease alone whose shard is being wound up, and says so only once that takes long', async () => {
    const { busy, later } = aSet()
    busy.add('a')
    expect(await later(0, 'a', 'b')).to.deep.equal([['a'], []])
    expect(await later(PATIENCE_MS, 'a', 'b')).to.deep.equal([['a'], []])
    expect(await later(1, 'a', 'b')).to.deep.equal([['a'], ['a']])
    busy.delete('a')
    expect(await later(0, 'a', 'b')).to.deep.equal([[], []])
  })

  it('counts how long a shard is wound up from when its lease was first wanted', async () => {
    const { busy, later } = aSet()
    busy.add('a')
    expect(await later(60_000)).to.deep.equal([[], []])
    expect(await later(60_000, 'a')).to.deep.equal([['a'], []])
    expect(await later(PATIENCE_MS + 1, 'a')).to.deep.equal([['a'], ['a']])
  })

  it('goes on avoiding a shard that is wound up once the leader has taken it away, until that is over', async () => {
    const { busy, later } = aSet()
    busy.add('a')
    await later(0, 'a')
    expect(await later(PATIENCE_MS + 1, 'a')).to.deep.equal([['a'], ['a']])
    expect(await later(600_000)).to.deep.equal([['a'], ['a']])
    busy.delete('a')
    expect(await later(0)).to.deep.equal([[], []])
  })

  it('does not take the run of a lease that is held for an earlier one', async () => {
    const { busy, held, later } = aSet()
    busy.add('a')
    await later(0, 'a')
    held.add('a')
    expect(await later(PATIENCE_MS + 1)).to.deep.equal([[], []])
  })

  it('names a lease once that is avoided for two reasons', async () => {
    const { busy, avoided, later } = aSet()
    busy.add('a')
    await later(0, 'a')
    avoided.avoid('a', 60_000)
    expect(await later(PATIENCE_MS + 1, 'a')).to.deep.equal([['a'], ['a']])
  })
})
