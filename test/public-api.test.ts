// What the package exports, so that growing it is a visible change; and that the errors keep their promises.
import { expect } from 'chai'
import * as api from '../src/index.ts'
import { is, sourceFile } from './support/source-files.ts'

const VALUES = [
  'BugError',
  'CheckpointRefusedError',
  'CircuitBreaker',
  'ConsumerError',
  'DeadLetterError',
  'FailedRecordsError',
  'HandlerTimeoutError',
  'LeaseLostError',
  'OptionError',
  'ProcessorError',
  'ProcessorGoneError',
  'RecordProcessor',
  'RecordTooOldError',
  'RecordUndecodableError',
  'ServiceError',
  'StalledError',
  'TableMismatchError',
  'ThrottledError',
  'Worker',
  'WorkerStoppedError',
  'aggregate',
  'consoleLogger',
  'emfMetrics',
  'encodeDeadLetter',
  'fileDeadLetters',
  'kinesisDeadLetters',
  'memoryLeaseStore',
  'parseDeadLetter',
  'readFileDeadLetters',
  'redriveDeadLetters',
  'serveHealth',
  'silentLogger',
  'tumblingWindows'
]

const TYPES = [
  'AggregatedRecord',
  'BatchOptions',
  'BreakerCall',
  'BreakerChange',
  'BreakerOptions',
  'BreakerState',
  'CheckpointFacts',
  'Checkpointer',
  'CircuitBreakerOptions',
  'ClaimReason',
  'ClosingWindow',
  'ConcurrencyOptions',
  'ConsumedRecord',
  'DeadLetter',
  'DeadLetterCallback',
  'DeadLetterDestination',
  'DeadLetterSource',
  'Decode',
  'DecodeFunction',
  'DecodeOptions',
  'DecodedLetter',
  'Decoder',
  'Dimensions',
  'DynamoDBClientOption',
  'EachContext',
  'EachHandler',
  'EmfMetricsOptions',
  'ExtendedSequenceNumber',
  'FailedRecord',
  'FailureAction',
  'FailureDecision',
  'FanOutOptions',
  'FetchFacts',
  'FetchResult',
  'FileDeadLettersOptions',
  'FoundLetter',
  'Handler',
  'HandlerContext',
  'HashKeyRange',
  'HealthEndpoint',
  'HealthOptions',
  'HealthSource',
  'InitializeInput',
  'KinesisClientOption',
  'KinesisDeadLettersOptions',
  'LaneKey',
  'LastResort',
  'LateRecord',
  'Lease',
  'LeaseListing',
  'LeaseLostInput',
  'LeaseOptions',
  'LeaseStore',
  'LineWriter',
  'LoadCheckpointInput',
  'LogLevel',
  'LogLine',
  'Logger',
  'MetricKind',
  'MetricLevel',
  'MetricName',
  'MetricNameOf',
  'Metrics',
  'MetricsSource',
  'OutOfRange',
  'OwnStreamEntry',
  'PartialFailure',
  'PendingCheckpoint',
  'PollingOptions',
  'PreparedCheckpoint',
  'ProcessFacts',
  'ProcessRecordsInput',
  'ProcessRecordsOutcome',
  'ProcessorErrorOptions',
  'ProcessorFailure',
  'RedriveCallback',
  'RedriveFailure',
  'RedriveOptions',
  'RedriveReport',
  'RemovedStreams',
  'RetrievalOptions',
  'SaveCheckpointInput',
  'SchemaFailure',
  'SchemaIssue',
  'SchemaResult',
  'SchemaSuccess',
  'ServiceErrorKind',
  'ShardEndedInput',
  'ShardHealth',
  'ShardPlace',
  'ShutdownRequestedInput',
  'SkippedRow',
  'SpanFacts',
  'StandardSchemaProps',
  'StandardSchemaV1',
  'StartPosition',
  'StopOptions',
  'StoreOptions',
  'StreamConsumer',
  'StreamEntry',
  'StreamHealth',
  'StreamIdentity',
  'StreamList',
  'StreamName',
  'StreamNames',
  'StreamTarget',
  'TableBilling',
  'ThreadOptions',
  'TimeWindow',
  'Tracing',
  'TumblingWindows',
  'TumblingWindowsOptions',
  'UndecodableAction',
  'UserRecord',
  'WatchdogOptions',
  'WindowCounts',
  'WireFormat',
  'WorkerEventName',
  'WorkerEvents',
  'WorkerHealth',
  'WorkerListener',
  'WorkerOptions',
  'WorkerState',
  'WriteOutcome'
]

/** One of each. */
const ERRORS: readonly (readonly [{ readonly code: string; readonly name: string }, api.ConsumerError])[] = [
  [api.BugError, new api.BugError('broken')],
  [api.CheckpointRefusedError, new api.CheckpointRefusedError('behind', 'too late')],
  [api.DeadLetterError, new api.DeadLetterError('file letters.jsonl', new Error('full'))],
  [api.FailedRecordsError, new api.FailedRecordsError(1, 10)],
  [api.HandlerTimeoutError, new api.HandlerTimeoutError(1_000, true)],
  [api.LeaseLostError, new api.LeaseLostError('shardId-000000000000', 'gone')],
  [api.OptionError, new api.OptionError('leases.durationMs', 'is 0')],
  [api.ProcessorError, new api.ProcessorError('shardId-000000000000', 'processRecords', 1, new Error('broken'))],
  [api.ProcessorGoneError, new api.ProcessorGoneError('shardId-000000000000', 'it ended')],
  [api.RecordTooOldError, new api.RecordTooOldError(60_000)],
  [
    api.RecordUndecodableError,
    new api.RecordUndecodableError(
      { sequenceNumber: '1', subSequenceNumber: 0 },
      'not-json',
      'its 4 bytes are not JSON'
    )
  ],
  [api.ServiceError, new api.ServiceError('not-found', 'gone', { retryable: false })],
  [api.StalledError, new api.StalledError('shardId-000000000000', 'an answer of Kinesis', 60_000)],
  [api.TableMismatchError, new api.TableMismatchError('not ours')],
  [api.ThrottledError, new api.ThrottledError('slowly')],
  [api.WorkerStoppedError, new api.WorkerStoppedError('stopped')]
]

describe('the public API', () => {
  it('is this and no more', () => {
    expect(Object.keys(api).sort()).to.deep.equal(VALUES)
  })

  it('is these types and no more', () => {
    const names = sourceFile('index.ts').imports.flatMap(({ localNames }) => localNames)
    expect(names.filter(name => !VALUES.includes(name)).sort()).to.deep.equal(TYPES)
  })

  it('is re-exports by name, and nothing else', () => {
    const { imports, root } = sourceFile('index.ts')
    const others = root.statements.filter(statement => !is.isExportDeclaration(statement))
    expect(others.map(statement => statement.getText())).to.deep.equal([])
    expect(imports).to.have.length(root.statements.length)
    expect(imports.flatMap(({ names }) => names)).to.not.include('*')
  })

  it('has every class of errors in this test', () => {
    const classes = Object.values(api).filter(
      value => typeof value === 'function' && value.prototype instanceof api.ConsumerError
    )
    expect(new Set(ERRORS.map(([type]) => type))).to.deep.equal(new Set(classes as unknown[]))
  })

  it('gives each class of errors a code of its own', () => {
    const codes = ERRORS.map(([{ code }]) => code)
    expect(new Set(codes).size).to.equal(codes.length)
    for (const code of codes) expect(code).to.match(/^[A-Z]+(_[A-Z]+)*$/)
  })

  for (const [type, error] of ERRORS) {
    it(`says the same in the class and in an instance of ${type.name}`, () => {
      expect(error.code).to.equal(type.code)
      expect(error.name).to.equal(type.name)
      expect(error).to.be.instanceOf(api.ConsumerError).and.instanceOf(Error)
      expect(error.retryable).to.be.a('boolean')
      expect(error.message.length).to.be.greaterThan(0)
      expect(String(error)).to.equal(`${type.name}: ${error.message}`)
    })
  }

  it('keeps the cause of an error', () => {
    const cause = new Error('below')
    expect(new api.ServiceError('other', 'x', { retryable: true, cause }).cause).to.equal(cause)
    expect(new api.ProcessorError('s', 'm', 1, cause).cause).to.equal(cause)
    expect(new api.ThrottledError('x', { cause }).cause).to.equal(cause)
  })

  it('has processors that need one method', () => {
    class Minimal extends api.RecordProcessor {
      processRecords(): void {}
    }
    expect(new Minimal()).to.be.instanceOf(api.RecordProcessor)
  })
})
