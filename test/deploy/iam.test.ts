// The policies in deploy/iam/: each is enough for its role, no role is allowed what it does not do, and the calls of the code are
// all in one of them. A gate before the emulators refuses what a policy does not allow.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { KinesisClient } from '@aws-sdk/client-kinesis'
import { DeleteCommand, DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { expect } from 'chai'
import { openFleet } from '../../src/operate/fleet.ts'
import { silentLogger } from '../../src/runtime/logger.ts'
import type { LeaseOptions } from '../../src/worker/lease-options.ts'
import { Worker } from '../../src/worker/worker.ts'
import { callsMade } from '../support/calls-made.ts'
import { emulatorAt, sharedDynalite, sharedKinesalite } from '../support/emulators.ts'
import { pollUntil } from '../support/poll.ts'
import { ROOT } from '../support/source-files.ts'
import { createStream, putRecord, uniqueName } from '../support/streams.ts'
import { POLICY_NAMES, policy } from './policies.ts'
import { openGate, type PolicyGate, type Statement } from './policy-gate.ts'

const actionsOf = (name: string): string[] => policy(name).Statement.flatMap(({ Action }) => Action)

describe('the policies in deploy/iam', () => {
  it('allow every call that the code makes, and no other, but for what other services do in its name', () => {
    const inNameOf = ['dynamodb:TagResource', 'kms:Decrypt']
    const allowed = new Set(POLICY_NAMES.flatMap(actionsOf))
    expect([...allowed].sort()).to.deep.equal([...callsMade().keys(), ...inNameOf].sort())
  })

  for (const name of POLICY_NAMES) {
    it(`are well-formed: ${name}`, () => {
      const { Version, Statement } = policy(name)
      expect(Version).to.equal('2012-10-17')
      for (const { Sid, Effect, Action, Resource } of Statement) {
        expect(Sid).to.match(/^[A-Za-z0-9]+$/)
        expect(Effect).to.equal('Allow')
        for (const action of [Action].flat()) expect(action).to.match(/^[a-z0-9]+:[A-Z]\w+$/)
        // PutMetricData knows no resources, and versions of schemas are asked for by an id that says nothing of them.
        const isAnywhere = ['cloudwatch:PutMetricData', 'glue:GetSchemaVersion'].includes([Action].flat().join())
        for (const arn of [Resource].flat()) {
          if (isAnywhere) expect(arn).to.equal('*')
          else expect(arn).to.match(/^arn:aws:\w+:(REGION)?:(ACCOUNT)?:\S+$/)
        }
      }
    })

    it(`stand in docs/security.md as they are: ${name}`, () => {
      const page = readFileSync(join(ROOT, 'docs/security.md'), 'utf8')
      const blocks = Array.from(page.matchAll(/```json\n([\s\S]*?)```/g), ([, json = '']) => JSON.parse(json))
      expect(blocks).to.deep.include(policy(name))
    })
  }

  it('let an operator who only looks change nothing', () => {
    const reading = /:(Describe|List|Get|Scan|Query)/
    expect(actionsOf('operator-read-only').filter(action => !reading.test(action))).to.deep.equal([])
  })
})

describe('a role that is allowed what its policy says and nothing else', function () {
  this.timeout(60_000)
  const applicationName = uniqueName('app')
  const gates: PolicyGate[] = []
  let streamName: string
  let client: KinesisClient
  /** What the worker called that had everything to make. */
  let first: readonly string[]

  before(async () => {
    client = new KinesisClient((await sharedKinesalite()).clientConfig())
    streamName = await createStream(client)
    await putRecord(client, streamName, { partitionKey: 'k', data: 'x' })
  })

  after(async () => {
    client?.destroy()
    await Promise.all(gates.map(gate => gate.close()))
  })

  /** What these policies say of this application. */
  const ofApplication = (...names: readonly string[]): Statement[] =>
    names.flatMap(name => policy(name, { STREAM: streamName, APPLICATION: applicationName }).Statement)

  /** Both services as somebody sees them who is allowed this. */
  async function as(statements: readonly Statement[]) {
    const [kinesis, dynamodb] = await Promise.all([sharedKinesalite(), sharedDynalite()])
    const opened = await Promise.all([kinesis, dynamodb].map(({ endpoint }) => openGate(endpoint, statements)))
    gates.push(...opened)
    const configs = opened.map(({ endpoint }) => emulatorAt(endpoint, async () => {}).clientConfig())
    const calls = (): string[] => [...new Set(opened.flatMap(gate => gate.calls.map(({ action }) => action)))]
    const refused = (): string[] =>
      opened.flatMap(gate => gate.calls.filter(({ isAllowed }) => !isAllowed).map(({ action }) => action))
    const resources = (): (string | undefined)[] => opened.flatMap(gate => gate.calls.map(({ resource }) => resource))
    return { resources, clients: { kinesis: configs[0] ?? {}, dynamodb: configs[1] ?? {} }, calls, refused }
  }

  async function started(role: Awaited<ReturnType<typeof as>>, leases: LeaseOptions = {}) {
    let processed = 0
    const worker = new Worker({
      ...{ streamName, applicationName, startAt: 'TRIM_HORIZON', logger: silentLogger, ...role.clients },
      leases,
      handler: records => {
        processed += records.length
      }
    })
    const problems: string[] = []
    const sessions: string[] = []
    worker.on('error', ({ error }) => problems.push(error.message))
    worker.on('session:began', ({ session }) => sessions.push(session))
    await worker.start()
    return { worker, problems, sessions, processed: () => processed }
  }

  it('makes tables, with the policy for that', async () => {
    const role = await as(ofApplication('worker', 'create-tables'))
    const { worker, processed } = await started(role)
    await pollUntil('the record to be processed', () => processed() === 1)
    await worker.stop()
    expect(role.refused()).to.deep.equal([])
    expect(role.calls()).to.include('dynamodb:CreateTable')
    first = role.calls()
  })

  it('works and is operated on, each with its own policy', async () => {
    const role = await as(ofApplication('worker'))
    const { worker, problems, processed } = await started(role)
    await putRecord(client, streamName, { partitionKey: 'k', data: 'y' })
    await pollUntil('the second record to be processed', () => processed() === 1, 30_000)

    const looking = await as(ofApplication('operator-read-only'))
    const watcher = openFleet({ applicationName, streamName, logger: silentLogger, ...looking.clients })
    await watcher.status()
    await watcher.lag()
    await watcher.doctor()
    await watcher.exportCheckpoints()
    await watcher.cost({ watchMs: 1_000 })
    expect(looking.refused()).to.deep.equal([])
    const refusal = await watcher.pause().catch(error => error)
    expect(refusal).to.include({ kind: 'access-denied' })
    watcher.close()

    const steering = await as(ofApplication('operator-read-only', 'operator'))
    const operator = openFleet({ applicationName, streamName, logger: silentLogger, ...steering.clients })
    await operator.pause()
    await operator.resume()
    await operator.reset('TRIM_HORIZON', { timeoutMs: 40_000 })
    await operator.importCheckpoints(await operator.exportCheckpoints(), { timeoutMs: 40_000 })
    operator.close()
    expect(steering.refused()).to.deep.equal([])

    await worker.stop()
    expect(role.refused()).to.deep.equal([])
    expect(problems).to.deep.equal([])
    const looked = new Set(looking.calls().filter(action => !looking.refused().includes(action)))
    expect([...looked].sort()).to.deep.equal([...new Set(actionsOf('operator-read-only'))].sort())
    const used = [...new Set([...first, ...role.calls()])].filter(
      action => !actionsOf('create-tables').includes(action)
    )
    // Rows are deleted minutes after their shards are finished.
    expect([...used, 'dynamodb:DeleteItem'].sort()).to.deep.equal([...new Set(actionsOf('worker'))].sort())
  })

  it('appears in a Java fleet of 3.x on its table, with the policies for that', async () => {
    const role = await as(ofApplication('worker', 'mixed-fleet'))
    const java = DynamoDBDocumentClient.from(new DynamoDBClient((await sharedDynalite()).clientConfig()))
    const item = async (leaseKey: string) =>
      (await java.send(new GetCommand({ TableName: applicationName, Key: { leaseKey } }))).Item
    const put = (Item: Record<string, unknown>) => java.send(new PutCommand({ TableName: applicationName, Item }))
    await put({ leaseKey: 'Migration3.0', cv: 'CLIENT_VERSION_3X' })
    await put({ leaseKey: 'Leader', ownerName: 'java-1', recordVersionNumber: '1', leaseDuration: '120000' })
    const { worker, problems, sessions } = await started(role, { mode: 'mixed', durationMs: 2_000 })
    const session = sessions[0] ?? expect.fail('it has no session')
    await pollUntil('its metrics', async () => (await item(session))?.sup === 1)
    const index = 'LeaseOwnerToLeaseKeyIndex'
    await pollUntil('a look at what it was assigned', () => role.resources().includes(index), 15_000)
    await worker.stop()
    expect(await item(session)).to.equal(undefined)
    expect([role.refused(), problems]).to.deep.equal([[], []])
    for (const leaseKey of ['Migration3.0', 'Leader']) {
      await java.send(new DeleteCommand({ TableName: applicationName, Key: { leaseKey } }))
    }
    java.destroy()
  })

  it('cannot reach the items of another application in the control table', async () => {
    const other = uniqueName('other')
    // Everything in a lease table of its own, and the control table as if it were the first application.
    const tables = policy('worker', { STREAM: streamName, APPLICATION: other }).Statement
    const own = [...tables, ...policy('create-tables', { APPLICATION: other }).Statement]
    const role = await as([
      ...own.filter(({ Sid }) => Sid !== 'MeetFleet'),
      ...policy('worker', { APPLICATION: applicationName }).Statement
    ])
    const stranger = new Worker({
      ...{ streamName, applicationName: other, startAt: 'TRIM_HORIZON', logger: silentLogger, ...role.clients },
      handler: () => {}
    })
    const ended = await stranger.start().then(
      () => stranger.finished,
      error => error
    )
    expect(ended).to.include({ kind: 'access-denied' })
    const refused = new Set(role.refused())
    expect([...refused].every(action => /^dynamodb:(GetItem|Query|PutItem|UpdateItem)$/.test(action))).to.equal(true)
    expect(refused.size).to.be.greaterThan(0)
  })
})
