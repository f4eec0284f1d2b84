import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { memoryControlStore } from '../../src/leases/memory-control-store.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import { formatPosition } from '../../src/model/sequence-number.ts'
import { CliRig } from '../support/cli-rig.ts'
import { pollUntil } from '../support/poll.ts'
import { ROOT } from '../support/source-files.ts'

const PROCESSOR = join(ROOT, 'examples/multilang/processor.mjs')

describe('millrace multilang', () => {
  let folder: string
  let rig: CliRig
  let store: ReturnType<typeof memoryLeaseStore>

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-multilang-'))
    rig = new CliRig()
    rig.cwd = folder
    rig.kinesis.createStream('orders', 2)
    store = memoryLeaseStore({ tableName: 'printer' })
    rig.workerPorts = {
      kinesis: rig.kinesis.port('orders'),
      store,
      control: memoryControlStore({ tableName: 'control' })
    }
  })

  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const write = (entries: Readonly<Record<string, string>> = {}): void => {
    const all = {
      ...{ executableName: `node ${PROCESSOR}`, streamName: 'orders', applicationName: 'printer' },
      ...{ AwsCredentialsProvider: 'DefaultCredentialsProvider', initialPositionInStream: 'TRIM_HORIZON' },
      ...{ retrievalMode: 'POLLING', metricsLevel: 'NONE', 'millrace.mode': 'solo' },
      ...entries
    }
    const lines = Object.entries(all).map(([key, value]) => `${key} = ${value}\n`)
    writeFileSync(join(folder, 'app.properties'), lines.join(''))
  }
  const lines = (): unknown[] =>
    rig.stderr.objects.filter(({ msg }) => String(msg).startsWith('a child wrote')).map(({ line }) => line)

  it('runs a processor until it is asked to end, and ends with 0', async function () {
    this.timeout(20_000)
    write({ maxActiveThreads: '4', streamname: 'x' })
    for (let n = 0; n < 10; n++) rig.kinesis.put('orders', `key-${n}`, `record ${n}`)
    const running = rig.run('multilang', 'app.properties', '-l', 'logback.xml')
    await pollUntil('every record', () => lines().length === 10)
    await pollUntil('the checkpoints', async () => {
      const { leases } = await store.list()
      return leases.length === 2 && leases.every(({ checkpoint }) => /^\d/.test(formatPosition(checkpoint)))
    })
    rig.signal('SIGTERM')
    expect(await running, rig.stderr.text).to.equal(0)
    expect(lines().map(line => String(line).replace(/^record \S+ \S+ /, ''))).to.have.members(
      Array.from({ length: 10 }, (_, n) => `record ${n}`)
    )
    const told = rig.stderr.objects.map(({ msg, property = '' }) => `${msg} ${property}`.trim())
    expect(told).to.include.members([
      'a property has no effect here maxActiveThreads',
      'a property is not known streamname',
      'a property is not there shutdownGraceMillis',
      'a log configuration is one of the JVM: millrace.logLevel in the file is what counts',
      'the daemon was asked to stop: children finish what they are at',
      'the worker has stopped'
    ])
    expect(rig.stdout.text).to.equal('')
    expect(rig.isListening).to.equal(false)
  })

  it('serves health, and ends with 1 where it cannot', async function () {
    this.timeout(20_000)
    write({ 'millrace.healthPort': '0' })
    const running = rig.run('multilang', '-p', 'app.properties')
    await rig.stderr.until(text => text.includes('health is served'))
    const url = String(rig.stderr.objects.find(({ msg }) => msg === 'health is served')?.url)
    expect((await fetch(`${url}/livez`)).status).to.equal(200)
    write({ 'millrace.healthPort': url.slice(url.lastIndexOf(':') + 1) })
    const other = new CliRig()
    other.cwd = folder
    other.kinesis.createStream('orders', 1)
    other.workerPorts = {
      kinesis: other.kinesis.port('orders'),
      store: memoryLeaseStore({ tableName: 'other' }),
      control: memoryControlStore({ tableName: 'other-control' })
    }
    expect(await other.run('multilang', 'app.properties')).to.equal(1)
    expect(other.stderr.text).to.include('health cannot be served')
    rig.signal()
    expect(await running).to.equal(0)
  })

  it('leaves what children write as it is where the log is silent about it', async function () {
    this.timeout(20_000)
    write({ 'millrace.logLevel': 'error' })
    rig.kinesis.put('orders', 'key', 'text')
    const running = rig.run('multilang', 'app.properties')
    await rig.stderr.until(text => /^record \S+ key text$/m.test(text))
    rig.signal()
    expect(await running).to.equal(0)
    expect(rig.stderr.text).to.not.include('{')
  })

  it('tells everything that is wrong with a file, and ends with 1', async () => {
    write({ failoverTimeMillis: '5', AwsCredentialsProvider: 'Mine|s3cret' })
    expect(await rig.run('multilang', 'app.properties')).to.equal(1)
    const { lines: told } = rig.stderr
    expect(told).to.have.length(2)
    expect(told[0]).to.match(/^app\.properties:4: AwsCredentialsProvider names Mine, a class/)
    expect(told[1]).to.equal(
      'app.properties:9: failoverTimeMillis is "5", expected a whole number from 1,000 to 600,000'
    )
    expect(rig.stderr.text).to.not.include('s3cret')
  })

  it('tells it as JSON where that is asked for', async () => {
    write({ failoverTimeMillis: '5' })
    expect(await rig.run('multilang', 'app.properties', '--json')).to.equal(1)
    const [{ error }] = rig.stderr.objects as [{ error: { code: string; problems: object[] } }]
    expect(error.code).to.equal('BAD_PROPERTIES')
    expect(error.problems).to.have.length(1)
  })

  it('ends with 2 where it is called wrongly', async () => {
    expect(await rig.run('multilang')).to.equal(2)
    expect(await rig.run('multilang', 'missing.properties')).to.equal(2)
    expect(await rig.run('multilang', 'a.properties', 'b.properties')).to.equal(2)
    expect(rig.stderr.text).to.include('is missing, expected a .properties file').and.include('which cannot be read')
  })

  describe('--check', () => {
    it('says what each entry comes to, and starts nothing', async () => {
      write({ maxActiveThreads: '4', idleTimeBetweenReadsInMillis: '50', failoverTimeMillis: '0' })
      expect(await rig.run('multilang', '--check', 'app.properties')).to.equal(0)
      const { lines: told } = rig.stdout
      expect(told).to.include('    2 streamName=orders: streamName')
      expect(told).to.include('    9 maxActiveThreads=4: no effect; there are no threads: a child costs none')
      expect(told).to.include(
        '   10 idleTimeBetweenReadsInMillis=50: 200 is used: Kinesis takes five reads a second and shard'
      )
      expect(told.at(-1)).to.equal('A daemon can start with it.')
      expect(rig.stderr.text).to.equal('')
    })

    it('says what is wrong, and ends with 1', async () => {
      write({ failoverTimeMillis: '5' })
      expect(await rig.run('multilang', '--check', 'app.properties')).to.equal(1)
      expect(rig.stdout.lines.at(-1)).to.equal('No daemon can start with it.')
      expect(rig.stdout.text).to.include('app.properties:9: failoverTimeMillis is "5"')
    })

    it('says it as JSON', async () => {
      write({ failoverTimeMillis: '5' })
      expect(await rig.run('multilang', '--check', '-p', 'app.properties', '--json')).to.equal(1)
      const [{ file, findings, problems }] = rig.stdout.objects as [
        { file: string; findings: object[]; problems: object[] }
      ]
      expect(file).to.equal('app.properties')
      expect(findings[0]).to.include({ kind: 'honoured', property: 'executableName', line: 1 })
      expect(problems).to.deep.equal([
        { property: 'failoverTimeMillis', line: 9, problem: 'is "5", expected a whole number from 1,000 to 600,000' }
      ])
    })
  })

  it('says where the program is that stands in for java', async () => {
    expect(await rig.run('multilang', '--java-path')).to.equal(0)
    expect(rig.stdout.text).to.equal(`${join(ROOT, 'src/cli/java.ts')}\n`)
  })
})
