import { expect } from 'chai'
import { type ShardPace, ShardPaces } from '../../src/retrieval/shard-paces.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const MB = 1_000_000
const BEHIND = { records: 1, bytes: 0, isBehind: true }
const AT_TIP = { records: 1, bytes: 0, isBehind: false }
const EMPTY = { records: 0, bytes: 0, isBehind: false }

function somePaces(options: { idleMs?: number; otherApplications?: number } = {}) {
  const clock = new VirtualClock()
  const { idleMs = 250, otherApplications = 0 } = options
  return { clock, paces: new ShardPaces({ idleMs, otherApplications, clock, random: seededRandom(1) }) }
}

function read(pace: ShardPace, answer = BEHIND): void {
  pace.called()
  pace.answered(answer)
}

describe('ShardPaces', () => {
  it('lets a shard be read at once while there is more, and waits at its tip', async () => {
    const { clock, paces } = somePaces()
    const pace = paces.open('a')
    expect(pace.delayMs()).to.equal(0)
    read(pace)
    expect(pace.delayMs()).to.equal(0)
    read(pace, AT_TIP)
    expect(pace.delayMs()).to.equal(250)
    await clock.advance(200)
    expect(pace.delayMs()).to.equal(50)
  })

  it('keeps the limits of each shard, and remembers them when it is read again', async () => {
    const { clock, paces } = somePaces()
    const pace = paces.open('a')
    for (let count = 0; count < 5; count++) read(pace)
    pace.close()
    expect(paces.open('b').delayMs()).to.equal(0)
    const again = paces.open('a')
    expect(again.delayMs()).to.be.within(1_000, 1_050)
    await clock.advance(1_100)
    expect(again.delayMs()).to.equal(0)
    read(again, { records: 1, bytes: 10 * MB, isBehind: true })
    again.close()
    expect(paces.open('a').delayMs()).to.equal(5_000)
  })

  it('makes who reads a shard anew wait for the limits only', () => {
    const { paces } = somePaces({ idleMs: 5_000 })
    const pace = paces.open('a')
    read(pace, AT_TIP)
    pace.close()
    expect(paces.open('a').delayMs()).to.equal(0)
  })

  it('leaves other applications their part', () => {
    const { paces } = somePaces({ otherApplications: 4 })
    const pace = paces.open('a')
    read(pace, { records: 1, bytes: 2 * MB, isBehind: true })
    expect(pace.delayMs()).to.equal(5_000)
    const other = paces.open('b')
    read(other, EMPTY)
    expect(other.delayMs()).to.be.within(1_000, 1_050)
  })

  it('reads a shard less often once it is refused, and as before when that has not happened for some minutes', async () => {
    const { clock, paces } = somePaces()
    const pace = paces.open('a')
    for (let count = 0; count < 5; count++) {
      pace.called()
      pace.refused()
    }
    await clock.advance(10_000)
    read(pace, AT_TIP)
    expect(pace.delayMs()).to.be.within(800, 2_100)
    expect(pace.maxBytes).to.equal(400_000)
    read(pace, BEHIND)
    expect(pace.maxBytes).to.equal(600_000)
    await clock.advance(600_000)
    read(pace, AT_TIP)
    expect(pace.delayMs()).to.equal(250)
    expect(pace.maxBytes).to.equal(Number.POSITIVE_INFINITY)
  })

  it('reads idle shards less often the more there are, and those with records as often as before', async () => {
    const { clock, paces } = somePaces()
    const all = Array.from({ length: 1_000 }, (_, index) => paces.open(`${index}`))
    const [busy, idle] = all
    if (busy === undefined || idle === undefined) throw new Error('There are two')
    read(busy, AT_TIP)
    read(idle, EMPTY)
    expect(idle.delayMs()).to.be.within(900, 1_100)
    expect(busy.delayMs()).to.equal(250)
    await clock.advance(11_000)
    read(busy, EMPTY)
    expect(busy.delayMs()).to.be.within(900, 1_100)
    for (const pace of all.slice(2)) pace.close()
    read(idle, EMPTY)
    expect(idle.delayMs()).to.equal(250)
  })

  it('counts a shard once, however often it is opened and closed', () => {
    const { paces } = somePaces()
    const [one, two] = [paces.open('a'), paces.open('a')]
    expect(paces.reading).to.equal(1)
    one.close()
    one.close()
    expect([paces.reading, paces.remembered]).to.deep.equal([1, 0])
    two.close()
    expect([paces.reading, paces.remembered]).to.deep.equal([0, 1])
  })

  it('forgets shards that have not been read for ten minutes, and never remembers more than 10,000', async () => {
    const { clock, paces } = somePaces()
    for (let index = 0; index < 100; index++) paces.open(`old-${index}`).close()
    await clock.advance(600_000)
    paces.open('new').close()
    expect(paces.remembered).to.equal(1)
    for (let index = 0; index < 12_000; index++) paces.open(`${index}`).close()
    expect(paces.remembered).to.equal(10_000)
  })
})
