// `npm run simulate:mutants`: breaks the protocol on purpose, one rule at a time, in a copy of the sources, and shows that the
// simulator finds out. Exits with 1 if it does not, or if a rule is not where this file says.
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

/** A text in a file of src that stands there once, and what stands there instead. */
interface Edit {
  readonly file: string
  readonly find: string
  readonly replace: string
}

interface Mutant {
  readonly name: string
  /** Which rule it breaks. */
  readonly breaks: string
  readonly profile: string
  readonly edits: readonly Edit[]
}

const MUTANTS: readonly Mutant[] = [
  {
    name: 'no-counter-condition',
    breaks: 'R2: a write tests the lease counter',
    profile: 'hostile',
    edits: [
      {
        file: 'leases/memory-lease-store.ts',
        find: 'return row.owner === lease.owner && row.counter === lease.counter',
        replace: 'return row.owner === lease.owner || lease.owner === undefined'
      }
    ]
  },
  {
    name: 'wall-clock',
    breaks: 'R5: a session is judged by the monotonic clock',
    profile: 'hostile',
    edits: [
      {
        file: 'leases/session-proof.ts',
        find: 'return provedAtMs() + validMs - clock.monotonicMs()',
        // The calendar of a simulated world begins here.
        replace: 'return provedAtMs() + validMs - (clock.epochMs() - 1_893_456_000_000)'
      }
    ]
  },
  {
    name: 'one-parent',
    breaks: 'R10: a child starts when all its parents are finished',
    profile: 'reshard',
    edits: [
      {
        file: 'leases/claim-rules.ts',
        find: '!lease.parentShardIds.some(parent => waitedFor.has(parent))',
        replace: '!(lease.parentShardIds.length > 0 && lease.parentShardIds.every(parent => waitedFor.has(parent)))'
      },
      {
        file: 'shards/parent-rules.ts',
        find: "if (unfinished !== undefined) return { kind: 'unfinished'",
        replace:
          "if (unfinished !== undefined && [...parents.values()].every(parent => !isFinished(parent))) return { kind: 'unfinished'"
      }
    ]
  },
  {
    name: 'checkpoint-before-settling',
    breaks: 'the checkpoint never passes a record that is not settled',
    profile: 'hostile',
    edits: [
      {
        file: 'processor/handler-processor.ts',
        find: '      await this.#handler(records, context)\n',
        replace: '      await context.checkpointer.checkpoint()\n      await this.#handler(records, context)\n'
      }
    ]
  },
  {
    name: 'no-self-fence',
    breaks: 'R5: a session that cannot prove that it lives delivers nothing',
    profile: 'hostile',
    edits: [
      {
        file: 'leases/session-proof.ts',
        find: 'const isProved = this.remainingMs() > 0',
        replace: 'const isProved = this.remainingMs() > Number.NEGATIVE_INFINITY'
      }
    ]
  },
  {
    name: 'hasty-certificate',
    breaks: 'R6: a session is watched for the lease duration before its death is certified',
    profile: 'hostile',
    edits: [
      {
        file: 'fleet/member-watch.ts',
        find: '? 2 * durationMs : durationMs\n',
        replace: '? heartbeatMs : heartbeatMs\n'
      }
    ]
  },
  {
    name: 'claim-from-the-living',
    breaks: 'R1: a lease is claimed only if nobody has it or its owner has a death certificate',
    profile: 'hostile',
    edits: [
      {
        file: 'leases/claim-rules.ts',
        find: "return { kind: 'owned', by: owner }",
        replace: "return { kind: 'claim', why: 'dead' }"
      }
    ]
  },
  {
    name: 'zombie-catches-up',
    breaks: 'R3: only a row that is ours and one step ahead is an earlier write of ours',
    profile: 'hostile',
    edits: [
      {
        file: 'leases/plan-renewals.ts',
        find: "if (current.owner !== session) return { kind: 'lost'",
        replace:
          "if (current.owner !== session && current.owner !== undefined) return { kind: 'ours', lease: current }\n  if (current.owner !== session) return { kind: 'lost'"
      }
    ]
  },
  {
    name: 'impatient-drain',
    breaks: 'R9: a lease that moves is released when what is in flight is settled',
    profile: 'deploy',
    edits: [
      {
        file: 'worker/shard-consumers.ts',
        find: '      running.consumer.drain()\n',
        replace: '      void running.consumer.abandon()\n'
      }
    ]
  },
  {
    name: 'certificate-is-not-final',
    breaks: 'R4: the heartbeat of a dead session is refused',
    profile: 'hostile',
    edits: [
      {
        file: 'leases/memory-control-store.ts',
        find: 'return member?.dead === undefined ? member : undefined',
        replace: 'return member'
      },
      {
        file: 'leases/memory-control-store.ts',
        find: "return member.dead === undefined ? { kind: 'alive', asgVer: member.asgVer } : { kind: 'dead', how: member.dead }",
        replace: "return { kind: 'alive', asgVer: member.asgVer }"
      }
    ]
  }
]

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
