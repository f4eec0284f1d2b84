import { expect } from 'chai'
import { type LeasePartaker, planQuotas, planShares } from '../../src/fleet/plan-quotas.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { seeds } from '../support/seeds.ts'

const UNLIMITED = Number.POSITIVE_INFINITY

/** Partakers with sessions a, b, … that hold these counts. */
function holding(counts: readonly number[], with_: Partial<LeasePartaker> = {}): LeasePartaker[] {
  return counts.map((count, i) => ({ session: 'abcdefgh'.charAt(i), count, capacity: 1, limit: UNLIMITED, ...with_ }))
}

describe('planShares', () => {
  const cases: [string, [capacity: number, limit: number][], number, number[]][] = [
    ['nobody', [], 5, []],
    [
      'equal parts',
      [
        [1, UNLIMITED],
        [1, UNLIMITED]
      ],
      5,
      [2.5, 2.5]
    ],
    [
      'in proportion to capacity',
      [
        [1, UNLIMITED],
        [3, UNLIMITED]
      ],
      8,
      [2, 6]
    ],
    [
      'the others get what one cannot hold',
      [
        [1, 2],
        [1, UNLIMITED],
        [2, UNLIMITED]
      ],
      11,
      [2, 3, 6]
    ],
    [
      'one limit after another',
      [
        [1, 1],
        [1, 2],
        [1, UNLIMITED]
      ],
      9,
      [1, 2, 6]
    ],
    [
      'a limit that is not reached',
      [
        [1, 4],
        [1, 9]
      ],
      6,
      [3, 3]
    ],
    [
      'more than all can hold',
      [
        [1, 2],
        [2, 3]
      ],
      9,
      [2, 3]
    ],
    [
      'nothing',
      [
        [1, 2],
        [2, UNLIMITED]
      ],
      0,
      [0, 0]
    ]
  ]
  for (const [what, partakers, total, shares] of cases) {
    it(`divides: ${what}`, () => {
      expect(
        planShares(
          partakers.map(([capacity, limit]) => ({ capacity, limit })),
          total
        )
      ).to.deep.equal(shares)
    })
  }
})

describe('planQuotas', () => {
  it('rounds up for those that hold more, so that an even fleet stays as it is', () => {
    expect(planQuotas(holding([2, 1, 2]))).to.deep.equal([2, 1, 2])
    expect(planQuotas(holding([1, 2, 2]))).to.deep.equal([1, 2, 2])
    expect(planQuotas(holding([0, 0, 4]))).to.deep.equal([1, 1, 2])
    expect(planQuotas(holding([0, 2, 2]))).to.deep.equal([1, 2, 1])
  })

  it('rounds up for the largest fractions, then in the order of sessions', () => {
    const [a, b] = holding([0, 0])
    const [, , c] = holding([0, 0, 7])
    if (a === undefined || b === undefined || c === undefined) throw new Error('no partakers')
    // Shares 1.4, 1.4 and 4.2; then 1.4, 2.8, 2.8.
    expect(planQuotas([a, b, { ...c, capacity: 3 }])).to.deep.equal([1, 1, 5])
    expect(
      planQuotas([
        { ...a, count: 7 },
        { ...b, capacity: 2 },
        { ...c, count: 0, capacity: 2 }
      ])
    ).to.deep.equal([2, 3, 2])
  })

  it('exceeds no limit, and gives the rest to others', () => {
    expect(planQuotas([...holding([9]), ...holding([0, 0], { limit: 2 })])).to.deep.equal([5, 2, 2])
    expect(planQuotas(holding([2, 2], { limit: 2 }))).to.deep.equal([2, 2])
  })

  for (const seed of seeds(50)) {
    it(`divides everything, within one of each share, and stays once it is reached [SEED=${seed}]`, () => {
      const random = seededRandom(seed)
      const partakers = Array.from({ length: 1 + Math.floor(random.next() * 8) }, (_, i) => {
        const limit = random.next() < 0.3 ? Math.floor(random.next() * 9) : UNLIMITED
        const count = Math.min(limit, Math.floor(random.next() * 20))
        return { session: `w${i}`, capacity: 1 + Math.floor(random.next() * 4) / 3, limit, count }
      })
      const total = partakers.reduce((sum, { count }) => sum + count, 0)
      const quotas = planQuotas(partakers)
      expect(quotas.reduce((sum, quota) => sum + quota, 0)).to.equal(total)
      const shares = planShares(partakers, total)
      for (const [i, quota] of quotas.entries()) {
        expect(quota).to.be.at.most(partakers[i]?.limit ?? 0)
        expect(Math.abs(quota - (shares[i] ?? 0))).to.be.below(1 + 1e-6)
      }
      const reached = partakers.map((partaker, i) => ({ ...partaker, count: quotas[i] ?? 0 }))
      expect(planQuotas(reached)).to.deep.equal(quotas)
    })
  }
})
