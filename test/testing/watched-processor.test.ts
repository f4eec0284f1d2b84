import { expect } from 'chai'
import type { Checkpointer } from '../../src/checkpoint/checkpointer.ts'
import { ConsumedRecord } from '../../src/model/record.ts'
import { type ProcessRecordsInput, RecordProcessor } from '../../src/processor/record-processor.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import type { Conduct } from '../../src/testing/conduct.ts'
import { Gate, gatedClock } from '../../src/testing/gate.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import {
  type ProcessorWatch,
  watchedEach,
  watchedHandler,
  watchedProcessors
} from '../../src/testing/watched-processor.ts'
import { aPosition, NAMES } from '../support/builders.ts'

const RECORDS = ['10', '20'].map(
  sequenceNumber =>
    new ConsumedRecord({
      ...{ sequenceNumber, subSequenceNumber: 0, partitionKey: 'key' },
      ...{ data: new Uint8Array(1), aggregated: false }
    })
)

/** What watched code is made with, and what the watch and the framework were told, in order. */
function aWatch(conduct: Conduct = {}) {
  const clock = new VirtualClock()
  const gate = new Gate('w1')
  const told: string[] = []
  const watch: ProcessorWatch<string> = {
    begin: (shardId, records) => {
      told.push(`begin ${records.length}`)
      return shardId
    },
    settle: (_, { sequenceNumber }) => told.push(`settled ${sequenceNumber}`),
    vouchUpTo: (_, { sequenceNumber }, call) => {
      told.push(`${call === undefined ? 'vouch' : 'stored'} up to ${sequenceNumber}`)
    },
    end: (_, how) => {
      const failed = how.kind === 'failed' ? 'failed' : how.failed.map(({ sequenceNumber }) => sequenceNumber).join(' ')
      told.push(failed === '' ? 'done' : failed)
    }
  }
  const checkpointer: Checkpointer = {
    checkpoint: async at => {
      told.push(`checkpoint ${at?.sequenceNumber ?? 'all'}`)
    },
    prepareCheckpoint: async (at = aPosition(20)) => {
      told.push(`prepare ${at.sequenceNumber}`)
      return { position: at, checkpoint: async () => void told.push(`make ${at.sequenceNumber}`) }
    }
  }
  const input: ProcessRecordsInput = {
    ...{
      shardId: 'shard',
      ...NAMES,
      records: RECORDS,
      checkpointer,
      millisBehindLatest: 0,
      failures: 0,
      fencingToken: 1
    },
    settle: ({ sequenceNumber }) => told.push(`settle ${sequenceNumber}`),
    signal: new AbortController().signal
  }
  const options = { watch, conduct, gate, clock: gatedClock(clock, gate), random: seededRandom(1) }
  return { clock, gate, told, options, input }
}

class Custom extends RecordProcessor {
  readonly #process: (input: ProcessRecordsInput) => void | Promise<void>

  constructor(process: (input: ProcessRecordsInput) => void | Promise<void>) {
    super()
    this.#process = process
  }

  processRecords(input: ProcessRecordsInput): void | Promise<void> {
    return this.#process(input)
  }
}

describe('watchedHandler', () => {
  it('says when a call begins, and when it has returned', async () => {
    const { told, options, input } = aWatch()
    await watchedHandler(() => void told.push('handle'), options)(RECORDS, input)
    expect(told).to.deep.equal(['begin 2', 'handle', 'done'])
  })

  it('says that it has failed, and rejects as the handler does', async () => {
    const { told, options, input } = aWatch()
    const failing = watchedHandler(() => {
      throw new Error('no')
    }, options)
    expect(await Promise.resolve(failing(RECORDS, input)).catch(String)).to.equal('Error: no')
    expect(told).to.deep.equal(['begin 2', 'failed'])
  })

  it('says which records the handler has settled, and which it names as failed', async () => {
    const { told, options, input } = aWatch()
    const handler = watchedHandler(([first, second], { settle }) => {
      if (first !== undefined) settle(first)
      return { failed: second === undefined ? [] : [second].values() }
    }, options)
    expect(await handler(RECORDS, input)).to.deep.equal({ failed: [RECORDS[1]] })
    expect(told).to.deep.equal(['begin 2', 'settle 10', 'settled 10', '20'])
  })

  it('leaves it to the framework to refuse what is no list', async () => {
    const { told, options, input } = aWatch()
    const handler = watchedHandler(() => ({ failed: 7 }) as never, options)
    expect(await handler(RECORDS, input)).to.deep.equal({ failed: 7 })
    expect(told).to.deep.equal(['begin 2', 'done'])
  })

  it('returns from nothing while the process stands still', async () => {
    const { clock, gate, told, options, input } = aWatch()
    const handling = watchedHandler(() => gate.close(), options)(RECORDS, input)
    await clock.advance(1_000)
    expect(told).to.deep.equal(['begin 2'])
    gate.open()
    await handling
    expect(told.at(-1)).to.equal('done')
  })
})

describe('watchedEach', () => {
  it('is a call with one record', async () => {
    const { told, options, input } = aWatch()
    const { records, checkpointer: _, ...context } = input
    const each = watchedEach(record => void told.push(`each ${record.sequenceNumber}`), options)
    for (const record of records) await each(record, context)
    expect(told).to.deep.equal(['begin 1', 'each 10', 'done', 'begin 1', 'each 20', 'done'])
  })

  it('may be called while it is running', async () => {
    const { clock, told, options, input } = aWatch({ takesMs: [100, 100] })
    for (const record of RECORDS) void watchedEach(() => {}, options)(record, input)
    await clock.advance(200)
    expect(told).to.deep.equal(['begin 1', 'begin 1', 'done', 'done'])
  })
})

describe('watchedProcessors', () => {
  it('take the checkpoints of a processor for its word', async () => {
    const { told, options, input } = aWatch()
    const make = watchedProcessors(
      () =>
        new Custom(async ({ checkpointer }) => {
          await checkpointer.checkpoint(RECORDS[0])
          const prepared = await checkpointer.prepareCheckpoint()
          await prepared.checkpoint()
          await checkpointer.checkpoint()
        }),
      options
    )
    await make(NAMES).processRecords(input)
    expect(told).to.deep.equal([
      'begin 2',
      ...['vouch up to 10', 'checkpoint 10', 'stored up to 10'],
      ...['prepare 20', 'vouch up to 20', 'make 20', 'stored up to 20'],
      ...['vouch up to 20', 'checkpoint all', 'stored up to 20', 'done']
    ])
  })

  it('are done when the processor returns, without a checkpoint too', async () => {
    const { told, options, input } = aWatch()
    await watchedProcessors(() => new Custom(() => {}), options)(NAMES).processRecords(input)
    expect(told).to.deep.equal(['begin 2', 'done'])
  })

  it('hand on every other call, whose bare checkpoints are the framework’s', async () => {
    const { told, options, input } = aWatch()
    const { shardId, checkpointer, signal } = input
    const processor = watchedProcessors(() => new Custom(() => {}), options)(NAMES)
    const at = { checkpoint: undefined, subSequenceNumber: 0, pendingCheckpoint: undefined, fencingToken: 1 }
    await processor.initialize({ shardId, ...NAMES, signal, ...at })
    await processor.shutdownRequested({ shardId, ...NAMES, checkpointer, signal })
    await processor.shardEnded({ shardId, ...NAMES, checkpointer, signal })
    await processor.leaseLost({ shardId, ...NAMES })
    expect(told).to.deep.equal(['checkpoint all', 'checkpoint all'])
  })

  it('keep positions with their own data if those that are watched do, and not otherwise', async () => {
    const { options, input } = aWatch()
    const { shardId, signal, fencingToken } = input
    const own = Object.assign(new Custom(() => {}), {
      loadCheckpoint: async () => aPosition(10),
      saveCheckpoint: async () => {}
    })
    const processor = watchedProcessors(() => own, options)(NAMES)
    expect(
      await processor.loadCheckpoint?.({ shardId, ...NAMES, signal, fencingToken, checkpoint: aPosition(5) })
    ).to.deep.equal(aPosition(10))
    expect(processor.saveCheckpoint).to.be.a('function')
    const plain = watchedProcessors(() => new Custom(() => {}), options)(NAMES)
    expect([plain.loadCheckpoint, plain.saveCheckpoint]).to.deep.equal([undefined, undefined])
  })

  it('leave it to the framework to refuse what is no processor', () => {
    const { options } = aWatch()
    const make = watchedProcessors(() => ({}) as RecordProcessor, options)
    expect(make).to.throw('made something without the method')
  })

  describe('by conduct', () => {
    it('take their time', async () => {
      const { clock, told, options, input } = aWatch({ takesMs: [100, 200] })
      void watchedProcessors(() => new Custom(() => {}), options)(NAMES).processRecords(input)
      await clock.advance(99)
      expect(told).to.deep.equal(['begin 2'])
      await clock.advance(101)
      expect(told).to.deep.equal(['begin 2', 'done'])
    })

    it('fail, or never return', async () => {
      for (const [conduct, heard] of [
        [{ failing: 1 }, ['begin 2', 'failed']],
        [{ hanging: 1 }, ['begin 2']]
      ] as const) {
        const { clock, told, options, input } = aWatch(conduct)
        Promise.resolve(watchedProcessors(() => new Custom(() => {}), options)(NAMES).processRecords(input)).catch(
          () => {}
        )
        await clock.advance(600_000)
        expect(told).to.deep.equal(heard)
      }
    })

    it('do so to handlers, too, as if it was the code of the user', async () => {
      const { told, options, input } = aWatch({ failing: 1 })
      const handled = Promise.resolve(watchedHandler(() => {}, options)(RECORDS, input))
      expect(await handled.catch(() => 'failed')).to.equal('failed')
      expect(told).to.deep.equal(['begin 2', 'failed'])
    })
  })
})
