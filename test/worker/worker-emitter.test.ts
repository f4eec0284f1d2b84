import { expect } from 'chai'
import { OptionError, ProcessorError, RecordProcessor, ServiceError, type WorkerEvents } from '../../src/index.ts'
import { DeadLetterError } from '../../src/model/errors.ts'
import { WORKER_EVENT_NAMES } from '../../src/worker/events.ts'
import { WorkerEmitter } from '../../src/worker/worker-emitter.ts'
import { collectingLogger } from '../support/collecting-logger.ts'
import { unhandledRejectionsOf } from '../support/rejections.ts'
import { STREAM, World } from '../support/world.ts'

const STARTED = { workerId: 'w', session: 'w/1', streamName: 'orders', tableName: 'app' }
const SHARD = { leaseKey: 'shardId-000000000000', shardId: 'shardId-000000000000', streamName: 'orders' }
const GIVEN_UP = { records: 1, error: new Error('broken'), first: '7', last: '7' }
const STALL = { waitingFor: 'answer', forMs: 60_000 }
const FAILURE = new ServiceError('other', 'broken', { retryable: true })

function anEmitter() {
  const logger = collectingLogger()
  return { logger, emitter: new WorkerEmitter(logger), heard: [] as unknown[] }
}

/** What was logged above debug. */
function warnings(logger: ReturnType<typeof collectingLogger>): string[] {
  return logger.lines.filter(({ level }) => level !== 'debug').map(({ level, message }) => `${level}: ${message}`)
}

describe('WorkerEmitter', () => {
  it('tells every listener, in the order in which they came', () => {
    const { emitter, heard } = anEmitter()
    emitter.on('worker:started', event => heard.push(['first', event]))
    emitter.on('worker:started', event => heard.push(['second', event]))
    emitter.on('worker:stopping', () => heard.push('never'))
    emitter.emit('worker:started', STARTED)
    expect(heard).to.deep.equal([
      ['first', STARTED],
      ['second', STARTED]
    ])
  })

  it('tells a listener of once one time, and of off no more', () => {
    const { emitter, heard } = anEmitter()
    const twice = (): void => void heard.push('twice')
    const once = (): void => void heard.push('once')
    const never = (): void => void heard.push('never')
    emitter.on('worker:started', twice)
    emitter.once('worker:started', once)
    emitter.on('worker:started', never)
    emitter.off('worker:started', never)
    emitter.once('worker:started', never)
    emitter.off('worker:started', never)
    emitter.emit('worker:started', STARTED)
    emitter.emit('worker:started', STARTED)
    emitter.off('worker:started', twice)
    emitter.emit('worker:started', STARTED)
    expect(heard).to.deep.equal(['twice', 'once', 'twice'])
  })

  it('lets no exception of a listener through, nor keeps the others from hearing', () => {
    const { emitter, heard, logger } = anEmitter()
    const broken = (): never => {
      throw new Error('listener')
    }
    emitter.on('worker:started', broken)
    emitter.on('worker:stopped', broken)
    emitter.on('worker:started', () => heard.push('heard'))
    emitter.emit('worker:started', STARTED)
    emitter.emit('worker:stopped', { workerId: 'w', abandoned: [] })
    expect(heard).to.deep.equal(['heard'])
    const threw = logger.lines.filter(({ message }) => message === 'a listener threw')
    expect(threw.map(({ level, fields }) => [level, fields.event])).to.deep.equal([
      ['error', 'worker:started'],
      ['error', 'worker:stopped']
    ])
  })

  it('logs the rejection of a listener that is async', async () => {
    const { emitter, logger } = anEmitter()
    // biome-ignore lint/nursery/noMisusedPromises: that is what users do
    emitter.on('worker:started', async () => {
      throw new Error('later')
    })
    const rejections = await unhandledRejectionsOf(() => emitter.emit('worker:started', STARTED))
    expect(rejections).to.deep.equal([])
    expect(warnings(logger)).to.deep.equal(['error: a listener threw'])
  })

  it('refuses an event that does not exist, and a listener that is no function, by name', () => {
    const { emitter } = anEmitter()
    const names = ['on', 'once', 'off'] as const
    for (const name of names) {
      expect(() => emitter[name]('lease:takn' as 'lease:taken', () => {}))
        .to.throw(OptionError, '"lease:takn"')
        .with.property('message')
        .that.includes('lease:taken')
      expect(() => emitter[name]('lease:taken', 'listener' as never)).to.throw(OptionError, 'expected a function')
    }
    for (const name of WORKER_EVENT_NAMES) expect(() => emitter.on(name, () => {})).to.not.throw()
  })

  it('writes a debug line for every event, heard or not', () => {
    const { emitter, logger } = anEmitter()
    emitter.emit('worker:started', STARTED)
    expect(logger.lines).to.deep.equal([
      { level: 'debug', fields: { event: 'worker:started', ...STARTED }, message: 'event' }
    ])
  })

  it('logs an error that nobody listens to, and leaves it to listeners otherwise', () => {
    const { emitter, logger } = anEmitter()
    emitter.emit('error', { error: FAILURE, during: 'renew a lease' })
    expect(warnings(logger)).to.deep.equal(['warn: something failed in the background'])
    const fatal = new ServiceError('not-found', 'gone', { retryable: false })
    emitter.emit('error', { error: fatal, during: 'compare shards with leases' })
    expect(warnings(logger)[1]).to.equal('error: something failed in the background')
    emitter.on('error', () => {})
    emitter.emit('error', { error: FAILURE, during: 'renew a lease' })
    expect(warnings(logger)).to.have.length(2)
  })

  const error = new ProcessorError(SHARD.shardId, 'processRecords', 1, new Error('broken'))
  const troubles: readonly (readonly [string, keyof WorkerEvents, object, string | undefined])[] = [
    ['a halted shard', 'shard:halted', { ...SHARD, error, lastResort: 'halt' }, 'error'],
    ['a failing processor', 'processor:failed', { ...SHARD, error, attempt: 1, retryInMs: 5, action: 'retry' }, 'warn'],
    ['records that are given up', 'records:given-up', { ...SHARD, ...GIVEN_UP, how: 'dead-letter' }, 'warn'],
    ['records that are skipped', 'records:given-up', { ...SHARD, ...GIVEN_UP, how: 'skip' }, 'warn'],
    ['a destination that fails', 'dead-letter:failed', { ...SHARD, error, retryInMs: 5 }, 'warn'],
    ['a shard that stands still', 'shard:stalled', { ...SHARD, ...STALL, action: 'report' }, 'warn'],
    ['a shard that is read anew', 'shard:stalled', { ...SHARD, ...STALL, action: 'restart' }, 'warn'],
    ['a shard that is given up', 'shard:stalled', { ...SHARD, ...STALL, action: 'release' }, 'error'],
    ['a shard that goes on', 'shard:progressed', SHARD, undefined],
    ['a pause', 'shard:paused', SHARD, undefined],
    ['its end', 'shard:resumed', SHARD, undefined],
    ['a breaker that opens', 'breaker:changed', { state: 'open', failures: 5, error, openMs: 30_000 }, 'warn'],
    ['a breaker that closes', 'breaker:changed', { state: 'closed', failures: 0 }, undefined],
    [
      'a shard that is given back',
      'shard:failed',
      { ...SHARD, during: 'read', error, retryInMs: undefined, failures: 1 },
      'warn'
    ],
    [
      'a read that is tried again',
      'shard:failed',
      { ...SHARD, during: 'read', error, retryInMs: 5, failures: 7 },
      undefined
    ],
    [
      'a read that fails and fails',
      'shard:failed',
      { ...SHARD, during: 'read', error, retryInMs: 5, failures: 16 },
      'warn'
    ],
    ['a row that cannot be read', 'lease:row-skipped', { key: 'x', problem: 'y' }, 'warn'],
    ['a stream that was created again', 'stream:recreated', { creationEpoch: 1, removed: [] }, 'warn'],
    ['a processor left behind', 'worker:stopped', { workerId: 'w', abandoned: ['x'] }, 'warn'],
    ['a stop in good order', 'worker:stopped', { workerId: 'w', abandoned: [] }, undefined],
    ['a lost lease', 'lease:lost', { ...SHARD, because: 'x' }, 'warn'],
    ['leases that nobody comes for', 'lease:neglected', { leaseKeys: ['x'] }, 'warn'],
    ['that there are none of them any more', 'lease:neglected', { leaseKeys: [] }, undefined],
    ['a lease that was released', 'lease:released', SHARD, undefined],
    ['a lease that is to be given up', 'lease:revoked', SHARD, undefined],
    ['an event loop that stood still', 'worker:stalled', { forMs: 5_000 }, 'warn'],
    ['a session that is suspended', 'session:suspended', {}, 'warn'],
    ['a session that goes on', 'session:resumed', { afterMs: 5 }, undefined],
    ['a session that is dead', 'session:died', { session: 'w/1', how: 'silent' }, 'warn'],
    ['another member that is dead', 'fleet:member-died', { session: 'x/1', how: 'silent' }, undefined],
    ['workers of another kind', 'fleet:foreigners-found', { workers: ['java'] }, 'warn']
  ]
  for (const [what, name, event, level] of troubles) {
    it(`${level === undefined ? 'does not log' : `logs as ${level}`} ${what} that nobody listens to`, () => {
      const { emitter, logger } = anEmitter()
      emitter.emit(name, event as never)
      const levels = logger.lines.filter(line => line.level !== 'debug').map(line => line.level)
      expect(levels).to.deep.equal(level === undefined ? [] : [level])
      emitter.on(name, () => {})
      emitter.emit(name, event as never)
      expect(logger.lines.filter(line => line.level !== 'debug')).to.have.length(levels.length)
    })
  }
})

describe('the log line of a halted shard', () => {
  const processor = new ProcessorError(SHARD.shardId, 'processRecords', 10, new Error('broken'))
  for (const [error, lastResort, message] of [
    [processor, 'halt', 'a processor failed for good, nothing was skipped: its shard is halted'],
    [processor, 'stop', 'a processor failed for good, nothing was skipped: the worker stops'],
    [
      new DeadLetterError('a shelf', new Error('full')),
      'halt',
      'dead letters could not be stored, nothing was skipped: its shard is halted'
    ]
  ] as const) {
    it(`says: ${message}`, () => {
      const { emitter, logger } = anEmitter()
      emitter.emit('shard:halted', { ...SHARD, error, lastResort })
      expect(warnings(logger)).to.deep.equal([`error: ${message}`])
    })
  }
})

describe('the log', () => {
  const SECRET = 'swordfish'

  it('never has payload in it, whatever fails', async () => {
    const world = new World({ shards: 2, seed: 5 })
    const logger = collectingLogger()
    for (let i = 0; i < 20; i++) world.kinesis.put(STREAM, `key-${i}`, `${SECRET}-${i}`)
    class Failing extends RecordProcessor {
      #calls = 0
      processRecords({ records }: { records: readonly { text(): string }[] }): void {
        expect(records[0]?.text()).to.include(SECRET)
        this.#calls += 1
        if (this.#calls < 3) throw new Error('cannot be processed')
      }
    }
    const member = world.makeWorker({ logger, onProcessorError: { backoffMs: 10 }, processor: () => new Failing() })
    await world.await(member.worker.start())
    world.failureRate = 0.3
    await world.clock.advance(60_000)
    for (const row of (await world.store.list()).leases) await world.store.remove(row)
    await world.clock.advance(60_000)
    await world.stopAll()
    expect(member.events('processor:failed').length).to.be.greaterThan(1)
    expect(logger.lines.length).to.be.greaterThan(50)
    expect(logger.text()).to.not.include(SECRET)
  })

  it('has no payload in it when json() of a record fails', async () => {
    const world = new World()
    const logger = collectingLogger()
    world.kinesis.put(STREAM, 'key', `${SECRET} is no JSON`)
    await world.startWorker({
      logger,
      onProcessorError: { attempts: 1 },
      processor: () =>
        new (class extends RecordProcessor {
          processRecords({ records }: { records: readonly { json(): unknown }[] }): void {
            for (const record of records) record.json()
          }
        })()
    })
    await world.clock.advance(5_000)
    await world.stopAll()
    expect(logger.text()).to.include('processor:failed')
    expect(logger.text()).to.not.include(SECRET)
  })
})
