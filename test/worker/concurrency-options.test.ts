import { expect } from 'chai'
import { OptionError } from '../../src/model/errors.ts'
import { resolveBatch, resolveConcurrency } from '../../src/worker/concurrency-options.ts'

const ENDLESS = Number.POSITIVE_INFINITY
const MAX_SHARD_BYTES = 33_554_432

function errorOf(run: () => unknown): OptionError {
  try {
    run()
  } catch (error) {
    expect(error).to.be.instanceOf(OptionError)
    return error as OptionError
  }
  throw new Error('Not refused')
}

describe('resolveConcurrency', () => {
  it('is nothing where nothing is said', () => expect(resolveConcurrency(undefined)).to.equal(undefined))

  it('fills in the defaults', () => {
    expect(resolveConcurrency({})).to.deep.equal({ perShard: 1, by: 'key', maxInFlight: 1_000 })
    expect(resolveConcurrency({ perShard: 64 })).to.deep.equal({ perShard: 64, by: 'key', maxInFlight: 2_048 })
  })

  it('keeps what is given, at both ends of every range', () => {
    const by = (): string => 'all'
    for (const given of [
      { perShard: 1, by: 'none', maxInFlight: 1 },
      { perShard: 1_000, by, maxInFlight: 1_000 },
      { perShard: 1_000, by: 'key', maxInFlight: 1_000_000 }
    ] as const) {
      expect(resolveConcurrency(given)).to.deep.equal(given)
    }
  })

  for (const [name, given, expected] of [
    ['perShard', { perShard: 0 }, 'is 0, expected a whole number from 1 to 1,000'],
    ['perShard', { perShard: 1_001 }, 'is 1001'],
    ['perShard', { perShard: ENDLESS }, 'is Infinity'],
    ['perShard', { by: 'none' }, 'is missing, expected how many calls may be made at once'],
    ['perShard', { maxInFlight: 5 }, 'is missing'],
    ['by', { perShard: 2, by: 'partitionKey' }, `is "partitionKey", expected 'key' or 'none' or a function`],
    ['by', { perShard: 2, by: null }, 'is null'],
    ['maxInFlight', { perShard: 64, maxInFlight: 63 }, 'is 63, expected a whole number from 64 to 1,000,000'],
    ['maxInFlight', { perShard: 64, maxInFlight: 1_000_001 }, 'is 1000001'],
    ['pershard', { pershard: 64 }, 'Did you mean perShard?']
  ] as const) {
    it(`refuses ${JSON.stringify(given)}, with the name, the value and what was expected`, () => {
      const { option, message } = errorOf(() => resolveConcurrency(given as never))
      expect(option).to.equal(`concurrency.${name}`)
      expect(message).to.include(expected)
    })
  }

  it('refuses a number: it would not say of what', () => {
    expect(errorOf(() => resolveConcurrency(64 as never)).message).to.include('is 64, expected an object')
  })
})

describe('resolveBatch', () => {
  it('is nothing where nothing is said: an answer is a batch', () => {
    expect(resolveBatch(undefined, MAX_SHARD_BYTES)).to.equal(undefined)
    const byDefault = { maxRecords: ENDLESS, maxBytes: ENDLESS, windowMs: 0 }
    expect(resolveBatch({}, MAX_SHARD_BYTES)).to.deep.equal(byDefault)
    expect(resolveBatch({ maxRecords: ENDLESS, maxBytes: ENDLESS }, MAX_SHARD_BYTES)).to.deep.equal(byDefault)
  })

  it('keeps what is given, at both ends of every range', () => {
    for (const given of [
      { maxRecords: 1, maxBytes: 1, windowMs: 0 },
      { maxRecords: 100_000, maxBytes: MAX_SHARD_BYTES, windowMs: 300_000 }
    ]) {
      expect(resolveBatch(given, MAX_SHARD_BYTES)).to.deep.equal(given)
    }
  })

  it('takes a window without a size: what arrives meanwhile is the batch', () => {
    expect(resolveBatch({ windowMs: 500 }, MAX_SHARD_BYTES)?.windowMs).to.equal(500)
  })

  for (const [name, given, expected] of [
    ['maxRecords', { maxRecords: 0 }, 'is 0, expected a whole number from 1 to 100,000, or Infinity'],
    ['maxRecords', { maxRecords: 100_001 }, 'is 100001'],
    ['maxBytes', { maxBytes: 0 }, 'is 0, expected a whole number from 1 to 33,554,432 bytes, or Infinity'],
    ['maxBytes', { maxBytes: MAX_SHARD_BYTES + 1 }, 'is 33554433'],
    ['windowMs', { windowMs: -1 }, 'is -1, expected a whole number from 0 to 300,000 milliseconds'],
    ['windowMs', { windowMs: 300_001 }, 'is 300001'],
    ['windowMS', { windowMS: 5 }, 'Did you mean windowMs?']
  ] as const) {
    it(`refuses ${JSON.stringify(given)}, with the name, the value and what was expected`, () => {
      const { option, message } = errorOf(() => resolveBatch(given as never, MAX_SHARD_BYTES))
      expect(option).to.equal(`batch.${name}`)
      expect(message).to.include(expected)
    })
  }
})
