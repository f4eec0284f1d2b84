import { expect } from 'chai'
import { OptionError } from '../../src/model/errors.ts'
import type { DeadLetter, DeadLetterDestination } from '../../src/processor/dead-letter.ts'
import type { FailureAction, ProcessorFailure } from '../../src/processor/failure-rules.ts'
import { type FailureOptions, type ResolvedFailures, resolveFailures } from '../../src/worker/failure-options.ts'
import { collectingLogger } from '../support/collecting-logger.ts'

const ENDLESS = Number.POSITIVE_INFINITY
const CALLBACK = (): void => {}

const FAILURE: ProcessorFailure = {
  error: new Error('no'),
  shardId: 'shardId-000000000000',
  streamName: 'orders',
  method: 'processRecords',
  records: 5,
  attempt: 1,
  elapsedMs: 0,
  ageMs: undefined
}

function resolve(onProcessorError?: object, deadLetters?: unknown, logger = collectingLogger()): ResolvedFailures {
  return resolveFailures({ onProcessorError, deadLetters } as FailureOptions, logger)
}

function errorOf(onProcessorError?: object, deadLetters?: unknown): OptionError {
  try {
    resolve(onProcessorError, deadLetters)
  } catch (error) {
    expect(error).to.be.instanceOf(OptionError)
    return error as OptionError
  }
  throw new Error('Not refused')
}

/** `onProcessorError` with a last resort: the name of the option is that of the method of a promise. */
function lastly(lastResort: unknown, others: object = {}): object {
  return { ...others, ...Object.fromEntries([['then', lastResort]]) }
}

/** Name below onProcessorError, wrong value, how the message shows it, what it says was expected. */
const WRONG: readonly (readonly [string, unknown, string, string])[] = [
  ['attempts', 0, '0', 'from 1 to 1,000,000, or Infinity'],
  ['attempts', 1_000_001, '1000001', 'or Infinity'],
  ['attempts', 1.5, '1.5', 'whole number'],
  ['maxElapsedMs', 0, '0', 'from 1 to 604,800,000 milliseconds, or Infinity'],
  ['backoffMs', -1, '-1', '0 to 600,000 milliseconds'],
  ['maxBackoffMs', 600_001, '600001', '0 to 600,000 milliseconds'],
  ['bisect', 1, '1', 'true or false'],
  ['then', 'drop', '"drop"', "'halt' or 'stop' or 'dead-letter' or 'skip'"],
  ['then', 'deadLetter', '"deadLetter"', "'dead-letter'"],
  ['maxRecordAgeMs', 999, '999', 'from 1,000 to 31,536,000,000 milliseconds, or Infinity'],
  ['timeoutMs', 0, '0', 'from 1 to 86,400,000 milliseconds'],
  ['timeoutMs', ENDLESS, 'Infinity', 'from 1 to 86,400,000 milliseconds'],
  ['decide', 'retry', '"retry"', 'a function (failure)'],
  ['circuitBreaker', true, 'true', 'an object'],
  ['circuitBreaker.failures', 0, '0', 'from 1 to 1,000'],
  ['circuitBreaker.openMs', 99, '99', 'from 100 to 3,600,000 milliseconds']
]

describe('resolveFailures', () => {
  for (const [path, value, shown, expected] of WRONG) {
    it(`refuses ${path}: ${shown}, with the name, the value and what was expected`, () => {
      const [name = '', inner] = path.split('.')
      const error = errorOf(Object.fromEntries([[name, inner === undefined ? value : { [inner]: value }]]))
      expect(error.option).to.equal(`onProcessorError.${path}`)
      expect(error.message).to.include(shown).and.include(expected)
    })
  }

  it('has hints for misspelt names, and lists the known ones', () => {
    expect(errorOf({ atempts: 5 }).message).to.match(/Did you mean attempts\?$/)
    expect(errorOf({ circuitBraker: {} }).message).to.match(/Did you mean circuitBreaker\?$/)
    expect(errorOf({ circuitBreaker: { failure: 3 } }).message).to.match(/Did you mean failures\?$/)
    expect(errorOf({ retries: 5 }).message).to.include('expected one of attempts, maxElapsedMs, ')
  })

  it('fills in the defaults: ten attempts, then the shard is halted', () => {
    expect(resolve()).to.deep.equal({
      failurePolicy: {
        attempts: 10,
        maxElapsedMs: ENDLESS,
        bisect: false,
        lastResort: 'halt',
        backoff: { firstMs: 500, maxMs: 30_000 },
        maxRecordAgeMs: ENDLESS
      },
      handlerTimeoutMs: 900_000,
      breaker: undefined,
      deadLetters: undefined
    })
    expect(resolve({ circuitBreaker: {} }).breaker).to.deep.equal({ failures: 5, openMs: 30_000 })
  })

  it('keeps what is given', () => {
    const given = { attempts: ENDLESS, maxElapsedMs: 7, backoffMs: 0, maxBackoffMs: 0, bisect: true, timeoutMs: 9 }
    const breaker = { failures: 1, openMs: 100 }
    const { failurePolicy, handlerTimeoutMs, ...rest } = resolve({ ...given, circuitBreaker: breaker })
    expect(failurePolicy).to.deep.include({ attempts: ENDLESS, maxElapsedMs: 7, bisect: true })
    expect(failurePolicy.backoff).to.deep.equal({ firstMs: 0, maxMs: 0 })
    expect(handlerTimeoutMs).to.equal(9)
    expect(rest.breaker).to.deep.equal(breaker)
  })

  it('looks for the bad record by default where it is given up, and not where the shard stands still anyway', () => {
    const bisects = ['halt', 'stop', 'dead-letter', 'skip'].map(lastResort => {
      const destination = lastResort === 'dead-letter' ? CALLBACK : undefined
      return resolve(lastly(lastResort), destination).failurePolicy.bisect
    })
    expect(bisects).to.deep.equal([false, false, true, true])
    expect(resolve(lastly('skip', { bisect: false })).failurePolicy.bisect).to.equal(false)
  })

  it('refuses a longest delay that is shorter than the first', () => {
    const { option, message } = errorOf({ backoffMs: 500, maxBackoffMs: 499 })
    expect(option).to.equal('onProcessorError.maxBackoffMs')
    expect(message).to.include('499').and.include('500')
    expect(resolve({ backoffMs: 60_000 }).failurePolicy.backoff).to.deep.equal({ firstMs: 60_000, maxMs: 60_000 })
  })

  it('takes a greatest age of records only where something becomes of older ones', () => {
    for (const lastResort of ['halt', 'stop', undefined]) {
      const { option, message } = errorOf(lastly(lastResort, { maxRecordAgeMs: 5_000 }))
      expect(option).to.equal('onProcessorError.maxRecordAgeMs')
      expect(message).to.include('5000').and.include("'dead-letter' or 'skip'")
    }
    expect(resolve({ maxRecordAgeMs: ENDLESS }).failurePolicy.maxRecordAgeMs).to.equal(ENDLESS)
    expect(resolve(lastly('skip', { maxRecordAgeMs: 1_000 })).failurePolicy.maxRecordAgeMs).to.equal(1_000)
  })

  it('refuses dead letters that have nowhere to go', () => {
    const { option, message } = errorOf(lastly('dead-letter'))
    expect(option).to.equal('deadLetters')
    expect(message).to.include('is missing').and.include("onProcessorError.then is 'dead-letter'")
  })

  it('refuses a destination that nothing would use, whatever becomes of records instead', () => {
    for (const lastResort of [undefined, 'halt', 'skip']) {
      const { option, message } = errorOf(lastly(lastResort), CALLBACK)
      expect(option).to.equal('deadLetters')
      expect(message).to.include('nothing would use it').and.include("'dead-letter'").and.include('decide')
    }
    expect(resolve({ decide: () => undefined }, CALLBACK).deadLetters).to.have.property('name', 'function CALLBACK')
  })

  it('takes a destination as it is', () => {
    class Shelf implements DeadLetterDestination {
      readonly name = 'a shelf'
      async store(): Promise<void> {}
    }
    const shelf = new Shelf()
    expect(resolve(lastly('dead-letter'), shelf).deadLetters).to.equal(shelf)
  })

  it('takes a function for a destination, waits for it, and tells it when to stop', async () => {
    const stored: unknown[] = []
    const { signal } = new AbortController()
    const letters: readonly DeadLetter[] = []
    const callback = async (...given: unknown[]): Promise<void> => {
      await Promise.resolve()
      stored.push(...given)
    }
    const destination = resolve(lastly('dead-letter'), callback).deadLetters
    await destination?.store(letters, { signal })
    expect(stored).to.deep.equal([letters, { signal }])
    const broken = (): never => {
      throw new Error('full')
    }
    const failure = resolve(lastly('dead-letter'), broken).deadLetters?.store(letters, { signal })
    expect(await failure?.catch((error: unknown) => error)).to.have.property('message', 'full')
  })

  it('refuses what is no destination', () => {
    for (const given of ['https://sqs', null, { name: 'x' }, { store: CALLBACK }, { name: '', store: CALLBACK }]) {
      const { option, message } = errorOf(lastly('dead-letter'), given)
      expect(option).to.equal('deadLetters')
      expect(message).to.include('expected a function of letters, or a destination with a name and a method store')
    }
  })
})

describe('the decision of a failure', () => {
  it('is the one of the user, who is told of the failure', () => {
    const told: unknown[] = []
    const decide = (failure: ProcessorFailure): FailureAction => {
      told.push(failure)
      return 'skip'
    }
    expect(resolve({ decide }).failurePolicy.decide?.(FAILURE)).to.equal('skip')
    expect(told).to.deep.equal([FAILURE])
  })

  for (const [what, decide, expected] of [
    ['that throws', () => expectedFailure(), 'decide threw, so the other options decide: no'],
    ['that is no action', () => 'retry later', 'decide answered "retry later", expected one of retry, bisect, halt'],
    ['that is a promise', () => Promise.resolve('skip'), 'decide answered an object']
  ] as const) {
    it(`is left to the other options where the user has one ${what}, and that is logged`, () => {
      const logger = collectingLogger()
      expect(resolve({ decide }, undefined, logger).failurePolicy.decide?.(FAILURE)).to.equal(undefined)
      const [line] = logger.lines
      expect(line?.level).to.equal('error')
      expect(line?.message).to.include(expected)
      expect(line?.fields).to.deep.equal({ option: 'onProcessorError.decide', shardId: FAILURE.shardId })
    })
  }

  it('is undefined where the user has none, and that is not logged', () => {
    const logger = collectingLogger()
    const { failurePolicy } = resolve({ decide: () => undefined }, undefined, logger)
    expect(failurePolicy.decide?.(FAILURE)).to.equal(undefined)
    expect(logger.lines).to.deep.equal([])
  })

  it('is to halt where dead letters have nowhere to go, and that is logged', () => {
    const logger = collectingLogger()
    const decide = (): FailureAction => 'dead-letter'
    expect(resolve({ decide }, undefined, logger).failurePolicy.decide?.(FAILURE)).to.equal('halt')
    expect(logger.lines.map(({ level }) => level)).to.deep.equal(['error'])
    expect(resolve({ decide }, CALLBACK, logger).failurePolicy.decide?.(FAILURE)).to.equal('dead-letter')
    expect(logger.lines).to.have.length(1)
  })
})

function expectedFailure(): never {
  throw new Error('no')
}
