// The program as a process, as it is installed: built, with nothing but what it brings.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { emulatorEnvironment } from '../../examples/support/emulator-environment.ts'
import { pollUntil } from '../support/poll.ts'
import { ROOT } from '../support/source-files.ts'

const MAIN = join(ROOT, 'dist/cli/main.js')

interface Run {
  readonly child: ChildProcess
  readonly said: { stdout: string; stderr: string }
  readonly closed: Promise<[code: number | null, signal: NodeJS.Signals | null]>
}

describe('the bin millrace', () => {
  const running = new Set<ChildProcess>()
  let folder: string
  let env: NodeJS.ProcessEnv

  before(() => {
    expect(existsSync(MAIN), 'dist is missing: npm run build').to.equal(true)
    folder = mkdtempSync(join(tmpdir(), 'millrace-bin-'))
    const { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED, ...others } = emulatorEnvironment({
      kinesis: 'http://127.0.0.1:1',
      dynamodb: 'http://127.0.0.1:1'
    })
    env = others
  })

  after(() => rmSync(folder, { recursive: true, force: true }))

  afterEach(() => {
    for (const child of running) child.kill('SIGKILL')
  })

  const start = (args: readonly string[], input?: string): Run => {
    const child = spawn(process.execPath, [MAIN, ...args], { cwd: folder, env, stdio: ['pipe', 'pipe', 'pipe'] })
    const said = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', text => {
        said[name] += text
      })
    }
    child.stdin.on('error', () => {})
    if (input !== undefined) child.stdin.end(input)
    running.add(child)
    const closed = once(child, 'close').finally(() => running.delete(child)) as Run['closed']
    return { child, said, closed }
  }

  const finish = async (
    args: readonly string[],
    input = ''
  ): Promise<{ code: number | null; stdout: string; stderr: string }> => {
    const { said, closed } = start(args, input)
    const [code] = await closed
    return { code, ...said }
  }

  it('says its version, and what it does not understand', async () => {
    const version = await finish(['--version'])
    expect(version).to.include({ code: 0, stderr: '' })
    expect(version.stdout).to.match(/^\d+\.\d+\.\d+\n$/)
    expect(await finish(['lcoal'])).to.deep.include({ code: 2, stdout: '' })
  })

  it('takes somebody from nothing to a consumer that runs: local, put, run, tail', async function () {
    this.timeout(60_000)
    const local = start(['local', '--kinesis-port', '0', '--dynamo-port', '0', '--stream', 'orders:2'])
    await pollUntil('the environment', () => local.said.stdout.includes('Ctrl-C'), 20_000)
    expect(local.said.stderr).to.equal('')
    const exported = Array.from(local.said.stdout.matchAll(/^export (\w+)=(.*)$/gm), ([, name = '', value = '']) => [
      name,
      value
    ])
    env = { ...env, ...Object.fromEntries(exported) }
    expect(await finish(['put', 'orders', '--key', 'k'], 'one\ntwo\n')).to.include({ code: 0 })
    writeFileSync(
      join(folder, 'handler.mjs'),
      'export const handler = records => { for (const record of records) console.log("got", record.text()) }'
    )
    // Begins where nothing is yet: what every worker does that is not told where.
    const worker = start(['run', 'handler.mjs', '--stream', 'orders', '--app', 'printer'])
    await pollUntil('leases', () => worker.said.stderr.split('a lease was taken').length === 3, 20_000)
    expect(await finish(['put', 'orders', 'three', '--key', 'k'])).to.include({ code: 0 })
    // What came within the second before may come too: that is as exactly as kinesalite knows when it was.
    await pollUntil('the record', () => worker.said.stdout.endsWith('got three\n'), 20_000)
    const tailed = await finish(['tail', 'orders', '--from', 'trim', '--no-follow', '--raw'])
    expect(tailed).to.deep.equal({ code: 0, stdout: 'one\ntwo\nthree\n', stderr: '' })
    worker.child.kill('SIGTERM')
    expect(await worker.closed, worker.said.stderr).to.deep.equal([0, null])
    for (const line of worker.said.stderr.trim().split('\n'))
      expect(JSON.parse(line)).to.include.keys('level', 'msg', 'time')
    local.child.kill('SIGINT')
    expect(await local.closed).to.deep.equal([0, null])
  })

  it('ends cleanly when nobody reads its output any more', async () => {
    const help = start(['tail', 'orders', '--help'], '')
    help.child.stdout?.destroy()
    expect((await help.closed)[0]).to.equal(0)
  })
})
