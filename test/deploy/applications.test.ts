// Many applications on one control table, each with the role that its policies allow: no call of one is about items of another, and
// nobody reads the table as a whole.
import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb'
import { KinesisClient } from '@aws-sdk/client-kinesis'
import { expect } from 'chai'
import { type Fleet, openFleet } from '../../src/operate/fleet.ts'
import { silentLogger } from '../../src/runtime/logger.ts'
import { Worker } from '../../src/worker/worker.ts'
import { emulatorAt, sharedDynalite, sharedKinesalite } from '../support/emulators.ts'
import { pollUntil } from '../support/poll.ts'
import { createStream, putRecord, uniqueName } from '../support/streams.ts'
import { policy } from './policies.ts'
import { openGate, type PolicyGate } from './policy-gate.ts'

/** One application with a role of its own. */
interface Application {
  readonly tableName: string
  readonly worker: Worker
  readonly processed: () => number
  readonly gates: readonly PolicyGate[]
  readonly operator: Fleet
}

describe('applications that share a control table', function () {
  this.timeout(90_000)
  const controlTableName = uniqueName('control')
  // The same name twice, as in two stages of one account: what tells them apart is their lease table.
  const name = uniqueName('app')
  const tables = [`${name}-blue`, `${name}-green`, uniqueName('other')]
  const applications: Application[] = []
  let kinesis: KinesisClient
  let dynamodb: DynamoDBClient

  before(async () => {
    kinesis = new KinesisClient((await sharedKinesalite()).clientConfig())
    dynamodb = new DynamoDBClient((await sharedDynalite()).clientConfig())
    applications.push(...(await Promise.all(tables.map(open))))
  })

  after(async () => {
    for (const { operator, worker, gates } of applications) {
      operator.close()
      await worker.stop()
      await Promise.all(gates.map(gate => gate.close()))
    }
    kinesis?.destroy()
    dynamodb?.destroy()
  })

  async function open(tableName: string): Promise<Application> {
    const streamName = await createStream(kinesis)
    await putRecord(kinesis, streamName, { partitionKey: 'k', data: 'x' })
    const applicationName = tableName.startsWith(name) ? name : tableName
    // KCL names its other tables after the application.
    const ofKcl = { 'APPLICATION-': `${applicationName}-` }
    const names = { ...ofKcl, STREAM: streamName, APPLICATION: tableName, 'millrace-control': controlTableName }
    const statements = ['worker', 'create-tables', 'operator-read-only', 'operator', 'migrate'].flatMap(
      each => policy(each, names).Statement
    )
    const emulators = [await sharedKinesalite(), await sharedDynalite()]
    const gates = await Promise.all(emulators.map(({ endpoint }) => openGate(endpoint, statements)))
    const [atKinesis = {}, atDynamo = {}] = gates.map(({ endpoint }) =>
      emulatorAt(endpoint, async () => {}).clientConfig()
    )
    const clients = { kinesis: atKinesis, dynamodb: atDynamo }
    const leases = { tableName, controlTableName }
    const about = { streamName, applicationName, logger: silentLogger, ...clients }
    let processed = 0
    const worker = new Worker({
      ...{ ...about, leases, startAt: 'TRIM_HORIZON' },
      handler: records => {
        processed += records.length
      }
    })
    await worker.start()
    return { tableName, worker, processed: () => processed, gates, operator: openFleet({ ...about, leases }) }
  }

  it('work and are operated on without ever touching one another', async () => {
    await pollUntil('every application to work', () => applications.every(({ processed }) => processed() === 1))
    await Promise.all(
      applications.map(async ({ operator }) => {
        expect((await operator.status()).workers).to.have.lengthOf(1)
        await operator.doctor({ watchMs: 0 })
        await operator.pause()
        await operator.resume()
        await operator.release()
        await operator.foreseeMigration('kcl', { watchMs: 0 })
        const migration = await operator.migrate('kcl', { timeoutMs: 1 }).catch(error => error)
        expect(migration).to.include({ because: 'not-finished' })
      })
    )
    for (const { gates, tableName } of applications) {
      const calls = gates.flatMap(gate => gate.calls)
      expect(calls.filter(({ isAllowed }) => !isAllowed)).to.deep.equal([])
      const shared = calls.filter(({ resource }) => resource === controlTableName)
      expect(shared.length).to.be.greaterThan(20)
      const whole = shared.filter(({ action }) => action === 'dynamodb:Scan')
      expect(whole, 'reads of the whole table').to.deep.equal([])
      const items = shared.filter(({ action }) => !/:(Describe|Create)Table$/.test(action))
      expect([...new Set(items.map(({ keys }) => keys.join()))], tableName).to.deep.equal([tableName])
    }
  })

  it('leave nothing there but their own items, and each can be forgotten alone', async () => {
    const [gone, ...others] = applications
    await gone?.worker.stop()
    await gone?.operator.forget()
    const { Items = [] } = await dynamodb.send(new ScanCommand({ TableName: controlTableName }))
    const keys = new Set(Items.map(({ pk }) => pk?.S))
    expect([...keys].sort()).to.deep.equal(others.map(({ tableName }) => tableName).sort())
    for (const { operator } of others) expect((await operator.status()).workers).to.have.lengthOf(1)
    const refusal = await others[0]?.operator.forget({ timeoutMs: 1 }).catch(error => error)
    expect(refusal).to.include({ because: 'busy' })
  })

  it('cannot be taken for one another by two fleets whose lease tables have the same name elsewhere', async () => {
    const [, { tableName, worker } = { tableName: '', worker: undefined }] = applications
    await worker?.stop()
    const { dynamoControlStore } = await import('../../src/leases/dynamo-control-store.ts')
    const { systemClock } = await import('../../src/runtime/clock.ts')
    const elsewhere = dynamoControlStore({
      ...{
        tableName: controlTableName,
        applicationName: tableName,
        client: dynamodb,
        clock: systemClock,
        logger: silentLogger
      },
      leaseTable: async () => `arn:aws:dynamodb:eu-west-1:000000000000:table/${tableName}`
    })
    const refusal = await elsewhere.prepare().catch(error => error)
    expect(refusal).to.include({ code: 'TABLE_MISMATCH' })
    expect(refusal.message).to.include('eu-west-1').and.include(`sk I`)
  })
})
