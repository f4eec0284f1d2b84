import { expect } from 'chai'
import { type ModeFacts, planMode } from '../../src/fleet/plan-mode.ts'

const TEN_MINUTES_MS = 600_000
const facts = (with_: Partial<ModeFacts>): ModeFacts => ({
  ...{ mode: 'solo', byOptions: 'solo', ordered: undefined, obeyed: undefined },
  ...{ hasForeigners: false, foreignGoneMs: 0 },
  ...with_
})
const order = (mode: 'solo' | 'mixed') => ({ id: `to-${mode}`, mode, by: 'ann' })

describe('planMode', () => {
  const cases: [string, Partial<ModeFacts>, 'solo' | 'mixed'][] = [
    ['stays as it is where nothing happens', { mode: 'mixed' }, 'mixed'],
    ['is mixed where workers of another kind own leases', { hasForeigners: true }, 'mixed'],
    ['is mixed then even if it is ordered to be on its own', { hasForeigners: true, ordered: order('solo') }, 'mixed'],
    [
      'is that of the options ten minutes after the last of them',
      { mode: 'mixed', foreignGoneMs: TEN_MINUTES_MS },
      'solo'
    ],
    ['is not before that', { mode: 'mixed', foreignGoneMs: TEN_MINUTES_MS - 1 }, 'mixed'],
    ['is mixed as ordered, although nobody else is there', { ordered: order('mixed') }, 'mixed'],
    ['stays mixed as ordered for ever', { ordered: order('mixed'), foreignGoneMs: 10 * TEN_MINUTES_MS }, 'mixed'],
    ['is on its own as ordered, at once', { mode: 'mixed', ordered: order('solo') }, 'solo'],
    [
      'is on its own as ordered, whatever the options say',
      { mode: 'mixed', byOptions: 'mixed', ordered: order('solo') },
      'solo'
    ],
    [
      'takes its time if they have come again since the order was followed',
      { mode: 'mixed', ordered: order('solo'), obeyed: 'to-solo', foreignGoneMs: 1_000 },
      'mixed'
    ],
    [
      'goes by the order, not by its options, after that',
      { mode: 'mixed', byOptions: 'mixed', ordered: order('solo'), obeyed: 'to-solo', foreignGoneMs: TEN_MINUTES_MS },
      'solo'
    ]
  ]
  for (const [what, with_, mode] of cases) {
    it(what, () => {
      expect(planMode(facts(with_))).to.equal(mode)
    })
  }
})
