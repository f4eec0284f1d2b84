import { expect } from 'chai'
import { ProgressWriter } from '../../src/consumer/progress-writer.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aPosition } from '../support/builders.ts'
import { seeds } from '../support/seeds.ts'

const INTERVAL_MS = 1_000

function aWriter(write: (at: number) => Promise<void> = async () => {}) {
  const clock = new VirtualClock()
  const seen = { at: 0, writes: [] as string[], failures: [] as number[], stored: 0 }
  const writer = new ProgressWriter({
    mark: () => ({ position: aPosition(seen.at), passed: seen.at }),
    write: async ({ sequenceNumber }) => {
      seen.writes.push(`${sequenceNumber} at ${clock.monotonicMs()}`)
      await write(Number(sequenceNumber))
    },
    failed: (_, failures) => seen.failures.push(failures),
    stored: () => {
      seen.stored += 1
    },
    intervalMs: INTERVAL_MS,
    clock,
    random: seededRandom(1)
  })
  const move = (at: number, isUrgent = false): void => {
    seen.at = at
    writer.moved(isUrgent)
  }
  return { clock, seen, writer, move }
}

describe('ProgressWriter', () => {
  it('stores the first move at once, and those that follow together', async () => {
    const { clock, seen, writer, move } = aWriter()
    for (let at = 1; at <= 30; at++) {
      move(at)
      await clock.advance(100)
    }
    await clock.advance(5_000)
    expect(seen.writes).to.deep.equal(['1 at 0', '10 at 1000', '20 at 2000', '30 at 3000'])
    expect(writer.storedPassed).to.equal(30)
    expect(seen.stored).to.equal(4)
    expect(clock.sleeping).to.equal(0)
  })

  it('writes nothing while nothing has moved', async () => {
    const { clock, seen, move } = aWriter()
    move(0)
    move(0, true)
    await clock.advance(5_000)
    expect(seen.writes).to.deep.equal([])
  })

  it('stores at once what somebody waits for, also if that is said while a write is under way', async () => {
    const { clock, seen, move } = aWriter(() => clock.sleep(200))
    move(1)
    await clock.advance(300)
    move(2)
    await clock.advance(100)
    move(3, true)
    await clock.advance(100)
    move(4, true)
    await clock.advance(100)
    expect(seen.writes).to.deep.equal(['1 at 0', '3 at 400', '4 at 600'])
  })

  it('tries again what could not be stored, less and less often, and no sooner because somebody waits', async () => {
    let fails = 4
    const { clock, seen, move } = aWriter(async () => {
      if (fails-- > 0) throw new Error('no table')
    })
    move(1)
    for (let i = 0; i < 100; i++) {
      await clock.advance(1)
      move(2 + i, true)
    }
    expect(seen.writes.length).to.be.at.most(2)
    await clock.advance(20_000)
    expect(seen.failures).to.deep.equal([1, 2, 3, 4])
    expect(seen.writes.at(-1)).to.match(/^101 /)
  })

  it('is flushed when the mark is stored', async () => {
    const { clock, seen, writer, move } = aWriter(() => clock.sleep(100))
    let isFlushed = false
    await writer.flush()
    move(1)
    move(2)
    void writer.flush().then(() => {
      isFlushed = true
    })
    await clock.advance(50)
    move(3)
    await clock.advance(100)
    expect(isFlushed).to.equal(false)
    await clock.advance(100)
    expect(isFlushed).to.equal(true)
    expect(seen.writes.at(-1)).to.equal('3 at 100')
  })

  it('writes nothing more once it is closed, and keeps nobody waiting', async () => {
    const { clock, seen, writer, move } = aWriter(async () => {
      throw new Error('no table')
    })
    move(1)
    let isFlushed = false
    void writer.flush().then(() => {
      isFlushed = true
    })
    await clock.settle()
    writer.close()
    move(2, true)
    await clock.advance(60_000)
    expect(seen.writes).to.have.length(1)
    expect(isFlushed).to.equal(true)
    expect(clock.sleeping).to.equal(0)
  })

  it('stores every mark in the end, one write at a time and never back, whenever it moves', async () => {
    for (const seed of seeds(100)) {
      const random = seededRandom(seed)
      let underWay = 0
      const landed: number[] = []
      const { clock, seen, writer, move } = aWriter(async at => {
        underWay += 1
        expect(underWay, `SEED=${seed}`).to.equal(1)
        await clock.sleep(random.next() * 300)
        underWay -= 1
        if (random.next() < 0.3) throw new Error('now and then')
        landed.push(at)
      })
      for (let step = 0; step < 100; step++) {
        if (random.next() < 0.6) move(seen.at + 1 + Math.floor(random.next() * 5), random.next() < 0.3)
        await clock.advance(random.next() * 400)
      }
      let isFlushed = false
      void writer.flush().then(() => {
        isFlushed = true
      })
      await clock.advanceUntil(() => isFlushed, 120_000)
      expect(writer.storedPassed, `SEED=${seed}`).to.equal(seen.at)
      expect(landed, `SEED=${seed}`).to.deep.equal([...new Set(landed)].sort((a, b) => a - b))
    }
  })
})
