// A whole worker in virtual time, and what its metrics say of it.
import { expect } from 'chai'
import { silentLogger, Worker } from '../../src/index.ts'
import { resolveOptions } from '../../src/worker/options.ts'
import { WorkerEmitter } from '../../src/worker/worker-emitter.ts'
import { measureWorker } from '../../src/worker/worker-metrics.ts'
import { shardId } from '../support/builders.ts'
import { collectingLogger } from '../support/collecting-logger.ts'
import { CollectingMetrics } from '../support/collecting-metrics.ts'
import { World } from '../support/world.ts'

const MINUTE_MS = 60_000
const [FIRST, SECOND] = [shardId(0), shardId(1)]

/** A call that does not return before it is told to. */
function aHang() {
  const hang = { isOn: false, release: (): void => {} }
  const handler = (): Promise<void> | undefined =>
    hang.isOn
      ? new Promise(resolve => {
          hang.release = resolve
        })
      : undefined
  return { hang, handler }
}

describe('measureWorker', () => {
  it('does nothing at all without metrics: no loop, no watch over the event loop, nobody who sees events', async () => {
    const world = new World({ shards: 0 })
    const options = { streamName: 'orders', applicationName: 'app', handler: () => {} }
    const emitter = new WorkerEmitter(silentLogger)
    emitter.observe = () => {
      throw new Error('observed')
    }
    const unasked = (): never => {
      throw new Error('asked')
    }
    const parts = {
      ...{ clock: world.clock, emitter },
      consumers: {
        get statuses() {
          return unasked()
        }
      },
      buffers: {
        get bufferedBytes() {
          return unasked()
        }
      },
      streams: { label: 'orders' },
      member: {
        get census() {
          return unasked()
        },
        held: unasked
      }
    }
    const ports = { requests: undefined }
    expect(measureWorker(resolveOptions(options, world.random, 0), ports, parts)).to.equal(undefined)
    emitter.emit('session:suspended', {})
    await world.clock.advance(60_000)
    expect([world.clock.sleeping, world.clock.wakes]).to.deep.equal([0, 0])
  })
})

describe('WorkerMetrics', () => {
  it('counts what is read and processed, of each shard and of the worker', async () => {
    const world = new World({ shards: 2 })
    const metrics = new CollectingMetrics('worker', 'shard')
    await world.startWorker({ metrics })
    world.putMany(100)
    await world.untilDelivered()
    await world.clock.advance(20_000)
    const of = (name: string): number[] =>
      ['', ` ${FIRST}`, ` ${SECOND}`].map(key => metrics.counts.get(name + key) ?? 0)
    const [processed = 0, ...byShard] = of('RecordsProcessed')
    expect(processed).to.equal(100)
    expect(byShard.reduce((a, b) => a + b)).to.equal(100)
    expect(of('RecordsRead')).to.deep.equal(of('RecordsProcessed'))
    expect(of('DataBytesProcessed')).to.deep.equal(of('DataBytesRead'))
    expect(metrics.durations.get('RecordProcessor.processRecords.Time')).to.not.equal(undefined)
    expect(metrics.durations.get(`UpdateLease.Time ${FIRST}`)).to.not.equal(undefined)
    expect(metrics.gauges.get('CurrentLeases')).to.equal(2)
    expect(metrics.gauges.get('LeaderDecider:IsLeader')).to.equal(1)
    expect(metrics.gauges.get('NumWorkers')).to.equal(1)
    expect(metrics.gauges.get('TotalLeases')).to.equal(2)
    expect(metrics.counts.get('TakenLeases')).to.equal(2)
    expect(metrics.counts.get('CreatedLeases')).to.equal(2)
    expect(metrics.counts.get('Requests kinesis GetRecords')).to.be.above(20)
    expect(metrics.counts.get('Requests kinesis GetShardIterator')).to.equal(2)
    expect(metrics.durations.get('KinesisDataFetcher.getRecords.Time')).to.not.equal(undefined)
    for (const { application, stream, worker } of metrics.dimensions) {
      expect([application, stream, worker]).to.deep.equal(['app', 'orders', 'w1'])
    }
    await world.stopAll()
  })

  it('has lag that grows by a second each second while a handler hangs, and falls once it returns', async () => {
    const world = new World({ shards: 2 })
    const { hang, handler } = aHang()
    const metrics = new CollectingMetrics('worker', 'shard')
    await world.startWorker({ metrics, handler })
    world.putMany(20)
    await world.untilDelivered()
    await world.clock.advance(MINUTE_MS)
    const names = ['MillisBehindLatest', 'OldestUnsettledAge', 'TimeSinceProgress']
    for (const name of names) expect(metrics.gauges.get(name), name).to.be.below(2_000)
    hang.isOn = true
    world.kinesis.put('orders', 'key-0', '1000')
    const seen: number[][] = []
    for (let i = 0; i < 30; i++) {
      await world.clock.advance(10_000)
      seen.push(names.map(name => metrics.gauges.get(name) ?? 0))
    }
    for (const [index, values] of seen.entries()) {
      for (const [i, value] of values.entries()) {
        expect(value, names[i]).to.be.within(index * 10_000, (index + 1) * 10_000 + 2_000)
        if (index > 1) expect(value - (seen[index - 1]?.[i] ?? 0), names[i]).to.equal(10_000)
      }
    }
    expect(metrics.gauges.get('StalledShards')).to.equal(1)
    const byShard = [FIRST, SECOND].map(shard => metrics.gauges.get(`MillisBehindLatest ${shard}`) ?? 0)
    expect(Math.min(...byShard), 'the other shard goes on').to.be.below(2_000)
    hang.isOn = false
    hang.release()
    await world.clock.advance(20_000)
    for (const name of names) expect(metrics.gauges.get(name), name).to.be.below(2_000)
    expect(metrics.gauges.get('StalledShards')).to.equal(0)
    await world.stopAll()
  })

  it('has lag that grows while Kinesis does not answer', async () => {
    const world = new World({ shards: 1 })
    const metrics = new CollectingMetrics('worker')
    const member = await world.startWorker({ metrics })
    await world.clock.advance(MINUTE_MS)
    member.links.kinesis = 'down'
    await world.clock.advance(2 * MINUTE_MS)
    expect(metrics.gauges.get('MillisBehindLatest')).to.be.within(90_000, 120_000)
    expect(metrics.counts.get('ReadFailures')).to.be.above(5)
    expect(metrics.counts.get('FailedRequests kinesis GetRecords')).to.be.above(5)
    member.links.kinesis = 'up'
    await world.clock.advance(MINUTE_MS)
    expect(metrics.gauges.get('MillisBehindLatest')).to.be.below(2_000)
    await world.stopAll()
  })

  it('has lag that grows while a shard is halted or paused, and counts those', async () => {
    const world = new World({ shards: 1 })
    const metrics = new CollectingMetrics('worker')
    let isPoisoned = true
    const handler = (): void => {
      if (isPoisoned) throw new Error('poison')
    }
    const options = { metrics, handler, onProcessorError: { attempts: 2, backoffMs: 100 } }
    const member = await world.startWorker(options)
    world.put('key')
    await world.clock.advance(5 * MINUTE_MS)
    expect(metrics.gauges.get('HaltedShards')).to.equal(1)
    expect(metrics.gauges.get('MillisBehindLatest')).to.be.above(4.5 * MINUTE_MS)
    expect(metrics.gauges.get('TimeSinceProgress')).to.be.above(4.5 * MINUTE_MS)
    expect(metrics.counts.get('ProcessorFailures')).to.equal(2)
    isPoisoned = false
    member.worker.resume()
    await world.clock.advance(MINUTE_MS)
    expect(metrics.gauges.get('HaltedShards')).to.equal(0)
    expect(metrics.gauges.get('MillisBehindLatest')).to.be.below(2_000)
    member.worker.pause()
    world.put('key')
    await world.clock.advance(5 * MINUTE_MS)
    expect(metrics.gauges.get('PausedShards')).to.equal(1)
    expect(metrics.gauges.get('MillisBehindLatest')).to.be.above(4.5 * MINUTE_MS)
    await world.stopAll()
  })

  it('tells which shards have left, and counts who has them', async () => {
    const world = new World({ shards: 2 })
    const metrics = new CollectingMetrics('shard')
    await world.startWorker({ metrics })
    await world.clock.advance(30_000)
    await world.startWorker()
    await world.clock.advance(2 * MINUTE_MS)
    expect(world.loads()).to.deep.equal([1, 1])
    expect(metrics.counts.get('RevokedLeases')).to.equal(1)
    expect(metrics.counts.get('ReleasedLeases')).to.equal(1)
    expect(metrics.gauges.get('NumWorkers')).to.equal(2)
    expect(metrics.forgotten).to.have.length(1)
    const left = [FIRST, SECOND].filter(shard => !metrics.forgotten.includes(shard))
    expect([...metrics.gauges.keys()].filter(key => key.startsWith('MillisBehindLatest'))).to.deep.equal(
      left.map(shard => `MillisBehindLatest ${shard}`)
    )
    await world.stopAll()
  })

  it('knows the fleet as long as the worker leads it, whoever led before', async () => {
    const world = new World({ shards: 4 })
    const [first, second] = [new CollectingMetrics('worker'), new CollectingMetrics('worker')]
    const names = ['LeaderDecider:IsLeader', 'NumWorkers', 'TotalLeases', 'LeaseSpillover']
    const told = (metrics: CollectingMetrics) => names.map(name => metrics.gauges.get(name))
    const leases = { maxLeases: 3 }
    const leader = await world.startWorker({ metrics: first, leases })
    await world.clock.advance(MINUTE_MS)
    expect(told(first)).to.deep.equal([1, 1, 4, 1])
    await world.startWorker({ metrics: second, leases })
    await world.clock.advance(MINUTE_MS)
    expect(told(first)).to.deep.equal([1, 2, 4, 0])
    expect(told(second)).to.deep.equal([0, 0, 0, 0])
    leader.crash()
    await world.clock.advance(MINUTE_MS)
    expect(told(second)).to.deep.equal([1, 1, 4, 1])
    await world.stopAll()
  })

  it('counts records that are read again and were settled before', async () => {
    const world = new World({ shards: 1 })
    const member = await world.startWorker({})
    world.putMany(5)
    await world.untilDelivered()
    await world.clock.advance(10_000)
    await world.await(member.worker.stop())
    const metrics = new CollectingMetrics('worker')
    await world.startWorker({ metrics })
    await world.clock.advance(MINUTE_MS)
    // Reading begins at the checkpointed record.
    expect(metrics.counts.get('DuplicatesSuppressed')).to.equal(1)
    expect(world.ledger.isComplete).to.equal(true)
    await world.stopAll()
  })

  it('estimates what enhanced fan-out costs, while it is in use, and that polling costs nothing', async () => {
    const world = new World({ shards: 2 })
    const [pushed, polled] = [new CollectingMetrics('worker'), new CollectingMetrics('worker')]
    const member = await world.startWorker({ metrics: pushed, retrieval: { mode: 'fan-out' } })
    await world.clock.advance(60 * MINUTE_MS)
    const hour = pushed.counts.get('EstimatedCost kinesis')
    expect(hour).to.be.closeTo(2 * 0.015, 0.001)
    expect(pushed.counts.get('Requests kinesis SubscribeToShard')).to.be.within(24, 30)
    expect(pushed.counts.get('Requests kinesis RegisterStreamConsumer')).to.equal(1)
    await world.await(member.worker.stop())
    await world.startWorker({ metrics: polled })
    world.putMany(100)
    await world.clock.advance(10 * MINUTE_MS)
    expect(polled.counts.get('EstimatedCost kinesis')).to.equal(0)
    await world.stopAll()
  })

  it('sends every ten seconds, and for the last time before it has stopped', async () => {
    const world = new World({ shards: 1 })
    const metrics = new CollectingMetrics('worker')
    const member = world.makeWorker({ metrics })
    await world.clock.advance(MINUTE_MS)
    expect(metrics.calls, 'nothing before it is started').to.equal(0)
    await world.await(member.worker.start())
    const before = metrics.flushes
    await world.clock.advance(MINUTE_MS)
    expect(metrics.flushes - before).to.be.within(5, 7)
    world.putMany(10)
    await world.untilDelivered()
    const flushes = metrics.flushes
    await world.await(member.worker.stop())
    expect(metrics.flushes).to.equal(flushes + 1)
    expect(metrics.counts.get('RecordsProcessed')).to.equal(10)
    const { calls } = metrics
    await world.clock.advance(5 * MINUTE_MS)
    expect([metrics.flushes, metrics.calls]).to.deep.equal([flushes + 1, calls])
  })

  it('has sent the last values when stop() resolves, but does not wait long for a backend that hangs', async () => {
    for (const [flushMs, isSent] of [
      [500, true],
      [60_000, false]
    ] as const) {
      const world = new World({ shards: 1 })
      const metrics = new CollectingMetrics('worker')
      const member = await world.startWorker({ metrics })
      let sent = 0
      metrics.flush = async () => {
        await world.clock.sleep(flushMs)
        sent += 1
      }
      const beganMs = world.clock.monotonicMs()
      await world.await(member.worker.stop())
      expect(sent > 0).to.equal(isSent)
      expect(world.clock.monotonicMs() - beganMs).to.be.below(10_000)
    }
  })

  it('goes on when the backend throws, and logs that ever more seldom', async () => {
    const world = new World({ shards: 1 })
    const metrics = new CollectingMetrics('worker')
    metrics.trouble = () => {
      throw new Error('no metrics today')
    }
    const logger = collectingLogger()
    const { lines } = logger
    await world.startWorker({ metrics, logger })
    world.putMany(50)
    await world.untilDelivered()
    await world.clock.advance(10 * MINUTE_MS)
    const logged = lines.filter(({ message }) => message === 'metrics could not be reported')
    expect(logged.length).to.be.within(3, 16)
    expect(logged[0]?.level).to.equal('warn')
    await world.stopAll()
  })

  it('does not keep events that nobody listens to from being logged', async () => {
    const world = new World({ shards: 1 })
    const logger = collectingLogger()
    const { lines } = logger
    const handler = (): void => {
      throw new Error('boom')
    }
    const metrics = new CollectingMetrics('worker')
    const worker = new Worker(
      { streamName: 'orders', applicationName: 'app', handler, logger, metrics, onProcessorError: { attempts: 1 } },
      { clock: world.clock, kinesis: world.kinesis.port('orders'), store: world.store, control: world.control }
    )
    await world.await(worker.start())
    await world.clock.advance(10_000)
    world.kinesis.put('orders', 'key', '1')
    await world.clock.advance(10_000)
    expect(lines.filter(({ level }) => level === 'error').map(({ message }) => message)).to.have.length(1)
    await world.await(worker.stop())
  })
})
