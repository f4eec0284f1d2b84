import { MessageChannel } from 'node:worker_threads'
import { expect } from 'chai'
import { OptionError, ProcessorGoneError } from '../../src/model/errors.ts'
import type { ConsumedRecord } from '../../src/model/record.ts'
import { HandlerProcessor } from '../../src/processor/handler-processor.ts'
import { type LoadCheckpointInput, RecordProcessor } from '../../src/processor/record-processor.ts'
import { packBatch, type SentBatch, unpackBatch } from '../../src/processor/thread-batch.ts'
import { receivedError } from '../../src/processor/thread-errors.ts'
import { processorMaker, ThreadHost } from '../../src/processor/thread-host.ts'
import { ThreadNotes } from '../../src/processor/thread-memory.ts'
import type { FromThread, SentCall } from '../../src/processor/thread-messages.ts'
import { NAMES } from '../support/builders.ts'
import { aBatch } from './thread-world.ts'

const INPUT = { shardId: 'shard', ...NAMES, fencingToken: 5 }
const TOLD = { millisBehindLatest: 0, failures: 0 }

/** A host with one processor, and what it tells. */
function hosted(processRecords: RecordProcessor['processRecords'] = () => {}, make?: () => RecordProcessor) {
  class Noting extends RecordProcessor {
    override processRecords = processRecords
  }
  const told: FromThread[] = []
  const { port1, port2 } = new MessageChannel()
  const port = { postMessage: (message: FromThread) => void told.push(structuredClone(message)) }
  const notes = new ThreadNotes()
  const host = new ThreadHost({ port: port as never, aborts: port2, notes, make: make ?? (() => new Noting()) })
  let calls = 0
  const call = async (made: SentCall, processor = 1): Promise<FromThread | undefined> => {
    host.hear({ kind: 'call', call: ++calls, processor, made, waits: false })
    await new Promise(resolve => setImmediate(resolve))
    return told.at(-1)
  }
  const initialize: SentCall = {
    method: 'initialize',
    input: { ...INPUT, checkpoint: undefined, subSequenceNumber: 0, pendingCheckpoint: undefined }
  }
  const begin = async (): Promise<FromThread | undefined> => {
    await call({ method: 'make' })
    return call(initialize)
  }
  const close = (): void => port1.close()
  return { host, told, call, begin, notes, close }
}

async function sentBatch(...texts: readonly string[]): Promise<SentCall> {
  const { batch } = await packBatch(aBatch(...texts).records, { own: new Set(), pause: async () => {} })
  return { method: 'processRecords', input: { ...INPUT, ...TOLD }, batch, settled: new Uint8Array(texts.length) }
}

function again(...picked: number[]): SentCall {
  const settled = new Uint8Array(9)
  return { method: 'processRecords', input: { ...INPUT, ...TOLD }, picked: Int32Array.from(picked), settled }
}

describe('ThreadHost', () => {
  it('keeps a batch until it is told to let go of it, and gives a copy of the array each time', async () => {
    const given: string[][] = []
    const { host, call, begin, close } = hosted(({ records }) => {
      given.push((records as unknown[]).splice(0).map(record => (record as { text(): string }).text()))
    })
    await begin()
    await call(await sentBatch('a', 'b', 'c', 'd'))
    await call(again(0, 4))
    await call(again(0, 1, 2, 4))
    expect(given).to.deep.equal([
      ['a', 'b', 'c', 'd'],
      ['a', 'b', 'c', 'd'],
      ['a', 'c', 'd']
    ])
    host.hear({ kind: 'let-go', processor: 1 })
    expect(await call(again(0, 1))).to.have.nested.property('error.type', 'BugError')
    close()
  })

  it('tells what has failed, notes what is settled, and gives copies of records back', async () => {
    const { told, call, begin, close } = hosted(({ records, settle }) => {
      settle(records[1] as ConsumedRecord)
      return { failed: records.slice(0, 1) }
    })
    await begin()
    const sent = await sentBatch('a', 'b', 'c')
    expect(await call(sent)).to.deep.include({ value: { failed: [{ sequenceNumber: '1', subSequenceNumber: 0 }] } })
    expect([...(sent as { settled: Uint8Array }).settled]).to.deep.equal([0, 1, 0])
    await call({ method: 'recover', picked: Int32Array.of(0, 1, 2, 3) })
    const back = told.at(-1) as { value: SentBatch }
    expect(unpackBatch(back.value).map(record => record.text())).to.deep.equal(['a', 'c'])
    expect(await call(again(0, 3))).to.have.property('kind', 'returned')
    close()
  })

  it('shows which call has the thread before its first await, and says when one begins that has waited', async () => {
    const running: boolean[] = []
    const { host, told, call, begin, notes, close } = hosted(async () => {
      running.push(notes.isIn(3))
      await undefined
      running.push(notes.isIn(3))
    })
    await begin()
    await call(await sentBatch('a'))
    expect(running).to.deep.equal([true, false])
    host.hear({ kind: 'ping', ping: 9 })
    expect([notes.hasHeard(9), notes.hasHeard(10)]).to.deep.equal([true, false])
    host.hear({ kind: 'call', call: 7, processor: 1, made: { method: 'make' }, waits: true })
    expect(told.at(-1)).to.deep.equal({ kind: 'begun', call: 7 })
    close()
  })

  it('has a processor that keeps positions load and save them, and says so', async () => {
    class Keeping extends RecordProcessor {
      override processRecords(): void {}
      override async loadCheckpoint({ checkpoint }: LoadCheckpointInput) {
        return checkpoint
      }
      override async saveCheckpoint(): Promise<void> {
        throw new RangeError('full')
      }
    }
    const { call, close } = hosted(undefined, () => new Keeping())
    const traits = { keepsNothing: false, decodes: false, loads: true, saves: true }
    expect(await call({ method: 'make' })).to.deep.include({ value: traits })
    const position = { sequenceNumber: '1', subSequenceNumber: 0 }
    expect(await call({ method: 'loadCheckpoint', input: { ...INPUT, checkpoint: position } })).to.deep.include({
      value: position
    })
    const save: SentCall = { method: 'saveCheckpoint', input: { ...INPUT, position, previous: undefined } }
    expect(await call(save)).to.have.nested.property('error.type', 'RangeError')
    close()
  })

  it('refuses calls of a processor that has not begun, or has ended', async () => {
    const { host, call, begin, close } = hosted()
    const early = await call(await sentBatch('a'))
    expect(early)
      .to.have.nested.property('error.message')
      .that.matches(/called before the processor was made/)
    expect(await begin()).to.deep.include({ kind: 'returned' })
    host.hear({ kind: 'end', processor: 1 })
    expect(await call({ method: 'leaseLost', input: { shardId: 'shard', ...NAMES } })).to.deep.include({
      kind: 'threw'
    })
    close()
  })

  it('asks for checkpoints by call and waits for the answer', async () => {
    const outcomes: unknown[] = []
    const { host, told, call, begin, close } = hosted(async ({ checkpointer, records }) => {
      outcomes.push(await checkpointer.checkpoint(records[0]).catch(error => error))
      outcomes.push(
        await checkpointer.checkpoint({ sequenceNumber: Symbol('odd') } as never).catch(error => error.name)
      )
    })
    await begin()
    await call(await sentBatch('a'))
    const at = { sequenceNumber: '1', subSequenceNumber: 0 }
    const ask = { kind: 'ask', ask: 1, call: 3, processor: 1, shardId: 'shard', wish: { kind: 'checkpoint', at } }
    expect(told.at(-1)).to.deep.equal(ask)
    host.hear({ kind: 'answer', ask: 1, answer: { kind: 'granted' } })
    await new Promise(resolve => setImmediate(resolve))
    expect(outcomes).to.deep.equal([undefined, 'DataCloneError'])
    expect(told.at(-1)).to.deep.equal({ kind: 'returned', call: 3 })
    close()
  })

  it('passes on that a processor cannot be made', async () => {
    const { call, close } = hosted(undefined, () => {
      throw new ProcessorGoneError('shard', 'x')
    })
    const message = await call({ method: 'make' })
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
