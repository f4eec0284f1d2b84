import { expect } from 'chai'
import { type Place, Watermark } from '../../src/checkpoint/watermark.ts'
import { formatPosition, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { aPosition } from '../support/builders.ts'
import { seeds } from '../support/seeds.ts'

const at = aPosition

describe('Watermark', () => {
  it('stands where it began until the first record is settled', () => {
    const mark = new Watermark(TRIM_HORIZON)
    const stretch = mark.add([at(1), at(2)], at(2), () => {})
    expect(mark.position).to.deep.equal(TRIM_HORIZON)
    mark.settle({ stretch, index: 1 })
    expect(formatPosition(mark.position)).to.equal('TRIM_HORIZON')
    expect(mark.beyond().map(formatPosition)).to.deep.equal(['2'])
    mark.settle({ stretch, index: 0 })
    expect(formatPosition(mark.position)).to.equal('2')
    expect(mark.passed).to.equal(2)
    expect(mark.beyond()).to.deep.equal([])
  })

  it('goes to the end of what was read once all of its records are settled, dropped ones included', () => {
    const mark = new Watermark(TRIM_HORIZON)
    const stretch = mark.add([at(1)], at(9), () => {})
    mark.settle({ stretch, index: 0 })
    expect(formatPosition(mark.position)).to.equal('9')
    mark.add([], at(12), () => {})
    expect(formatPosition(mark.position)).to.equal('12')
  })

  it('says whether it is news that a record is settled', () => {
    const mark = new Watermark(TRIM_HORIZON)
    const stretch = mark.add([at(1), at(2)], at(2), () => {})
    expect(mark.settle({ stretch, index: 1 })).to.equal(true)
    expect(mark.settle({ stretch, index: 1 })).to.equal(false)
  })

  it('tells when a stretch is settled, though earlier ones are not, and keeps nothing of its records', () => {
    const told: string[] = []
    const mark = new Watermark(TRIM_HORIZON)
    const first = mark.add([at(1)], at(1), () => told.push('first'))
    const records = [{ ...at(2), payload: 'large' }]
    const second = mark.add(records, at(2), () => told.push('second'))
    mark.settle({ stretch: second, index: 0 })
    expect(told).to.deep.equal(['second'])
    expect(mark.beyond()).to.deep.equal([at(2)])
    mark.settle({ stretch: first, index: 0 })
    expect(told).to.deep.equal(['second', 'first'])
  })

  it('keeps nothing of records that nobody processes any more, and tells nobody of them', () => {
    const told: string[] = []
    const mark = new Watermark(TRIM_HORIZON)
    const stretch = mark.add([{ ...at(1), payload: 'large' }, at(2), at(3)] as never, at(3), () => told.push('done'))
    mark.settle({ stretch, index: 0 })
    mark.settle({ stretch, index: 2 })
    mark.letGo()
    expect(mark.position).to.deep.equal(at(1))
    expect(mark.beyond()).to.deep.equal([at(3)])
    mark.settle({ stretch, index: 1 })
    expect(mark.position).to.deep.equal(at(3))
    expect(told).to.deep.equal([])
  })

  it('is where a naive count says it is, in any order of settling', () => {
    for (const seed of seeds(200)) {
      const random = seededRandom(seed)
      const mark = new Watermark(TRIM_HORIZON)
      const open: { place: Place; number: number }[] = []
      const settled = new Set<number>()
      let next = 1
      for (let step = 0; step < 60; step++) {
        if (random.next() < 0.2) {
          const count = Math.floor(random.next() * 6)
          const numbers = Array.from({ length: count }, () => next++)
          const stretch = mark.add(
            numbers.map(number => at(number)),
            at(next - 1),
            () => {}
          )
          open.push(...numbers.map((number, index) => ({ place: { stretch, index }, number })))
        } else {
          const [taken] = open.splice(Math.floor(random.next() * open.length), 1)
          if (taken === undefined) continue
          mark.settle(taken.place)
          settled.add(taken.number)
        }
        let upTo = 0
        while (settled.has(upTo + 1)) upTo += 1
        expect(mark.passed, `SEED=${seed}`).to.equal(upTo)
        if (upTo > 0) expect(formatPosition(mark.position), `SEED=${seed}`).to.equal(String(upTo))
        const beyond = [...settled].filter(number => number > upTo).sort((a, b) => a - b)
        expect(mark.beyond().map(formatPosition), `SEED=${seed}`).to.deep.equal(beyond.map(String))
      }
    }
  })
})
