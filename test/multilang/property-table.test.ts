import { expect } from 'chai'
import {
  CLIENT_PREFIXES,
  CLIENT_PROPERTIES,
  canonicalKey,
  KCL_ROWS,
  OWN_PREFIX,
  OWN_ROWS,
  POLLING_KEYS,
  rowOf
} from '../../src/multilang/property-table.ts'

describe('the table of properties', () => {
  it('has every key once', () => {
    const keys = [...KCL_ROWS, ...OWN_ROWS].map(({ key }) => key)
    expect(new Set(keys).size).to.equal(keys.length)
  })

  it('tells our keys from those of KCL by their prefix', () => {
    for (const { key } of OWN_ROWS) expect(key.startsWith(OWN_PREFIX), key).to.equal(true)
    for (const { key } of KCL_ROWS) expect(key.startsWith(OWN_PREFIX), key).to.equal(false)
  })

  it('says of every key what it comes to, in a sentence without a full stop', () => {
    for (const { key, meaning, byDefault } of [...KCL_ROWS, ...OWN_ROWS, ...CLIENT_PROPERTIES]) {
      expect(meaning, key).to.match(/[^.\s]$/)
      expect(byDefault, key).to.not.equal('')
    }
  })

  it('has the setters of the configuration of KCL 3.5', () => {
    // Whatever MultiLangDaemonConfiguration can be told, and the three keys that the daemon reads for itself.
    const setters = [
      ...['executableName', 'processingLanguage', 'maxActiveThreads', 'applicationName', 'streamName', 'streamArn'],
      ...['tableName', 'workerIdentifier', 'workerId', 'failoverTimeMillis', 'leaseAssignmentIntervalMillis'],
      ...['enablePriorityLeaseAssignment', 'leaseTableDeletionProtectionEnabled', 'leaseTablePitrEnabled'],
      ...['shardSyncIntervalMillis', 'cleanupLeasesUponShardCompletion', 'ignoreUnexpectedChildShards'],
      ...['maxLeasesForWorker', 'maxLeasesToStealAtOneTime', 'initialLeaseTableReadCapacity'],
      ...['initialLeaseTableWriteCapacity', 'leaseTableScanTotalSegments', 'initialPositionInStreamExtended'],
      ...['initialPositionInStream', 'maxLeaseRenewalThreads', 'listShardsBackoffTimeInMillis'],
      ...['maxListShardsRetryAttempts', 'callProcessRecordsEvenForEmptyRecordList', 'parentShardPollIntervalMillis'],
      ...['shardPrioritization', 'skipShardSyncAtWorkerInitializationIfLeasesExist'],
      ...['schedulerInitializationBackoffTimeMillis', 'clientVersionConfig', 'migrateAllEntitiesToLeaseTable'],
      ...['tableMigrationCompleteBakeTimeSeconds', 'taskBackoffTimeMillis', 'metricsBufferTimeMillis'],
      ...['metricsMaxQueueSize', 'metricsLevel', 'logWarningForTaskAfterMillis', 'metricsEnabledDimensions'],
      ...['retrievalMode', 'retryGetRecordsInSeconds', 'maxGetRecordsThreadPool', 'idleTimeBetweenReadsInMillis'],
      ...['millisBehindLatestThresholdForReducedTps', 'maxRecords', 'gracefulLeaseHandoffTimeoutMillis'],
      ...['isGracefulLeaseHandoffEnabled', 'inMemoryWorkerMetricsCaptureFrequencyMillis'],
      ...['workerMetricsReporterFreqInMillis', 'noOfPersistedMetricsPerWorkerMetrics', 'disableWorkerMetrics'],
      ...['maxThroughputPerHostKBps', 'dampeningPercentage', 'reBalanceThresholdPercentage'],
      ...['allowThroughputOvershoot', 'varianceBalancingFrequency', 'workerMetricsEMAAlpha'],
      ...['staleWorkerMetricsEntryCleanupDuration', 'validateSequenceNumberBeforeCheckpointing'],
      ...['shutdownGraceMillis', 'timeoutInSeconds', 'AwsCredentialsProvider', 'AwsCredentialsProviderDynamoDB'],
      ...['AwsCredentialsProviderCloudWatch', 'regionName', 'kinesisEndpoint', 'dynamoDBEndpoint'],
      ...['maxDescribeStreamSummaryRetries', 'consumerArn', 'consumerName', 'maxDescribeStreamConsumerRetries'].map(
        name => `fanoutConfig.${name}`
      ),
      ...['fanoutConfig.registerStreamConsumerRetries', 'fanoutConfig.retryBackoffMillis'],
      ...['coordinatorState', 'workerMetrics'].flatMap(table =>
        [
          ...['TableName', 'BillingMode', 'ReadCapacity', 'WriteCapacity', 'PointInTimeRecoveryEnabled'],
          ...['DeletionProtectionEnabled', 'Tags']
        ].map(name => table + name)
      )
    ]
    expect(KCL_ROWS.map(({ key }) => key).sort()).to.deep.equal(setters.sort())
  })

  it('knows which keys are of polling', () => {
    expect([...POLLING_KEYS].sort()).to.deep.equal([
      'idleTimeBetweenReadsInMillis',
      'maxGetRecordsThreadPool',
      'maxRecords',
      'millisBehindLatestThresholdForReducedTps',
      'retryGetRecordsInSeconds'
    ])
  })
})

describe('canonicalKey', () => {
  it('takes the names of credentials in any case, and everything else letter by letter', () => {
    expect(canonicalKey('AWSCredentialsProvider')).to.equal('AwsCredentialsProvider')
    expect(canonicalKey('awscredentialsproviderDynamoDB')).to.equal('AwsCredentialsProviderDynamoDB')
    expect(canonicalKey('StreamName')).to.equal('StreamName')
  })

  it('knows keys of polling by the name of their bean as well', () => {
    expect(canonicalKey('pollingConfig.maxRecords')).to.equal('maxRecords')
    expect(canonicalKey('pollingConfig.other')).to.equal('pollingConfig.other')
  })
})

describe('rowOf', () => {
  it('finds what reaches a client of the SDK, and only what has a counterpart', () => {
    for (const prefix of CLIENT_PREFIXES) {
      for (const { key } of CLIENT_PROPERTIES) expect(rowOf(`${prefix}.${key}`)?.key).to.equal(`${prefix}.${key}`)
      expect(rowOf(`${prefix}.httpClient`)).to.equal(undefined)
    }
  })
})
