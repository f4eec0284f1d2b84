import { expect } from 'chai'
import type { Checkpointer } from '../../src/checkpoint/checkpointer.ts'
import { ConsumedRecord } from '../../src/model/record.ts'
import { type HandlerContext, HandlerProcessor, keepsNothing } from '../../src/processor/handler-processor.ts'
import type { ProcessRecordsInput } from '../../src/processor/record-processor.ts'
import { NAMES } from '../support/builders.ts'

const record = new ConsumedRecord({
  sequenceNumber: '1',
  subSequenceNumber: 0,
  partitionKey: 'key',
  data: new Uint8Array(),
  aggregated: false
})

function anInput(order: string[], failures = 2): ProcessRecordsInput {
  const checkpointer: Checkpointer = {
    checkpoint: async at => void order.push(at === undefined ? 'checkpoint' : 'checkpoint at a record'),
    prepareCheckpoint: () => Promise.reject(new Error('not asked for'))
  }
  const { signal } = new AbortController()
  const settle = (): void => {}
  const rest = { checkpointer, millisBehindLatest: 7, failures, settle, fencingToken: 1, signal }
  return { shardId: 'shard', ...NAMES, records: [record], ...rest }
}

describe('HandlerProcessor', () => {
  it('waits for the handler, and leaves it to its caller to checkpoint', async () => {
    const order: string[] = []
    const processor = new HandlerProcessor(async () => {
      await Promise.resolve()
      order.push('handled')
    })
    expect(await processor.processRecords(anInput(order))).to.equal(undefined)
    expect(order).to.deep.equal(['handled'])
    expect(keepsNothing(processor)).to.equal(true)
  })

  for (const [how, fail] of [
    ['throws', () => expectedFailure()],
    ['rejects', async () => expectedFailure()]
  ] as const) {
    it(`passes it on if the handler ${how}`, async () => {
      const order: string[] = []
      const failure = await new HandlerProcessor(fail).processRecords(anInput(order)).catch((error: unknown) => error)
      expect(failure).to.have.property('message', 'no')
      expect(order).to.deep.equal([])
    })
  }

  for (const [how, failed] of [
    ['as a list', [record]],
    ['by position', [{ sequenceNumber: '1', subSequenceNumber: 0 }]],
    ['one by one', generated()]
  ] as const) {
    it(`passes on failed records that the handler names ${how}`, async () => {
      const order: string[] = []
      const processor = new HandlerProcessor(() => ({ failed }))
      const result = await processor.processRecords(anInput(order, 0))
      expect([...(result?.failed ?? [])]).to.have.length(1)
      expect(order).to.deep.equal([])
    })
  }

  it('takes an empty list of failed records, and anything else, for none', async () => {
    for (const result of [{ failed: [] }, { failed: undefined }, {}, null, 7]) {
      expect(await new HandlerProcessor(() => result as never).processRecords(anInput([]))).to.equal(undefined)
    }
  })

  it('refuses what other kinds of code return: a processor, what makes one, or failures as Lambda is told of them', async () => {
    for (const result of [() => {}, new HandlerProcessor(() => {}), { batchItemFailures: [{ itemIdentifier: '1' }] }]) {
      const processor = new HandlerProcessor(() => result as never)
      const failure = await processor.processRecords(anInput([])).catch((error: unknown) => error)
      expect(failure)
        .to.have.property('message')
        .that.matches(/^Option handler: returned .*, expected /)
    }
  })

  it('passes on failed records that are no list, for the caller to refuse', async () => {
    const order: string[] = []
    const result = await new HandlerProcessor(() => ({ failed: 7 }) as never).processRecords(anInput(order))
    expect(result).to.deep.equal({ failed: 7 })
    expect(order).to.deep.equal([])
  })

  it('tells the handler everything but the records in the context', async () => {
    let told: HandlerContext | undefined
    const input = anInput([])
    await new HandlerProcessor((records, context) => {
      expect(records).to.deep.equal([record])
      told = context
    }).processRecords(input)
    const { records: _, ...context } = input
    expect(told).to.deep.equal(context)
  })

  it('checkpoints what is settled when it is asked to stop, and at the end of the shard', async () => {
    const order: string[] = []
    const processor = new HandlerProcessor(() => {})
    await processor.shutdownRequested(anInput(order))
    await processor.shardEnded(anInput(order))
    expect(order).to.deep.equal(['checkpoint', 'checkpoint'])
  })
})

function* generated(): Generator<ConsumedRecord> {
  yield record
}

function expectedFailure(): never {
  throw new Error('no')
}
