import { expect } from 'chai'
import { OptionError } from '../../src/model/errors.ts'
import { type ProcessRecordsInput, RecordProcessor } from '../../src/processor/record-processor.ts'
import { simulate } from '../../src/testing/simulation.ts'
import type { WorkerOptions } from '../../src/worker/options.ts'

const OPTIONS = { streamName: 'orders', applicationName: 'app', startAt: 'TRIM_HORIZON' } as const
const HANDLING: WorkerOptions = { ...OPTIONS, handler: () => {} }

function aWorld(records = 10) {
  const world = simulate()
  world.kinesis.createStream('orders')
  for (let index = 0; index < records; index++) world.kinesis.put('orders', 'key', String(index))
  return world
}

describe('SimulatedWorker', () => {
  it('has a name that is its worker id, unless the options say another', async () => {
    const world = aWorld()
    const workers = [
      world.launch(HANDLING),
      world.launch(HANDLING, { name: 'alice' }),
      world.launch({ ...HANDLING, workerId: 'same' })
    ]
    expect(workers.map(({ name, worker }) => [name, worker.workerId])).to.deep.equal([
      ['w1', 'w1'],
      ['alice', 'alice'],
      ['w3', 'same']
    ])
    expect(() => world.launch(HANDLING, { name: 'alice' })).to.throw(RangeError, 'alice')
  })

  it('runs processors as well as handlers', async () => {
    const seen: string[] = []
    class Collector extends RecordProcessor {
      async processRecords({ records, checkpointer }: ProcessRecordsInput): Promise<void> {
        seen.push(...records.map(record => record.text()))
        await checkpointer.checkpoint()
      }
    }
    const world = aWorld()
    const worker = await world.start({ ...OPTIONS, processor: () => new Collector() })
    await world.untilProcessed()
    await world.stop(worker)
    expect(seen).to.have.length(10)
    world.assertSound()
  })

  it('leaves it to the worker to refuse options', () => {
    const world = aWorld()
    expect(() => world.launch({ ...OPTIONS } as WorkerOptions)).to.throw(OptionError, 'processor')
    const both = {
      ...HANDLING,
      processor: () =>
        new (class extends RecordProcessor {
          processRecords(): void {}
        })()
    }
    expect(() => world.launch(both as unknown as WorkerOptions)).to.throw(OptionError, 'handler')
  })

  it('keeps its events, with the time and whose they are', async () => {
    const world = aWorld()
    const worker = await world.start(HANDLING)
    await world.untilProcessed()
    const [taken] = worker.events('lease:taken')
    expect(taken).to.include({ worker: 'w1', shardId: 'shardId-000000000000' })
    expect(taken?.atMs).to.be.greaterThan(0)
    expect(worker.events('batch:processed')).to.deep.equal([])
  })

  it('has clocks of its own', async () => {
    const world = aWorld()
    const worker = world.launch(HANDLING, { clockRate: 1.1, calendarOffsetMs: -3_600_000 })
    await world.advance(10_000)
    expect(worker.clock.monotonicMs()).to.be.closeTo(11_000, 1)
    expect(worker.clock.epochMs() - world.clock.epochMs()).to.equal(-3_600_000)
    await world.untilProcessed()
    world.assertSound()
  })

  it('can be sabotaged', async () => {
    const world = aWorld()
    const worker = world.launch(HANDLING, {
      sabotage: ports => ({
        ...ports,
        control: { ...ports.control, join: () => Promise.reject(new Error('no control')) }
      })
    })
    expect(await world.await(worker.started).catch(String)).to.include('no control')
  })
})
