// Every command speaks to programs: pure JSON on standard output, an error as JSON on standard error, and an exit code that is told.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { makeProgram } from '../../src/cli/program.ts'
import { CliFleet } from '../support/cli-fleet.ts'
import { CliRig } from '../support/cli-rig.ts'
import { STREAM } from '../support/world.ts'

/** How a command is called well, and wrongly, and what it ends with. */
interface Call {
  readonly well: readonly string[]
  readonly code?: number
  readonly wrongly: readonly string[]
  /** Whether it goes on until it is asked to end. */
  readonly isEndless?: boolean
  /** Whether standard output is not all its own. */
  readonly isUsers?: boolean
  /** Whether its result is a document and not a line. */
  readonly isDocument?: boolean
}

const AT_FLEET = ['--stream', STREAM, '--app', 'app'] as const

const CALLS: Readonly<Record<string, Call>> = {
  run: {
    well: ['handler.mjs', ...AT_FLEET, '--worker-id', 'w9'],
    wrongly: ['missing.mjs', ...AT_FLEET],
    ...{ isEndless: true, isUsers: true }
  },
  multilang: { well: ['--check', 'app.properties'], wrongly: ['missing.properties'] },
  local: {
    well: ['--kinesis-port', '0', '--dynamo-port', '0'],
    wrongly: ['--kinesis-port', 'x'],
    isEndless: true
  },
  put: { well: [STREAM, 'hello'], wrongly: [STREAM, 'hello', '--key', 'x'.repeat(257)] },
  tail: { well: [STREAM, '--from', 'trim', '--no-follow'], wrongly: [STREAM, '--from', 'soon'] },
  status: { well: AT_FLEET, wrongly: ['--app', 'app'] },
  watch: { well: AT_FLEET, wrongly: [...AT_FLEET, '--every', '1ms'], isEndless: true },
  dashboard: { well: [...AT_FLEET, '--port', '0'], wrongly: [...AT_FLEET, '--port', 'x'], isEndless: true },
  lag: { well: AT_FLEET, wrongly: [...AT_FLEET, '--max', 'much'] },
  reset: { well: [...AT_FLEET, '--to-trim', '--yes'], wrongly: [...AT_FLEET, '--to-trim'] },
  release: { well: [...AT_FLEET, '--yes'], wrongly: AT_FLEET },
  pause: { well: [...AT_FLEET, '--yes'], wrongly: AT_FLEET },
  resume: { well: AT_FLEET, wrongly: ['--app', 'app'] },
  move: { well: ['0', 'w1', ...AT_FLEET], wrongly: ['0', 'w1', ...AT_FLEET, '--timeout', 'soon'] },
  migrate: {
    well: [...AT_FLEET, '--to', 'kcl', '--dry-run', '--observe', '1s'],
    wrongly: [...AT_FLEET, '--to', 'java']
  },
  doctor: { well: AT_FLEET, wrongly: [...AT_FLEET, '--observe', 'long'] },
  export: { well: AT_FLEET, wrongly: ['handler.mjs', ...AT_FLEET], isDocument: true },
  import: { well: ['checkpoints.json', ...AT_FLEET, '--yes'], wrongly: ['handler.mjs', ...AT_FLEET, '--yes'] },
  redrive: { well: ['letters', '--dry-run'], wrongly: ['letters', '--limit', 'x'] },
  cost: { well: AT_FLEET, wrongly: [...AT_FLEET, '--observe', '0s'] },
  completion: { well: ['bash'], wrongly: ['tcsh'] }
}

describe('every command', () => {
  let fleet: CliFleet
  let folder: string
  /** The last one's outputs. */
  let rig: CliRig

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-json-'))
    writeFileSync(join(folder, 'handler.mjs'), 'export const handler = () => {}')
    writeFileSync(join(folder, 'letters'), '')
    writeFileSync(join(folder, 'app.properties'), 'executableName=a\napplicationName=app\nstreamName=s\n')
    // Read here, in real time: where it is read first, time is virtual, and could be over by then.
    await import(pathToFileURL(join(folder, 'handler.mjs')).href)
    fleet = new CliFleet()
    await fleet.start()
    expect(await run('export', ...AT_FLEET)).to.equal(0)
    writeFileSync(join(folder, 'checkpoints.json'), rig.stdout.text)
  })

  after(async () => {
    await fleet.world.stopAll()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Runs one in the world of the fleet, or, if it is about a stream alone, with that; what goes on without end is ended after a while. */
  const run = async (...argv: readonly string[]): Promise<number> => {
    const [name = ''] = argv
    if (name === 'put' || name === 'tail') {
      rig = new CliRig()
      rig.kinesis.createStream(STREAM, 1)
      rig.kinesis.put(STREAM, 'key', 'data')
      return rig.run(...argv)
    }
    const work = fleet.beginRaw({ cwd: folder }, ...argv)
    rig = fleet.rig
    if (CALLS[name]?.isEndless !== true) return fleet.world.await(work)
    await fleet.world.clock.advance(5_000)
    // Servers listen in real time.
    const isServer = name === 'local' || name === 'dashboard'
    if (isServer) await Promise.race([work, rig.stdout.until(text => text.endsWith('\n'))])
    rig.signal()
    return isServer ? work : fleet.world.await(work)
  }

  it('is here', () => {
    const { commands } = makeProgram(new CliRig().ports, '1').command
    expect(Object.keys(CALLS)).to.deep.equal(commands.map(command => command.name()))
  })

  for (const [name, { well, wrongly, code = 0, isUsers = false, isDocument = false }] of Object.entries(CALLS)) {
    it(`${name} prints nothing but JSON, and ends with ${code}`, async () => {
      expect(await run(name, ...well, '--json'), rig.stderr.text).to.equal(code)
      const { stdout, stderr } = rig
      if (isUsers) for (const line of stderr.lines) expect(JSON.parse(line)).to.be.an('object')
      else if (isDocument) expect(JSON.parse(stdout.text)).to.be.an('object')
      else for (const value of stdout.objects) expect(value).to.be.an('object')
      if (!isUsers) expect(stderr.text).to.equal('')
      if (name !== 'run') expect(stdout.text).to.not.equal('')
    })

    it(`${name} says as JSON what is wrong with a command line, and ends with 2`, async () => {
      expect(await run(name, ...wrongly, '--json'), rig.stdout.text).to.equal(2)
      expect(rig.stdout.text).to.equal('')
      expect(rig.stderr.objects).to.have.lengthOf(1)
      const { error } = rig.stderr.objects[0] as { error: { code: string; message: string } }
      expect(error.code).to.equal('BAD_OPTION')
      expect(error.message).to.match(/^Option \S+: /)
    })
  }
})
