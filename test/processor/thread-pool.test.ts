import { expect } from 'chai'
import {
  CheckpointRefusedError,
  LeaseLostError,
  OptionError,
  ProcessorGoneError,
  ServiceError,
  WorkerStoppedError
} from '../../src/model/errors.ts'
import { NAMES } from '../support/builders.ts'
import { Asked, aBatch, aCall, anInitialization, failureOf, ThreadWorld } from './thread-world.ts'

const LARGE = 'x'.repeat(200_000)

describe('ThreadPool', function () {
  this.timeout(60_000)
  let world: ThreadWorld
  before(() => {
    world = new ThreadWorld({ data: { table: 'counts' } })
  })
  after(() => world.close())

  it('hands a batch to the processor in the thread as it is, with everything that is said beside it', async () => {
    const pendingCheckpoint = { position: { sequenceNumber: '9', subSequenceNumber: 2 }, state: Buffer.from('s') }
    const processor = await world.begun('shard', { checkpoint: '8', subSequenceNumber: 3, pendingCheckpoint })
    const call = aCall(aBatch('report', 'b', '').records, { millisBehindLatest: 42 })
    await processor.processRecords(call)
    const [report] = call.checkpointer.reports
    expect(report).to.deep.include({ shardId: 'shard', failures: 0, millisBehindLatest: 42, isAborted: false })
    expect(
      report?.seen.map(({ data, partitionKey, sequenceNumber }) => [data, partitionKey, sequenceNumber])
    ).to.deep.equal([
      ['report', 'key-0', '1'],
      ['b', 'key-1', '2'],
      ['', 'key-2', '3']
    ])
    expect([report?.data, report?.workerData]).to.deep.equal([{ table: 'counts' }, { table: 'counts' }])
    expect(report?.told).to.deep.include({ shardId: 'shard', checkpoint: '8', subSequenceNumber: 3 })
    expect(report?.threadId).to.be.greaterThan(0)
    processor.close()
  })

  it('transfers memory that is the batch alone, and copies out of all other', async () => {
    const processor = await world.begun()
    const mine = aBatch('report', LARGE)
    processor.takeFrom(mine.read, mine.records)
    const first = aCall(mine.records)
    await processor.processRecords(first)
    processor.letGo()
    expect(mine.records.map(({ data }) => [data.length, data.buffer.byteLength])).to.deep.equal([
      [0, 0],
      [0, 0]
    ])
    const shared = aBatch('report', LARGE, 'of somebody else')
    processor.takeFrom(shared.read.slice(0, 2), shared.records.slice(0, 2))
    const second = aCall(shared.records.slice(0, 2))
    await processor.processRecords(second)
    expect(shared.read[2]?.data.length).to.equal(16)
    for (const { checkpointer } of [first, second])
      expect(checkpointer.reports[0]?.seen.map(({ data }) => data)).to.deep.equal(['report', LARGE])
    processor.close()
  })

  it('has a batch processed again that was transferred, whole or in part, and sees why it failed', async () => {
    const processor = await world.begun()
    const { records, read } = aBatch('throw at first', LARGE, 'c')
    processor.takeFrom(read, records)
    const error = await failureOf(processor.processRecords(aCall(records)))
    expect(error).to.be.instanceOf(TypeError).with.property('cause').that.is.instanceOf(RangeError)
    expect(error).to.deep.include({ message: 'not yet', code: 'E_TEST' })
    expect(error.stack).to.match(/thread-processor\.ts/)
    const again = aCall(records.slice(), { failures: 1 })
    await processor.processRecords(again)
    expect(again.checkpointer.reports[0]?.seen.map(({ data }) => data)).to.deep.equal(['throw at first', LARGE, 'c'])
    const partly = aBatch('checkpoint one, then throw', 'report', 'c')
    processor.takeFrom(partly.read, partly.records)
    await failureOf(processor.processRecords(aCall(partly.records)))
    const rest = aCall(partly.records.slice(1), { failures: 1 })
    await processor.processRecords(rest)
    expect(rest.checkpointer.reports[0]?.seen.map(({ data }) => data)).to.deep.equal(['report', 'c'])
    processor.close()
  })

  it('has any part of a batch processed that was transferred, also before all of it was', async () => {
    const processor = await world.begun()
    const { records, read } = aBatch('report', LARGE, 'report', 'd', 'report', 'f')
    processor.takeFrom(read, records)
    for (const places of [[0, 1], [2, 3], [4], [0, 2, 5], [0, 1, 2, 3, 4, 5]]) {
      const call = aCall(places.map(place => records[place] as (typeof records)[0]))
      await processor.processRecords(call)
      const numbers = call.checkpointer.reports[0]?.seen.map(({ sequenceNumber }) => Number(sequenceNumber) - 1)
      expect(numbers).to.deep.equal(places)
    }
    processor.close()
  })

  it('gives records back that were transferred, and leaves them in the thread', async () => {
    const processor = await world.begun()
    const { records, read } = aBatch('report', LARGE, 'c')
    processor.takeFrom(read, records)
    expect(await processor.recover(records)).to.equal(records)
    await processor.processRecords(aCall(records))
    const [second, third] = await processor.recover(records.slice(1))
    expect([second?.text(), third?.text(), third?.partitionKey]).to.deep.equal([LARGE, 'c', 'key-2'])
    const again = aCall(records)
    await processor.processRecords(again)
    expect(again.checkpointer.reports[0]?.seen.map(({ data }) => data)).to.deep.equal(['report', LARGE, 'c'])
    processor.letGo()
    processor.close()
  })

  it('passes on what a call has settled, and what it names as failed', async () => {
    const processor = await world.begun()
    const settling = aCall(aBatch('settle the second and the last, then throw', 'b', 'c', 'd').records)
    await failureOf(processor.processRecords(settling))
    expect(settling.checkpointer.settled).to.deep.equal(['2', '4'])
    const odd = await failureOf(processor.processRecords(aCall(aBatch('settle another one').records)))
    expect(odd).to.be.instanceOf(OptionError)
    expect(odd.message).to.equal('Option settle: names 77#7, expected a record of this call')
    const failed = await processor.processRecords(aCall(aBatch('name the second', 'b').records))
    expect(failed).to.deep.equal({ failed: [{ sequenceNumber: '2', subSequenceNumber: 0 }] })
    const number = await failureOf(processor.processRecords(aCall(aBatch('name a number').records)))
    expect(number.message).to.match(/^Option failed: in the result of the handler is not iterable/)
    processor.close()
  })

  it('refuses to send a batch for new that was transferred and let go of', async () => {
    const processor = await world.begun()
    const { records, read } = aBatch('report', LARGE)
    processor.takeFrom(read, records)
    await processor.processRecords(aCall(records))
    processor.letGo()
    expect((await failureOf(processor.processRecords(aCall(records)))).message).to.match(/sent once more.*a bug/)
    processor.close()
  })

  it('grants checkpoints as the checkpointer of the call does', async () => {
    const processor = await world.begun()
    const bare = aCall(aBatch('checkpoint').records)
    await processor.processRecords(bare)
    expect(bare.checkpointer.checkpoints).to.deep.equal([undefined])
    const prepared = aCall(aBatch('prepare, then make').records)
    await processor.processRecords(prepared)
    expect(prepared.checkpointer.made).to.deep.equal(['state'])
    const kept = aCall(aBatch('keep the checkpointer').records)
    await processor.processRecords(kept)
    await processor.processRecords(aCall(aBatch('use the one that was kept').records))
    expect(kept.checkpointer.checkpoints).to.deep.equal([undefined])
    const last = aCall([])
    await processor.shutdownRequested(last)
    await processor.shardEnded(last)
    expect(last.checkpointer.checkpoints).to.deep.equal([undefined, undefined])
    processor.close()
  })

  for (const refusal of [
    new LeaseLostError('shard', 'somebody else has it'),
    new CheckpointRefusedError('behind', 'It is behind'),
    new ServiceError('timeout', 'No answer', { retryable: true })
  ]) {
    it(`passes ${refusal.name} on to the thread and back, with its class and its fields`, async () => {
      const processor = await world.begun()
      const call = aCall(aBatch('checkpoint and say what comes of it').records, { checkpointer: new Asked(refusal) })
      const error = await failureOf(processor.processRecords(call))
      expect(call.checkpointer.reports[0]).to.deep.include({
        is: [refusal instanceof LeaseLostError, refusal instanceof CheckpointRefusedError],
        code: refusal.code,
        message: refusal.message
      })
      expect(error).to.be.instanceOf(refusal.constructor)
      expect({ ...error }).to.deep.equal({ ...refusal })
      processor.close()
    })
  }

  for (const how of ['compute until the signal aborts', 'compute until it throws', 'wait until the signal aborts']) {
    it(`lets the main thread go on meanwhile, and has a call see at once that its signal aborts: ${how}`, async () => {
      const processor = await world.begun()
      const aborting = new AbortController()
      const call = processor.processRecords(aCall(aBatch(how).records, { signal: aborting.signal }))
      await new Promise(resolve => setImmediate(resolve))
      aborting.abort(new LeaseLostError('shard', 'it ran out'))
      expect(await failureOf(call))
        .to.be.instanceOf(LeaseLostError)
        .with.property('leaseKey', 'shard')
      processor.close()
    })
  }

  it('mirrors the signal of initialize for as long as the processor lives, and one that has aborted before', async () => {
    const over = new AbortController()
    const processor = await world.begun('shard', { signal: over.signal })
    const call = processor.processRecords(aCall(aBatch('wait until the signal of initialize aborts').records))
    over.abort()
    await call
    const late = aCall(aBatch('report').records, { signal: AbortSignal.abort() })
    await processor.processRecords(late)
    expect(late.checkpointer.reports[0]).to.have.property('isAborted', true)
    processor.close()
  })

  it('tells the processor that the lease is lost, and passes on what that throws', async () => {
    const processor = await world.begun('shard-7')
    expect(await failureOf(processor.leaseLost({ shardId: 'shard-7', ...NAMES }))).to.have.property(
      'message',
      'shard-7 was told'
    )
    processor.close()
    expect(world.deaths).to.deep.equal([])
  })
})

describe('ThreadPool, as threads begin and end', function () {
  this.timeout(60_000)
  let world: ThreadWorld
  const threadOf = async (processor: Awaited<ReturnType<ThreadWorld['begun']>>): Promise<number | undefined> => {
    const call = aCall(aBatch('report').records)
    await processor.processRecords(call)
    return call.checkpointer.reports[0]?.threadId
  }
  afterEach(() => world.close())

  it('starts a thread for each processor until there are enough, then fills the one with the fewest', async () => {
    world = new ThreadWorld({ count: 2 })
    const processors = []
    for (const shardId of ['a', 'b', 'c', 'd']) processors.push(await world.begun(shardId))
    const [a, b, c, d] = await Promise.all(processors.map(threadOf))
    expect([a === b, new Set([a, b, c, d]).size, a === c, b === d]).to.deep.equal([false, 2, true, true])
    processors[1]?.close()
    processors[3]?.close()
    expect(await threadOf(await world.begun('e'))).to.equal(b)
  })

  it('fails what lived in a thread that ended, lets it begin again elsewhere, and keeps it apart from the others', async () => {
    world = new ThreadWorld({ count: 2 })
    const [a, , c] = [await world.begun('a'), await world.begun('b'), await world.begun('c')]
    const waiting = failureOf(c.processRecords(aCall(aBatch('never return').records, { shardId: 'c' })))
    const error = await failureOf(a.processRecords(aCall(aBatch('exit').records, { shardId: 'a' })))
    expect(error).to.be.instanceOf(ProcessorGoneError)
    expect(error).to.deep.include({ shardId: 'a', code: 'PROCESSOR_GONE', retryable: true })
    expect(error.message).to.equal('The processor of a is gone: it ended on its own, with exit code 3')
    expect(await waiting)
      .to.be.instanceOf(ProcessorGoneError)
      .with.property('shardId', 'c')
    expect(await failureOf(c.shutdownRequested(aCall([], { shardId: 'c' })))).to.be.instanceOf(ProcessorGoneError)
    await c.leaseLost({ shardId: 'c', ...NAMES })
    expect(world.deaths.map(({ shardIds }) => shardIds)).to.deep.equal([['a', 'c']])
    const [first, second] = [await world.begun('a'), await world.begun('c')]
    expect(await threadOf(first)).to.not.equal(await threadOf(second))
  })

  it('says so when an error was caught by nobody, and lets the same processor begin again', async () => {
    world = new ThreadWorld()
    const processor = await world.begun()
    const uncaught = await failureOf(processor.processRecords(aCall(aBatch('throw where nobody catches').records)))
    expect(uncaught.message).to.match(/it threw an error that nobody caught: nobody catches this$/)
    expect(uncaught.cause).to.be.instanceOf(RangeError)
    await processor.initialize(anInitialization('shard'))
    expect(await threadOf(processor)).to.be.greaterThan(0)
  })

  it('says so when a thread runs out of memory', async () => {
    world = new ThreadWorld({ maxHeapMb: 32 })
    const processor = await world.begun()
    const error = await failureOf(processor.processRecords(aCall(aBatch('eat memory').records)))
    expect(error.message).to.match(/it ran out of memory; option threads\.maxHeapMb/)
  })

  for (const [what, source, problem] of [
    ['cannot be loaded', 'syntax error', /which cannot be loaded: /],
    [
      'exports nothing of use',
      'export const handle = () => {}',
      /exports neither a handler nor a processor, expected one/
    ]
  ] as const) {
    it(`refuses a module that ${what}`, async () => {
      world = new ThreadWorld({ module: new URL(`data:text/javascript,${encodeURIComponent(source)}`) })
      const error = await failureOf(world.begun())
      expect(error).to.be.instanceOf(OptionError).with.property('option', 'threads.module')
      expect(error.message).to.match(problem)
    })
  }

  it('has a processor load and save positions of its own, if it does that, and says if it keeps nothing', async () => {
    world = new ThreadWorld({ data: 'keeps positions' })
    const processor = await world.begun()
    const of = { shardId: 'shard', ...NAMES, signal: new AbortController().signal }
    const position = { sequenceNumber: '9', subSequenceNumber: 0 }
    const load = (fencingToken: number) => processor.loadCheckpoint?.({ ...of, fencingToken, checkpoint: position })
    expect([await load(5), processor.keepsNothing]).to.deep.equal([undefined, false])
    await processor.saveCheckpoint?.({ ...of, fencingToken: 6, position, previous: undefined })
    expect(await load(5)).to.deep.equal({ sequenceNumber: '9', subSequenceNumber: 6 })
    expect(await failureOf(Promise.resolve(load(0)))).to.be.instanceOf(LeaseLostError)
    const simple = new ThreadWorld({ module: new URL('../support/thread-processor-handler.mjs', import.meta.url) })
    const handler = await simple.begun()
    expect([handler.keepsNothing, handler.loadCheckpoint, handler.saveCheckpoint]).to.deep.equal([
      true,
      undefined,
      undefined
    ])
    await simple.close()
  })

  it('serves a handler, and leaves the checkpoints of what it returns from to the worker', async () => {
    world = new ThreadWorld({ module: new URL('../support/thread-processor-handler.mjs', import.meta.url) })
    const processor = await world.begun()
    const call = aCall(aBatch('a').records)
    await processor.processRecords(call)
    expect(call.checkpointer.checkpoints).to.deep.equal([])
  })

  it('ends its threads whatever they are at, and begins nothing any more', async () => {
    world = new ThreadWorld()
    const processor = await world.begun()
    const call = failureOf(processor.processRecords(aCall(aBatch('compute for ever').records)))
    await world.close()
    expect(await call)
      .to.be.instanceOf(ProcessorGoneError)
      .with.property('message')
      .that.matches(/worker has stopped/)
    expect(await failureOf(world.begun())).to.be.instanceOf(WorkerStoppedError)
    expect(world.deaths).to.deep.equal([])
  })
})
