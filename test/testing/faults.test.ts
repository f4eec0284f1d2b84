import { expect } from 'chai'
import { type Random, seededRandom } from '../../src/runtime/random.ts'
import {
  drawFate,
  FAULT_PROFILES,
  type FaultKind,
  FaultPlan,
  type FaultProfileName,
  quantile,
  type ServiceCall
} from '../../src/testing/faults.ts'

const CLAIM: ServiceCall = { service: 'dynamodb', call: 'claim', worker: 'w1', key: 'shard', isWrite: true }
const READ: ServiceCall = { service: 'kinesis', call: 'getRecords', worker: 'w1', key: 'shard', isWrite: false }

/** Chance that must not be asked. */
const NO_CHANCE: Random = { next: () => expect.fail('was asked for a number') }

/** How often each fault comes in 10,000 calls. */
function drawMany(call: ServiceCall, name: FaultProfileName): Partial<Record<FaultKind, number>> {
  const random = seededRandom(7)
  const counts: Partial<Record<FaultKind, number>> = {}
  for (let index = 0; index < 10_000; index++) {
    const { kind } = drawFate(call, FAULT_PROFILES[name], random).fault
    counts[kind] = (counts[kind] ?? 0) + 1
  }
  return counts
}

describe('quantile', () => {
  it('goes in straight lines from value to value', () => {
    const quantiles = [
      [0, 10],
      [0.5, 20],
      [1, 120]
    ] as const
    expect([0, 0.25, 0.5, 0.75, 0.999].map(share => quantile(quantiles, share))).to.deep.equal([
      10,
      15,
      20,
      70,
      20 + 100 * (0.499 / 0.5)
    ])
  })

  it('is the only value where there is one', () => {
    expect(quantile([[0, 7]], 0.9)).to.equal(7)
  })
})

describe('drawFate', () => {
  it('has no faults, no latency and no use for chance in the profile none', () => {
    for (const call of [CLAIM, READ]) {
      expect(drawFate(call, FAULT_PROFILES.none, NO_CHANCE)).to.deep.equal({
        fault: { kind: 'none' },
        thereMs: 0,
        backMs: 0
      })
    }
  })

  it('draws the same for the same seed', () => {
    const draw = () => {
      const random = seededRandom(3)
      return Array.from({ length: 100 }, () => drawFate(CLAIM, FAULT_PROFILES.hostile, random))
    }
    expect(draw()).to.deep.equal(draw())
  })

  it('gets worse from profile to profile', () => {
    const faults = (['none', 'calm', 'rough', 'hostile'] as const).map(
      name => 10_000 - (drawMany(CLAIM, name).none ?? 0)
    )
    expect(faults[0]).to.equal(0)
    expect(faults[1]).to.be.lessThan(10)
    expect(faults[2]).to.be.within(150, 400)
    expect(faults[3]).to.be.within(1_000, 1_600)
  })

  it('draws every fault that a call can meet', () => {
    const ofWrites = ['none', 'throttled', 'lost-request', 'lost-answer', 'late-request', 'hang']
    expect(Object.keys(drawMany(CLAIM, 'hostile')).sort()).to.deep.equal([...ofWrites].sort())
    const ofReads = ['none', 'throttled', 'lost-request', 'lost-answer', 'hang', 'expired-iterator']
    expect(Object.keys(drawMany(READ, 'hostile')).sort()).to.deep.equal([...ofReads].sort())
  })

  it('lets no read arrive late, and no iterator expire where there is none', () => {
    const random = seededRandom(1)
    for (let index = 0; index < 5_000; index++) {
      const scan = { ...CLAIM, call: 'scan', isWrite: false }
      expect(drawFate(scan, FAULT_PROFILES.hostile, random).fault.kind).to.not.equal('late-request')
      const list = { ...READ, call: 'listShards' }
      expect(drawFate(list, FAULT_PROFILES.hostile, random).fault.kind).to.not.equal('expired-iterator')
    }
  })
})

describe('FaultPlan', () => {
  const aPlan = () => {
    const time = { nowMs: 0 }
    return { time, plan: new FaultPlan(FAULT_PROFILES.none, seededRandom(1), () => time.nowMs) }
  }
  const kindOf = (plan: FaultPlan, call = CLAIM): string => plan.fateOf(call).fault.kind

  it('has a scripted fault strike the calls that fit, once unless told otherwise', () => {
    const { plan } = aPlan()
    const script = plan.script({ call: 'claim', worker: 'w2' }, { kind: 'lost-answer' })
    expect(kindOf(plan)).to.equal('none')
    expect(kindOf(plan, { ...CLAIM, worker: 'w2', call: 'release' })).to.equal('none')
    expect([1, 2].map(() => kindOf(plan, { ...CLAIM, worker: 'w2' }))).to.deep.equal(['lost-answer', 'none'])
    expect(script.hits).to.equal(1)
  })

  it('lets the first calls pass if it is told to, and can be cancelled', () => {
    const { plan } = aPlan()
    const fault = { kind: 'throttled' } as const
    const script = plan.script({ service: 'dynamodb' }, fault, { after: 1, times: Number.POSITIVE_INFINITY })
    expect([1, 2, 3].map(() => kindOf(plan))).to.deep.equal(['none', 'throttled', 'throttled'])
    expect(kindOf(plan, READ)).to.equal('none')
    script.cancel()
    expect(kindOf(plan)).to.equal('none')
    expect(script.hits).to.equal(2)
  })

  it('tells when a call that met a script has landed', () => {
    const { plan } = aPlan()
    const landed: ServiceCall[] = []
    plan.script({ key: 'shard' }, { kind: 'none' }, { onLanded: call => landed.push(call) })
    plan.fateOf(CLAIM).onLanded?.()
    expect(landed).to.deep.equal([CLAIM])
    expect(plan.fateOf(CLAIM)).to.not.have.property('onLanded')
  })

  it('throttles a share of the calls for a while', () => {
    const { plan, time } = aPlan()
    plan.throttle('dynamodb', 0.8, 30_000)
    const kinds = Array.from({ length: 1_000 }, () => kindOf(plan))
    expect(kinds.filter(kind => kind === 'throttled').length).to.be.within(750, 850)
    expect(kindOf(plan, READ)).to.equal('none')
    time.nowMs = 30_000
    expect(kindOf(plan)).to.equal('none')
  })

  it('has nobody answer during an outage', () => {
    const { plan, time } = aPlan()
    plan.outage('kinesis', 20_000)
    expect([kindOf(plan, READ), kindOf(plan)]).to.deep.equal(['hang', 'none'])
    time.nowMs = 19_999
    expect(kindOf(plan, READ)).to.equal('hang')
    time.nowMs = 20_000
    expect(kindOf(plan, READ)).to.equal('none')
  })

  it('can be given another profile', () => {
    const { plan } = aPlan()
    plan.profile = FAULT_PROFILES.hostile
    expect(new Set(Array.from({ length: 200 }, () => kindOf(plan))).size).to.be.greaterThan(3)
  })
})
