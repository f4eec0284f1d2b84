// A few seeds of the stories that `npm run simulate` tells with thousands; and that breaking the protocol would show.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { isRepeated, seeds } from '../support/seeds.ts'
import { ROOT } from '../support/source-files.ts'
import { MUTANTS } from './mutant-list.ts'
import { PROFILES } from './profiles.ts'
import { runSeed, type SeedReport } from './seed-run.ts'
import { summarize } from './summary.ts'

async function run(name: string, seed: number): Promise<SeedReport> {
  const profile = PROFILES[name]
  if (profile === undefined) throw new Error(`There is no profile ${name}`)
  return runSeed(profile, seed, { replay: `SEED=${seed}`, log: false, durationMs: 10_000 })
}

describe('a simulated fleet', () => {
  for (const name of ['rough', 'hostile', 'reshard']) {
    it(`breaks no promise when it is ${name}`, async function () {
      this.timeout(60_000)
      for (const seed of seeds(3)) {
        const { violations, problem, deliveries } = await run(name, seed)
        expect(
          violations.map(({ kind, message }) => `${kind}: ${message}`),
          `SEED=${seed}`
        ).to.deep.equal([])
        expect(problem, `SEED=${seed}`).to.equal(undefined)
        expect(deliveries, `SEED=${seed}`).to.be.greaterThan(100)
      }
    })
  }

  it('breaks no promise when its processors fail in every way, under every policy', async function () {
    this.timeout(120_000)
    const sums: Record<string, number> = {}
    for (const seed of seeds(12)) {
      const { violations, problem, figures } = await run('failing', seed)
      expect(
        violations.map(({ kind, message }) => `${kind}: ${message}`),
        `SEED=${seed}`
      ).to.deep.equal([])
      expect(problem, `SEED=${seed}`).to.equal(undefined)
      for (const [name, value] of Object.entries(figures)) sums[name] = (sums[name] ?? 0) + value
    }
    if (isRepeated) return
    for (const name of ['deadLettered', 'skipped', 'halts', 'failures']) expect(sums[name], name).to.be.greaterThan(10)
  })

  it('is the same for the same seed, line by line, and another one for another seed', async () => {
    const [first, again, other] = [await run('rough', 1), await run('rough', 1), await run('rough', 2)]
    expect(first.hash).to.match(/^[0-9a-f]{16}$/)
    expect(again.hash).to.equal(first.hash)
    expect(other.hash).to.not.equal(first.hash)
    const failing = [await run('failing', 1), await run('failing', 1)]
    expect(failing[1]?.hash).to.equal(failing[0]?.hash)
  })

  it('sums up what its seeds came to', async () => {
    const report = await run('rough', 3)
    const summary = summarize('rough', [report, report], 2)
    expect(summary).to.include({ seeds: 2, violations: 0, lost: 0, zombieCheckpoints: 0, problems: 0, seconds: 2 })
    expect(summary.deliveries).to.equal(2 * report.deliveries)
    expect(summary.virtualHours).to.be.closeTo((2 * report.virtualMs) / 3_600_000, 0.01)
  })
})

describe('the mutants', () => {
  it('are seventeen, and each breaks something that stands in the source once', () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).to.equal(17)
    for (const { name, edits } of MUTANTS) {
      for (const { file, find, replace } of edits) {
        const text = readFileSync(join(ROOT, 'src', file), 'utf8')
        expect(text.split(find).length - 1, `${name} in ${file}`).to.equal(1)
        expect(replace).to.not.equal(find)
      }
    }
  })
})
