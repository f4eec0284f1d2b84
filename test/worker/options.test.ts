import { KinesisClient } from '@aws-sdk/client-kinesis'
import { expect } from 'chai'
import { memoryLeaseStore, OptionError, RecordProcessor, silentLogger, type WorkerOptions } from '../../src/index.ts'
import { otelTracing } from '../../src/metrics/otel-tracing.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { resolveFailures } from '../../src/worker/failure-options.ts'
import { resolveLeases } from '../../src/worker/lease-options.ts'
import { type ResolvedOptions, resolveOptions } from '../../src/worker/options.ts'
import { resolveRetrieval } from '../../src/worker/retrieval-options.ts'
import { CollectingMetrics } from '../support/collecting-metrics.ts'

class Quiet extends RecordProcessor {
  processRecords(): void {}
}

const NOW_MS = Date.parse('2030-01-01T00:00:00Z')
const ARN = 'arn:aws:kinesis:eu-central-1:123456789012:stream/orders'
const GOOD = { streamName: 'orders', applicationName: 'indexer', handler: (): void => {} }

function resolve(options: unknown): ResolvedOptions {
  return resolveOptions(options as WorkerOptions, seededRandom(1), NOW_MS)
}

/** The options with one more at a path such as `leases.durationMs`. */
function withOption(path: string, value: unknown): object {
  const nested = path.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), value)
  return { ...GOOD, ...(nested as object) }
}

function errorOf(options: unknown): OptionError {
  try {
    resolve(options)
  } catch (error) {
    expect(error).to.be.instanceOf(OptionError)
    return error as OptionError
  }
  throw new Error(`Not refused: ${JSON.stringify(options)}`)
}

/** Path, wrong value, how the message shows it, what it says was expected. */
const WRONG: readonly (readonly [string, unknown, string, string])[] = [
  ['streamName', 'a b', '"a b"', '1 to 128'],
  ['streamName', '', '""', '1 to 128'],
  ['streamName', 7, '7', '1 to 128'],
  ['streamName', null, 'null', '1 to 128'],
  ['streamName', ARN, '"arn:aws:kinesis:', 'streamArn'],
  ['streamName', 'x'.repeat(129), '"xxx', '1 to 128'],
  ['applicationName', 'ab', '"ab"', '3 to 255'],
  ['applicationName', undefined, 'is missing', '3 to 255'],
  ['applicationName', 'a/b/c', '"a/b/c"', '3 to 255'],
  ['workerId', '', '""', '1 to 200'],
  ['workerId', 'a/b', '"a/b"', 'without white space or /'],
  ['workerId', 'a b', '"a b"', 'without white space or /'],
  ['workerId', 7, '7', '1 to 200'],
  ['startAt', 'latest', '"latest"', "'LATEST'"],
  ['startAt', 0, '0', 'Date'],
  ['startAt', null, 'null', 'Date'],
  ['startAt', new Date(Number.NaN), 'an invalid Date', 'future'],
  ['startAt', new Date(NOW_MS + 1), '2030-01-01T00:00:00.001Z', 'future'],
  ['retrieval', 'polling', '"polling"', 'an object'],
  ['retrieval', [], 'an array', 'an object'],
  ['retrieval.mode', 'push', '"push"', "'polling' or 'fan-out'"],
  ['leases', null, 'null', 'an object'],
  ['leases.durationMs', 999, '999', '1,000 to 600,000 milliseconds'],
  ['onProcessorError', 5, '5', 'an object'],
  ['onProcessorError.attempts', 0, '0', 'from 1 to 1,000,000, or Infinity'],
  ['deadLetters', 'sqs', '"sqs"', 'a function of letters, or a destination'],
  ['concurrency', 64, '64', 'an object'],
  ['batch', 64, '64', 'an object'],
  ['batch.maxBytes', 1_000_000_000, '1000000000', 'to 33,554,432 bytes'],
  ['watchdog', 64, '64', 'an object'],
  ['watchdog.stallMs', 19_999, '19999', '20,000 to 3,600,000 milliseconds'],
  ['outOfRange', 'drop', '"drop"', "'deliver' or 'drop-record' or 'drop-aggregate'"],
  ['onRecreatedStream', true, 'true', "'refuse' or 'start-over'"],
  ['shardSyncIntervalMs', 999, '999', '1,000 to 3,600,000 milliseconds'],
  ['shardSyncIntervalMs', 3_600_001, '3600001', '1,000 to 3,600,000 milliseconds'],
  ['kinesis', 'us-east-1', '"us-east-1"', 'configuration'],
  ['kinesis', null, 'null', 'configuration'],
  ['dynamodb', [], 'an array', 'configuration'],
  ['dynamodb', () => {}, 'a function', 'configuration'],
  ['logger', {}, 'an object', 'debug, info, warn, error'],
  ['logger', console.log, 'a function', 'a logger'],
  ['handler', 'x', '"x"', 'a function'],
  ['handler', null, 'null', 'a function']
]

describe('resolveOptions', () => {
  for (const [path, value, shown, expected] of WRONG) {
    it(`refuses ${path}: ${shown}, with the name, the value and what was expected`, () => {
      const error = errorOf(withOption(path, value))
      expect(error.option).to.equal(path)
      expect(error.code).to.equal('BAD_OPTION')
      expect(error.message).to.include(path).and.include(shown).and.include(expected)
    })
  }

  for (const path of [
    'beginAt',
    'retrieval.idle',
    'leases.duration',
    'leases.billing.units',
    'onProcessorError.retries'
  ]) {
    it(`refuses the unknown name ${path}, and lists the known ones`, () => {
      const error = errorOf(withOption(path, 5))
      expect(error.option).to.equal(path)
      expect(error.message).to.include('is not known (it is 5); expected one of ').and.not.include('Did you mean')
    })
  }

  for (const [path, meant] of [
    ['startat', 'startAt'],
    ['applicatonName', 'applicationName'],
    ['leases.durationMS', 'durationMs'],
    ['leases.duratoinMs', undefined],
    ['retrieval.idlMs', 'idleMs'],
    ['loger', 'logger'],
    ['handlers', 'handler'],
    ['deadLetter', 'deadLetters'],
    ['eachs', 'each'],
    ['concurency', 'concurrency']
  ] as const) {
    it(`${meant === undefined ? 'has no hint for' : `says ${meant} to`} ${path}`, () => {
      const { message } = errorOf(withOption(path, 5))
      if (meant === undefined) expect(message).to.not.include('Did you mean')
      else expect(message).to.match(new RegExp(`Did you mean ${meant}\\?$`))
    })
  }

  it('takes metrics and tracing that have the methods of theirs', () => {
    const [metrics, tracing] = [new CollectingMetrics('worker'), otelTracing()]
    expect(resolve({ ...GOOD, metrics, tracing })).to.include({ metrics, tracing })
    expect(errorOf({ ...GOOD, metrics: { count: () => {} } }).message).to.match(
      /metrics.*expected metrics, such as emfMetrics\(…\) \(without a method: gauge, time\)/
    )
    expect(errorOf({ ...GOOD, tracing: 'otel' }).message).to.match(/tracing.*expected tracing, such as otelTracing\(\)/)
  })

  it('refuses options that are no object', () => {
    for (const options of [undefined, null, 'orders', [], 7]) expect(errorOf(options).option).to.equal('options')
  })

  it('takes one of streamName and streamArn', () => {
    const { streamName: _, ...without } = GOOD
    expect(errorOf(without).option).to.equal('streamName')
    expect(errorOf({ ...GOOD, streamArn: ARN }).message).to.include('expected one of the two')
    expect(errorOf({ ...without, streamArn: 'orders' }).option).to.equal('streamArn')
    expect(errorOf({ ...without, streamArn: ARN.replace(':stream/', ':table/') }).option).to.equal('streamArn')
    expect(resolve({ ...without, streamArn: ARN }).stream).to.deep.equal({ streamArn: ARN })
    const china = ARN.replace('arn:aws:', 'arn:aws-cn:')
    expect(resolve({ ...without, streamArn: china }).stream).to.deep.equal({ streamArn: china })
  })

  it('fills in the defaults', () => {
    const { userCode: _, logger: __, workerId, ...rest } = resolve(GOOD)
    expect(workerId).to.match(new RegExp(`-${process.pid}-[a-z0-9]{6}$`))
    expect(rest).to.deep.equal({
      decoding: undefined,
      metrics: undefined,
      tracing: undefined,
      stream: { streamName: 'orders' },
      streams: undefined,
      source: undefined,
      applicationName: 'indexer',
      startAt: 'LATEST',
      retrieval: resolveRetrieval(undefined, 'indexer'),
      leases: resolveLeases(undefined, 'indexer'),
      ...resolveFailures({}, silentLogger),
      stallMs: 60_000,
      concurrency: undefined,
      batch: undefined,
      outOfRange: 'deliver',
      onRecreatedStream: 'refuse',
      shardSyncIntervalMs: 60_000,
      kinesis: undefined,
      dynamodb: undefined
    })
  })

  it('keeps what is given, at both ends of every range', () => {
    const store = memoryLeaseStore()
    const kinesis = new KinesisClient({ region: 'us-east-1' })
    const since = new Date(NOW_MS)
    const lines: string[] = []
    const loud = { ...silentLogger, warn: (_: object, message: string) => void lines.push(message) }
    const resolved = resolve({
      ...GOOD,
      workerId: 'w',
      startAt: since,
      retrieval: {
        mode: 'polling',
        maxRecords: 1,
        idleMs: 200,
        requestTimeoutMs: 120_000,
        maxBufferedBytes: 2_097_152
      },
      batch: { maxBytes: 2_097_152, windowMs: 300_000 },
      watchdog: { stallMs: 3_600_000 },
      leases: { store, durationMs: 600_000 },
      // biome-ignore lint/suspicious/noThenProperty: that is the name of the option
      onProcessorError: { attempts: Number.POSITIVE_INFINITY, backoffMs: 0, maxBackoffMs: 0, then: 'stop' },
      kinesis,
      dynamodb: { region: 'eu-west-1' },
      logger: loud
    })
    expect(resolved.workerId).to.equal('w')
    expect(resolved.startAt).to.deep.equal(since)
    expect(resolved.retrieval).to.include({ maxRecords: 1, idleMs: 200, requestTimeoutMs: 120_000 })
    expect(resolved.leases).to.deep.equal(resolveLeases({ store, durationMs: 600_000 }, 'indexer'))
    expect(resolved.failurePolicy).to.deep.include({ attempts: Number.POSITIVE_INFINITY, lastResort: 'stop' })
    expect(resolved.batch).to.include({ maxBytes: 2_097_152, windowMs: 300_000 })
    expect(resolved.stallMs).to.equal(3_600_000)
    expect(resolved.kinesis).to.equal(kinesis)
    resolved.logger.warn({}, 'a line')
    expect(lines).to.deep.equal(['a line'])
    kinesis.destroy()
  })

  it('shows no more of a value than fits, and nothing of what is in objects', () => {
    expect(errorOf(withOption('startAt', 'x'.repeat(500))).message.length).to.be.lessThan(250)
    expect(errorOf(withOption('leases.store', { secret: 'hunter2' })).message).to.not.include('hunter2')
  })
})

describe('WorkerOptions', () => {
  it('does not compile with both or neither of handler and processor, or of streamName and streamArn', () => {
    const application = { applicationName: 'indexer' }
    const handler = (): void => {}
    const processor = (): RecordProcessor => new Quiet()
    const good: WorkerOptions[] = [
      { ...application, streamName: 'orders', handler },
      { ...application, streamArn: ARN, processor }
    ]
    const bad: WorkerOptions[] = [
      // @ts-expect-error: both handler and processor
      { ...application, streamName: 'orders', handler, processor },
      // @ts-expect-error: neither handler nor processor
      { ...application, streamName: 'orders' },
      // @ts-expect-error: both streamName and streamArn
      { ...application, streamName: 'orders', streamArn: ARN, handler },
      // @ts-expect-error: neither streamName nor streamArn
      { ...application, handler },
      // @ts-expect-error: a class is no factory
      { ...application, streamName: 'orders', processor: Quiet },
      // @ts-expect-error: a mode that does not exist
      { ...application, streamName: 'orders', handler, retrieval: { mode: 'push' } },
      // @ts-expect-error: a consumer to poll with
      { ...application, streamName: 'orders', handler, retrieval: { consumerName: 'counter' } }
    ]
    for (const options of good) expect(() => resolve(options)).to.not.throw()
    for (const options of bad) expect(() => resolve(options)).to.throw(OptionError)
  })
})
