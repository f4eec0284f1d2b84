// Has the deployment examples checked by the tools that they are for, as far as those are installed: terraform, kubectl,
// systemd-analyze. Needs nothing but them; a provider of Terraform is downloaded where none is at hand.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const DEPLOY = join(import.meta.dirname, '../../deploy')

/** What came of a check: nothing, or what a tool complains of. */
interface Outcome {
  readonly what: string
  readonly problem?: string
  /** Why it was not made. */
  readonly skipped?: string
}

const folder = mkdtempSync(join(tmpdir(), 'millrace-deploy-'))
try {
  const outcomes = [...terraform(), kubernetes(), unit()]
  for (const { what, problem, skipped } of outcomes) {
    console.log(
      problem ? `FAILED   ${what}\n${problem}` : skipped ? `skipped  ${what}: ${skipped}` : `ok       ${what}`
    )
  }
  process.exitCode = outcomes.some(({ problem }) => problem !== undefined) ? 1 : 0
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function run(command: string, args: readonly string[], cwd: string): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: 180_000 })
  return { status, output: `${stdout}${stderr}` }
}

function isThere(command: string, args: readonly string[]): boolean {
  return run(command, args, DEPLOY).status === 0
}

function terraform(): Outcome[] {
  const [format, valid] = ['terraform fmt', 'terraform validate']
  if (!isThere('terraform', ['version'])) return [{ what: valid, skipped: 'terraform is not installed' }]
  // A copy: what it downloads does not belong here.
  cpSync(DEPLOY, folder, { recursive: true })
  const cwd = join(folder, 'terraform')
  const formatted = run('terraform', ['fmt', '-check', '-diff'], cwd)
  const outcomes: Outcome[] = [formatted.status === 0 ? { what: format } : { what: format, problem: formatted.output }]
  const init = run('terraform', ['init', '-backend=false', '-input=false', '-no-color'], cwd)
  if (init.status !== 0) return [...outcomes, { what: valid, skipped: `no provider could be had:\n${init.output}` }]
  const { status, output } = run('terraform', ['validate', '-no-color'], cwd)
  return [...outcomes, status === 0 ? { what: valid } : { what: valid, problem: output }]
}

/** Without a server kubectl can read the objects and no more: it asks a server what they may contain. */
function kubernetes(): Outcome {
  const what = 'kubectl create --dry-run=client'
  if (!isThere('kubectl', ['version', '--client'])) return { what, skipped: 'kubectl is not installed' }
  const file = join(DEPLOY, 'kubernetes/consumer.yaml')
  const { status, output } = run('kubectl', ['create', '--dry-run=client', '--validate=false', '-f', file], DEPLOY)
  if (status === 0) return { what }
  const isAlone = /connection refused|no configuration|unable to connect|couldn't get current server/i.test(output)
  return isAlone ? { what, skipped: 'kubectl asks a server even so' } : { what, problem: output }
}

function unit(): Outcome {
  const what = 'systemd-analyze verify'
  if (!isThere('systemd-analyze', ['--version'])) return { what, skipped: 'systemd is not installed' }
  // It looks whether what is started exists: another program stands in for Node.
  const text = readFileSync(join(DEPLOY, 'systemd/click-counter.service'), 'utf8')
  const units = join(folder, 'units')
  mkdirSync(units)
  writeFileSync(join(units, 'click-counter.service'), text.replace('/usr/bin/node ', `${process.execPath} `))
  const { status, output } = run('systemd-analyze', ['verify', '--man=no', './click-counter.service'], units)
  const complaints = output.split('\n').filter(line => line.includes('click-counter.service'))
  return status === 0 && complaints.length === 0 ? { what } : { what, problem: complaints.join('\n') || output }
}
