import { expect } from 'chai'
import {
  afterAnswer,
  afterCall,
  afterReadBehind,
  afterRefusal,
  BYTES_PER_SECOND,
  debtDelayMs,
  NO_DEBT,
  type RateShare,
  READS_PER_SECOND,
  type ReadDebt,
  readCapBytes,
  shareAt,
  spacingMs,
  tipWaitMs
} from '../../src/retrieval/pace-rules.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { seeds } from '../support/seeds.ts'

function afterRead(debt: ReadDebt, share: number, nowMs: number, bytes = 0): ReadDebt {
  return afterAnswer(afterCall(debt, share, nowMs), bytes)
}

describe('debtDelayMs', () => {
  it('is nothing before the first read', () => {
    expect(debtDelayMs(NO_DEBT, 1, 123_456)).to.equal(0)
  })

  it('lasts until an answer of 10 MB is paid off, whatever the time', () => {
    const debt = afterRead(NO_DEBT, 1, 50_000, 10_000_000)
    expect([50_000, 53_000, 60_000].map(nowMs => debtDelayMs(debt, 1, nowMs))).to.deep.equal([5_000, 2_000, 0])
  })

  it('makes up for nothing: a long pause allows no more at once than a short one', () => {
    let debt = NO_DEBT
    for (let read = 0; read < READS_PER_SECOND; read++) debt = afterRead(debt, 1, 1_000_000)
    expect(debtDelayMs(debt, 1, 1_000_000)).to.be.within(1_000, 1_050)
  })

  it('is longer for who takes a smaller share', () => {
    const debt = afterRead(NO_DEBT, 0.2, 0, BYTES_PER_SECOND)
    expect(debtDelayMs(debt, 0.2, 0)).to.equal(5_000)
    expect(debtDelayMs(afterRead(NO_DEBT, 0.2, 0), 0.2, 0)).to.be.within(1_000, 1_050)
    expect(debtDelayMs(afterRead(NO_DEBT, 0.5, 0), 0.5, 0)).to.be.within(400, 420)
  })

  it('keeps to a share of 5 reads and 2 MB in any second, over random reads', () => {
    for (const seed of seeds(40)) {
      const random = seededRandom(seed)
      const share = random.next() < 0.5 ? 1 : 1 / (2 + Math.floor(random.next() * 4))
      const reads: { atMs: number; bytes: number }[] = []
      let debt = NO_DEBT
      let nowMs = random.next() * 1_000
      for (let count = 0; count < 200; count++) {
        nowMs += debtDelayMs(debt, share, nowMs)
        const bytes = Math.floor(random.next() ** 4 * 10 * 1024 * 1024)
        debt = afterRead(debt, share, nowMs, bytes)
        reads.push({ atMs: nowMs, bytes })
        nowMs += random.next() < 0.5 ? 0 : random.next() * (random.next() < 0.1 ? 5_000 : 100)
      }
      for (const [index, { atMs }] of reads.entries()) {
        const second = reads.slice(0, index).filter(read => read.atMs > atMs - 1_000 + 0.001)
        expect(second.length, `SEED=${seed} reads before ${atMs}`).to.be.below(Math.ceil(READS_PER_SECOND * share))
        const unpaid = reads
          .slice(0, index)
          .filter(read => read.atMs + (read.bytes / (BYTES_PER_SECOND * share)) * 1_000 > atMs + 0.001)
        expect(unpaid, `SEED=${seed} at ${atMs}`).to.deep.equal([])
      }
    }
  })
})

describe('tipWaitMs', () => {
  const waitOf = (idleMs: number, shards: number, quietMs?: number, chance = 0.5): number =>
    tipWaitMs({ idleMs, shards, quietMs, chance })

  it('is what was asked for where there are records', () => {
    expect([waitOf(250, 1, 0), waitOf(250, 5_000, 9_000), waitOf(60_000, 5_000, 0)]).to.deep.equal([250, 250, 60_000])
  })

  it('is longer on idle shards of a worker that reads many, up to a second', () => {
    expect([1, 125, 200, 400, 1_000, 9_000].map(shards => Math.round(waitOf(250, shards)))).to.deep.equal([
      250, 250, 400, 800, 1_000, 1_000
    ])
    expect(Math.round(waitOf(250, 1_000, 10_001))).to.equal(1_000)
  })

  it('is spread on idle shards, so that they are not read in step, and never shorter than what was asked for', () => {
    expect([0, 1].map(chance => Math.round(waitOf(250, 1_000, undefined, chance)))).to.deep.equal([900, 1_100])
    expect(waitOf(250, 126, undefined, 0)).to.equal(250)
    expect(waitOf(5_000, 1_000)).to.equal(5_000)
  })
})

describe('spacingMs', () => {
  it('keeps one of five applications to a read a second, and a little less', () => {
    expect(spacingMs(0.2)).to.be.within(1_000, 1_050)
  })
})

describe('readCapBytes', () => {
  it('is a fifth of a second for who shares the limits, more for who is behind, and nothing for who is alone', () => {
    expect(readCapBytes(1, true)).to.equal(Number.POSITIVE_INFINITY)
    expect(readCapBytes(0.5, false)).to.equal(400_000)
    expect(readCapBytes(0.5, true)).to.equal(600_000)
  })
})

describe('the share of the limits', () => {
  const full: RateShare = { value: 1, atMs: 0 }

  it('is cut with each refusal, by chance more or less, and never to nothing', () => {
    expect(afterRefusal(full, 1, 0, 0).value).to.equal(0.6)
    expect(afterRefusal(full, 1, 0, 1).value).to.equal(0.8)
    let share = full
    for (let count = 0; count < 20; count++) share = afterRefusal(share, 1, 0, 0)
    expect(share.value).to.equal(0.1)
  })

  it('grows little within the next minutes, and to all of it within ten', () => {
    const cut: RateShare = { value: 0.14, atMs: 1_000 }
    const grown = (minutes: number): number => shareAt(cut, 1, 1_000 + minutes * 60_000)
    expect(grown(0)).to.equal(0.14)
    expect(grown(1)).to.be.within(0.15, 0.2)
    expect(grown(2)).to.be.within(0.2, 0.3)
    expect(grown(10)).to.equal(1)
  })

  it('grows a little with each read of who is behind', () => {
    expect(afterReadBehind({ value: 0.5, atMs: 7 })).to.deep.equal({ value: 0.504, atMs: 7 })
    expect(afterReadBehind(full).value).to.equal(1)
  })

  it('never grows to what is left to others', () => {
    expect(shareAt({ value: 0.1, atMs: 0 }, 0.5, 1e9)).to.equal(0.5)
  })
})

describe('a stream without a limit of bytes', () => {
  const unlimited = Number.POSITIVE_INFINITY

  it('is read five times a second, however much that brings', () => {
    let debt = NO_DEBT
    for (let read = 1; read <= READS_PER_SECOND; read++) {
      debt = afterAnswer(afterCall(debt, 1, 50_000, unlimited), 10_000_000)
      if (read < READS_PER_SECOND) expect(debtDelayMs(debt, 1, 50_000, unlimited)).to.equal(0)
    }
    expect(debtDelayMs(debt, 1, 50_000, unlimited)).to.be.within(1_000, 1_050)
    expect(readCapBytes(0.5, false, unlimited)).to.equal(unlimited)
  })
})
