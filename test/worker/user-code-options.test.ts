import { expect } from 'chai'
import type { WorkerOptions } from '../../src/index.ts'
import { OptionError } from '../../src/model/errors.ts'
import { HandlerProcessor } from '../../src/processor/handler-processor.ts'
import { RecordProcessor } from '../../src/processor/record-processor.ts'
import { type ProcessorOption, type ResolvedUserCode, resolveUserCode } from '../../src/worker/user-code-options.ts'
import { NAMES } from '../support/builders.ts'

class Quiet extends RecordProcessor {
  processRecords(): void {}
}

const ENDLESS = Number.POSITIVE_INFINITY
const handler = (): void => {}
const each = (): void => {}
const processor = (): RecordProcessor => new Quiet()
const threads = { module: new URL('file:///handler.js') }

function resolve(options: object): ResolvedUserCode {
  return resolveUserCode(options as ProcessorOption, 33_554_432)
}

function errorOf(options: object): OptionError {
  try {
    resolve(options)
  } catch (error) {
    expect(error).to.be.instanceOf(OptionError)
    return error as OptionError
  }
  throw new Error('Not refused')
}

/** What the options make for a shard. */
function madeBy(options: object): RecordProcessor {
  const { userCode } = resolve(options)
  if (!('makeProcessor' in userCode)) throw new Error('No processor is made')
  return userCode.makeProcessor(NAMES)
}

describe('resolveUserCode', () => {
  it('takes one of handler, each, processor and threads', () => {
    expect(errorOf({}).message).to.include('is missing, and so are handler, each and threads')
    const given = Object.entries({ processor, handler, each, threads })
    for (const [first, code] of given) {
      for (const [second, other] of given) {
        if (first === second) continue
        expect(errorOf({ [first]: code, [second]: other }).message).to.match(
          /is given beside \w+, expected one of them$/
        )
      }
    }
    expect(resolve({ threads }).userCode).to.have.nested.property('threads.module.href', threads.module.href)
    expect(madeBy({ processor })).to.be.instanceOf(Quiet)
    expect(madeBy({ handler })).to.be.instanceOf(HandlerProcessor)
  })

  it('has one batch after another processed where no concurrency is asked for', () => {
    for (const options of [{ handler }, { handler, concurrency: {} }, { handler, concurrency: { perShard: 1 } }]) {
      expect(madeBy(options)).to.be.instanceOf(HandlerProcessor)
      expect(resolve(options)).to.include({ concurrency: undefined, batch: undefined })
    }
  })

  it('has lanes for a handler that may be called more than once at a time', () => {
    const concurrency = { perShard: 2, by: 'none', maxInFlight: 64 } as const
    const { userCode, ...rest } = resolve({ handler, concurrency, batch: { maxRecords: 5 } })
    expect(userCode).to.deep.equal({ lanes: { kind: 'batch', handler } })
    expect(rest).to.deep.equal({ concurrency, batch: { maxRecords: 5, maxBytes: ENDLESS, windowMs: 0 } })
  })

  it('gives each call its share where every record may be in any of them', () => {
    const concurrency = { perShard: 64, by: 'none' } as const
    const share = { maxRecords: 32, maxBytes: ENDLESS, windowMs: 0 }
    expect(resolve({ handler, concurrency }).batch).to.deep.equal(share)
    const batch = { maxBytes: 5_000, windowMs: 100 }
    expect(resolve({ handler, concurrency, batch }).batch).to.deep.equal({ ...share, ...batch })
    expect(resolve({ handler, concurrency, batch: { maxRecords: 500 } }).batch).to.include({ maxRecords: 500 })
    expect(resolve({ handler, concurrency: { perShard: 64 } }).batch).to.equal(undefined)
    const tight = { perShard: 7, by: 'none', maxInFlight: 7 } as const
    expect(resolve({ handler, concurrency: tight }).batch).to.include({ maxRecords: 1 })
  })

  it('always has lanes for each', () => {
    const lanes = { kind: 'each', each }
    const byDefault = { perShard: 1, by: 'key', maxInFlight: 1_000 }
    expect(resolve({ each })).to.deep.equal({ userCode: { lanes }, concurrency: byDefault, batch: undefined })
    expect(resolve({ each, concurrency: { perShard: 64 } }).concurrency).to.have.property('perShard', 64)
  })

  it('takes a size of batches for everything that is given batches', () => {
    const batch = { maxRecords: 10, maxBytes: ENDLESS, windowMs: 500 }
    for (const code of [{ handler }, { processor }, { threads }]) {
      expect(resolve({ ...code, batch }).batch).to.deep.equal(batch)
    }
    const { option, message } = errorOf({ each, batch })
    expect(option).to.equal('batch')
    expect(message).to.include('is given beside each').and.include('expected handler')
  })

  it('refuses concurrency for what is called once at a time', () => {
    for (const [name, code] of Object.entries({ processor, threads })) {
      const { option, message } = errorOf({ [name]: code, concurrency: { perShard: 2 } })
      expect(option).to.equal('concurrency')
      expect(message).to.include(`is given beside ${name}, expected handler or each`)
    }
  })

  it('tells who passes a class what to pass instead', () => {
    for (const name of ['handler', 'each']) {
      const error = errorOf({ [name]: Quiet })
      expect(error.option).to.equal(name)
      expect(error.message).to.include('is a class').and.include('a function (record')
    }
    for (const made of [Quiet, class extends Quiet {}, class Other {}]) {
      const error = errorOf({ processor: made })
      expect(error.option).to.equal('processor')
      expect(error.message).to.include('is a class').and.include('() => new MyProcessor()')
    }
    expect(errorOf({ processor: new Quiet() }).message).to.include('() => new MyProcessor()')
    expect(errorOf({ each: 'x' }).message).to.include('is "x", expected a function (record, context)')
  })

  it('makes a new processor for each shard', () => {
    expect(madeBy({ processor })).to.not.equal(madeBy({ processor }))
    expect(madeBy({ handler })).to.not.equal(madeBy({ handler }))
  })
})

describe('ProcessorOption', () => {
  it('does not compile where one excludes the other', () => {
    const stream = { applicationName: 'indexer', streamName: 'orders' }
    const concurrency = { perShard: 2 }
    const batch = { maxRecords: 5 }
    const good: WorkerOptions[] = [
      { ...stream, handler, concurrency, batch },
      { ...stream, each, concurrency },
      { ...stream, each: async record => void record.json() },
      { ...stream, handler: async records => ({ failed: records.slice(1) }) },
      { ...stream, handler: async records => (records.length > 1 ? { failed: records } : undefined) },
      { ...stream, handler: () => new Promise(resolve => resolve()) },
      { ...stream, handler: () => Promise.reject(new Error('never called')) },
      { ...stream, handler: records => void records.map(record => record.text()) },
      { ...stream, processor, batch },
      { ...stream, threads, batch }
    ]
    const bad: WorkerOptions[] = [
      // @ts-expect-error: both handler and each
      { ...stream, handler, each },
      // @ts-expect-error: both each and threads
      { ...stream, each, threads },
      // @ts-expect-error: concurrency of a processor
      { ...stream, processor, concurrency },
      // @ts-expect-error: concurrency of threads
      { ...stream, threads, concurrency },
      // @ts-expect-error: batches of single records
      { ...stream, each, batch }
    ]
    for (const options of good) expect(() => resolve(options)).to.not.throw()
    for (const options of bad) expect(() => resolve(options)).to.throw(OptionError)
  })
})
