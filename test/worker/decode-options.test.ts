import { type } from 'arktype'
import { expect } from 'chai'
import * as v from 'valibot'
import { z } from 'zod'
import {
  type ConsumedRecord,
  type Decoder,
  OptionError,
  type ProcessRecordsInput,
  RecordProcessor,
  tumblingWindows,
  Worker,
  type WorkerOptions
} from '../../src/index.ts'
import { resolveDecoding } from '../../src/worker/decode-options.ts'

interface Order {
  readonly orderId: string
  readonly cents: number
}

const stream = { streamName: 'orders', applicationName: 'app' }
const zodOrder = z.object({ orderId: z.string(), cents: z.number() })
const valibotOrder = v.object({ orderId: v.string(), cents: v.number() })
const arkOrder = type({ orderId: 'string', cents: 'number' })
const toOrder = (record: ConsumedRecord): Order => record.json<Order>()
const decoder: Decoder<Order> = { decode: async record => record.json<Order>() }

/** Compiles only where two types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const isSame = <A, B>(_: Same<A, B>): void => {}
const as = <T>(_: T): void => {}

class Orders extends RecordProcessor<Order> {
  processRecords({ records }: ProcessRecordsInput<Order>): void {
    for (const { value } of records) as<string>(value.orderId)
  }
}

class Anything extends RecordProcessor {
  processRecords({ records }: ProcessRecordsInput): void {
    for (const { value } of records) as<unknown>(value)
  }
}

function errorOf(options: object): OptionError {
  try {
    resolveDecoding(options)
  } catch (error) {
    expect(error).to.be.instanceOf(OptionError)
    return error as OptionError
  }
  throw new Error('Not refused')
}

describe('DecodeOptions', () => {
  it('infer what a value is for handler, each, processor and windows, without an annotation', () => {
    const made = [
      () =>
        new Worker({
          ...stream,
          decode: record => ({ id: record.partitionKey, at: record.arrivedAtMs }),
          each: ({ value }) => isSame<typeof value, { id: string; at: number | undefined }>(true)
        }),
      () =>
        new Worker({
          ...stream,
          decode: async record => Number(record.text()),
          handler: records => {
            for (const { value } of records) isSame<typeof value, number>(true)
          }
        }),
      () => new Worker({ ...stream, decode: decoder, each: ({ value }) => isSame<typeof value, Order>(true) }),
      () => new Worker({ ...stream, each: ({ value }) => isSame<typeof value, Order>(true), decode: toOrder }),
      () =>
        new Worker({
          ...stream,
          decode: zodOrder,
          each: ({ value }) => isSame<typeof value, { orderId: string; cents: number }>(true)
        }),
      () =>
        new Worker({
          ...stream,
          decode: valibotOrder,
          handler: records => {
            for (const { value } of records) isSame<typeof value, { orderId: string; cents: number }>(true)
          }
        }),
      () =>
        new Worker({
          ...stream,
          decode: arkOrder,
          each: ({ value }) => isSame<typeof value, { orderId: string; cents: number }>(true)
        }),
      () => new Worker({ ...stream, decode: toOrder, processor: () => new Orders() }),
      () => new Worker({ ...stream, decode: toOrder, processor: () => new Anything() }),
      () =>
        new Worker({
          ...stream,
          decode: zodOrder,
          processor: tumblingWindows({
            windowMs: 60_000,
            open: () => ({ cents: 0 }),
            add: (sum, record: ConsumedRecord<Order>) => {
              sum.cents += record.value.cents
            },
            close: () => {}
          })
        })
    ]
    for (const make of made) expect(make().state).to.equal('idle')
  })

  it('keep options without a parameter what they were', () => {
    const each = (record: ConsumedRecord): void => as<unknown>(record.value)
    const options: WorkerOptions = { ...stream, each }
    const withDecode: WorkerOptions = { ...stream, decode: toOrder, each }
    const worker: Worker = new Worker({ ...stream, decode: toOrder, each: ({ value }) => as<string>(value.orderId) })
    const typed: WorkerOptions<Order> = { ...stream, decode: toOrder, each: ({ value }) => as<string>(value.orderId) }
    for (const given of [options, withDecode]) expect(new Worker(given).state).to.equal(worker.state)
    expect(new Worker(typed).state).to.equal('idle')
    // What a function takes that wants a value is not what a decoder makes.
    const wrong = (): Worker =>
      new Worker({
        ...stream,
        decode: zodOrder,
        // @ts-expect-error: there is no such field
        each: ({ value }) => void value.price
      })
    const none = (): Worker =>
      new Worker({
        ...stream,
        // @ts-expect-error: nothing says what the value is
        each: ({ value }) => void value.orderId
      })
    expect([wrong, none]).to.have.length(2)
  })

  it('refuse what decodes nothing', () => {
    for (const decode of ['json', 7, null, {}, { decode: 'json' }, class {}]) {
      expect(errorOf({ decode }).message).to.match(/^Option decode: is .*expected a function of a record/)
    }
    expect(errorOf({ decode: { '~standard': { version: 2, validate: () => {} } } }).message).to.match(
      /is a schema of version 2 of Standard Schema, expected version 1/
    )
    expect(errorOf({ decode: { '~standard': 'yes' } }).option).to.equal('decode')
  })

  it('say what becomes of what cannot be decoded: nothing is lost by default', () => {
    expect(resolveDecoding({})).to.equal(undefined)
    expect(resolveDecoding({ decode: toOrder })).to.have.property('onError', 'fail')
    expect(resolveDecoding({ decode: toOrder, deadLetters: () => {} })).to.have.property('onError', 'dead-letter')
    expect(resolveDecoding({ decode: toOrder, onDecodeError: 'skip' })).to.have.property('onError', 'skip')
    expect(errorOf({ decode: toOrder, onDecodeError: 'drop' }).message).to.match(/'dead-letter' or 'skip' or 'fail'/)
    expect(errorOf({ onDecodeError: 'skip' }).message).to.match(/onDecodeError: is given, and nothing is decoded/)
  })

  it('leave decoding in threads to their module', () => {
    expect(resolveDecoding({ threads: {} })).to.deep.equal({ decode: undefined, onError: 'fail' })
    expect(errorOf({ threads: {}, decode: toOrder }).message).to.match(/expected the module to export decode/)
  })

  it('want a place for dead letters, and let there be one for them alone', () => {
    const each = (): void => {}
    const deadLetters = (): void => {}
    const make = (options: object) => () => new Worker({ ...stream, each, ...options } as WorkerOptions)
    expect(make({ decode: toOrder, onDecodeError: 'dead-letter' })).to.throw(/deadLetters: is missing.*onDecodeError/)
    expect(make({ decode: toOrder, deadLetters })).to.not.throw()
    expect(make({ decode: toOrder, deadLetters, onDecodeError: 'dead-letter' })).to.not.throw()
    expect(make({ decode: toOrder, deadLetters, onDecodeError: 'skip' })).to.throw(/nothing would use it/)
    expect(make({ deadLetters })).to.throw(/nothing would use it/)
  })
})
