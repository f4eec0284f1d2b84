import { expect } from 'chai'
import { parseProperties } from '../../src/multilang/properties.ts'
import { KCL_ROWS, OWN_ROWS } from '../../src/multilang/property-table.ts'
import { planSettings, type SettingsOutcome } from '../../src/multilang/settings-rules.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { resolveOptions, type WorkerOptions } from '../../src/worker/options.ts'

const NOW_MS = 1_700_000_000_000
const BASE =
  'executableName=node app.js\napplicationName=orders\nstreamName=stream\nAwsCredentialsProvider=DefaultCredentialsProvider\n'

const outcomeOf = (text: string): SettingsOutcome => planSettings(parseProperties(Buffer.from(text, 'latin1')), NOW_MS)

function planOf(more: string, base = BASE) {
  const outcome = outcomeOf(base + more)
  if (outcome.kind === 'refused') throw new Error(outcome.problems.map(each => each.problem).join('\n'))
  return outcome.plan
}

function problemsOf(more: string, base = BASE): string[] {
  const outcome = outcomeOf(base + more)
  return outcome.kind === 'plan' ? [] : outcome.problems.map(({ property, problem }) => `${property} ${problem}`)
}

const findingsOf = (more: string): string[] =>
  outcomeOf(BASE + more).findings.map(each => `${each.kind} ${each.property}`)

/** The options as a worker takes them; whatever it does not take makes the test fail. */
const resolved = (more: string, base = BASE) =>
  resolveOptions(
    { ...planOf(more, base).worker, handler: () => {} } as unknown as WorkerOptions,
    seededRandom(1),
    NOW_MS
  )

/** A value for every key that is honoured, other than its default. */
const EVERYTHING: Readonly<Record<string, string>> = {
  executableName: '  node   app.js --verbose ',
  applicationName: 'orders',
  tableName: 'orders-leases',
  streamName: 'other',
  streamArn: 'arn:aws:kinesis:eu-west-1:123456789012:stream/clicks',
  workerId: 'me',
  workerIdentifier: 'me-too',
  regionName: 'eu-west-1',
  kinesisEndpoint: 'http://127.0.0.1:4567',
  dynamoDBEndpoint: 'http://127.0.0.1:8000',
  AwsCredentialsProvider: 'EnvironmentVariableCredentialsProvider',
  AwsCredentialsProviderDynamoDB: 'ProfileCredentialsProvider|tables',
  AwsCredentialsProviderCloudWatch: 'ProfileCredentialsProvider|metrics',
  initialPositionInStream: 'trim_horizon',
  initialPositionInStreamExtended: '1600000000',
  timeoutInSeconds: '90',
  shutdownGraceMillis: '5000',
  retrievalMode: 'fanout',
  maxRecords: '500',
  idleTimeBetweenReadsInMillis: '1000',
  'fanoutConfig.consumerArn': 'arn:aws:kinesis:eu-west-1:123456789012:stream/clicks/consumer/orders:1600000000',
  'fanoutConfig.consumerName': 'orders-consumer',
  failoverTimeMillis: '20000',
  shardSyncIntervalMillis: '30000',
  maxLeasesForWorker: '7',
  leaseTableDeletionProtectionEnabled: 'true',
  leaseTablePitrEnabled: 'true',
  taskBackoffTimeMillis: '700',
  logWarningForTaskAfterMillis: '45000',
  metricsLevel: 'summary',
  metricsEnabledDimensions: 'Operation, ShardId',
  'millrace.mode': 'solo',
  'millrace.controlTableName': 'control',
  'millrace.heartbeat': 'main',
  'millrace.balance': 'weight',
  'millrace.capacity': '2.5',
  'millrace.generation': '3',
  'millrace.onChildDeath': 'exit',
  'millrace.shardsPerChild': '4',
  'millrace.exitTimeoutMillis': '2000',
  'millrace.attempts': '3',
  'millrace.maxBackoffMillis': '9000',
  'millrace.then': 'dead-letter',
  'millrace.deadLetters': 's3://letters/orders/',
  'millrace.maxRecordAgeMillis': '3600000',
  'millrace.batchTimeoutMillis': '60000',
  'millrace.maxBatchRecords': '100',
  'millrace.maxBufferedBytes': '33554432',
  'millrace.outOfRange': 'drop-aggregate',
  'millrace.logLevel': 'warn',
  'millrace.healthPort': '8080',
  'millrace.healthHost': '0.0.0.0',
  'millrace.ignore': 'nothing'
}
const fileOf = (entries: Readonly<Record<string, string>>): string =>
  Object.entries(entries)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')

describe('planSettings', () => {
  it('makes settings of the least that a file can say', () => {
    expect(planOf('')).to.deep.equal({
      settings: {
        command: ['node', 'app.js'],
        answerTimeoutMs: undefined,
        shutdownGraceMs: 30_000,
        exitTimeoutMs: 10_000,
        onChildDeath: 'restart',
        shardsPerChild: 1
      },
      worker: {
        streamName: 'stream',
        applicationName: 'orders',
        startAt: 'LATEST',
        retrieval: { mode: 'fan-out' },
        leases: { mode: 'mixed' },
        // biome-ignore lint/suspicious/noThenProperty: the name of an option
        onProcessorError: { timeoutMs: 86_400_000, then: 'halt' }
      },
      clients: {
        kinesisClient: { credentials: [{ kind: 'default' }] },
        dynamoDbClient: { credentials: [{ kind: 'default' }] },
        cloudWatchClient: { credentials: [{ kind: 'default' }] }
      },
      deadLetters: undefined,
      cloudWatch: { level: 'shard', namespace: 'orders' },
      logLevel: 'info',
      health: undefined
    })
  })

  it('makes settings of every key that there is', () => {
    const { settings, worker, clients, ...others } = planOf('', fileOf(EVERYTHING))
    expect(settings).to.deep.equal({
      command: ['node', 'app.js', '--verbose'],
      answerTimeoutMs: 90_000,
      shutdownGraceMs: 5_000,
      exitTimeoutMs: 2_000,
      onChildDeath: 'exit',
      shardsPerChild: 4
    })
    expect(worker).to.deep.equal({
      streamArn: EVERYTHING.streamArn,
      applicationName: 'orders',
      workerId: 'me',
      startAt: new Date(1_600_000_000_000),
      retrieval: {
        ...{ mode: 'fan-out', maxRecords: 500, idleMs: 1_000, maxBufferedBytes: 33_554_432 },
        consumerArn: EVERYTHING['fanoutConfig.consumerArn']
      },
      leases: {
        ...{ tableName: 'orders-leases', controlTableName: 'control', durationMs: 20_000, maxLeases: 7, capacity: 2.5 },
        ...{ balance: 'weight', generation: 3, mode: 'solo', heartbeat: 'main' },
        ...{ deletionProtection: true, pointInTimeRecovery: true }
      },
      shardSyncIntervalMs: 30_000,
      outOfRange: 'drop-aggregate',
      watchdog: { stallMs: 45_000 },
      batch: { maxRecords: 100 },
      onProcessorError: {
        // biome-ignore lint/suspicious/noThenProperty: the name of an option
        ...{ timeoutMs: 60_000, then: 'dead-letter', attempts: 3, backoffMs: 700, maxBackoffMs: 9_000 },
        maxRecordAgeMs: 3_600_000
      }
    })
    expect(clients.dynamoDbClient).to.deep.equal({
      ...{ region: 'eu-west-1', endpoint: 'http://127.0.0.1:8000' },
      credentials: [{ kind: 'profile', profile: 'tables' }]
    })
    expect(others).to.deep.equal({
      deadLetters: { kind: 's3', bucket: 'letters', prefix: 'orders' },
      cloudWatch: { level: 'worker', namespace: 'orders' },
      logLevel: 'warn',
      health: { port: 8080, host: '0.0.0.0' }
    })
  })

  it('knows in this test every key that is honoured', () => {
    const honoured = [...KCL_ROWS, ...OWN_ROWS].filter(({ use }) => use === 'honoured').map(({ key }) => key)
    expect(Object.keys(EVERYTHING).sort()).to.deep.equal(honoured.sort())
  })

  it('says of every entry once what it comes to', () => {
    const others = KCL_ROWS.filter(({ use }) => use !== 'honoured').map(({ key, type }) => [
      key,
      type === 'flag' ? 'false' : '1'
    ])
    const { findings } = outcomeOf(fileOf({ ...EVERYTHING, ...Object.fromEntries(others) }))
    const told = findings.filter(({ kind }) => kind !== 'missing').map(({ property }) => property)
    expect(told.sort()).to.deep.equal([...KCL_ROWS, ...OWN_ROWS].map(({ key }) => key).sort())
  })

  it('gives the worker what it takes', () => {
    const base = fileOf({ ...EVERYTHING, 'millrace.then': 'skip', 'millrace.deadLetters': '' })
    expect(resolved('', base)).to.deep.include({ applicationName: 'orders', shardSyncIntervalMs: 30_000 })
    expect(resolved('').leases).to.include({ mode: 'mixed', durationMs: 10_000 })
    expect(resolved('maxRecords=9').retrieval).to.include({ mode: 'polling', maxRecords: 9 })
  })

  const RANGES: readonly (readonly [key: string, least: string, most: string, below: string, above: string])[] = [
    ['failoverTimeMillis', '1000', '600000', '999', '600001'],
    ['shardSyncIntervalMillis', '1000', '3600000', '999', '3600001'],
    ['maxLeasesForWorker', '1', '2147483647', '-1', '2147483648'],
    ['maxRecords', '1', '10000', '-1', '10001'],
    ['taskBackoffTimeMillis', '1', '600000', '-1', '600001'],
    ['millrace.attempts', '1', '1000000', '0', '1000001'],
    ['millrace.batchTimeoutMillis', '1', '86400000', '0', '86400001'],
    ['millrace.maxBatchRecords', '1', '100000', '0', '100001'],
    ['millrace.capacity', '0.01', '1000', '0.001', '1001'],
    ['millrace.generation', '0', '9007199254740991', '-1', '9007199254740993']
  ]
  for (const [key, least, most, below, above] of RANGES) {
    it(`takes of ${key} what a worker takes, and nothing else`, () => {
      for (const value of [least, most]) expect(() => resolved(`${key}=${value}`), value).to.not.throw()
      for (const value of [below, above]) {
        expect(problemsOf(`${key}=${value}`).join(), value).to.match(new RegExp(`^${key} is "${value}", expected a`))
      }
    })
  }

  it('tells everything that is wrong at once, in the order of the file', () => {
    const outcome = outcomeOf(
      'failoverTimeMillis=1\nstreamArn=arn:aws:sqs\nmillrace.then=give-up\nkinesisEndpoint=localhost'
    )
    expect(outcome.kind === 'refused' && outcome.problems.map(({ line, property }) => [line, property])).to.deep.equal([
      [1, 'failoverTimeMillis'],
      [2, 'streamArn'],
      [3, 'millrace.then'],
      [4, 'kinesisEndpoint'],
      [undefined, 'executableName'],
      [undefined, 'applicationName']
    ])
  })

  describe('the way of reading', () => {
    const CASES: readonly (readonly [string, object])[] = [
      ['', { mode: 'fan-out' }],
      ['retrievalMode=DEFAULT', { mode: 'fan-out' }],
      ['maxRecords=500', { mode: 'polling', maxRecords: 500 }],
      ['retryGetRecordsInSeconds=1', { mode: 'polling' }],
      ['idleTimeBetweenReadsInMillis=1000', { mode: 'polling', idleMs: 1_000 }],
      ['pollingConfig.idleTimeBetweenReadsInMillis=1000', { mode: 'polling', idleMs: 1_000 }],
      // Java does not apply 0, so it does not count as set.
      ['idleTimeBetweenReadsInMillis=0', { mode: 'fan-out' }],
      ['maxRecords=500\nretrievalMode=FANOUT', { mode: 'fan-out', maxRecords: 500 }],
      ['retrievalMode=POLLING', { mode: 'polling' }],
      ['fanoutConfig.consumerName=me', { mode: 'fan-out', consumerName: 'me' }],
      ['retrievalMode=polling\nfanoutConfig.consumerName=me', { mode: 'polling' }],
      ['idleTimeBetweenReadsInMillis=20', { mode: 'polling', idleMs: 200 }]
    ]
    for (const [more, retrieval] of CASES) {
      it(`is ${JSON.stringify(retrieval)} for ${JSON.stringify(more)}`, () => {
        expect(planOf(more).worker.retrieval).to.deep.equal(retrieval)
        expect(() => resolved(more)).to.not.throw()
      })
    }

    it('is told where the file leaves it open', () => {
      expect(findingsOf('maxRecords=500')).to.include('missing retrievalMode')
      const said = findingsOf('retrievalMode=DEFAULT').filter(finding => finding.endsWith(' retrievalMode'))
      expect(said, 'it is there').to.deep.equal(['honoured retrievalMode'])
      expect(findingsOf('retrievalMode=POLLING\nfanoutConfig.consumerName=me')).to.include(
        'overridden fanoutConfig.consumerName'
      )
    })
  })

  describe('the position to begin at', () => {
    it('is LATEST, or what the file says in any case', () => {
      expect(planOf('').worker.startAt).to.equal('LATEST')
      expect(planOf('initialPositionInStream=Trim_Horizon').worker.startAt).to.equal('TRIM_HORIZON')
    })

    it('is a time that has come, in epoch seconds', () => {
      expect(planOf('initialPositionInStreamExtended=1600000000').worker.startAt).to.deep.equal(new Date(1.6e12))
      expect(problemsOf('initialPositionInStreamExtended=1700000001')[0]).to.match(
        /not in the future, in epoch seconds$/
      )
      expect(problemsOf('initialPositionInStream=AT_TIMESTAMP')[0]).to.match(/expected TRIM_HORIZON or LATEST$/)
    })
  })

  it('reads the stream of the ARN, if there is one', () => {
    const arn = 'arn:aws-cn:kinesis:cn-north-1:123456789012:stream/clicks'
    expect(planOf(`streamArn=${arn}`).worker)
      .to.include({ streamArn: arn })
      .and.not.to.have.property('streamName')
    expect(findingsOf(`streamArn=${arn}`)).to.include('overridden streamName')
  })

  it('does not start without a stream, an application or a program', () => {
    expect(problemsOf('', '')).to.have.length(3)
  })

  it('starts without credentials, which it says', () => {
    const outcome = outcomeOf('executableName=a\napplicationName=orders\nstreamName=s')
    expect(outcome.kind).to.equal('plan')
    expect(outcome.findings.map(each => `${each.kind} ${each.property}`)).to.include('missing AwsCredentialsProvider')
  })

  it('refuses to call a child without records, unless it is to ignore that', () => {
    const key = 'callProcessRecordsEvenForEmptyRecordList'
    expect(problemsOf(`${key}=true`)[0]).to.match(/is true, and a child is called with records only: flush/)
    expect(problemsOf(`${key}=false`)).to.deep.equal([])
    expect(findingsOf(`${key}=true\nmillrace.ignore=${key}`)).to.include(`ignored ${key}`)
  })

  it('refuses tables of KCL 3.x by other names, beside daemons of Java', () => {
    for (const [key, suffix] of [
      ['coordinatorStateTableName', 'CoordinatorState'],
      ['workerMetricsTableName', 'WorkerMetricStats']
    ] as const) {
      expect(problemsOf(`${key}=other`)[0]).to.match(
        new RegExp(`^${key} is "other", .* give .* orders-${suffix}, or say`)
      )
      expect(problemsOf(`${key}=orders-${suffix}`)).to.deep.equal([])
      expect(problemsOf(`${key}=other\nmillrace.mode=solo`)).to.deep.equal([])
    }
  })

  it('waits for children at a stop unless it is told not to', () => {
    expect(planOf('').settings.shutdownGraceMs).to.equal(30_000)
    expect(planOf('shutdownGraceMillis=0').settings.shutdownGraceMs).to.equal(0)
  })

  describe('metrics of CloudWatch', () => {
    const CASES: readonly (readonly [string, string | undefined])[] = [
      ['', 'shard'],
      ['metricsLevel=NONE', undefined],
      ['metricsLevel=summary', 'worker'],
      ['metricsLevel=DETAILED', 'shard'],
      ['metricsEnabledDimensions=Operation', 'worker'],
      ['metricsEnabledDimensions=Operation,ShardId', 'shard'],
      ['metricsEnabledDimensions=ALL', 'shard']
    ]
    for (const [more, level] of CASES) {
      it(`are of ${level ?? 'nothing'} for ${JSON.stringify(more)}`, () =>
        expect(planOf(more).cloudWatch?.level).to.equal(level))
    }
  })

  it('serves health where a port says so', () => {
    expect(planOf('millrace.healthPort=8080').health).to.deep.equal({ port: 8080, host: '127.0.0.1' })
    expect(problemsOf('millrace.healthHost=0.0.0.0')[0]).to.match(/without millrace\.healthPort/)
  })
})
