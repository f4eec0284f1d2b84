import { expect } from 'chai'
import * as errors from '../../src/model/errors.ts'

const all: readonly errors.ConsumerError[] = [
  new errors.OptionError('leases.durationMs', 'expected 1 to 2, got 3'),
  new errors.TableMismatchError('another table'),
  new errors.LeaseLostError('lease', 'other has it'),
  new errors.CheckpointRefusedError('behind', 'too late'),
  new errors.ThrottledError('slow down'),
  new errors.ServiceError('timeout', 'no answer', { retryable: true }),
  new errors.ProcessorError('shard', 'processRecords', 2, new Error('boom')),
  new errors.ProcessorGoneError('shard', 'it ended'),
  new errors.HandlerTimeoutError(1_000, true),
  new errors.FailedRecordsError(1, 10),
  new errors.RecordTooOldError(60_000),
  new errors.RecordUndecodableError(
    { sequenceNumber: '1', subSequenceNumber: 0 },
    'not-json',
    'its 4 bytes are no JSON'
  ),
  new errors.DeadLetterError('file letters.jsonl', new Error('full')),
  new errors.StalledError('shard', 'an answer of Kinesis', 60_000),
  new errors.WorkerStoppedError('stopped'),
  new errors.OperationError('no-such-lease', 'there is none'),
  new errors.BugError('impossible')
]

describe('the errors', () => {
  it('are all here', () => {
    const classes = Object.values(errors).filter(each => 'prototype' in each && each !== errors.ConsumerError)
    const withCode = classes.filter(each => 'code' in each)
    expect(new Set(all.map(error => error.constructor))).to.deep.equal(new Set(withCode))
  })

  it('have a code of their own, the same on class and instance, and a name', () => {
    for (const error of all) {
      const { code, name } = error.constructor as unknown as { code: string; name: string }
      expect(error.code, name).to.equal(code)
      expect(error.name).to.equal(name)
      expect(error).to.be.instanceOf(errors.ConsumerError).and.instanceOf(Error)
    }
    expect(new Set(all.map(({ code }) => code))).to.have.length(all.length)
  })

  it('say whether they pass', () => {
    const passing = all.filter(errors.isRetryable).map(({ code }) => code)
    expect(passing).to.deep.equal([
      ...['THROTTLED', 'SERVICE', 'PROCESSOR', 'PROCESSOR_GONE', 'HANDLER_TIMEOUT', 'FAILED_RECORDS', 'DEAD_LETTER'],
      'STALLED'
    ])
    for (const other of [new Error('x'), undefined, { retryable: true }])
      expect(errors.isRetryable(other)).to.equal(false)
  })

  it('say what was thrown, whatever it was', () => {
    const unspeakable = { toString: (): never => expect.fail('called') }
    const table: readonly (readonly [unknown, string])[] = [
      [new Error('broken'), 'broken'],
      ['broken', 'broken'],
      [undefined, 'undefined'],
      [Symbol('broken'), 'Symbol(broken)'],
      [Object.assign(new Error(), { message: Symbol('broken') }), 'Symbol(broken)'],
      [Object.create(null), 'object that cannot be shown'],
      [unspeakable, 'object that cannot be shown']
    ]
    for (const [thrown, said] of table) {
      expect(new errors.ProcessorError('shard', 'initialize', 2, thrown)).to.include({
        message: `initialize of shard failed (attempt 2): ${said}`,
        cause: thrown
      })
    }
  })

  it('carry their cause, and none where there is none', () => {
    const cause = new Error('cause')
    expect(new errors.ServiceError('other', 'x', { retryable: false, cause }).cause).to.equal(cause)
    expect('cause' in new errors.ServiceError('other', 'x', { retryable: false })).to.equal(false)
    expect(new errors.ProcessorError('shard', 'initialize', 1, 'a string').message).to.contain('a string')
  })
})
