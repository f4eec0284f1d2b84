// The model check with little depth; and that it finds what it is there to find.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { type Exploration, explore, type Model } from './model/explorer.ts'
import { FenceModel } from './model/fence-model.ts'
import { REAL_RULES, type Rules } from './model/rules.ts'
import { withChanges } from './model/store-conditions.ts'
import { configurations } from './model-check.ts'

const DEPTH = 7

describe('configurations', () => {
  for (const { name, explore: exploreTo } of configurations()) {
    it(`has no bad state within ${DEPTH} steps: ${name}`, () => {
      const { violation, depth, isExhausted, states, transitions } = exploreTo(DEPTH)
      expect(violation).to.equal(undefined)
      expect([depth, isExhausted]).to.deep.equal([DEPTH, false])
      expect(states).to.be.greaterThan(500)
      expect(transitions).to.be.greaterThan(states)
    })
  }

  it('finds a table that does not test the counter', () => {
    const found = exploreBroken('one shard', {
      replaceRow: (row, before, after) =>
        row?.owner === before.owner ? row && withChanges(row, before, after) : undefined
    })
    expect(found.violation?.what).to.match(/^the claim of s1 by w\d.* was accepted, and its counter went from 2 to 1$/)
    expect(found.violation?.trace).to.have.length(5)
  })

  it('finds a claim of a lease whose owner has no death certificate', () => {
    const found = exploreBroken('one shard', {
      judgeClaim: lease => (lease === undefined ? { kind: 'over' } : { kind: 'claim', why: 'unowned' })
    })
    expect(found.violation?.what).to.match(/was accepted, and w\d\/00000001 has it and no death certificate$/)
    expect(found.violation?.trace).to.deep.equal([
      'w1/00000001 reads the row of s1, and sends a claim (unowned)',
      'the claim of s1 by w1/00000001 lands',
      'w2/00000001 reads the row of s1, and sends a claim (unowned)',
      'the claim of s1 by w2/00000001 lands'
    ])
  })

  it('finds a refusal that is taken for an answer that was lost', () => {
    const found = exploreBroken('one shard, liar', {
      judgeRefusal: (_, __, current) => (current === undefined ? { kind: 'gone' } : { kind: 'ours', lease: current })
    })
    expect(found.violation?.what).to.match(/although it was claimed or given back since; now w\d\/00000001 has it$/)
  })

  it('finds a checkpoint of what was delivered and is not settled', () => {
    const found = exploreBroken('one shard', {
      judgeCheckpoint: (window, upTo, wish) =>
        REAL_RULES.judgeCheckpoint(window, wish === undefined ? window.delivered : upTo, wish)
    })
    expect(found.violation?.what).to.match(/was accepted at record 1, and only 0 is settled$/)
  })

  it('finds a child that begins before its parent is finished', () => {
    const found = exploreBroken('parent and child', { judgeParents: () => ({ kind: 'finished' }) })
    expect(found.violation?.what).to.equal('w1/00000001 begins with s3 before s1 is finished')
  })

  it('finds a parent that ends before its child has a lease', () => {
    const found = exploreBroken('parent and child', {
      planShardEnd: facts => {
        const plan = REAL_RULES.planShardEnd(facts)
        return plan.kind === 'end' ? { ...plan, create: [] } : plan
      }
    })
    expect(found.violation?.what).to.equal('the finish of s1 by w1/00000001 was accepted before s3 had a lease')
  })

  it('finds a heartbeat that is accepted after the death certificate', () => {
    const found = exploreBroken('one shard', {
      beaten: (item, report, hb) => ({
        item: { ...report, hb, asgVer: item?.asgVer ?? 0 },
        answer: { kind: 'alive', asgVer: item?.asgVer ?? 0 }
      })
    })
    expect(found.violation?.what).to.equal('a heartbeat of w1/00000001 was accepted after its death certificate')
  })

  it('finds two leaders in one term', () => {
    const found = exploreBroken('the lead', { replaceLock: (_, __, after) => after })
    expect(found.violation?.what).to.equal('w1 leads in term 1, too')
  })
})

describe('FenceModel', () => {
  const setting = { name: 'fence', maxBeats: 1, rules: REAL_RULES, settings: { durationMs: 20, heartbeatMs: 5 } }
  for (const watcher of ['leader', 'follower'] as const) {
    it(`finds that the fence is too late if the owner's clock loses more than a fifth, watched by a ${watcher}`, () => {
      const found = explore(new FenceModel({ ...setting, watcher, ownerSteps: [3] }), 20)
      expect(found.violation?.what).to.equal('the lease may be claimed while w1/00000001 still delivers')
    })
  }

  it('finds a session that delivers for longer than its lease lasts', () => {
    const settings = { ...setting.settings, validMs: 25 }
    const found = explore(new FenceModel({ ...setting, settings, watcher: 'leader', ownerSteps: [5] }), 20)
    expect(found.violation?.what).to.equal('the lease may be claimed while w1/00000001 still delivers')
  })
})

describe('explore', () => {
  /** A counter that goes up by 1 or 3, to 10 at most. */
  const upTo10 = (forbidden?: number): Model<number> => ({
    name: 'counter',
    initial: 0,
    fingerprint: number => number,
    steps: (number, take) => {
      for (const by of [1, 3]) {
        const to = number + by
        if (to <= 10) take(to, `plus ${by}`, to === forbidden ? `${to} was reached` : undefined)
      }
    }
  })

  it('visits each state once, and says when none is left', () => {
    expect(explore(upTo10(), 99)).to.deep.equal({
      name: 'counter',
      states: 11,
      transitions: 18,
      depth: 5,
      isExhausted: true
    })
    expect(explore(upTo10(), 2)).to.include({ states: 6, depth: 2, isExhausted: false })
  })

  it('tells one of the shortest ways to what must not happen', () => {
    const { violation } = explore(upTo10(7), 99)
    expect(violation).to.deep.equal({ what: '7 was reached', trace: ['plus 1', 'plus 3', 'plus 3'] })
  })

  it('remembers more states than it has room for at first', () => {
    const long: Model<number> = {
      name: 'line',
      initial: 0,
      fingerprint: number => number * 2 ** 20,
      steps: (number, take) => take((number + 1) % 100_000, 'on')
    }
    expect(explore(long, Number.POSITIVE_INFINITY)).to.include({ states: 100_000, isExhausted: true })
  })
})

describe('npm run model-check', () => {
  const run = (...args: string[]): Promise<{ stdout: string }> =>
    promisify(execFile)(process.execPath, ['--import', 'tsx', join(import.meta.dirname, 'model-check.ts'), ...args])

  it('tells how many states were visited, how deep, and whether any is left', async () => {
    const { stdout } = await run('--depth', '3', '--json')
    const { configurations: reports, ...summary } = JSON.parse(stdout)
    expect(reports.map(({ name }: Exploration) => name)).to.deep.equal(configurations().map(({ name }) => name))
    for (const report of reports) expect(report).to.include({ depth: 3, isExhausted: false })
    expect(summary).to.include({ violations: 0 })
    expect(summary.states).to.be.greaterThan(500)
  })

  it('refuses a depth that is no number of steps', async () => {
    const failure = await run('--depth', 'deep').catch(error => error)
    expect(failure).to.include({ code: 2, stderr: '--depth deep: expected a number of steps, 1 or more\n' })
  })
})

function exploreBroken(name: string, broken: Partial<Rules>): Exploration {
  const configuration = configurations(broken).find(one => one.name === name)
  if (configuration === undefined) throw new Error(`There is no configuration ${name}`)
  return configuration.explore(12)
}
