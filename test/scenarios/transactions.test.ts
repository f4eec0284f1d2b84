// The example of checkpoints in a transaction, as its own process with workers that are killed; and the program in its document.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type Proof, prove } from '../../examples/transactions/proof.ts'

const ROOT = join(import.meta.dirname, '../..')

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program of node to its end. */
async function run(args: readonly string[], { cwd = ROOT, TMPDIR = tmpdir() } = {}): Promise<Ended> {
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...process.env, TMPDIR },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', text => {
      said[name] += text
    })
  }
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, ...said }
}

describe('npm run transactions', () => {
  let folder: string

  before(() => {
    expect(existsSync(join(ROOT, 'dist/index.js')), 'dist is missing: npm run build').to.equal(true)
  })

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-test-'))
  })

  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const transactions = (...args: readonly string[]): Promise<Ended> =>
    run(['--import', 'tsx', 'examples/transactions.ts', ...args], { TMPDIR: folder })

  const SMALL = ['--kills', '3', '--workers', '2', '--shards', '2', '--json']

  it('counts every payment exactly once, whichever worker is killed when, and leaves no file behind', async function () {
    this.timeout(120_000)
    const { code, stdout, stderr } = await transactions(...SMALL)
    expect(code, stdout + stderr).to.equal(0)
    const result = JSON.parse(stdout)
    expect(result).to.include({ missing: 0, repeated: 0, wrongTotals: 0, exact: true, kills: 3 })
    expect(result.put).to.be.greaterThan(100)
    expect(readdirSync(folder).filter(name => name.startsWith('millrace-transactions-'))).to.deep.equal([])
  })

  for (const [args, told] of [
    [['--kills', 'many'], /--kills: is "many", expected a whole number from 0 to 1000/],
    [['--workers', '0'], /--workers: is "0", expected a whole number from 1 to 20/],
    [['--forever'], /--forever/]
  ] as const) {
    it(`exits with 2 and says why, given ${args.join(' ')}`, async () => {
      const { code, stderr } = await transactions(...args)
      expect(code).to.equal(2)
      expect(stderr).to.match(told)
    })
  }
})

describe('prove', () => {
  const payments = [
    { id: 0, account: 'a', amount: 5 },
    { id: 1, account: 'b', amount: 7 },
    { id: 2, account: 'a', amount: 1 }
  ]
  const once = payments.map(({ id }) => ({ id, times: 1 }))
  const totals = [
    { account: 'a', payments: 2, amount: 6 },
    { account: 'b', payments: 1, amount: 7 }
  ]
  const exact: Proof = { put: 3, missing: 0, repeated: 0, wrongTotals: 0 }

  it('finds nothing where every payment is counted once', () => {
    expect(prove(payments, once, totals)).to.deep.equal(exact)
  })

  it('finds what is missing, what was counted twice, and totals that are wrong', () => {
    const twice = [
      { id: 0, times: 2 },
      { id: 2, times: 1 }
    ]
    const wrong = [
      { account: 'a', payments: 3, amount: 11 },
      { account: 'c', payments: 1, amount: 1 }
    ]
    expect(prove(payments, twice, wrong)).to.deep.equal({ put: 3, missing: 1, repeated: 1, wrongTotals: 3 })
  })
})

describe('docs/transactions.md', () => {
  it('has a program that compiles with tsc --strict', async function () {
    this.timeout(120_000)
    const document = readFileSync(join(ROOT, 'docs/transactions.md'), 'utf8')
    const [program] = [...document.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code ?? '')
    const folder = mkdtempSync(join(tmpdir(), 'millrace-document-'))
    try {
      mkdirSync(join(folder, 'node_modules/@types'), { recursive: true })
      symlinkSync(ROOT, join(folder, 'node_modules/millrace'), 'dir')
      for (const name of ['libsql', '@types/node']) {
        symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name), 'dir')
      }
      writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n')
      writeFileSync(join(folder, 'program.ts'), program ?? '')
      const options = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2022', '--types', 'node']
      const { stdout } = await run([join(ROOT, 'node_modules/.bin/tsc'), ...options, 'program.ts'], { cwd: folder })
      expect(stdout).to.equal('')
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
