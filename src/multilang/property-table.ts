// Every key that a .properties file may have: KCL's, and ours. The daemon, `--check` and the table in docs/multilang.md are all made
// from these rows.

/** How a value is written. `flag`: `true` or `false`, as Java's BeanUtils reads them. */
export type PropertyType = 'text' | 'integer' | 'number' | 'flag'

/**
 * What a key comes to. `honoured`: it does here what it does there. `no-effect`: what it steers does not exist here, or cannot be
 * steered. `refused`: no daemon starts with it, unless its value asks for nothing.
 */
export type PropertyUse = 'honoured' | 'no-effect' | 'refused'

/** One key. */
export interface PropertyRow {
  readonly key: string
  readonly type: PropertyType
  readonly use: PropertyUse
  /** For KCL's keys what holds there without the key; for ours what holds here. In words, or as it would be written. */
  readonly byDefault: string
  /** Which option it becomes, what is done in its place, or why it is refused. Markdown, without a full stop. */
  readonly meaning: string
  /** Whether KCL for Java keeps its default although the file says `0` or `false`. */
  readonly isTrap: boolean
}

/** What our own keys begin with. */
export const OWN_PREFIX = 'millrace.'

type Cells = readonly [key: string, type: PropertyType, byDefault: string, meaning: string, trap?: 'trap']

function rowsOf(use: PropertyUse, cells: readonly Cells[]): readonly PropertyRow[] {
  return cells.map(([key, type, byDefault, meaning, trap]) => ({
    ...{ key, type, use, byDefault, meaning },
    isTrap: trap !== undefined
  }))
}

const HONOURED: readonly Cells[] = [
  ['executableName', 'text', 'required', 'the program of your processor, and its arguments; split at spaces, no shell'],
  ['applicationName', 'text', 'required', '`applicationName`; also the name of the lease table'],
  ['tableName', 'text', 'the application name', '`leases.tableName`'],
  ['streamName', 'text', 'required, or streamArn', '`streamName`'],
  ['streamArn', 'text', 'none', '`streamArn`, which every call is made with; wins over streamName, as in KCL'],
  ['workerId', 'text', 'random', '`workerId`'],
  ['workerIdentifier', 'text', 'random', '`workerId`'],
  ['regionName', 'text', 'as the AWS SDK finds it', 'region of all clients'],
  ['kinesisEndpoint', 'text', 'that of the region', '`kinesis.endpoint`'],
  ['dynamoDBEndpoint', 'text', 'that of the region', '`dynamodb.endpoint`'],
  ['AwsCredentialsProvider', 'text', 'required', 'credentials of all clients; see [credentials](#credentials)'],
  ['AwsCredentialsProviderDynamoDB', 'text', 'as for Kinesis', 'credentials for DynamoDB'],
  ['AwsCredentialsProviderCloudWatch', 'text', 'as for Kinesis', 'credentials for CloudWatch'],
  ['initialPositionInStream', 'text', 'LATEST', '`startAt`: `LATEST` or `TRIM_HORIZON`, in any case'],
  ['initialPositionInStreamExtended', 'integer', 'none', '`startAt`: a time in epoch seconds; wins over the other'],
  [
    'timeoutInSeconds',
    'integer',
    'none: for ever',
    'how long an answer of a child is waited for; then the child is killed'
  ],
  [
    'shutdownGraceMillis',
    'integer',
    '0: not at all',
    'how long a stop waits for the children; without the key 30,000 here'
  ],
  [
    'retrievalMode',
    'text',
    'DEFAULT',
    '`retrieval.mode`; `DEFAULT` is polling if a key of polling is set, else fan-out'
  ],
  ['maxRecords', 'integer', '10000', '`retrieval.maxRecords`; a key of polling', 'trap'],
  [
    ...(['idleTimeBetweenReadsInMillis', 'integer', '1500'] as const),
    '`retrieval.idleMs`, 200 at least; without the key 250 here; a key of polling',
    'trap'
  ],
  ['fanoutConfig.consumerArn', 'text', 'none', '`retrieval.consumerArn`'],
  ['fanoutConfig.consumerName', 'text', 'the application name', '`retrieval.consumerName`'],
  ['failoverTimeMillis', 'integer', '10000', '`leases.durationMs`, 1,000 to 600,000', 'trap'],
  ['shardSyncIntervalMillis', 'integer', '60000', '`shardSyncIntervalMs`', 'trap'],
  ['maxLeasesForWorker', 'integer', '2147483647', '`leases.maxLeases`', 'trap'],
  ['leaseTableDeletionProtectionEnabled', 'flag', 'false', '`leases.deletionProtection`'],
  ['leaseTablePitrEnabled', 'flag', 'false', '`leases.pointInTimeRecovery`'],
  ['taskBackoffTimeMillis', 'integer', '500', '`onProcessorError.backoffMs`', 'trap'],
  [
    'logWarningForTaskAfterMillis',
    'integer',
    'none',
    '`watchdog.stallMs`, 20,000 at least; without the key 60,000 here'
  ],
  [
    'metricsLevel',
    'text',
    'DETAILED',
    'CloudWatch, if `@aws-sdk/client-cloudwatch` is installed: `NONE`, `SUMMARY` or `DETAILED`'
  ],
  ['metricsEnabledDimensions', 'text', 'all', 'without `ShardId` or `ALL` there are no metrics of single shards']
]

const REFUSED: readonly Cells[] = [
  [
    ...(['callProcessRecordsEvenForEmptyRecordList', 'flag', 'false'] as const),
    'refused if true: a child is called with records only, so code that waits for empty calls to flush would wait for ever'
  ],
  [
    ...(['coordinatorStateTableName', 'text', 'the application name and -CoordinatorState'] as const),
    'refused if it is another name, in `mixed` mode: what daemons of KCL 3.x agree on is looked for under the default name'
  ],
  [
    ...(['workerMetricsTableName', 'text', 'the application name and -WorkerMetricStats'] as const),
    'refused if it is another name, in `mixed` mode: what daemons of KCL 3.x agree on is looked for under the default name'
  ]
]

const NO_EFFECT: readonly Cells[] = [
  ['processingLanguage', 'text', 'none', 'it is part of a user agent that KCL itself no longer sends'],
  ['maxActiveThreads', 'integer', '0: no limit', 'there are no threads: a child costs none'],
  ['retryGetRecordsInSeconds', 'integer', 'none', 'a read has 10 s and is made again; a key of polling'],
  ['maxGetRecordsThreadPool', 'integer', 'none', 'reads take no threads; a key of polling'],
  [
    'millisBehindLatestThresholdForReducedTps',
    'integer',
    '0',
    'reads at the tip are spaced by `retrieval.idleMs`; a key of polling'
  ],
  ['fanoutConfig.maxDescribeStreamSummaryRetries', 'integer', '10', 'calls are made again until they succeed'],
  ['fanoutConfig.maxDescribeStreamConsumerRetries', 'integer', '10', 'calls are made again until they succeed'],
  ['fanoutConfig.registerStreamConsumerRetries', 'integer', '10', 'polling is fallen back to meanwhile'],
  ['fanoutConfig.retryBackoffMillis', 'integer', '1000', 'delays grow from failure to failure'],
  ['leaseAssignmentIntervalMillis', 'integer', '2 × failoverTimeMillis', 'it follows from failoverTimeMillis'],
  ['enablePriorityLeaseAssignment', 'flag', 'true', 'leases without an owner always go first'],
  ['cleanupLeasesUponShardCompletion', 'flag', 'true', 'leases of finished shards are always cleaned up', 'trap'],
  ['ignoreUnexpectedChildShards', 'flag', 'false', 'children are looked up until they are there'],
  ['maxLeasesToStealAtOneTime', 'integer', '1', 'leases move with a hand-over, a tenth of them at a time'],
  ['maxLeaseRenewalThreads', 'integer', '20', 'renewals take no threads'],
  [
    'initialLeaseTableReadCapacity',
    'integer',
    '10',
    'a lease table that is made is paid for on demand, as KCL does it'
  ],
  [
    'initialLeaseTableWriteCapacity',
    'integer',
    '10',
    'a lease table that is made is paid for on demand, as KCL does it'
  ],
  ['leaseTableScanTotalSegments', 'integer', '0', 'the table is read page by page'],
  ['listShardsBackoffTimeInMillis', 'integer', '1500', 'ListShards is made again with growing delays'],
  ['maxListShardsRetryAttempts', 'integer', '50', 'ListShards is made again until it succeeds'],
  [
    'parentShardPollIntervalMillis',
    'integer',
    '10000',
    'children start when their parents are done, not at the next look'
  ],
  ['shardPrioritization', 'text', 'none', 'parents always go before their children'],
  [
    ...(['skipShardSyncAtWorkerInitializationIfLeasesExist', 'flag', 'false'] as const),
    'shards are always compared at the start; for what KCL does to keys of other shards see `millrace.outOfRange`'
  ],
  ['schedulerInitializationBackoffTimeMillis', 'integer', '1000', 'a start is tried again with growing delays'],
  [
    'clientVersionConfig',
    'text',
    'CLIENT_VERSION_CONFIG_3X',
    'what the others on the table are is seen there; see `millrace.mode`'
  ],
  ['migrateAllEntitiesToLeaseTable', 'flag', 'false', 'this daemon moves no table'],
  ['tableMigrationCompleteBakeTimeSeconds', 'integer', '86400', 'this daemon moves no table'],
  ['metricsBufferTimeMillis', 'integer', '10000', 'metrics are sent every 10 s'],
  ['metricsMaxQueueSize', 'integer', '10000', 'metrics are added up until they are sent, and need no queue'],
  [
    'validateSequenceNumberBeforeCheckpointing',
    'flag',
    'none',
    'checkpoints are always checked; in KCL it has no effect either'
  ],
  ['gracefulLeaseHandoffTimeoutMillis', 'integer', '30000', 'a hand-over waits 30 s for the child'],
  ['isGracefulLeaseHandoffEnabled', 'flag', 'true', 'leases are always handed over gracefully'],
  ...tableCells(
    'coordinatorState',
    'daemons of Java make that table; for that of Millrace see `millrace.controlTableName`'
  ),
  ...tableCells(
    'workerMetrics',
    'daemons of Java make that table; for that of Millrace see `millrace.controlTableName`'
  ),
  [
    'inMemoryWorkerMetricsCaptureFrequencyMillis',
    'integer',
    '1000',
    'balance is by the number of leases; see `millrace.balance`'
  ],
  [
    'workerMetricsReporterFreqInMillis',
    'integer',
    '30000',
    'balance is by the number of leases; see `millrace.balance`'
  ],
  [
    'noOfPersistedMetricsPerWorkerMetrics',
    'integer',
    '10',
    'balance is by the number of leases; see `millrace.balance`'
  ],
  ['disableWorkerMetrics', 'flag', 'false', 'balance is by the number of leases; see `millrace.balance`'],
  [
    'maxThroughputPerHostKBps',
    'number',
    'no limit',
    'a worker is limited by maxLeasesForWorker; see `millrace.capacity`'
  ],
  ['dampeningPercentage', 'integer', '60', 'a tenth of the leases moves at a time'],
  ['reBalanceThresholdPercentage', 'integer', '10', 'balance is by the number of leases; see `millrace.balance`'],
  ['allowThroughputOvershoot', 'flag', 'true', 'balance is by the number of leases; see `millrace.balance`'],
  ['varianceBalancingFrequency', 'integer', '3', 'the leader looks every few seconds'],
  ['workerMetricsEMAAlpha', 'number', '0.5', 'balance is by the number of leases; see `millrace.balance`'],
  ['staleWorkerMetricsEntryCleanupDuration', 'text', 'P1D', 'the control table is cleaned up by the leader']
]

const OWN: readonly Cells[] = [
  [
    'millrace.mode',
    'text',
    'mixed',
    '`leases.mode`: `mixed`, beside daemons of Java on the same table, or `solo`, which costs less'
  ],
  ['millrace.controlTableName', 'text', 'millrace-control', '`leases.controlTableName`'],
  ['millrace.heartbeat', 'text', 'thread', '`leases.heartbeat`: `thread` or `main`'],
  ['millrace.balance', 'text', 'count', '`leases.balance`: `count` or `weight`'],
  ['millrace.capacity', 'number', '1', '`leases.capacity`: with 2 twice as many leases as workers with 1'],
  [
    'millrace.generation',
    'integer',
    '0',
    '`leases.generation`: number of the deployment; leases go to higher ones first'
  ],
  [
    'millrace.onChildDeath',
    'text',
    'restart',
    '`restart` the child that died, or `exit` with 1, as the daemon of Java'
  ],
  [
    'millrace.shardsPerChild',
    'integer',
    '1',
    'how many shards one child is given, if it says that it can take more than one'
  ],
  [
    'millrace.exitTimeoutMillis',
    'integer',
    '10000',
    'how long a child may take to end when it is asked to, before it is killed'
  ],
  ['millrace.attempts', 'integer', '10', '`onProcessorError.attempts`: how often a batch that fails is delivered'],
  [
    'millrace.maxBackoffMillis',
    'integer',
    '30000',
    '`onProcessorError.maxBackoffMs`; taskBackoffTimeMillis is the first delay'
  ],
  [
    'millrace.then',
    'text',
    'halt',
    '`onProcessorError.then`: `halt` the shard, `stop` the daemon, `dead-letter` or `skip`'
  ],
  [
    'millrace.deadLetters',
    'text',
    'none',
    'where they go: `file:PATH`, `stream:NAME`, `sqs:URL` or `s3://BUCKET/PREFIX`'
  ],
  ['millrace.maxRecordAgeMillis', 'integer', 'none', '`onProcessorError.maxRecordAgeMs`'],
  [
    'millrace.batchTimeoutMillis',
    'integer',
    '86400000',
    '`onProcessorError.timeoutMs`: how long a child may take for a batch in all'
  ],
  ['millrace.maxBatchRecords', 'integer', 'none', '`batch.maxRecords`: how many user records a batch has at most'],
  ['millrace.maxBufferedBytes', 'integer', 'a quarter of the heap', '`retrieval.maxBufferedBytes`'],
  [
    'millrace.outOfRange',
    'text',
    'deliver',
    '`outOfRange`: aggregated records with keys of other shards; KCL does `drop-aggregate`'
  ],
  ['millrace.logLevel', 'text', 'info', '`debug`, `info`, `warn` or `error`'],
  [
    'millrace.healthPort',
    'integer',
    'none',
    'serves `/livez`, `/readyz`, `/status` and, with `prom-client`, `/metrics`'
  ],
  ['millrace.healthHost', 'text', '127.0.0.1', 'address to serve them on; for probes of Kubernetes `0.0.0.0`'],
  [
    'millrace.ignore',
    'text',
    'none',
    'keys, with commas, that would be refused and are ignored instead: for a file that Java reads too'
  ]
]

function tableCells(prefix: string, instead: string): readonly Cells[] {
  return [
    [`${prefix}BillingMode`, 'text', 'PAY_PER_REQUEST', instead],
    [`${prefix}ReadCapacity`, 'integer', 'none', instead],
    [`${prefix}WriteCapacity`, 'integer', 'none', instead],
    [`${prefix}PointInTimeRecoveryEnabled`, 'flag', 'false', instead],
    [`${prefix}DeletionProtectionEnabled`, 'flag', 'false', instead],
    [`${prefix}Tags`, 'text', 'none', instead]
  ]
}

/** Every key of KCL's. */
export const KCL_ROWS: readonly PropertyRow[] = [
  ...rowsOf('honoured', HONOURED),
  ...rowsOf('refused', REFUSED),
  ...rowsOf('no-effect', NO_EFFECT)
]

/** Every key of ours. */
export const OWN_ROWS: readonly PropertyRow[] = rowsOf('honoured', OWN)

/** The properties of the AWS SDK for Java's clients that have a counterpart, as `kinesisClient.region` and so on. */
export const CLIENT_PROPERTIES: readonly PropertyRow[] = rowsOf('honoured', [
  ['region', 'text', 'regionName', '`region` of that client'],
  ['endpointOverride', 'text', 'that of the region', '`endpoint` of that client'],
  ['dualstackEnabled', 'flag', 'false', '`useDualstackEndpoint` of that client'],
  ['fipsEnabled', 'flag', 'false', '`useFipsEndpoint` of that client']
])

/** What the keys that reach a client of the SDK begin with. */
export const CLIENT_PREFIXES = ['kinesisClient', 'dynamoDbClient', 'cloudWatchClient'] as const

/** One of the clients whose properties a file can set. */
export type ClientPrefix = (typeof CLIENT_PREFIXES)[number]

/** Keys of polling: with one of them, `retrievalMode=DEFAULT` is polling. */
export const POLLING_KEYS: readonly string[] = KCL_ROWS.filter(({ meaning }) =>
  meaning.endsWith('a key of polling')
).map(({ key }) => key)

/**
 * A key as KCL understands it. The names of credentials may be written in any case; those of polling also as
 * `pollingConfig.maxRecords`. Everything else is taken letter by letter.
 */
export function canonicalKey(key: string): string {
  const credentials = /^awscredentialsprovider/i.exec(key)
  if (credentials !== null) return `AwsCredentialsProvider${key.slice(credentials[0].length)}`
  const [, polling] = /^pollingConfig\.(.*)$/.exec(key) ?? []
  return polling !== undefined && POLLING_KEYS.includes(polling) ? polling : key
}

/** The row of a key that {@link canonicalKey} gave. @returns `undefined` if nobody knows it */
export function rowOf(key: string): PropertyRow | undefined {
  const [, prefix, property] = /^([a-zA-Z]+Client)\.(.*)$/.exec(key) ?? []
  if (CLIENT_PREFIXES.some(known => known === prefix)) {
    const row = CLIENT_PROPERTIES.find(candidate => candidate.key === property)
    return row && { ...row, key }
  }
  return [...KCL_ROWS, ...OWN_ROWS].find(row => row.key === key)
}
