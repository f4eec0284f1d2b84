// `npm run simulate:mutants`: breaks the protocol on purpose, one rule at a time, in a copy of the sources, and shows that the
// simulator finds out. Exits with 1 if it does not, or if a rule is not where this file says.
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { MUTANTS, type Mutant } from './mutant-list.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

interface Found {
  readonly seed?: number
  readonly kind?: string
  readonly tried: number
  readonly seconds: number
}

/** A copy of the sources with the edits, which the system's folder for temporary files keeps until it is removed. */
function copyWith(mutant: Mutant): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-mutant-'))
  for (const name of ['src', 'test/simulation', 'package.json', 'tsconfig.json']) {
    cpSync(join(ROOT, name), join(folder, name), { recursive: true })
  }
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  for (const { file, find, replace } of mutant.edits) {
    const path = join(folder, 'src', file)
    const text = readFileSync(path, 'utf8')
    const times = text.split(find).length - 1
    if (times !== 1) throw new Error(`${mutant.name}: src/${file} has its text ${times} times, expected once:\n${find}`)
    writeFileSync(
      path,
      text.replace(find, () => replace)
    )
  }
  return folder
}

/** Runs the simulator on a copy until an invariant breaks. */
function simulate(folder: string, profile: string, seeds: number): Promise<Found> {
  const args = ['--import', 'tsx', 'test/simulation/simulate.ts', '--profile', profile, '--seeds', String(seeds)]
  const startedMs = performance.now()
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...args, '--until-violation', '--json'], { cwd: folder })
    let said = ''
    child.stdout.on('data', chunk => {
      said += chunk
    })
    child.stderr.resume()
    child.on('error', reject)
    child.on('exit', () => {
      const summary = JSON.parse(said.trimEnd().split('\n').at(-1) ?? '{}')
      const seen = [...said.matchAll(/^seed (\d+) \(.*?\): (?:Error: )?(\S+) /gm)].map(([, seed, kind]) => ({
        seed: Number(seed),
        kind
      }))
      const first = seen.sort((a, b) => a.seed - b.seed)[0]
      const seconds = (performance.now() - startedMs) / 1_000
      resolve({
        ...(first && { seed: first.seed, ...(first.kind && { kind: first.kind }) }),
        tried: summary.seeds,
        seconds
      })
    })
  })
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '1000' },
      only: { type: 'string' },
      json: { type: 'boolean', default: false }
    }
  })
  const chosen = MUTANTS.filter(({ name }) => values.only === undefined || name === values.only)
  if (chosen.length === 0)
    throw new Error(`--only is ${values.only}, expected one of ${MUTANTS.map(({ name }) => name).join(', ')}`)
  const results: { name: string; breaks: string; found: Found }[] = []
  for (const mutant of chosen) {
    const folder = copyWith(mutant)
    try {
      const found = await simulate(folder, mutant.profile, Number(values.seeds))
      results.push({ name: mutant.name, breaks: mutant.breaks, found })
      const what = found.seed === undefined ? `NOT FOUND in ${found.tried} seeds` : `seed ${found.seed}, ${found.kind}`
      process.stdout.write(
        `${mutant.name.padEnd(28)} ${what.padEnd(40)} ${found.seconds.toFixed(1)} s   ${mutant.breaks}\n`
      )
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  const missed = results.filter(({ found }) => found.seed === undefined).length
  if (values.json) process.stdout.write(`${JSON.stringify({ mutants: results.length, missed, results })}\n`)
  process.exitCode = missed > 0 ? 1 : 0
}

await main()
