import { CreateTableCommand, DescribeTableCommand, DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { expect } from 'chai'
import {
  DEFAULT_CONTROL_TABLE,
  type DynamoControlStore,
  type DynamoControlStoreOptions,
  dynamoControlStore,
  remoteControlStore
} from '../../src/leases/dynamo-control-store.ts'
import { ServiceError, TableMismatchError, ThrottledError } from '../../src/model/errors.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLogger } from '../../src/runtime/logger.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { ALIVE, aMailbox, aReport, GONE, rejectionOf } from '../contracts/control-store-world.ts'
import { sharedDynalite } from '../support/emulators.ts'
import { uniqueName } from '../support/streams.ts'
import { RefusedByDynamo, type SentCall, sdkError, stored, stubDynamo } from '../support/stub-dynamo.ts'

const SESSION = 'worker-1/1'

function storeOn(client: DynamoDBClient, options: Partial<DynamoControlStoreOptions> = {}) {
  const ports = { client, clock: systemClock, logger: silentLogger }
  return dynamoControlStore({ tableName: 'control', applicationName: 'orders', ...ports, ...options })
}

/** Every method, the call that it makes first, and whether that only reads. */
const METHODS: readonly [string, string, boolean, (store: DynamoControlStore) => Promise<unknown>][] = [
  ['prepare', 'DescribeTable in table control', true, store => store.prepare()],
  ['join', `PutItem of W#${SESSION} in table control`, false, store => store.join(aReport(SESSION))],
  ['beat', `UpdateItem of W#${SESSION} in table control`, false, store => store.beat(aReport(SESSION), 2)],
  ['leave', `UpdateItem of W#${SESSION} in table control`, false, store => store.leave(aReport(SESSION))],
  ['certify', `UpdateItem of W#${SESSION} in table control`, false, store => store.certify(SESSION, 1, 'silent')],
  ['members', 'Query of W#* in table control', true, store => store.members()],
  ['member', `GetItem of W#${SESSION} in table control`, true, store => store.member(SESSION)],
  ['leader', 'GetItem of L in table control', true, store => store.leader()],
  ['replaceLeader', 'PutItem of L in table control', false, store => store.replaceLeader(undefined, { term: 1 })],
  ['mailbox', `GetItem of A#${SESSION} in table control`, true, store => store.mailbox(SESSION)],
  ['mailboxes', 'Query of A#* in table control', true, store => store.mailboxes()],
  ['post', `PutItem of A#${SESSION} in table control`, false, store => store.post(aMailbox(SESSION))],
  ['reportLoads', `PutItem of T#${SESSION} in table control`, false, store => store.reportLoads(SESSION, {})],
  ['loads', 'Query of T#* in table control', true, store => store.loads()],
  ['forget', `GetItem of W#${SESSION} in table control`, true, store => store.forget(SESSION)]
]

describe('dynamoControlStore', () => {
  for (const [method, about, readsOnly, run] of METHODS) {
    it(`turns failures of ${method} into errors of ours that name the call`, async () => {
      const failWith = (name: string) => {
        const { client } = stubDynamo(() => {
          throw sdkError(name)
        })
        return rejectionOf(run(storeOn(client)))
      }
      const throttled = await failWith('ProvisionedThroughputExceededException')
      expect(throttled).to.be.instanceOf(ThrottledError)
      expect((throttled as Error).message).to.include(about)
      expect(await failWith('AccessDeniedException')).to.include({ kind: 'access-denied' })
    })

    it(`bounds ${method} in time and aborts its call`, async () => {
      const clock = new VirtualClock()
      const stub = stubDynamo(() => new Promise(() => {}))
      const rejection = rejectionOf(run(storeOn(stub.client, { clock, requestTimeoutMs: 2_000 })))
      await clock.advance(1_999)
      expect(stub.sent[0]?.signal?.aborted).to.equal(false)
      await clock.advance(1)
      const error = (await rejection) as ServiceError
      expect(error).to.include({ kind: 'timeout', retryable: true })
      expect(error.message).to.include(about)
      expect(error.message.includes('may or may not have been carried out')).to.equal(!readsOnly)
      expect(stub.sent[0]?.signal?.aborted).to.equal(true)
    })
  }

  it('takes 5 s for each call and millrace-control for its table by default', async () => {
    const clock = new VirtualClock()
    const { client } = stubDynamo(() => new Promise(() => {}))
    const store = dynamoControlStore({ applicationName: 'orders', client, clock, logger: silentLogger })
    expect([store.tableName, DEFAULT_CONTROL_TABLE]).to.deep.equal(['millrace-control', 'millrace-control'])
    const rejection = rejectionOf(store.beat(aReport(SESSION), 2))
    await clock.advance(5_000)
    expect(((await rejection) as Error).message).to.include('in table millrace-control had no answer within 5000 ms')
  })

  it('says that the table is gone', async () => {
    const { client } = stubDynamo(() => {
      throw sdkError('ResourceNotFoundException')
    })
    const error = await rejectionOf(storeOn(client).beat(aReport(SESSION), 2))
    expect(error).to.be.instanceOf(ServiceError)
    expect(error).to.include({ kind: 'not-found', retryable: false })
  })

  it('leaves a client that it was given open', () => {
    const stub = stubDynamo(() => ({}))
    storeOn(stub.client).close()
    expect(stub.destroyed()).to.equal(0)
  })

  it('reads consistently what decisions about life and death are made from, and cheaply what is only looked at', async () => {
    const readsOf = async (run: (store: DynamoControlStore) => Promise<unknown>) => {
      const stub = stubDynamo(() => ({}))
      await run(storeOn(stub.client))
      return stub.sent.flatMap(({ input }) => ('ConsistentRead' in input ? [input.ConsistentRead] : []))
    }
    for (const run of [
      (store: DynamoControlStore) => store.members(),
      (store: DynamoControlStore) => store.mailbox(SESSION),
      (store: DynamoControlStore) => store.mailboxes(),
      (store: DynamoControlStore) => store.leader({ consistent: true })
    ]) {
      expect(await readsOf(run)).to.deep.equal([true])
    }
    expect(await readsOf(store => store.member(SESSION))).to.deep.equal([false])
    expect(await readsOf(store => store.leader())).to.deep.equal([false])
    expect(await readsOf(store => store.loads())).to.deep.equal([false])
    expect(await readsOf(store => store.forget(SESSION))).to.deep.equal([true, true])
  })
})

describe('dynamoControlStore, beating', () => {
  const item = (rest: object) => stored({ pk: 'orders', sk: `W#${SESSION}`, workerId: 'w', state: 'ACTIVE', ...rest })

  /** A client whose writes are refused, and which has an item to show for it, or does not show it. */
  const refusing = (row: object | undefined, { shows }: { shows: boolean }) =>
    stubDynamo(({ name }: SentCall) => {
      if (name === 'GetItem') return row === undefined ? {} : { Item: item(row) }
      throw new RefusedByDynamo(shows && row !== undefined ? item(row) : undefined)
    })

  it('is one call, whose answer has the version of the mailbox', async () => {
    const stub = stubDynamo(() => ({ Attributes: item({ hb: 2, asgVer: 9 }) }))
    expect(await storeOn(stub.client).beat(aReport(SESSION), 2)).to.deep.equal({ kind: 'alive', asgVer: 9 })
    expect(stub.sent).to.have.length(1)
    expect(stub.sent[0]?.input).to.include({ ReturnValues: 'ALL_NEW', ReturnValuesOnConditionCheckFailure: 'ALL_OLD' })
  })

  it('is acknowledged even if the answer cannot be read', async () => {
    for (const Attributes of [item({ hb: 2, asgVer: 'x' }), undefined]) {
      const stub = stubDynamo(() => ({ Attributes }))
      expect(await storeOn(stub.client).beat(aReport(SESSION), 2)).to.deep.equal(ALIVE)
    }
  })

  for (const shows of [true, false]) {
    it(`learns what a refusal means from the item, which the refusal ${shows ? 'shows' : 'does not show'}`, async () => {
      const outcomes: readonly [object | undefined, object][] = [
        [
          { hb: 2, asgVer: 4 },
          { kind: 'alive', asgVer: 4 }
        ],
        [{ hb: 3 }, ALIVE],
        [
          { hb: 1, dead: 'silent' },
          { kind: 'dead', how: 'silent' }
        ],
        [
          { hb: 5, dead: 'deaf' },
          { kind: 'dead', how: 'deaf' }
        ],
        [undefined, GONE],
        // A refusal that nothing explains, and an item that cannot be read: nobody could ever be sure to be alive.
        [{ hb: 1 }, GONE],
        [{ hb: 'x' }, GONE]
      ]
      for (const [row, outcome] of outcomes) {
        const stub = refusing(row, { shows })
        expect(await storeOn(stub.client).beat(aReport(SESSION), 2)).to.deep.equal(outcome)
        const isShown = shows && row !== undefined
        expect(stub.sent.map(({ name }) => name)).to.deep.equal(isShown ? ['UpdateItem'] : ['UpdateItem', 'GetItem'])
        if (!isShown) expect(stub.sent[1]?.input).to.include({ ConsistentRead: true })
      }
    })
  }

  it('rejects if the item cannot be read, so that nobody takes a session for dead', async () => {
    const { client } = stubDynamo(({ name }) => {
      throw name === 'GetItem' ? sdkError('ThrottlingException') : new RefusedByDynamo()
    })
    expect(await rejectionOf(storeOn(client).beat(aReport(SESSION), 2))).to.be.instanceOf(ThrottledError)
    expect(await rejectionOf(storeOn(client).join(aReport(SESSION)))).to.be.instanceOf(ThrottledError)
  })

  it('does not read the item for a refused certificate, nor for a session that leaves', async () => {
    const stub = refusing({ hb: 2 }, { shows: false })
    expect(await storeOn(stub.client).certify(SESSION, 1, 'silent')).to.equal(false)
    await storeOn(stub.client).leave(aReport(SESSION))
    expect(stub.sent.map(({ name }) => name)).to.deep.equal(['UpdateItem', 'UpdateItem'])
  })
})

describe('dynamoControlStore, on dynalite', () => {
  const tableName = uniqueName('control')
  let client: DynamoDBClient
  let applicationName: string
  let store: DynamoControlStore

  before(async () => {
    client = new DynamoDBClient((await sharedDynalite()).clientConfig())
    await storeOn(client, { tableName }).prepare()
  })

  beforeEach(() => {
    applicationName = uniqueName('application')
    store = storeOn(client, { tableName, applicationName })
  })

  after(() => client.destroy())

  const put = (sk: string, attributes: Record<string, unknown>) =>
    client.send(new PutItemCommand({ TableName: tableName, Item: stored({ pk: applicationName, sk, ...attributes }) }))

  it('creates a table on demand with application and kind as its key, and tags', async () => {
    const TableName = uniqueName('control')
    await storeOn(client, { tableName: TableName, tags: { team: 'data' } }).prepare()
    const { Table } = await client.send(new DescribeTableCommand({ TableName }))
    expect(Table?.BillingModeSummary?.BillingMode).to.equal('PAY_PER_REQUEST')
    expect(Table?.KeySchema).to.deep.equal([
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'sk', KeyType: 'RANGE' }
    ])
  })

  it('refuses a table that is something else, such as the lease table', async () => {
    const TableName = uniqueName('leases')
    const AttributeDefinitions = [{ AttributeName: 'leaseKey', AttributeType: 'S' as const }]
    const KeySchema = [{ AttributeName: 'leaseKey', KeyType: 'HASH' as const }]
    await client.send(
      new CreateTableCommand({ TableName, AttributeDefinitions, KeySchema, BillingMode: 'PAY_PER_REQUEST' })
    )
    const error = await rejectionOf(storeOn(client, { tableName: TableName }).prepare())
    expect(error).to.be.instanceOf(TableMismatchError)
    expect((error as Error).message).to.include('has the key leaseKey (S, HASH), expected pk (S, HASH) + sk (S, RANGE)')
  })

  it('skips items that cannot be read, and says so at level debug', async () => {
    const lines: object[] = []
    const logger = { ...silentLogger, debug: (fields: object) => lines.push(fields) }
    store = storeOn(client, { tableName, applicationName, logger })
    await store.join(aReport(SESSION))
    await store.post(aMailbox(SESSION))
    await store.reportLoads(SESSION, { a: 1 })
    for (const sk of ['W#broken', 'A#broken', 'T#broken', 'L'])
      await put(sk, { hb: 'x', ver: -1, loads: 'x', term: [] })
    expect((await store.members()).map(({ session }) => session)).to.deep.equal([SESSION])
    expect((await store.mailboxes()).map(({ session }) => session)).to.deep.equal([SESSION])
    expect(await store.loads()).to.deep.equal({ a: 1 })
    expect(lines).to.have.length(3)
    expect(lines[0]).to.include({ tableName, applicationName, sk: 'W#broken' })
    expect(await store.member('broken')).to.equal(undefined)
    expect(await store.mailbox('broken')).to.equal(undefined)
    expect(await store.leader()).to.equal(undefined)
    expect(await store.replaceLeader(undefined, { who: SESSION, term: 1 })).to.equal(false)
    expect(await store.forget('broken')).to.equal(false)
  })

  it('reads and forgets a session with a certificate in words of a later version', async () => {
    await store.join(aReport(SESSION))
    await put('W#other/1', { workerId: 'other', state: 'ACTIVE', hb: 3, dead: 'evicted' })
    expect((await store.members()).map(({ session, dead }) => [session, dead])).to.have.deep.members([
      [SESSION, undefined],
      ['other/1', 'silent']
    ])
    expect(await store.beat(aReport('other/1'), 4)).to.deep.equal({ kind: 'dead', how: 'silent' })
    expect(await store.forget('other/1')).to.equal(true)
    expect(await store.members()).to.have.length(1)
  })

  it('ignores items of kinds that it does not know', async () => {
    await store.join(aReport(SESSION))
    for (const sk of ['X#1', 'Wx', 'w#a', 'LL']) await put(sk, { hb: 1 })
    expect(await store.members()).to.have.length(1)
    expect(await store.leader()).to.equal(undefined)
  })

  it('keeps the item of a session until everything else about it is gone', async () => {
    await store.join(aReport(SESSION))
    await store.post(aMailbox(SESSION))
    await store.leave(aReport(SESSION))
    const failing = new DynamoDBClient((await sharedDynalite()).clientConfig())
    failing.middlewareStack.add(
      (next, context) => args => {
        const isMailbox = JSON.stringify(args.input).includes(`A#${SESSION}`)
        if (isMailbox && context.commandName === 'DeleteItemCommand') throw sdkError('ThrottlingException')
        return next(args)
      },
      { step: 'initialize' }
    )
    const unlucky = storeOn(failing, { tableName, applicationName })
    expect(await rejectionOf(unlucky.forget(SESSION))).to.be.instanceOf(ThrottledError)
    expect(await store.members()).to.have.length(1)
    expect(await store.forget(SESSION)).to.equal(true)
    expect([...(await store.members()), ...(await store.mailboxes())]).to.deep.equal([])
    failing.destroy()
  })

  it('recognises its own writes when answers are lost, also if the SDK tries again on its own', async () => {
    for (const maxAttempts of [1, 3]) {
      const session = `worker-${maxAttempts}/1`
      const flaky = new DynamoDBClient({ ...(await sharedDynalite()).clientConfig(), maxAttempts })
      let lost = 0
      let repeats = 0
      flaky.middlewareStack.add(
        next => async args => {
          const answer = await next(args)
          if (lost === 0) return answer
          lost--
          throw sdkError('TimeoutError', { $retryable: {} })
        },
        { step: 'deserialize' }
      )
      const unlucky = storeOn(flaky, { tableName, applicationName })
      /** Repeats the work, as its callers do, after the answer to the first attempt has been lost. */
      const withLostAnswer = async <T>(work: () => Promise<T>): Promise<T> => {
        lost = 1
        return work().catch(() => {
          repeats++
          return work()
        })
      }
      const [before, after] = [await store.leader(), { who: session, term: maxAttempts }]
      expect(await withLostAnswer(() => unlucky.join(aReport(session)))).to.deep.equal(ALIVE)
      expect(await withLostAnswer(() => unlucky.beat(aReport(session), 2))).to.deep.equal(ALIVE)
      expect(await withLostAnswer(() => unlucky.replaceLeader(before, after))).to.equal(true)
      expect(await withLostAnswer(() => unlucky.post(aMailbox(session, { ver: 5 })))).to.equal(true)
      expect(await unlucky.beat(aReport(session), 3)).to.deep.equal({ kind: 'alive', asgVer: 5 })
      await withLostAnswer(() => unlucky.leave(aReport(session)))
      expect(await withLostAnswer(() => unlucky.forget(session))).to.equal(true)
      expect(await store.members()).to.deep.equal([])
      expect(repeats).to.equal(maxAttempts === 1 ? 6 : 0)
      flaky.destroy()
    }
  })
})

describe('remoteControlStore', () => {
  it('is made of plain data and works like any other', async () => {
    const { endpoint, region, credentials } = (await sharedDynalite()).clientConfig()
    const options = {
      ...{ tableName: uniqueName('control'), applicationName: 'orders', requestTimeoutMs: 5_000 },
      ...{ region, endpoint, useFipsEndpoint: false, useDualstackEndpoint: false, credentials }
    }
    const store = remoteControlStore(structuredClone(options), { clock: systemClock, logger: silentLogger })
    expect(store.tableName).to.equal(options.tableName)
    await store.prepare()
    expect(await store.join(aReport(SESSION))).to.deep.equal(ALIVE)
    store.useCredentials({ ...credentials, sessionToken: 'token', expiresAtMs: 1_900_000_000_000 })
    expect(await store.beat(aReport(SESSION), 2)).to.deep.equal(ALIVE)
    await store.leave(aReport(SESSION))
    store.close()
  })
})
