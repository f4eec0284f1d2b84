import { expect } from 'chai'
import type { Checkpointer } from '../../src/checkpoint/checkpointer.ts'
import { ConsumedRecord } from '../../src/model/record.ts'
import { type HandlerContext, HandlerProcessor } from '../../src/processor/handler-processor.ts'
import type { ProcessRecordsInput } from '../../src/processor/record-processor.ts'

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
  return { shardId: 'shard', records: [record], ...rest }
}

describe('HandlerProcessor', () => {
  it('checkpoints the batch once the promise of the handler has resolved', async () => {
    const order: string[] = []
    const processor = new HandlerProcessor(async () => {
      await Promise.resolve()
      order.push('handled')
    })
    await processor.processRecords(anInput(order))
    expect(order).to.deep.equal(['handled', 'checkpoint'])
  })

  it('checkpoints after a handler that returns nothing', async () => {
    const order: string[] = []
    await new HandlerProcessor(() => {}).processRecords(anInput(order))
    expect(order).to.deep.equal(['checkpoint'])
  })

  for (const [how, fail] of [
    ['throws', () => expectedFailure()],
    ['rejects', async () => expectedFailure()]
  ] as const) {
    it(`does not checkpoint if the handler ${how}, and passes the failure on`, async () => {
      const order: string[] = []
      const failure = await new HandlerProcessor(fail).processRecords(anInput(order)).catch((error: unknown) => error)
      expect(failure).to.have.property('message', 'no')
      expect(order).to.deep.equal([])
    })
  }

  it('makes up only for the checkpoint if nothing but that has failed', async () => {
    const order: string[] = []
    const processor = new HandlerProcessor(() => void order.push('handled'))
    const refused = { ...anInput(order, 0).checkpointer, checkpoint: () => Promise.reject(new Error('no table')) }
    const failure = await processor
      .processRecords({ ...anInput(order, 0), checkpointer: refused })
      .catch((error: unknown) => error)
    expect(failure).to.have.property('message', 'no table')
    await processor.processRecords(anInput(order, 1))
    expect(order).to.deep.equal(['handled', 'checkpoint'])
    await processor.processRecords(anInput(order, 0))
    expect(order).to.deep.equal(['handled', 'checkpoint', 'handled', 'checkpoint'])
  })

  it('takes a batch during which the signal aborted for unhandled: the handler may have left some of it undone', async () => {
    const order: string[] = []
    const processor = new HandlerProcessor(() => void order.push('handled'))
    const refusing = { ...anInput(order).checkpointer, checkpoint: () => Promise.reject(new Error('void')) }
    const aborted = { ...anInput(order, 1), checkpointer: refusing, signal: AbortSignal.abort() }
    expect(await processor.processRecords(aborted).catch((error: unknown) => error)).to.have.property('message', 'void')
    await processor.processRecords(anInput(order, 1))
    expect(order).to.deep.equal(['handled', 'handled', 'checkpoint'])
  })

  for (const [how, failed] of [
    ['as a list', [record]],
    ['by position', [{ sequenceNumber: '1', subSequenceNumber: 0 }]],
    ['one by one', generated()]
  ] as const) {
    it(`does not checkpoint if the handler names failed records ${how}, and passes them on`, async () => {
      const order: string[] = []
      const processor = new HandlerProcessor(() => ({ failed }))
      const result = await processor.processRecords(anInput(order, 0))
      expect([...(result?.failed ?? [])]).to.have.length(1)
      expect(order).to.deep.equal([])
    })
  }

  it('calls the handler again after it has named failed records', async () => {
    const order: string[] = []
    const processor = new HandlerProcessor(async (records, { failures }) => {
      order.push('handled')
      return failures === 0 ? { failed: records } : undefined
    })
    await processor.processRecords(anInput(order, 0))
    await processor.processRecords(anInput(order, 1))
    expect(order).to.deep.equal(['handled', 'handled', 'checkpoint'])
  })

  it('checkpoints if the handler returns an empty list of failed records, or anything else', async () => {
    const order: string[] = []
    for (const result of [{ failed: [] }, { failed: undefined }, {}, null, 7]) {
      expect(await new HandlerProcessor(() => result as never).processRecords(anInput(order))).to.equal(undefined)
    }
    expect(order).to.deep.equal(Array(5).fill('checkpoint'))
  })

  it('passes on failed records that are no list, for the caller to refuse, and does not checkpoint', async () => {
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
