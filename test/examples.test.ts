// Runs what users are told to run: every example as a process of its own, against emulators, and the demo.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { KinesisClient } from '@aws-sdk/client-kinesis'
import { expect } from 'chai'
import type { LedgerRow } from '../examples/demo/ledger.ts'
import { holds, prove } from '../examples/demo/proof.ts'
import { emulatorEnvironment, SILENT_SDK } from '../examples/support/emulator-environment.ts'
import { sharedDynalite, sharedKinesalite } from './support/emulators.ts'
import { pollUntil } from './support/poll.ts'
import { isGroupRunning } from './support/process-group.ts'
import { createStream, putRecords } from './support/streams.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** A process of node, and what it said so far. */
interface Run {
  readonly process: ChildProcess
  readonly stdout: () => string
  readonly stderr: () => string
  /** Exit code and signal, once all of its output is there. */
  readonly closed: Promise<[code: number | null, signal: NodeJS.Signals | null]>
}

const running = new Set<ChildProcess>()

/** @param detached whether it leads a process group of its own, as a command in a terminal does */
function runNode(args: readonly string[], env: NodeJS.ProcessEnv, { detached = false } = {}): Run {
  const child = spawn(process.execPath, args, { cwd: ROOT, env, detached, stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', text => {
      said[name] += text
    })
  }
  running.add(child)
  const closed = once(child, 'close').finally(() => running.delete(child)) as Run['closed']
  return { process: child, stdout: () => said.stdout, stderr: () => said.stderr, closed }
}

/** Waits for something in the output of a process that must not end before. */
async function untilSaid<T>(run: Run, what: string, find: () => T | undefined | false): Promise<void> {
  const ended = run.closed.then(([code]) => {
    throw new Error(`It ended with ${code} before there was ${what}:\n${run.stdout()}\n${run.stderr()}`)
  })
  await Promise.race([pollUntil(what, find, 15_000), ended])
}

describe('examples', () => {
  const PAYLOADS = Array.from({ length: 60 }, (_, i) => `order ${i}`)
  let client: KinesisClient
  let env: NodeJS.ProcessEnv
  let streamName: string

  before(async () => {
    if (!existsSync(`${ROOT}/dist/index.js`)) {
      throw new Error(
        'dist is missing. The examples import the built package: run `npm run build` first, or `npm test`'
      )
    }
    const [kinesis, dynamodb] = await Promise.all([sharedKinesalite(), sharedDynalite()])
    client = new KinesisClient(kinesis.clientConfig())
    env = emulatorEnvironment({ kinesis: kinesis.endpoint, dynamodb: dynamodb.endpoint })
  })

  beforeEach(async () => {
    streamName = await createStream(client, 2)
    await putRecords(client, streamName, recordsOf(PAYLOADS.slice(0, 30)))
  })

  afterEach(() => {
    for (const child of running) child.kill('SIGKILL')
  })

  after(() => client.destroy())

  const recordsOf = (payloads: readonly string[]) =>
    payloads.map((data, i) => ({ partitionKey: `customer-${i % 7}`, data }))

  const putTheRest = () => putRecords(client, streamName, recordsOf(PAYLOADS.slice(30)))

  const PRINTERS = [
    ['subclass.ts', ['--import', 'tsx']],
    ['handler.ts', ['--import', 'tsx']],
    ['handler.mjs', []]
  ] as const

  for (const [file, loader] of PRINTERS) {
    it(`${file} is given every record once and ends on SIGTERM`, async () => {
      const run = runNode([...loader, `examples/${file}`], { ...env, STREAM_NAME: streamName })
      const given = () => [...run.stdout().matchAll(/^record \S+ \S+ (.+)$/gm)].map(([, text]) => text)
      await untilSaid(run, 'a worker that runs', () => /^started$/m.test(run.stdout()))
      await putTheRest()
      await untilSaid(run, 'every record', () => given().length >= PAYLOADS.length)
      run.process.kill('SIGTERM')
      expect(await run.closed, run.stderr()).to.deep.equal([0, null])
      expect(given()).to.have.members(PAYLOADS)
      if (file === 'subclass.ts') expect(countedBy(run)).to.equal(PAYLOADS.length)
    })
  }

  /** The sum of the counts that subclass.ts reports when it is stopped. */
  const countedBy = (run: Run): number =>
    [...run.stdout().matchAll(/^count \S+ \S+ (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0)

  for (const [file, loader] of PRINTERS) {
    it(`${file} that is stopped while it starts does not say that it started`, async () => {
      const service = createServer() // takes requests and answers none
      service.listen(0, '127.0.0.1')
      try {
        await once(service, 'listening')
        const endpoint = `http://127.0.0.1:${(service.address() as AddressInfo).port}`
        const asked = once(service, 'request')
        const run = runNode([...loader, `examples/${file}`], { ...env, AWS_ENDPOINT_URL_KINESIS: endpoint })
        await asked
        run.process.kill('SIGINT')
        expect(await run.closed, run.stderr()).to.deep.equal([0, null])
        expect(run.stdout()).to.equal('')
      } finally {
        service.close()
        service.closeAllConnections()
      }
    })
  }

  it('multilang/ is given every record once by the daemon, and ends on SIGTERM', async () => {
    const properties = readFileSync(join(ROOT, 'examples/multilang/sample.properties'), 'utf8')
    const folder = mkdtempSync(join(tmpdir(), 'millrace-multilang-'))
    try {
      const file = join(folder, 'sample.properties')
      writeFileSync(file, properties.replace('streamName = orders', `streamName = ${streamName}`))
      const run = runNode(['dist/cli/main.js', 'multilang', file], env)
      const given = () => [...run.stderr().matchAll(/"line":"record \S+ \S+ ([^"]+)"/g)].map(([, text]) => text)
      await putTheRest()
      await untilSaid(run, 'every record', () => given().length >= PAYLOADS.length)
      run.process.kill('SIGTERM')
      expect(await run.closed, run.stderr()).to.deep.equal([0, null])
      expect(given()).to.have.members(PAYLOADS)
      expect(run.stdout()).to.equal('')
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it('decoding.ts is given every order with its values, and prints the letters of what is none', async () => {
    const run = runNode(['--import', 'tsx', 'examples/decoding.ts'], { ...env, STREAM_NAME: streamName })
    await untilSaid(run, 'a worker that runs', () => /^started$/m.test(run.stdout()))
    const orders = Array.from({ length: 20 }, (_, i) =>
      JSON.stringify({ orderId: `o-${i}`, cents: i % 5 ? 250 : 'much' })
    )
    await putRecords(client, streamName, recordsOf(orders))
    const said = (what: RegExp): number => [...run.stdout().matchAll(what)].length
    await untilSaid(run, 'every order', () => said(/^order \S+ o-\d+ 2\.50$/gm) === 16)
    // Those that were put before are no JSON.
    await untilSaid(run, 'every letter', () => said(/^letter \d+ /gm) === 34)
    expect(said(/^letter \d+ .* does not fit the schema: 1 issue at cents: /gm)).to.equal(4)
    expect(said(/^undecodable \S+ 1 not-json$/gm)).to.equal(30)
    run.process.kill('SIGTERM')
    expect(await run.closed, run.stderr()).to.deep.equal([0, null])
  })

  it('simulation.ts passes its tests, with this seed and another one', async () => {
    for (const seed of ['1', '2']) {
      const run = runNode(['--import', 'tsx', 'examples/simulation.ts'], { ...process.env, SEED: seed })
      expect(await run.closed, run.stdout() + run.stderr()).to.deep.equal([0, null])
      expect(run.stdout()).to.match(/pass 3\b/)
    }
  })

  it('streams.ts reads several streams, one that is added, and one until it is removed', async () => {
    const run = runNode(['--import', 'tsx', 'examples/streams.ts'], { ...process.env, ...SILENT_SDK, STREAMS: '4' })
    expect(await run.closed, run.stdout() + run.stderr()).to.deep.equal([0, null])
    expect(run.stdout().trim().split('\n')).to.deep.equal([
      'reading 16 shards of 4 streams in one worker',
      'processed 80 of 80 records of 4 streams',
      'orders-new is read, too',
      'processed 20 of 20 records of orders-new',
      'orders-1 is not in the list any more',
      'orders-1 is forgotten (removed): 4 leases deleted',
      'processed 120 of 120 records, and reading 4 streams'
    ])
  })

  it('dynamodb-streams.ts keeps the totals of a table right', async () => {
    const run = runNode(['--import', 'tsx', 'examples/dynamodb-streams.ts'], process.env)
    const [code] = await run.closed
    expect(run.stdout()).to.match(
      /is continued by \w+ and \w+\n[\s\S]*113 changes: the totals are those of the table\n$/
    )
    expect(code).to.equal(0)
  })

  it('windows.ts counts every click once, with this seed and another one', async () => {
    for (const seed of ['1', '2']) {
      const run = runNode(['--import', 'tsx', 'examples/windows.ts'], { ...process.env, SEED: seed })
      expect(await run.closed, run.stdout() + run.stderr()).to.deep.equal([0, null])
      expect(run.stdout()).to.match(/^counted 250 of 250 clicks in \d+ windows: every one once$/m)
      expect(run.stdout()).to.match(/^window .* shard-end$/m)
    }
  })

  it('local-aws.ts prints the variables that lead the others to it', async () => {
    const { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED, ...users } = process.env
    const local = runNode(['--import', 'tsx', 'examples/local-aws.ts', 'clicks'], users)
    await untilSaid(local, 'the name of the stream', () => /STREAM_NAME=clicks$/m.test(local.stdout()))
    const exported = [...local.stdout().matchAll(/^export (\w+)=(.+)$/gm)].map(([, name, value]) => [name, value])
    const run = runNode(['examples/handler.mjs'], { ...users, ...Object.fromEntries(exported) })
    await untilSaid(run, 'a record', () => /^record .* order 1$/m.test(run.stdout()))
    for (const { stderr } of [local, run]) expect(stderr()).not.to.include('AWS SDK')
    run.process.kill('SIGINT')
    expect(await run.closed, run.stderr()).to.deep.equal([0, null])
  })

  describe('fleet.ts', () => {
    const runFleet = (more: NodeJS.ProcessEnv) =>
      runNode(['--import', 'tsx', 'examples/fleet.ts'], { ...env, START_AT: 'TRIM_HORIZON', IDLE_MS: '200', ...more })

    const eventsOf = (run: Run, name: string): { event: string; text: string; workerId: string }[] => {
      const events = run.stdout().split('\n').slice(0, -1)
      return events.map(line => JSON.parse(line)).filter(({ event }) => event === name)
    }

    it('shares the shards among its members, and hands them over on SIGTERM', async () => {
      const names = { STREAM_NAME: streamName, APPLICATION_NAME: `fleet-${streamName}`, LEASE_DURATION_MS: '2000' }
      const first = runFleet({ ...names, WORKER_ID: 'first', GRACE_MS: '3600000' })
      await untilSaid(first, 'both leases', () => eventsOf(first, 'lease:taken').length === 2)
      const second = runFleet({ ...names, WORKER_ID: 'second' })
      await untilSaid(second, 'a lease of its own', () => eventsOf(second, 'shard:started').length === 1)
      await putTheRest()
      const given = () => [first, second].flatMap(run => eventsOf(run, 'record').map(({ text }) => text))
      await untilSaid(second, 'every record', () => given().length >= PAYLOADS.length)
      second.process.kill('SIGTERM')
      expect(await second.closed, second.stderr()).to.deep.equal([0, null])
      await untilSaid(first, 'the shard handed over', () => eventsOf(first, 'lease:taken').length === 3)
      first.process.kill('SIGTERM')
      expect(await first.closed, first.stderr()).to.deep.equal([0, null])
      expect(eventsOf(first, 'worker:started')[0]?.workerId).to.equal('first')
      expect(given()).to.have.members(PAYLOADS)
    })

    for (const [problem, more, told] of [
      ['no STREAM_NAME', { APPLICATION_NAME: 'fleet' }, /STREAM_NAME.*not set/],
      ['a lease duration in words', { LEASE_DURATION_MS: 'ten' }, /LEASE_DURATION_MS.*"ten".*whole number/],
      ['a lease duration too short', { LEASE_DURATION_MS: '999' }, /LEASE_DURATION_MS.*"999".* 1,000 to 600,000$/m],
      [
        'a lease duration too long',
        { LEASE_DURATION_MS: '600001' },
        /LEASE_DURATION_MS.*"600001".* 1,000 to 600,000$/m
      ],
      ['a grace below zero', { GRACE_MS: '-1' }, /GRACE_MS.*"-1".* 0 to 3,600,000$/m],
      ['a grace of more than an hour', { GRACE_MS: '3600001' }, /GRACE_MS.*"3600001".* 0 to 3,600,000$/m],
      ['too short an idle time', { IDLE_MS: '199' }, /IDLE_MS.*"199".* 200 to 60,000$/m],
      ['too many records a read', { MAX_RECORDS: '10001' }, /MAX_RECORDS.*"10001".* 1 to 10,000$/m],
      ['no lease to take', { MAX_LEASES: '0' }, /MAX_LEASES.*"0".* 1 to 1,000,000$/m],
      [
        'syncs too far apart',
        { SHARD_SYNC_INTERVAL_MS: '1e9' },
        /SHARD_SYNC_INTERVAL_MS.*"1e9".* 1,000 to 3,600,000$/m
      ],
      ['a start position that is none', { START_AT: 'NOON' }, /START_AT.*"NOON".*TRIM_HORIZON/]
    ] as const) {
      it(`exits with 2 and says why, given ${problem}`, async () => {
        const valid = problem === 'no STREAM_NAME' ? {} : { STREAM_NAME: 'orders', APPLICATION_NAME: 'fleet' }
        const run = runFleet({ ...valid, ...more })
        expect((await run.closed)[0]).to.equal(2)
        expect(run.stderr()).to.match(told)
      })
    }

    for (const [which, ends] of [
      ['smallest', [0, 1_000, 200, 1, 1, 1_000]],
      ['largest', [3_600_000, 600_000, 60_000, 10_000, 1_000_000, 3_600_000]]
    ] as const) {
      it(`gets past its options with the ${which} number in each variable`, async () => {
        const variables = [
          'GRACE_MS',
          'LEASE_DURATION_MS',
          'IDLE_MS',
          'MAX_RECORDS',
          'MAX_LEASES',
          'SHARD_SYNC_INTERVAL_MS'
        ]
        const numbers = Object.fromEntries(variables.map((name, i) => [name, String(ends[i])]))
        const run = runFleet({ STREAM_NAME: 'no-such-stream', APPLICATION_NAME: `fleet-${streamName}`, ...numbers })
        expect((await run.closed)[0], run.stderr()).to.equal(1)
      })
    }

    it('exits with 1 if there is no such stream', async () => {
      const run = runFleet({ STREAM_NAME: 'no-such-stream', APPLICATION_NAME: `fleet-${streamName}` })
      expect((await run.closed)[0]).to.equal(1)
      expect(run.stderr()).to.include('no-such-stream')
    })
  })
})

describe('prove', () => {
  const LINE = 'address - - [17/May/2015:10:05:03 +0000] "GET /path HTTP/1.1" 404 7 "-" "-"'
  const lines = ['a', 'b', 'a', 'b', 'a'].map((address, i) => ({ number: i + 1, address, text: LINE }))
  const ledger = (...rows: readonly (readonly [at: number, line: number])[]): LedgerRow[] =>
    rows.map(([at, line]) => ({ at: String(at), line, path: '/path', bytes: 7, isError: true }))
  const proveOf = (...ledgers: readonly LedgerRow[][]) =>
    prove(lines, new Map(ledgers.map((rows, i) => [`worker-${i}`, rows])))

  it('holds if every line was processed, in order for each address, by whatever workers', () => {
    const proof = proveOf(ledger([10, 2], [20, 1], [50, 5]), ledger([30, 3], [40, 4]))
    expect(proof).to.include({ produced: 5, processed: 5 })
    expect(proof.counted.total).to.deep.equal({ requests: 5, bytes: 35, errors: 5 })
    expect(holds(proof)).to.equal(true)
  })

  it('counts what was processed again as duplicates, and neither as out of order nor in the counts', () => {
    const proof = proveOf(ledger([1, 1], [2, 2], [3, 3]), ledger([4, 1], [5, 3], [6, 4], [7, 5]))
    expect(proof.duplicates).to.deep.equal([1, 3].map(line => ({ line, firstBy: 'worker-0' })))
    expect(holds(proof)).to.equal(true)
  })

  it('finds what is missing, and with it what came too early', () => {
    const proof = proveOf(ledger([1, 1], [2, 2], [3, 5], [4, 4]))
    expect(proof).to.deep.include({ processed: 4, missing: [3], outOfOrder: [5], wrongPaths: ['/path'] })
    expect(holds(proof)).to.equal(false)
  })

  it('finds a line that came before an earlier one of its address', () => {
    const proof = proveOf(ledger([1, 1], [3, 3], [5, 5]), ledger([2, 4], [4, 2]))
    expect(proof).to.deep.include({ missing: [], outOfOrder: [4] })
    expect(holds(proof)).to.equal(false)
  })

  it('finds lines that were never put, and requests that were read wrongly', () => {
    const [row] = ledger([6, 6])
    const rows = ledger([1, 1], [2, 2], [3, 3], [4, 4], [5, 5]).map(it => (it.line === 3 ? { ...it, bytes: 8 } : it))
    const proof = proveOf([...rows, row as LedgerRow])
    expect(proof).to.deep.include({ unknown: [6], wrongPaths: ['/path'] })
    expect(holds(proof)).to.equal(false)
  })
})

describe('npm start', () => {
  let directory: string

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'millrace-test-'))
  })

  const runDemo = (...args: string[]) => {
    const env = { ...process.env, TMPDIR: directory, TEMP: directory }
    return runNode(['--import', 'tsx', 'examples/demo/demo.ts', ...args], env, { detached: true })
  }

  const leftovers = () => readdirSync(directory).filter(name => name.startsWith('millrace-demo-'))

  const isGroupAlive = ({ pid }: ChildProcess): boolean => isGroupRunning(pid as number)

  afterEach(() => {
    for (const child of running) child.kill('SIGTERM')
    rmSync(directory, { recursive: true, force: true })
  })

  it('loses nothing and keeps the order through a split, a merge and a kill', async function () {
    this.timeout(60_000)
    const run = runDemo('--json')
    const [code] = await run.closed
    expect(code, run.stderr()).to.equal(0)
    const lines = run.stdout().trimEnd().split('\n')
    expect(lines).to.have.length(1)
    const result = JSON.parse(lines[0] as string)
    expect(result).to.include({ produced: 10_000, processed: 10_000, missing: 0, outOfOrder: 0, shards: 8, workers: 4 })
    expect(result.takeoverMs).to.be.within(2_000, 15_000)
    expect(result).to.have.all.keys(
      ...['produced', 'processed', 'missing', 'duplicates', 'outOfOrder'],
      ...['shards', 'workers', 'takeoverMs', 'seconds']
    )
  })

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`leaves no process and no file behind on ${signal}`, async () => {
      const run = runDemo()
      await untilSaid(run, 'records that are processed', () => /processed [1-9]/.test(run.stdout()))
      run.process.kill(signal)
      expect(await run.closed, run.stderr()).to.deep.equal([130, null])
      await pollUntil('the last process to be gone', () => !isGroupAlive(run.process), 2_000)
      expect(leftovers()).to.deep.equal([])
    })
  }

  it('leaves no process and no file behind when its terminal is closed', async () => {
    const run = runDemo()
    await untilSaid(run, 'records that are processed', () => /processed [1-9]/.test(run.stdout()))
    // All processes in the terminal are told, and nothing can be written to it any more.
    run.process.stderr?.destroy()
    process.kill(-(run.process.pid as number), 'SIGHUP')
    expect(await run.closed).to.deep.equal([130, null])
    await pollUntil('the last process to be gone', () => !isGroupAlive(run.process), 2_000)
    expect(leftovers()).to.deep.equal([])
  })

  it('takes its processes with it when it is killed itself', async () => {
    const run = runDemo()
    await untilSaid(run, 'records that are processed', () => /processed [1-9]/.test(run.stdout()))
    run.process.kill('SIGKILL')
    await pollUntil('the last process to be gone', () => !isGroupAlive(run.process), 5_000)
  })

  it('refuses an unknown option', async () => {
    const run = runDemo('--jason')
    expect((await run.closed)[0]).to.equal(2)
    expect(run.stderr()).to.include("'--jason'").and.to.include('Usage: npm start')
    expect(run.stdout()).to.equal('')
  })

  it('explains itself', async () => {
    const run = runDemo('--help')
    expect((await run.closed)[0]).to.equal(0)
    expect(run.stdout()).to.include('Usage: npm start')
  })
})
