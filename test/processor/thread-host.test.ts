import { MessageChannel } from 'node:worker_threads'
import { expect } from 'chai'
import { OptionError, ProcessorGoneError } from '../../src/model/errors.ts'
import { HandlerProcessor } from '../../src/processor/handler-processor.ts'
import { RecordProcessor } from '../../src/processor/record-processor.ts'
import { packBatch } from '../../src/processor/thread-batch.ts'
import { receivedError } from '../../src/processor/thread-errors.ts'
import { processorMaker, ThreadHost } from '../../src/processor/thread-host.ts'
import type { FromThread, SentCall } from '../../src/processor/thread-messages.ts'
import { aBatch } from './thread-world.ts'

/** A host with one processor, and what it tells. */
function hosted(processRecords: RecordProcessor['processRecords'] = () => {}, make?: () => RecordProcessor) {
  class Noting extends RecordProcessor {
    override processRecords = processRecords
  }
  const told: FromThread[] = []
  const { port1, port2 } = new MessageChannel()
  const port = { postMessage: (message: FromThread) => void told.push(structuredClone(message)) }
  const host = new ThreadHost(port as never, port2, make ?? (() => new Noting()))
  let calls = 0
  const call = async (made: SentCall, processor = 1): Promise<FromThread | undefined> => {
    host.hear({ kind: 'call', call: ++calls, processor, made })
    await new Promise(resolve => setImmediate(resolve))
    return told.at(-1)
  }
  const initialize: SentCall = {
    method: 'initialize',
    input: { shardId: 'shard', checkpoint: undefined, subSequenceNumber: 0, pendingCheckpoint: undefined }
  }
  const close = (): void => port1.close()
  return { host, told, call, initialize, close }
}

async function sentBatch(...texts: readonly string[]): Promise<SentCall> {
  const { batch } = await packBatch(aBatch(...texts).records, { own: new Set(), pause: async () => {} })
  return { method: 'processRecords', input: { shardId: 'shard', millisBehindLatest: 0, failures: 0 }, batch }
}

function again(from: number): SentCall {
  return { method: 'processRecords', input: { shardId: 'shard', millisBehindLatest: 0, failures: 1 }, batch: from }
}

describe('ThreadHost', () => {
  it('keeps a batch until it is told to let go of it, and gives a copy of the array each time', async () => {
    const given: string[][] = []
    const { host, call, initialize, close } = hosted(({ records }) => {
      given.push((records as unknown[]).splice(0).map(record => (record as { text(): string }).text()))
    })
    await call(initialize)
    await call(await sentBatch('a', 'b', 'c'))
    await call(again(0))
    await call(again(2))
    expect(given).to.deep.equal([['a', 'b', 'c'], ['a', 'b', 'c'], ['c']])
    host.hear({ kind: 'let-go', processor: 1 })
    expect(await call(again(0))).to.have.nested.property('error.type', 'BugError')
    close()
  })

  it('refuses calls of a processor that has not begun, or has ended', async () => {
    const { host, call, initialize, close } = hosted()
    const early = await call(await sentBatch('a'))
    expect(early)
      .to.have.nested.property('error.message')
      .that.matches(/called before initialize/)
    expect(await call(initialize)).to.deep.include({ kind: 'returned' })
    host.hear({ kind: 'end', processor: 1 })
    expect(await call({ method: 'leaseLost', input: { shardId: 'shard' } })).to.deep.include({ kind: 'threw' })
    close()
  })

  it('asks for checkpoints by call and waits for the answer', async () => {
    const outcomes: unknown[] = []
    const { host, told, call, initialize, close } = hosted(async ({ checkpointer, records }) => {
      outcomes.push(await checkpointer.checkpoint(records[0]).catch(error => error))
      outcomes.push(
        await checkpointer.checkpoint({ sequenceNumber: Symbol('odd') } as never).catch(error => error.name)
      )
    })
    await call(initialize)
    await call(await sentBatch('a'))
    const at = { sequenceNumber: '1', subSequenceNumber: 0 }
    const ask = { kind: 'ask', ask: 1, call: 2, processor: 1, shardId: 'shard', wish: { kind: 'checkpoint', at } }
    expect(told.at(-1)).to.deep.equal(ask)
    host.hear({ kind: 'answer', ask: 1, answer: { kind: 'granted' } })
    await new Promise(resolve => setImmediate(resolve))
    expect(outcomes).to.deep.equal([undefined, 'DataCloneError'])
    expect(told.at(-1)).to.deep.equal({ kind: 'returned', call: 2 })
    close()
  })

  it('passes on that a processor cannot be made', async () => {
    const { call, initialize, close } = hosted(undefined, () => {
      throw new ProcessorGoneError('shard', 'x')
    })
    const message = await call(initialize)
    expect(message?.kind === 'threw' && receivedError(message.error)).to.be.instanceOf(ProcessorGoneError)
    close()
  })
})

describe('processorMaker', () => {
  class Mine extends RecordProcessor {
    override processRecords(): void {}
  }

  it('takes a handler, or a function that makes a processor, also of a CommonJS module', () => {
    expect(processorMaker({ handler: () => {} }, undefined)()).to.be.instanceOf(HandlerProcessor)
    const seen: unknown[] = []
    const processor = (data: unknown): RecordProcessor => {
      seen.push(data)
      return new Mine()
    }
    expect(processorMaker({ processor }, 7)()).to.be.instanceOf(Mine)
    expect(processorMaker({ default: { processor } }, 8)()).to.be.instanceOf(Mine)
    expect(seen).to.deep.equal([7, 8])
  })

  for (const [module, problem] of [
    [{}, /exports neither a handler nor a processor, expected one of the two/],
    [{ default: () => {} }, /exports neither/],
    [{ handler: () => {}, processor: () => {} }, /exports a handler and a processor, expected one/],
    [{ handler: Mine }, /exports a handler that is no function \(records, context\)/],
    [{ processor: Mine }, /exports a processor that is no function that makes a RecordProcessor, such as/],
    [{ processor: new Mine() }, /exports a processor that is no function/]
  ] as const) {
    it(`refuses a module that ${problem.source}`, () => {
      expect(() => processorMaker(module, undefined)).to.throw(OptionError, problem)
    })
  }
})
