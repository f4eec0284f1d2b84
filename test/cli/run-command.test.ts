import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { memoryControlStore } from '../../src/leases/memory-control-store.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import { CliRig } from '../support/cli-rig.ts'
import { pollUntil } from '../support/poll.ts'

describe('millrace run', () => {
  let folder: string
  let rig: CliRig

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-run-'))
    rig = new CliRig()
    rig.cwd = folder
    rig.kinesis.createStream('orders', 2)
    rig.workerPorts = {
      kinesis: rig.kinesis.port('orders'),
      store: memoryLeaseStore({ tableName: 'printer' }),
      control: memoryControlStore({ tableName: 'control' })
    }
  })

  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  /** A module, and what it was given: modules of this process can leave it here. */
  const module = (name: string, text: string): unknown[] => {
    const given: unknown[] = []
    const key = `given by ${folder}`
    Reflect.set(globalThis, key, given)
    writeFileSync(join(folder, name), `const given = globalThis[${JSON.stringify(key)}]\n${text}`)
    return given
  }
  const BASE = ['--stream', 'orders', '--app', 'printer', '--from', 'trim'] as const
  const messages = (): unknown[] => rig.stderr.objects.map(({ msg }) => msg)

  it('processes records until it is asked to end, and logs JSON where there is no terminal', async () => {
    const given = module(
      'handler.mjs',
      'export const handler = records => { for (const r of records) given.push(r.text()) }'
    )
    for (let n = 0; n < 20; n++) rig.kinesis.put('orders', `key-${n}`, `record ${n}`)
    const running = rig.run('run', 'handler.mjs', ...BASE)
    await pollUntil('every record', () => given.length === 20)
    rig.signal('SIGTERM')
    expect(await running, rig.stderr.text).to.equal(0)
    expect(given).to.have.members(Array.from({ length: 20 }, (_, n) => `record ${n}`))
    expect(messages()).to.include.members([
      'the worker runs',
      'a lease was taken',
      'the worker stops',
      'the worker has stopped'
    ])
    expect(rig.stdout.text).to.equal('')
    expect(rig.isListening).to.equal(false)
  })

  it('runs a processor class in TypeScript, with options of the module', async () => {
    const source = pathToFileURL(join(import.meta.dirname, '../../src/index.ts')).href
    const given = module(
      'processor.ts',
      `import { RecordProcessor, type ProcessRecordsInput } from ${JSON.stringify(source)}
export const options: object = { startAt: 'TRIM_HORIZON', workerId: 'mine', streamName: 'orders', applicationName: 'printer' }
export class Printer extends RecordProcessor {
  async processRecords({ records, checkpointer }: ProcessRecordsInput): Promise<void> {
    given.push(...records.map(record => record.text()))
    await checkpointer.checkpoint()
  }
}`
    )
    rig.kinesis.put('orders', 'key', 'text')
    const running = rig.run('run', 'processor.ts', '--worker-id', 'other')
    await pollUntil('the record', () => given.length === 1)
    rig.signal()
    expect(await running, rig.stderr.text).to.equal(0)
    const started = rig.stderr.objects.find(({ msg }) => msg === 'the worker runs')
    expect(started).to.include({ workerId: 'other', streamName: 'orders' })
  })

  it('serves its health, also while it starts', async () => {
    module('handler.mjs', 'export const handler = () => {}')
    const running = rig.run('run', 'handler.mjs', ...BASE, '--health-port', '0')
    await rig.stderr.until(text => text.includes('health is served'))
    const url = String(rig.stderr.objects.find(({ msg }) => msg === 'health is served')?.url)
    expect((await fetch(`${url}/livez`)).status).to.equal(200)
    await pollUntil('ready', async () => (await fetch(`${url}/readyz`)).status === 200)
    expect(await (await fetch(`${url}/metrics`)).text()).to.match(/^# HELP /m)
    rig.signal()
    expect(await running).to.equal(0)
    expect(await fetch(`${url}/livez`).catch(() => 'gone')).to.equal('gone')
  })

  it('draws frames on a terminal, with what the module prints above them', async () => {
    const given = module(
      'handler.mjs',
      'export const handler = records => { for (const r of records) given.push(r.text()) }'
    )
    for (const output of [rig.stdout, rig.stderr]) output.isTTY = true
    rig.env = { NO_COLOR: '1' }
    rig.kinesis.put('orders', 'key', 'text')
    const running = rig.run('run', 'handler.mjs', ...BASE)
    await pollUntil('the record', () => given.length === 1)
    rig.stdout.write('printed by the module\n')
    await rig.stdout.until(text => /1 records/.test(text))
    rig.signal()
    expect(await running).to.equal(0)
    expect(rig.stdout.text).to.include('orders → printer').and.include('printed by the module\n')
    expect(rig.stdout.text).to.include('Ctrl-C again ends at once')
    expect(rig.stderr.text).to.equal('')
  })

  it('ends at once when asked twice', async () => {
    const given = module(
      'handler.mjs',
      'let go\nconst held = new Promise(resolve => { go = resolve })\nexport const handler = () => { given.push(go); return held }'
    )
    rig.kinesis.put('orders', 'key', 'text')
    const running = rig.run('run', 'handler.mjs', ...BASE)
    await pollUntil('a call', () => given.length === 1)
    rig.signal('SIGINT')
    rig.signal('SIGINT') // the same Ctrl-C, passed on
    expect(rig.exits).to.deep.equal([])
    await rig.clock.sleep(600)
    rig.signal('SIGINT')
    expect(rig.exits).to.deep.equal([130])
    ;(given[0] as () => void)()
    expect(await running).to.equal(0)
  })

  it('ends with 3 if a call did not return within the grace', async () => {
    const given = module('handler.mjs', 'export const handler = () => { given.push(1); return new Promise(() => {}) }')
    rig.kinesis.put('orders', 'key', 'text')
    const running = rig.run('run', 'handler.mjs', ...BASE, '--grace', '50ms')
    await pollUntil('a call', () => given.length === 1)
    rig.signal()
    expect(await running).to.equal(3)
  })

  it('ends with 1 and the error if the worker does', async () => {
    module('handler.mjs', 'export const handler = () => {}')
    rig.workerPorts = { ...rig.workerPorts, kinesis: rig.kinesis.port('other') }
    expect(await rig.run('run', 'handler.mjs', '--stream', 'other', '--app', 'printer', '--json')).to.equal(1)
    expect(rig.stderr.objects.at(-1)?.error).to.include({ code: 'SERVICE' })
  })

  it('refuses what it cannot run, before anything is called', async () => {
    module('handler.mjs', 'export const handler = () => {}')
    module('nothing.mjs', 'export const x = 1')
    const refusals = [
      [['handler.mjs', '--app', 'printer'], 'Option --stream: is missing'],
      [['handler.mjs', '--stream', 'orders'], 'Option --app: is missing'],
      [['handler.mjs', ...BASE, '--grace', '5'], 'Option --grace: is "5"'],
      [['handler.mjs', ...BASE, '--log-level', 'loud'], 'Option --log-level: is "loud", expected debug, info'],
      [['handler.mjs', ...BASE, '--health-host', '0.0.0.0'], 'Option --health-host: is given without --health-port'],
      [['handler.mjs', ...BASE, '--max-leases', '0'], 'Option --max-leases: is "0"'],
      [['handler.mjs', '--stream', 'a b', '--app', 'printer'], 'Option streamName: is "a b"'],
      [['nothing.mjs', ...BASE], 'Option file: nothing.mjs exports x, expected'],
      [['none.mjs', ...BASE], 'which does not exist']
    ] as const
    for (const [argv, message] of refusals) {
      rig.stderr.text = ''
      expect(await rig.run('run', ...argv), argv.join(' ')).to.equal(2)
      expect(rig.stderr.text).to.include(message)
    }
  })
})
